"""What the org lacks of what the policy names: missed by every pass, and logged once when it begins and once when it is over."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from syncd import events
from syncd.run.context import PassContext

_LACKS = "policy_lacks"
"""Setting: keys of what was lacking when it was last looked at, as a JSON list."""


def tell_lacks(ctx: PassContext, lacks: Mapping[str, str]) -> None:
    """Miss all of it in this pass, and log what is news. Writes the store if there is any.

    Args:
        ctx: The pass.
        lacks: A key for each thing (`status:Nurture`, `owner:queue:Archive`) to a sentence; its names are configuration.
    """
    for sentence in lacks.values():
        ctx.miss(sentence)
    before = set(msgspec.json.decode(ctx.store.setting(_LACKS) or "[]", type=list[str]))
    for key in sorted(lacks.keys() - before):
        ctx.log.error(events.POLICY_HINDERED, stage="plan", problem=_shown(key))
    for key in sorted(before - lacks.keys()):
        ctx.log.info(events.POLICY_UNHINDERED, stage="plan", problem=_shown(key))
    if before != lacks.keys():
        ctx.store.put_setting(_LACKS, msgspec.json.encode(sorted(lacks)).decode())


def _shown(key: str) -> str:
    """The key for the log; a user's name may be an address, which no log may hold."""
    return key if "@" not in key else key.rpartition(":")[0]
