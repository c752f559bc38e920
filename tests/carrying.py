"""Carries a verdict out on facts, as the org and the store would: what the next evaluation of the person sees."""

from __future__ import annotations

import msgspec

from syncd.policy.model import ActionKind, Facts, Section, StatusChange, Verdict


def carry_out(known: Facts, verdict: Verdict) -> Facts:
    """The facts right after everything that the verdict wants was done, at the same instant."""
    standing = known.standing
    if standing is None:
        return known
    fields = dict(standing.fields)
    statuses = standing.statuses
    if verdict.to_status:
        fields["Status"] = verdict.to_status
        statuses = (*statuses, StatusChange(verdict.to_status, known.now))
    if verdict.means is not None and verdict.means.flag:
        fields[verdict.means.flag] = not verdict.is_unarchived
    waiting = {rule_id: end for rule_id, end in known.waiting.items() if rule_id not in verdict.stops} | verdict.starts
    fired = [one.rule_id for one in verdict.asked if one.outcome == "fired" and one.section is not Section.ILLEGAL]
    return msgspec.structs.replace(
        known,
        standing=msgspec.structs.replace(
            standing, fields=fields, statuses=statuses, is_converted=standing.is_converted or bool(verdict.converts)
        ),
        fired=known.fired | dict.fromkeys(fired, known.now),
        waiting=waiting,
        open_tasks=known.open_tasks + sum(one.kind is ActionKind.TASK for one in verdict.actions),
        open_opportunities=known.open_opportunities + bool(verdict.opens),
    )
