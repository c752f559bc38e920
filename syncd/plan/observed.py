"""What observed rules would have done: a note while one holds, and a line in the log when it begins to. Pure.

The note is the memory, so that a rule that goes on holding is logged once: it goes when the rule holds no more, and stays where
nobody asked. Nothing here is done, counts as done, or makes anybody be looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from syncd.policy import Policy, Verdict
from syncd.policy.model import Asked, Rule
from syncd.ports import DecisionRow

OBSERVED = "observed"
_NOTE = "observed:"


def observed_notes(verdict: Verdict) -> dict[str, str]:
    """A note for each rule that would have done something; its word is what a run counts."""
    return {f"{_NOTE}{one.rule_id}": f"would:{one.rule_id}" for one in verdict.asked if one.outcome == OBSERVED}


def kept_notes(before: Mapping[str, str], *names: str) -> dict[str, str]:
    """The notes of somebody about whom the policy was not asked this time; those of these `names`, too."""
    return {name: note for name, note in before.items() if name.startswith(_NOTE) or name in names}


def observed_decisions(policy: Policy, verdict: Verdict, before: Mapping[str, str], version: str) -> Iterator[DecisionRow]:
    """The log of rules that begin to hold; `before` are the notes of the last time, `version` names the policy."""
    for one in verdict.asked:
        if one.outcome == OBSERVED and f"{_NOTE}{one.rule_id}" not in before:
            yield _decision(one, policy.rule(one.rule_id), verdict, version)


def _decision(answer: Asked, rule: Rule | None, verdict: Verdict, version: str) -> DecisionRow:
    actions = sorted({str(one.kind) for one in rule.actions}) if rule is not None else []
    criteria = {one.name: one.value for one in verdict.criteria if one.value is not None}
    return DecisionRow(
        answer.rule_id,
        str(answer.section),
        OBSERVED,
        policy=version,
        from_status=verdict.from_status,
        to_status=_target(rule) if rule is not None else "",
        document={"score": verdict.score, "criteria": criteria, "actions": actions},
    )


def _target(rule: Rule) -> str:
    """Where the rule would have moved somebody; "" for one that moves nothing."""
    if rule.converting is not None:
        return rule.converting.status
    return (rule.means.status if rule.means is not None else "") or rule.to_status


__all__ = ["OBSERVED", "kept_notes", "observed_decisions", "observed_notes"]
