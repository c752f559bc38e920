"""The company's lead standards as data, and what they decide for one person. Pure.

model     the parts of a policy, facts and verdicts      policy     the whole
load      policy.yaml to a Policy                        check      what is wrong with one that reads well
expected  the tests of the file                          needs      what the mirror must hold for it
"""

from syncd.policy.check import Finding as Finding
from syncd.policy.check import Level as Level
from syncd.policy.check import check_policy as check_policy
from syncd.policy.decide import Decision as Decision
from syncd.policy.decide import decide as decide
from syncd.policy.load import load_policy as load_policy
from syncd.policy.needs import Needs as Needs
from syncd.policy.needs import needs as needs
from syncd.policy.policy import Policy as Policy
from syncd.policy.policy import PolicyTest as PolicyTest
from syncd.policy.schema import policy_schema as policy_schema
