"""The page for reps: complete, of one piece, and text stays text whatever a policy says."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from syncd.app.publish import render
from syncd.errors import ConfigError
from syncd.policy import Enforcement, Policy
from syncd.policy.model import Action, ActionKind, Mover, Rule, Section, Standards, Status
from syncd.policy.published import published
from syncd.policy.published_diagram import MOST_STATUSES, diagram
from syncd.policy.published_rules import span_of
from tests.policies import RULES, full_policy, program, when

DAY = date(2026, 5, 1)
_VOID = frozenset({"meta", "br", "path", "rect"})
HOSTILE = "<img src=x onerror=alert(1)>&amp;\"'`|*_[a](javascript:x)"


class Parsed(HTMLParser):
    """Tags that nest, their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if not self.open or self.open[-1] != "style" else ""


def hostile() -> Policy:
    """The full policy with markup in every text that an admin may write."""
    found = program()
    statuses = {f"{name} {HOSTILE}": msgspec.structs.replace(one, name=f"{name} {HOSTILE}", meaning=HOSTILE, next_action=HOSTILE)
                for name, one in found.statuses.items()}  # fmt: skip
    moves = tuple(msgspec.structs.replace(one, from_status=f"{one.from_status} {HOSTILE}", to_status=f"{one.to_status} {HOSTILE}")
                  for one in found.transitions)  # fmt: skip
    made = msgspec.structs.replace(found, statuses=statuses, transitions=moves, record_type=HOSTILE)
    rules = tuple(msgspec.structs.replace(one, reason=HOSTILE, owner=one.owner and f"queue:{HOSTILE}",
                                          from_statuses=tuple(f"{name} {HOSTILE}" for name in one.from_statuses)) for one in RULES)  # fmt: skip
    standards = full_policy().standards
    criteria = tuple(msgspec.structs.replace(one, meaning=HOSTILE) for one in standards.criteria)
    return full_policy(
        name=HOSTILE, programs=(made,), rules=rules, standards=msgspec.structs.replace(standards, criteria=criteria)
    )


@pytest.mark.parametrize("policy", [full_policy(), hostile()], ids=["plain", "hostile"])
def test_html_is_of_one_piece_and_asks_for_nothing(policy: Policy) -> None:
    """Well formed, no script, no reference beyond the page itself, every link leads to something, no id twice."""
    page = render(policy, DAY, "x.html")
    found = Parsed(page)
    assert not {"script", "link", "img", "iframe", "object", "base", "form", "image", "use"} & {tag for tag, _ in found.tags}
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in found.tags:
        assert not {"src", "srcset", "style", "data"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        if "href" in attributes:
            assert str(attributes["href"]).removeprefix("#") in ids
            assert str(attributes["href"])[0] == "#"
    assert set(re.findall(r"url\(([^)]*)\)", page)) <= {f"#p0-{by}" for by in Mover}
    assert "@import" not in page
    assert re.findall(r"https?:|//", re.sub(r"&[a-z#0-9]+;", "", page)) == []


def test_text_stays_text_in_both() -> None:
    html, markdown = (render(hostile(), DAY, name) for name in ("x.html", "x.md"))
    assert Parsed(html).text.count(HOSTILE) > 40
    assert "<img" not in html
    assert re.sub(r"\\.", "", markdown).count("<") == 0
    assert "[a](" not in re.sub(r"\\.", "", markdown)
    rows = [line for line in markdown.splitlines() if line.startswith("| ") and "onerror" in line]
    assert rows
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {4}


def test_markdown_begins_no_list_and_no_heading_by_accident() -> None:
    policy = full_policy(
        programs=(msgspec.structs.replace(program(), statuses={"a": Status("a", "- x"), "b": Status("b", "1. x"), "c": Status("c", "# x\n## y")}, transitions=()),),
        rules=(), standards=Standards(),
    )  # fmt: skip
    page = render(policy, DAY, "")
    assert [line for line in page.splitlines() if line.endswith(("x", "y"))] == ["\\- x", "1\\. x", "\\# x \\#\\# y"]


def test_everything_that_the_policy_knows_is_on_both_pages() -> None:
    policy = full_policy()
    for name in ("x.html", "x.md"):
        page = render(policy, DAY, name)
        for said in (
            *(rule.rule_id for rule in policy.rules),
            *policy.programs[0].statuses,
            *(one.meaning for one in policy.programs[0].statuses.values()),
            *(one.next_action for one in policy.programs[0].statuses.values()),
            *(one.reason for one in policy.rules),
            *(one.name for one in policy.standards.criteria),
            policy.digest[:8], "2026-05-01", "Europe/Berlin", "Syncd_Hold_Until__c",
        ):  # fmt: skip
            assert said in page, said


def test_who_may_move_what_is_said_for_each_status() -> None:
    (found,) = published(full_policy(), DAY).programs
    by_name = {one.name: one for one in found.statuses}
    qualified = by_name["Qualified"]
    assert qualified.by_reps == ("Nurture", "Unqualified", "Archived", "Closed - Converted")
    assert qualified.by_syncd == ("Archived", "Closed - Converted")
    assert [one.rule_id for one in by_name["Open - Not Contacted"].deadlines] == ["first_touch"]
    assert [one.rule_id for one in qualified.rules] == ["ready", "big"]
    assert by_name["Archived"].marks == ("the end",)


def test_rules_that_only_watch_are_marked() -> None:
    watching = tuple(msgspec.structs.replace(one, enforcement=Enforcement.OBSERVE) for one in RULES)
    page = published(full_policy(rules=watching), DAY)
    assert page.facts[0].startswith("All rules only watch")
    assert page.watching == tuple(one.rule_id for one in RULES)
    assert all("only watches" in entry.marks for chapter in page.chapters for entry in chapter.entries)
    assert published(full_policy(), DAY).watching == ()


def test_an_or_beside_another_condition_stands_in_brackets() -> None:
    (rule,) = (one for one in RULES if one.rule_id == "came_back")
    both = msgspec.structs.replace(rule, when=when("criteria.need or qualified"))
    (entry,) = published(full_policy(rules=(both,)), DAY).chapters[0].entries
    assert (
        "when (there is a new touch on form, demo, reply or webinar_attended or budget is met by something newer than the status) "
        "and (need is met or they are qualified)."
    ) in entry.text


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(1, "1 minute"), (90, "90 minutes"), (60, "1 hour"), (240, "4 hours"), (1440, "1 day"), (4320, "3 days")],
)
def test_spans(minutes: int, said: str) -> None:
    assert span_of(minutes) == said


