"""Between two moments of an expression the clock alone changes nothing: random expressions, values and instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.expressions import Kind, Schema, clock_problem, compile_expression, moments

SCHEMA = Schema(
    {
        "lead.D": Kind.DAY,
        "lead.I": Kind.INSTANT,
        "lead.X": Kind.ANY,
        "lead.N": Kind.NUMBER,
        "status_at": Kind.INSTANT,
        "days_in_status": Kind.NUMBER,
        "touches": Kind.LIST,
        "now": Kind.INSTANT,
        "today": Kind.DAY,
    }
)
START = datetime(2026, 3, 20, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland", "Africa/Cairo")

offsets = st.integers(-40 * 86_400, 40 * 86_400)
instants = offsets.map(lambda seconds: START + timedelta(seconds=seconds))
days = instants.map(datetime.date)
numbers = st.one_of(st.integers(-9, 20), st.sampled_from((1.5, -0.5, 7.25)))
orders = st.sampled_from(("<", "<=", ">", ">=", "==", "!="))
clocks = st.builds(
    lambda clock, sign, number: clock if sign is None else f"{clock} {sign} {number}",
    st.sampled_from(("now", "today")), st.sampled_from((None, "+", "-")), numbers,
)  # fmt: skip
times = st.sampled_from(("lead.D", "lead.I", "lead.X", "status_at", '"2026-03-29"', '"2026-03-25T10:00:00Z"'))
counts = st.sampled_from(
    (
        "days_since(lead.D)",
        "days_since(lead.I)",
        "days_since(lead.X)",
        "days_since(status_at)",
        "days_in_status",
        'days_since("2026-03-28")',
    )
)
channels = st.sampled_from(("null", '"demo"', '"form"'))
clauses = st.one_of(
    st.builds("{} {} {}".format, counts, orders, numbers),
    st.builds("{} {} {}".format, numbers, orders, counts),
    st.builds("{} <= {} < {}".format, numbers, counts, numbers),
    st.builds("{} in [{}, {}]".format, counts, st.integers(0, 9), st.integers(0, 30)),
    st.builds("{} not in [{}]".format, counts, st.integers(0, 9)),
    st.builds("any_touch({}, {})".format, channels, numbers),
    st.builds("count_touches({}, {}) + count_touches() {} {}".format, channels, numbers, orders, st.integers(0, 4)),
    st.builds("{} {} {}".format, clocks, orders, times),
    st.builds("{} {} {}".format, times, orders, clocks),
    st.builds("{} < {} <= {}".format, clocks, times, clocks),
    st.just('today in ["2026-03-29", "2026-04-01"]'),
    st.just("lead.N > 3"),
)
texts = st.recursive(
    clauses,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
    ),
    max_leaves=4,
)
anything = st.one_of(st.none(), instants, days, instants.map(datetime.isoformat), days.map(date.isoformat), st.just("soon"))
touches = st.lists(st.fixed_dictionaries({"channel": st.sampled_from(("demo", "form")), "at": anything}), max_size=4)


@settings(max_examples=400, deadline=None)
@given(texts, st.sampled_from(ZONES), st.data())
def test_nothing_changes_between_two_moments(text, zone_name, data):
    zone = ZoneInfo(zone_name)
    expression = compile_expression(text, SCHEMA, expects=Kind.BOOLEAN)
    assert clock_problem(expression) is None
    known = {
        "lead": {"D": data.draw(anything), "I": data.draw(anything), "X": data.draw(anything), "N": data.draw(numbers)},
        "status_at": data.draw(st.one_of(st.none(), instants)),
        "touches": data.draw(touches),
    }

    def holds(now: datetime) -> bool:
        since = known["status_at"]
        count = None if since is None else (now - since) // timedelta(days=1)
        return expression(known | {"now": now, "today": now.astimezone(zone).date(), "days_in_status": count})

    found = moments(expression, known, zone)
    assert list(found) == sorted(set(found))
    edges = [START - timedelta(days=90), *found, START + timedelta(days=90)]
    tick = timedelta(microseconds=1)
    for first, last in pairwise(edges):
        if last - first <= tick:
            continue
        inside = [
            first,
            last - tick,
            *(first + (last - first) * part for part in data.draw(st.lists(st.floats(0, 0.999), max_size=3))),
        ]
        assert len({holds(at) for at in inside}) == 1, (text, zone_name, first, last)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("days_since(lead.I) >= 30", {"I": "2026-01-01T10:00:00Z"}, ["2026-01-31T10:00:00+00:00"]),
        ("days_since(lead.D) >= 30", {"D": "2026-01-01"}, ["2026-01-30T23:00:00+00:00"]),
        ("days_since(lead.D) > 29", {"D": "2026-01-01"}, ["2026-01-30T23:00:00+00:00"]),
        ("lead.D < today", {"D": "2026-07-01"}, ["2026-07-01T22:00:00+00:00"]),
        ("lead.I <= now", {"I": "2026-07-01T08:00:00Z"}, ["2026-07-01T08:00:00+00:00"]),
        ("lead.N > 3", {"N": 4}, []),
        ("days_since(lead.D) >= 30", {}, []),
        ("days_since(lead.D) >= 99999999", {"D": "2026-01-01"}, []),
    ],
)
def test_a_moment_lies_where_the_clause_turns(text, values, expected):
    found = moments(compile_expression(text, SCHEMA), {"lead": values}, ZoneInfo("Europe/Berlin"))
    assert [moment.isoformat() for moment in found] == expected


@pytest.mark.parametrize(
    ("text", "offending"),
    [
        ("days_since(lead.D) + 1 > 3", "days_since(lead.D)"),
        ("days_since(lead.D) > lead.N", "days_since(lead.D)"),
        ("days_in_status * 2 > 3", "days_in_status"),
        ("now > today", "now > today"),
        ("today - lead.D > 3", "today"),
        ("any_touch(null, lead.N)", "lead.N"),
        ("is_known(now)", "now"),
        ("max(now, lead.I) > lead.I", "now"),
        ("lead.N > 3 and days_since(lead.D) > days_since(lead.I)", "days_since(lead.D) > days_since(lead.I)"),
        ("today + lead.N > lead.D", "today"),
    ],
)
def test_what_has_no_moment_is_named_with_its_place(text, offending):
    place, message = clock_problem(compile_expression(text, SCHEMA))
    assert place.text == offending
    assert "cannot tell when this changes" in message
