"""What a policy has done once for an occasion: ids that stay the same however often it is decided, and what is still owed. Pure.

The outbox is the memory of both tasks and actions at sources: what was planned and never got there stands in it, and is planned again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from syncd.model import OPEN_STATES, Operation, OperationState, Provenance
from syncd.policy import Policy, Wanted

PUBLISHED = "published"
"""How provenance names what is written because a policy was published."""
_PREFIX = "policy "


def rule_name(policy: Policy, rule_id: str) -> str:
    """How provenance names a rule: `policy b2b_nurture 1a2b3c4d: came_back`."""
    return f"{_PREFIX}{policy.name or 'unnamed'} {policy.digest[:8]}: {rule_id}"


def rule_of(provenance: Mapping[str, Provenance]) -> str:
    """The id of the policy's rule behind a write; "" if another reason is behind it."""
    return named_rule(next((one.rule for one in provenance.values()), ""))


def named_rule(said: str) -> str:
    """The id in what `rule_name` made; "" if something else is behind it."""
    return said.partition(": ")[2] if said.startswith(_PREFIX) else ""


def occasion_id(person_id: str, one: Wanted, secret: bytes) -> str:
    """The id of what a rule asks for on one occasion: a keyed hash, 32 hex characters."""
    text = "\0".join((person_id, one.rule_id, str(one.number), one.occasion))
    return hashlib.blake2b(text.encode(), key=secret[:64], digest_size=16, person=b"syncd-policy").hexdigest()


def is_owed(tries: Sequence[Operation], refused: AbstractSet[str], run_id: str) -> bool:
    """Whether something is to be planned again: it never got there, and nothing is under way.

    Args:
        tries: Its operations, oldest first; at least one.
        refused: Ids of operations that were refused and that nobody has replayed.
        run_id: What failed in this run is left for the next one.
    """
    if any(one.state in OPEN_STATES or one.state is OperationState.DONE or one.operation_id in refused for one in tries):
        return False
    last = tries[-1]
    return not (last.code and last.run_id == run_id)
