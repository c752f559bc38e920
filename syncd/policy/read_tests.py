"""`tests:` of the policy file to facts and what is expected of them. Pure.

The decision of a test is made at noon UTC of its day; "days ago" are full days before that.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

from syncd.document import Node
from syncd.expressions import Kind
from syncd.model import Value
from syncd.policy.keys import BLOCKED, EXPECT, GIVEN, TEST, TOUCH, names
from syncd.policy.model import ActionKind, Facts, Standing, StatusChange, TouchFact
from syncd.policy.policy import Policy, PolicyTest
from syncd.policy.read_rules import MAX_RULES
from syncd.policy.reading import MAX_DAYS, MAX_LONG_TEXT_CHARACTERS, Reader, is_blank, shown

MAX_TESTS = 300
MAX_TOUCHES = 200
MAX_FIELDS = 200
DEFAULT_DAY = date(2026, 1, 31)
_NEWEST = date(2200, 1, 1)
_SF_ID = {"Lead": "00Q000000000001AAA", "Contact": "003000000000001AAA"}
_SCORE = 10**9
_NO_RULE = 'There is no rule "{}".'


def read_tests(
    reader: Reader, root: Node, policy: Policy, rules: Collection[str], criteria: Collection[str]
) -> tuple[PolicyTest, ...]:
    """The tests of the file, those with a problem left out; `rules` and `criteria` are all that are written, wrong ones too."""
    read = _TestReader(reader, policy, rules, criteria)
    found = [read.test(node) for node in reader.items(root, "tests", MAX_TESTS)]
    return tuple(one for one in found if one is not None)


class _TestReader:
    def __init__(self, reader: Reader, policy: Policy, rules: Collection[str], criteria: Collection[str]) -> None:
        self._reader = reader
        self._policy = policy
        self._statuses = [name for program in policy.programs for name in program.statuses]
        self._rules = rules
        self._criteria = criteria
        self._hold_days = {rule.rule_id: rule.hold_days for rule in policy.rules}

    def test(self, node: Node) -> PolicyTest | None:
        reader = self._reader
        before = len(reader.problems.found)
        if not reader.keys(node, TEST, "A test"):
            return None
        given, expect = node.entries["given"], node.entries["expect"]
        name = reader.text(node, "name")
        now = datetime.combine(self._day(node), datetime.min.time(), UTC) + timedelta(hours=12)
        if reader.words(given, names(GIVEN), "given") and reader.words(expect, names(EXPECT), "expect"):
            facts = self._facts(given, now)
            self._expected(expect)
            if len(reader.problems.found) == before:
                return PolicyTest(name, node.line, facts, expect.plain())
        return None

    def _day(self, node: Node) -> date:
        text = self._reader.text(node, "today")
        if not text:
            return DEFAULT_DAY
        try:
            found = date.fromisoformat(text)
        except ValueError:
            found = date.min
        if not date(1990, 1, 1) <= found <= _NEWEST:
            self._reader.problems.add(node.entries["today"], 'today is a day, for example "2026-05-01".')
            return DEFAULT_DAY
        return found

    # What is known of the person.

    def _facts(self, given: Node, now: datetime) -> Facts:
        reader = self._reader
        touches = tuple(one for node in reader.items(given, "touches", MAX_TOUCHES) if (one := self._touch(node, now)))
        newest = max((one.at for one in touches if one.is_news), default=None)
        standing = self._standing(given, now, tuple(one.at for one in touches))
        ahead = reader.number(given, "next_event_in_days")
        known = [one.at for one in touches] + ([standing.created_at] if standing and standing.created_at else [])
        return Facts(
            person_id="test",
            now=now,
            day=now.date().isoformat(),
            golden=self._values(given, "lead"),
            standing=standing,
            touches=touches,
            first_at=min(known, default=now),
            news_at=self._ago(given, "news_days_ago", now) or newest,
            sources=tuple(sorted({text for text, _ in reader.texts(given, "sources")})),
            has_opted_out=reader.flag(given, "opted_out"),
            account=self._values(given, "account"),
            open_tasks=reader.number(given, "open_tasks") or 0,
            next_event_at=None if ahead is None else now + timedelta(days=ahead),
            last_activity_at=self._ago(given, "last_activity_days_ago", now),
            open_opportunities=reader.number(given, "open_opportunities") or 0,
            fired={rule: now - timedelta(days=days) for rule, days in self._by_rule(given, "fired").items()},
            archived={rule: now - timedelta(days=days) for rule, days in self._by_rule(given, "archived_days_ago").items()},
            waiting={
                rule: now + timedelta(days=self._hold_days.get(rule, 0) - days)
                for rule, days in self._by_rule(given, "held_for_days").items()
            },
        )

    def _standing(self, given: Node, now: datetime, touched: tuple[datetime, ...]) -> Standing | None:
        reader = self._reader
        kind = reader.word(given, "object", ("Lead", "Contact"), "Lead")
        status = self._status(given, "status")
        previous = self._status(given, "previous_status")
        days = reader.number(given, "days_in_status")
        set_by = reader.word(given, "set_by", ("syncd", "rep"), "syncd")
        edited_at = self._ago(given, "edited_days_ago", now)
        created_at = self._ago(given, "created_days_ago", now)
        owner = reader.flag(given, "owner_active") if "owner_active" in given else None
        org = self._values(given, "org")
        if status and kind == "Contact":
            reader.problems.add(given.entries["status"], "A contact has no status.", "Leave status: or object: out.")
        if not status:
            for key in ("days_in_status", "set_by", "previous_status"):
                if key in given:
                    reader.problems.add_key(given, key, f"{key} goes with status: only.")
        if not status and "org" not in given and kind == "Lead":
            return None
        at = now - timedelta(days=days or 0)
        before = StatusChange(previous, at - timedelta(days=1)) if previous else None
        changes = (StatusChange(status, at, by_person=set_by == "rep"),) if status else ()
        return Standing(
            object=kind,
            sf_id=_SF_ID[kind],
            fields={**({"Status": status} if status else {}), **org},
            owner_id="005000000000001AAA",
            is_owner_active=owner,
            created_at=created_at or min((*touched, *(one.at for one in changes), *([before.at] if before else [])), default=now),
            edited_at=edited_at or (at if status and set_by == "rep" else None),
            statuses=((before,) if before else ()) + changes,
        )

    def _status(self, given: Node, key: str) -> str:
        """A status of the org: one that no program has is allowed (an illegal one), where it is not a mere slip."""
        return self._reader.text(given, key)

    def _touch(self, node: Node, now: datetime) -> TouchFact | None:
        reader = self._reader
        if not reader.words(node, TOUCH, "A touch"):
            return None
        channel, days = reader.text(node, "channel"), reader.number(node, "days_ago")
        if is_blank(node.get("channel")) or is_blank(node.get("days_ago")):
            reader.problems.add(node, "A touch needs channel: and days_ago:.", "For example {channel: demo, days_ago: 1}.")
        at = now - timedelta(days=days or 0)
        return TouchFact(
            channel, at, reader.text(node, "campaign"), reader.text(node, "source"), reader.flag(node, "news", default=True)
        )

    def _ago(self, given: Node, key: str, now: datetime) -> datetime | None:
        days = self._reader.number(given, key)
        return None if days is None else now - timedelta(days=days)

    def _values(self, given: Node, key: str) -> dict[str, Value]:
        """Values of fields; a field of Lead and of the org must be one that conditions may name too."""
        reader = self._reader
        schema = reader.variables.schema
        found: dict[str, Value] = {}
        for name, node in reader.entries(given, key, MAX_FIELDS).items():
            if schema.kind_of((key, name)) is None and not name.endswith("__c"):
                known = [
                    one.removeprefix(f"{key}.")
                    for one, kind in schema.variables.items()
                    if one.startswith(f"{key}.") and kind is not Kind.LIST
                ]
                reader.known_key(name, given.entries[key], known, f'There is no variable "{key}.{name[:60]}".')
            elif node.kind != "scalar":
                reader.problems.add(node, f"{name} is a text, a number, true, false or null.")
            else:
                found[name] = node.scalar
        return found

    def _by_rule(self, given: Node, key: str) -> dict[str, int]:
        """Rule id to days."""
        found = {}
        for name in self._reader.entries(given, key, MAX_RULES):
            parent = given.entries[key]
            if self._reader.known_key(name, parent, self._rules, _NO_RULE.format(name[:60])):
                found[name] = self._reader.number(parent, name, 0, MAX_DAYS) or 0
        return found

    # What is expected.

    def _expected(self, expect: Node) -> None:
        reader = self._reader
        if not expect.entries:
            reader.problems.add(expect, "A test expects something.", f"Known: {', '.join(names(EXPECT))}.")
        self._may_be(expect, "program", [one.name for one in self._policy.programs], "There is no program {}.")
        self._may_be(expect, "status", self._statuses, "No program has a status {}.")
        for key in ("rule", "converts", "opens", "deletes"):
            self._may_be(expect, key, [*self._rules, "illegal_status", "illegal_move"], "There is no rule {}.")
        for key in ("fired", "observed"):
            for text, node in reader.texts(expect, key):
                reader.known(text, node, self._rules, _NO_RULE.format(text))
        reader.number(expect, "score", -_SCORE, _SCORE)
        for name, node in reader.entries(expect, "criteria", MAX_FIELDS).items():
            if reader.known_key(name, expect.entries["criteria"], self._criteria, f'There is no criterion "{name[:60]}".'):
                self._ternary(node, name)
        if "qualified" in expect:
            self._ternary(expect.entries["qualified"], "qualified")
        for name in reader.entries(expect, "blocked", MAX_RULES):
            parent = expect.entries["blocked"]
            if reader.known_key(name, parent, self._rules, _NO_RULE.format(name[:60])):
                reader.word(parent, name, BLOCKED, "")
        for node in reader.items(expect, "actions", MAX_FIELDS):
            self._action(node)

    def _may_be(self, expect: Node, key: str, legal: list[str], message: str) -> None:
        """One of the `legal` names, or "" for none."""
        node = expect.get(key)
        if node is None or (node.kind == "scalar" and node.scalar in (None, "")):
            return
        text = self._reader.text_of(node, key)
        if text:
            self._reader.known(text, node, legal, message.format(f'"{text}"'))

    def _ternary(self, node: Node, key: str) -> None:
        if node.kind != "scalar" or not (node.scalar is None or isinstance(node.scalar, bool)):
            self._reader.problems.add(node, f"{key} is true, false or null (unknown).")

    def _action(self, node: Node) -> None:
        kinds = [kind.value for kind in ActionKind]
        if node.kind == "mapping" and len(node.entries) == 1:
            ((word, values),) = node.entries.items()
            if values.kind != "mapping" or any(one.kind != "scalar" for one in values.entries.values()):
                self._reader.problems.add(values, "An expected action is a kind, or {kind: {option: value}}.")
        else:
            word = shown(node)[:MAX_LONG_TEXT_CHARACTERS]
        self._reader.known(word, node, kinds, f'There is no action "{word[:60]}".')