def test_the_picture_has_every_move_once_and_whole_names() -> None:
    names = ["Open", "A status with a very long name indeed", "Done"]
    drawn = diagram(names, [("Open", "Done", Mover.BOTH), ("Done", "Open", Mover.REP), ("Open", names[1], Mover.SYNCD)], "x", "p")
    assert drawn.count('<path class="move ') == 3
    assert all(f"<title>{name}</title>" in drawn for name in names)
    assert "A status with a very lo…" in drawn
    assert diagram(["Open"], [], "x", "p") == ""
    assert diagram([str(n) for n in range(MOST_STATUSES + 1)], [], "x", "p") == ""


@pytest.mark.parametrize("name", ["x.pdf", "x", ".html/x"])
def test_a_page_that_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(name)):
        render(full_policy(), DAY, name)


def test_without_programs_there_is_nothing_to_publish() -> None:
    empty: dict[str, Any] = {"programs": ()}
    with pytest.raises(ConfigError, match="no programs"):
        render(full_policy(**empty), DAY, "")


def test_a_deletion_is_said_in_a_chapter_of_its_own() -> None:
    gone = Rule("gone", Section.DELETE, when=when('lead.Country != "DE"'), after_days=730, of_rule="outside_icp")
    watched = msgspec.structs.replace(gone, rule_id="watched", when=None, enforcement=Enforcement.OBSERVE)
    text = render(full_policy(rules=(*RULES, gone, watched)), DAY, "x.md")
    assert "## What is deleted in the end" in text
    assert "A lead that outside_icp has archived, 730 days after anybody last did anything to it, if" in text
    assert "Never if you have edited it since" in text
    assert "What is deleted" not in render(full_policy(), DAY, "x.md")


def test_who_is_registered_for_a_webinar_is_told_only_where_a_rule_does_it() -> None:
    told = "Nobody is registered for a webinar who has not asked for it themselves"
    assert told not in Parsed(render(full_policy(), DAY, "x.html")).text
    options = {"webinar": "98765432101", "asked": "pumps-form"}
    rule = Rule(
        "pumps",
        Section.NURTURE,
        from_statuses=("Nurture",),
        actions=(Action(ActionKind.REGISTER, source="zoom", options=options),),
    )
    text = Parsed(render(full_policy(rules=(*RULES, rule)), DAY, "x.html")).text
    assert told in text
    assert "whoever asked for it is registered for the webinar 98765432101 of zoom" in text
    assert "pumps-form" not in text
