"""One decision per person and pass. Pure: the same person and policy give the same decision."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from syncd.model import PersonView
from syncd.policy.evaluate import values_of
from syncd.policy.model import MIN_DELETE_DAYS, Enforcement, Facts, Section, Verdict
from syncd.policy.policy import Policy


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What the policy wants for one person, with the rule that said so.

    `status_on_create` is `""` when the org's default is to be used. `on_deleted` is skip, review or create.
    `is_wanted_again`: syncd has deleted the lead after retention, and intent has come since.
    """

    person_id: str
    rule: str
    status_on_create: str = ""
    on_deleted: str = "skip"
    allow_clear: bool = False
    is_wanted_again: bool = False


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


def is_wanted_again(policy: Policy, facts: Facts, verdict: Verdict, status: str, deleted_at: datetime) -> bool:
    """Whether somebody whose lead syncd has deleted shows new intent: what a revive rule would have brought the lead back for.

    `status` is the one that the lead had. A touch from the days before the deletion counts, too: a lead is deleted only if nobody has
    heard of any for so long, so it has come since, from a source that is asked now and then, or from another machine. A back-fill, an open, a bounce or a change of a profile is no intent.
    """
    unheard_since = deleted_at - timedelta(days=MIN_DELETE_DAYS)
    met = {one.name for one in verdict.criteria if one.value}
    is_news = facts.news_at is not None and deleted_at < facts.news_at <= facts.now
    for rule in policy.rules:
        is_asked = rule.section is Section.REVIVE and rule.enforcement is Enforcement.ENFORCE
        if not is_asked or rule.program not in ("", verdict.program) or (rule.from_statuses and status not in rule.from_statuses):
            continue
        is_shown = any(
            touch.is_news and touch.channel in rule.intent and unheard_since < touch.at <= facts.now for touch in facts.touches
        )
        if (is_shown or (is_news and met.intersection(rule.intent_criteria))) and (
            rule.when is None or rule.when(values_of(policy, facts)) is True
        ):
            return True
    return False
