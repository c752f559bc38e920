"""The company's lead standards as data, and what they decide for one person. Pure.

model      what a policy says, what is known of a person, what is decided     load       the file to a Policy
values     what is known, as conditions name it                               compiled   a policy made ready, once for everybody
evaluate   one person to one verdict, by score, criteria, moving, doing       turn       one evaluation under way
explain    why                                                                decide     what a new or deleted lead gets
"""

from syncd.policy.decide import Decision as Decision
from syncd.policy.decide import decide as decide
from syncd.policy.evaluate import evaluate as evaluate
from syncd.policy.evaluate import values_of as values_of
from syncd.policy.explain import Explanation as Explanation
from syncd.policy.explain import explain as explain
from syncd.policy.load import Policy as Policy
from syncd.policy.load import load_policy as load_policy
