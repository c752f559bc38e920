"""One decision per person and pass. Pure: the same person and policy give the same decision."""

from __future__ import annotations

import msgspec

from syncd.model import PersonView
from syncd.policy.policy import Policy


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What the policy wants for one person, with the rule that said so.

    `status_on_create` is `""` when the org's default is to be used. `on_deleted` is skip, review or create.
    """

    person_id: str
    rule: str
    status_on_create: str = ""
    on_deleted: str = "skip"
    allow_clear: bool = False


def decide(policy: Policy, view: PersonView) -> Decision:
    """Decide for one person. A lead that exists keeps its status: no rule of this version moves one."""
    is_new = not any(not record.row.is_deleted for record in view.org_records)
    return Decision(
        person_id=view.person_id,
        rule=f"policy {policy.digest[:8]}: on_create.status" if is_new else f"policy {policy.digest[:8]}: leave alone",
        status_on_create=policy.status_on_create if is_new else "",
        on_deleted=policy.on_deleted,
        allow_clear=policy.allow_clear,
    )
