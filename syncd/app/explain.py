"""Why the policy decides as it does about one person: `syncd policy explain`. Reads the store only; nothing is asked of the org."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from syncd.app.leads import decided_about, one_lead
from syncd.errors import ConfigError
from syncd.plan import facts_of, stated
from syncd.policy import Explanation, Policy, evaluate, explain
from syncd.ports import Store


def explain_lead(
    store: Store,
    policy: Policy,
    text: str,
    *,
    now: datetime,
    machine_users: Iterable[str],
    starts: Mapping[str, datetime | None],
) -> Explanation:
    """What the policy would decide now about exactly one person, by what the store knows of the org.

    Raises:
        ConfigError: The policy has no programs; nobody, or more than one person, answers to `text`.
    """
    if not policy.programs:
        raise ConfigError("The policy has no programs, so it decides nothing about anybody.", advice="See mappings/policies/.")
    view = one_lead(store, text)
    machines = frozenset(machine_users)
    stored = store.person_facts([view.person_id], machines, now)[view.person_id]
    facts = facts_of(view, stated(view.records), stored, policy, now=now, machine_users=machines, starts=starts)
    return msgspec.structs.replace(explain(policy, facts, evaluate(policy, facts)), decided=decided_about(store, view.person_id))
