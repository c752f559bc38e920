"""What makes a connector silver (STYLE 1a): lost is said once, with a reason and what to do, back is said once, and nothing is missed.

Every case of the contract suite is a source of whole passes here, beside a drop folder that must not notice. Those that are only
sent to are not asked, so that nothing can be lost: whoever sends comes again (tests/integration/test_intake.py).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from syncd.connector import Delivery, FetchingConnector
from syncd.model import RunStatus
from syncd.run.one_pass import Summary
from tests.acting import SEND, Acting, doing
from tests.contract.connectors.cases import CASES, HTTP_CASES, PUSH_CASES, SENT, Case
from tests.served import SOURCE, Served
from tests.world import row

ROOT = Path(__file__).parents[2]
FIRST, ALL = 20, 40
AWAY = (("cut_before", False), ("unavailable", True), ("html_503", False))
REFUSED = (("expired", False), ("expired", True), ("forbidden", True))
FAULTS = {"away": AWAY, "refused": REFUSED}
"""What strikes in three passes, one after the other; everywhere, or only where records come from."""
ERRORS = {"away": "SourceUnavailableError", "refused": "AuthError"}
FETCHING = sorted(name for name in SENT if isinstance(PUSH_CASES[name](Path()).connector, FetchingConnector))
SAME_LOGIN = {"rest_link", "rest_offset", "rest_plain", "rest_post", "rest_whole"}
"""Cases that read in another way, and log in as `rest` does."""
LOGINS = sorted(set(HTTP_CASES) - SAME_LOGIN)
RENEWING = [name for name in LOGINS if "token_url" in str(CASES[name](Path()).options)]
"""Those whose access tokens end and are renewed."""
LOST = [(name, trouble) for name in sorted(CASES) for trouble in FAULTS if trouble == "away" or name not in SAME_LOGIN]

Said = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def served(name: str, tmp_path: Path) -> Served:
    """A world whose source was never read."""
    (tmp_path / "case").mkdir()
    case: Case = CASES[name](tmp_path / "case")
    case.fill(FIRST)
    return Served(tmp_path / "world", case=case, extra_settings="log: {level: debug, format: json}\n")


@pytest.fixture
def said(capsys: Any) -> Said:
    """Everything that was logged so far."""
    lines: list[dict[str, Any]] = []

    def read() -> list[dict[str, Any]]:
        lines.extend(json.loads(line) for line in capsys.readouterr().err.splitlines())
        return lines

    return read


@contextmanager
def passes(world: Served, *, is_one_process: bool) -> Iterator[Callable[[], Summary]]:
    """Runs passes: of one process, which keeps its tokens and connections, or each of a fresh one."""
    if not is_one_process:
        yield world.run
        return
    with closing(world.open()) as house:
        yield lambda: house.run([])[0]


def strike(case: Case, trouble: str, number: int) -> Callable[[], object]:
    """Trouble of pass `number`; gives what ends it."""
    if case.vendor is None:
        return case.troubles[trouble]()
    kind, is_at_records = FAULTS[trouble][number]
    case.vendor.model.faults.add(kind, case.vendor.path if is_at_records else "", times=-1)
    return case.vendor.model.faults.clear  # type: ignore[no-any-return]


def why_lost(world: Served) -> str:
    """What `syncd status` says of the source."""
    with closing(world.open()) as house:
        return str(house.status()["sources"][SOURCE]["lost"])


def named(lines: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [one for one in lines if one["event"] == event]


def check_reason(reason: str) -> None:
    """A sentence that says what happened, and one that says what to do."""
    assert len(re.findall(r"[.;](?:\s|$)", reason)) >= 2, reason
    # A number in an address may be as long as one of a telephone.
    assert "***" not in re.sub(r"/\*\*\*(?=/| )", "", reason)
    assert not re.search(r"Error|Exception|Traceback|None", reason)


def fill(case: Case) -> None:
    """More people come to the vendor, later."""
    case.clock.advance(7200)
    case.fill(ALL)


def check_people(world: Served, booth: int = 100) -> None:
    """Whoever the vendor holds is a lead, once; and so is whoever was at the booth."""
    numbers = (*range(ALL), *range(100, booth))
    assert Counter(str(lead["Email"]) for lead in world.leads()) == Counter(f"person{one}@example.com" for one in numbers)


def check_nothing_given_away(case: Case, shown: list[Any]) -> None:
    """No secret, no query, no value of a record."""
    text = " ".join(str(value) for one in shown for value in (one.values() if isinstance(one, dict) else (one,)))
    secrets, private = (case.vendor.secrets, case.vendor.private) if case.vendor else (case.secrets, ())
    for secret in secrets:
        assert secret not in text
        assert secret[:12] not in text
    assert not any(word in text for word in private)
    assert not re.search(r"[?@]|\bAda\b|\bName \d", text)


@pytest.mark.parametrize(("name", "trouble"), LOST)
def test_lost_is_said_once_and_back_once_and_nothing_is_missed(name: str, trouble: str, served: Served, said: Said) -> None:
    """Three passes in trouble, each of another kind, then two that are well.

    Away is a source that was never read, asked by fresh processes; refused is one that was, in the middle of a process's life.
    """
    world, case = served, served.case
    missed: list[str] = []
    with passes(world, is_one_process=trouble == "refused") as run:
        assert trouble == "away" or run().status is RunStatus.OK
        fill(case)
        for number in range(3):
            world.drop([row(100 + number)])
            heal = strike(case, trouble, number)
            summary = run()
            heal()
            assert (summary.status, summary.exit_code) == (RunStatus.PARTIAL, 3)
            assert any(one.startswith(f"{SOURCE}: ") for one in summary.missed), "it does not say what it missed"
            assert world.leads(Email=f"person{100 + number}@example.com"), "the other source was disturbed"
            missed += summary.missed
        (lost,) = named(said(), "source_lost")
        assert lost["source"] == SOURCE
        assert case.vendor is None or lost["error_type"] == ERRORS[trouble]
        check_reason(lost["reason"])
        check_reason(why_lost(world))
        assert not named(said(), "source_recovered")
        assert [run().status for _ in range(2)] == [RunStatus.OK] * 2
    lines = said()
    assert [one["event"] for one in lines if one["level"] in ("warning", "error")] == ["source_lost"], "said again in other words"
    assert [one["source"] for one in named(lines, "source_recovered")] == [SOURCE]
    assert why_lost(world) == ""
    check_people(world, 103)
    check_nothing_given_away(case, [*missed, *lines])


@pytest.mark.parametrize("name", LOGINS)
def test_a_key_that_was_revoked_is_lost_as_the_vendor_says_it_and_back_with_a_new_one(
    name: str, served: Served, said: Said
) -> None:
    """Refused by the vendor's own check, in its own words; the right key is read at the next start."""
    world = served
    assert served.case.vendor is not None
    world.give(is_revoked=True)
    fill(served.case)
    assert [world.run().exit_code for _ in range(2)] == [3, 3]
    (lost,) = named(said(), "source_lost")
    assert lost["error_type"] == "AuthError"
    assert served.case.vendor.secret_option in lost["reason"]
    world.give()
    assert world.run().status is RunStatus.OK
    assert len(named(said(), "source_lost")) == len(named(said(), "source_recovered")) == 1
    check_people(world)
    check_nothing_given_away(served.case, said())


