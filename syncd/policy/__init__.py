"""The company's lead standards as data, and what they decide for one person. Pure.

This version knows the status of a new lead, what happens to deleted ones, and whether consent may be cleared.
"""

from syncd.policy.decide import Decision as Decision
from syncd.policy.decide import decide as decide
from syncd.policy.load import Policy as Policy
from syncd.policy.load import load_policy as load_policy
