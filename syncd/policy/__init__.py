"""The company's lead standards as data, and what they decide for one person. Pure.

model     what a policy says, what is known of a person, what is decided     policy     a policy as a whole
load      the file to a Policy, by reading and read_*                        check      what is wrong with one that reads well
expected  the tests of the file                                              needs      what the mirror must hold for it
values    what is known, as conditions name it                               compiled   a policy made ready, once for everybody
evaluate  one person to one verdict, by score, criteria, moving, deleting, doing   turn       one evaluation under way
ways      who is asked what in which status                                alike    where two policies cannot decide differently
explain   why                                                                decide     what a new or deleted lead gets
"""

from syncd.policy.check import Finding as Finding
from syncd.policy.check import Level as Level
from syncd.policy.check import check_policy as check_policy
from syncd.policy.decide import Decision as Decision
from syncd.policy.decide import decide as decide
from syncd.policy.decide import is_wanted_again as is_wanted_again
from syncd.policy.evaluate import evaluate as evaluate
from syncd.policy.evaluate import values_of as values_of
from syncd.policy.expected import run_tests as run_tests
from syncd.policy.explain import Decided as Decided
from syncd.policy.explain import Explanation as Explanation
from syncd.policy.explain import explain as explain
from syncd.policy.load import load_policy as load_policy
from syncd.policy.model import FOR_MAILING as FOR_MAILING
from syncd.policy.model import OF_DEALS as OF_DEALS
from syncd.policy.model import WITH_LEAVE as WITH_LEAVE
from syncd.policy.model import Action as Action
from syncd.policy.model import ActionKind as ActionKind
from syncd.policy.model import ConversionEvent as ConversionEvent
from syncd.policy.model import Enforcement as Enforcement
from syncd.policy.model import Facts as Facts
from syncd.policy.model import Section as Section
from syncd.policy.model import Standing as Standing
from syncd.policy.model import StatusChange as StatusChange
from syncd.policy.model import Target as Target
from syncd.policy.model import TouchFact as TouchFact
from syncd.policy.model import Verdict as Verdict
from syncd.policy.model import Wanted as Wanted
from syncd.policy.needs import Needs as Needs
from syncd.policy.needs import needs as needs
from syncd.policy.needs import written_fields as written_fields
from syncd.policy.policy import Policy as Policy
from syncd.policy.policy import PolicyTest as PolicyTest
from syncd.policy.schema import policy_schema as policy_schema
