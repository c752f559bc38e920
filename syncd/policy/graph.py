"""The statuses of a program as a graph: what is reached from where, and where rules lead round in a ring. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from syncd.policy.clauses import Clause, clauses_of, exclusive
from syncd.policy.model import Mover, Program, Rule

MAX_STEPS = 10_000
"""Of the search for rings in one program."""

LONGEST_LOOP = 8


class Loop(msgspec.Struct, frozen=True):
    """Statuses that rules of syncd lead through in a ring; `rules[i]` leaves `statuses[i]`."""

    statuses: tuple[str, ...]
    rules: tuple[Rule, ...]


def reached(program: Program, start: str) -> set[str]:
    """Statuses that a lead can come to from `start`, by anybody, or that something outside of the program is mapped to."""
    ways: dict[str, set[str]] = defaultdict(set)
    for one in program.transitions:
        ways[one.from_status].add(one.to_status)
    seen = {start, *program.illegal_map.values()}
    waiting = list(seen)
    while waiting:
        new = ways[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


def loops(program: Program, rules: Sequence[Rule]) -> Iterator[Loop]:
    """Rings of moves whose conditions may hold at the same time; one for each set of statuses."""
    edges: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        for before in rule.from_statuses or tuple(program.statuses):
            if (
                before != rule.to_status
                and program.may_move(before, rule.to_status, Mover.SYNCD)
                and not _is_end(program, before)
            ):
                edges[before].append(rule)
    clauses = {rule.rule_id: clauses_of(rule.when) for rule in rules}
    apart: dict[tuple[str, str], bool] = {}
    told: set[frozenset[str]] = set()
    steps = 0
    for start in program.statuses:
        waiting: list[tuple[tuple[str, ...], tuple[Rule, ...]]] = [((start,), ())]
        while waiting and steps < MAX_STEPS:
            statuses, taken = waiting.pop(0)
            for rule in edges[statuses[-1]]:
                steps += 1
                if any(_are_apart(rule, other, clauses, apart) for other in taken):
                    continue
                if rule.to_status == start:
                    if frozenset(statuses) not in told:
                        told.add(frozenset(statuses))
                        yield Loop(statuses, (*taken, rule))
                elif rule.to_status not in statuses and len(statuses) < LONGEST_LOOP:
                    waiting.append(((*statuses, rule.to_status), (*taken, rule)))


def _are_apart(rule: Rule, other: Rule, clauses: Mapping[str, tuple[Clause, ...]], known: dict[tuple[str, str], bool]) -> bool:
    """Whether two rules exclude each other; found out once for each pair."""
    pair = (rule.rule_id, other.rule_id)
    if pair not in known:
        known[pair] = exclusive(clauses[rule.rule_id], clauses[other.rule_id])
    return known[pair]


def _is_end(program: Program, status: str) -> bool:
    found = program.statuses.get(status)
    return found is not None and (found.is_terminal or found.is_converted)