@pytest.mark.parametrize("name", RENEWING)
def test_an_access_token_that_ends_is_renewed_and_nobody_is_told(name: str, served: Served, said: Said) -> None:
    """Rule re_auth: the vendor refuses a token before its time, in the middle of a process's life."""
    vendor = served.case.vendor
    assert vendor is not None
    with passes(served, is_one_process=True) as run:
        assert run().status is RunStatus.OK
        fill(served.case)
        assert run().status is RunStatus.OK, "its time was over"
        served.case.clock.advance(600)
        vendor.model.faults.add("expired", vendor.path, times=1)
        assert run().status is RunStatus.OK
    assert vendor.model.faults.hits["expired"] == 1
    assert [one["event"] for one in said() if one["level"] in ("warning", "error")] == []
    check_people(served)


@pytest.mark.parametrize("trouble", sorted(FAULTS))
@pytest.mark.parametrize("name", FETCHING)
def test_what_was_announced_meanwhile_waits_and_each_way_is_said_once(
    name: str, trouble: str, served: Served, said: Said
) -> None:
    """That it is read, and that it is asked for what it has announced, are lost and found each for itself."""
    world, case = served, served.case
    fill(case)
    with closing(world.open()) as house:
        request = PUSH_CASES[name](Path()).send(SENT[name](case, ALL - 1), case.clock.now())
        content_type = request.headers.get("content-type", "")
        house.journal.put([Delivery(SOURCE, case.clock.now(), request.body, content_type=content_type)])
    heal = strike(case, trouble, 0)
    for _ in range(2):
        assert world.run().exit_code == 3
        world.clock.advance(600)
    assert [one["source"] for one in named(said(), "source_lost")] == [SOURCE] * 2
    heal()
    assert world.run().status is RunStatus.OK
    lines = said()
    assert len(named(lines, "source_lost")) == len(named(lines, "source_recovered")) == 2
    with closing(world.open()) as house:
        assert (house.store.wanted_counts(), house.store.dead_letters()) == ({}, [])
    check_people(world)


def test_the_quality_file_claims_what_is_proven_here(tmp_path: Path) -> None:
    """Rules `once_lost_once_back` and `re_auth` of connectors/QUALITY.yaml, from both sides."""
    claims = YAML(typ="safe").load((ROOT / "connectors" / "QUALITY.yaml").read_text(encoding="utf-8"))

    def done(rule: str) -> set[str]:
        return {name for name, one in claims.items() if str(one["rules"][rule]).startswith("done")}

    def connectors(names: Iterable[str]) -> set[str]:
        return {CASES[name](tmp_path / name).connector.name for name in names if (tmp_path / name).mkdir() is None}

    renewing = connectors(RENEWING)
    assert done("once_lost_once_back") == renewing | connectors(set(CASES) - set(RENEWING)) | {"webhook_out"}
    assert done("re_auth") == renewing | {"webhook", "webhook_out"}, "the last two by their own tests: two secrets count"


@pytest.mark.parametrize("status", [401, 503])
def test_a_receiver_that_is_away_is_said_once_and_gets_every_message(status: int, tmp_path: Path, said: Said) -> None:
    """What takes actions and brings no records: `actions_lost` and `actions_recovered`, and each message once."""
    world = Acting(tmp_path / "world", policy=doing(SEND), extra_settings="log: {level: debug, format: json}\n")
    world.drop([row(1)])
    world.run()
    world.nurture(1)
    world.receiver.answers = [status] * 100
    assert world.run().exit_code == 3
    assert len(named(said(), "actions_lost")) == (status == 401), "that one answer says nothing is no outage"
    assert [world.run().exit_code for _ in range(2)] == [3, 3]
    (lost,) = named(said(), "actions_lost")
    assert lost["source"] == "events"
    check_reason(lost["reason"])
    world.receiver.answers = []
    assert world.run().status is RunStatus.OK
    assert [one["source"] for one in named(said(), "actions_recovered")] == ["events"]
    assert len(named(said(), "actions_lost")) == 1
    assert world.states() == [("send", "done", "")]
