"""Which archived leads have been kept for long enough. Pure; what brings somebody back afterwards is in `decide`.

A deletion is the last step of an archive rule and asks for more than that rule did: this very rule of syncd put the lead away, nobody
has touched it since, and all that forbids archiving forbids deleting too.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from syncd.policy.compiled import ReadyRule
from syncd.policy.model import ArchiveMeans, Section, Target
from syncd.policy.moving import archive_guard, changed_by_person, last_activity
from syncd.policy.turn import Turn, later

_SKEW = timedelta(minutes=1)
"""The org's clock and ours may differ: an edit so shortly before archiving counts as one after it."""


def delete(turn: Turn, *, is_free: bool) -> tuple[str, dict[str, datetime]]:
    """The rule by which the lead is to be deleted, "" for none; and the rule that keeps it, with when it is due.

    `is_free`: nothing else moves or converts the lead. The archive rule that moved it last is one, so there is one deletion at most.
    """
    deletes = ""
    keeps: dict[str, datetime] = {}
    for one in turn.program.later[Section.DELETE]:
        word, due_at = _blocked(turn, one, is_free=is_free)
        turn.asked.append(one.blocked[word] if word else one.fired)
        if one.is_enforced and due_at is not None:
            keeps[one.rule.rule_id] = due_at
            deletes = "" if word else one.rule.rule_id
    return deletes, keeps


def _blocked(turn: Turn, one: ReadyRule, *, is_free: bool) -> tuple[str, datetime | None]:
    """Why the lead is not deleted, "" if it is; and when it is due, None while something else than time keeps it."""
    if turn.target is not Target.LEAD:
        return "no_target", None
    archive = turn.program.rules.get(one.rule.of_rule)
    archived_at = turn.facts.archived.get(one.rule.of_rule)
    if archive is None or archived_at is None or not _is_away(turn, archive.rule.means):
        return "status", None
    if _is_touched(turn, archive.rule.means, archived_at):
        return "rep_edit", None
    if not turn.holds(one.when):
        return "condition", None
    if not is_free:
        return "earlier_rule", None
    word = archive_guard(turn, one)
    if word:
        return word, None
    since = max(archived_at, last_activity(turn) or archived_at)
    due_at = later(since, days=one.rule.after_days or 0)
    turn.wait_for(due_at)
    return ("waiting" if due_at > turn.facts.now else ""), due_at


def _is_away(turn: Turn, means: ArchiveMeans | None) -> bool:
    """Whether the lead is still archived in every way that the rule archives."""
    standing = turn.facts.standing
    if means is None or standing is None or not (means.status or means.flag):
        return False
    is_flagged = not means.flag or standing.fields.get(means.flag) is True
    return is_flagged and means.status in ("", turn.status)


def _is_touched(turn: Turn, means: ArchiveMeans | None, archived_at: datetime) -> bool:
    """Whether a person has edited the lead, or set its status, since it was archived."""
    standing = turn.facts.standing
    edited_at = standing.edited_at if standing is not None else None
    if edited_at is not None and edited_at > archived_at - _SKEW:
        return True
    return means is not None and bool(means.status) and changed_by_person(turn)
