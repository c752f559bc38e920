"""`programs:` and `standards:` to values. Pure."""

from __future__ import annotations

from syncd.document import Node
from syncd.policy.keys import CRITERION, PROGRAM, SCORING, STANDARDS, STATUS, TRANSITION
from syncd.policy.model import Criterion, IllegalDo, Mover, Program, ScoreRule, Standards, Status, Transition
from syncd.policy.reading import MAX_LONG_TEXT_CHARACTERS, MAX_TEXT_CHARACTERS, Reader, is_blank
from syncd.policy.variables import CRITERIA
from syncd.policy.variables import SCORING as NOT_IN_SCORING

MAX_PROGRAMS = 20
MAX_STATUSES = 60
MAX_TRANSITIONS = 300
MAX_CRITERIA = 40
MAX_SCORE_RULES = 200
MAX_POINTS = 10_000
ANY = "any"


def read_programs(reader: Reader, root: Node) -> tuple[Program, ...]:
    """The programs in file order."""
    found = []
    for name, node in reader.entries(root, "programs", MAX_PROGRAMS).items():
        line = root.entries["programs"].keys[name][0]
        reader.identifier_of(name, node, "The name of a program")
        if reader.keys(node, PROGRAM, f'The program "{name[:60]}"'):
            found.append(_program(reader, name, node, line))
    return tuple(found)


def _program(reader: Reader, name: str, node: Node, line: int) -> Program:
    statuses: dict[str, Status] = {}
    for place, (status, one) in enumerate(reader.entries(node, "statuses", MAX_STATUSES).items()):
        statuses[status] = _status(reader, status, one, (place, node.entries["statuses"].keys[status][0]))
    _one_entry(reader, node, statuses)
    moves: dict[tuple[str, str], Transition] = {}
    for one in reader.items(node, "transitions", MAX_TRANSITIONS):
        for move in _transitions(reader, one, statuses):
            before = moves.get((move.from_status, move.to_status))
            wider = (
                move
                if before is None or before.by is move.by
                else Transition(move.from_status, move.to_status, Mover.BOTH, move.line)
            )
            moves[move.from_status, move.to_status] = wider
    illegal, mapped = _illegal(reader, node, statuses)
    return Program(
        name=name,
        statuses=statuses,
        transitions=tuple(moves.values()),
        applies_to=reader.condition(node, "applies_to", NOT_IN_SCORING),
        record_type=reader.text(node, "record_type"),
        illegal=illegal,
        illegal_map=mapped,
        line=line,
    )


def _status(reader: Reader, name: str, node: Node, where: tuple[int, int]) -> Status:
    """One status; `where` is its place among the others and its line, which an empty node does not know."""
    place, line = where
    if not name.strip() or name != name.strip() or len(name) > MAX_TEXT_CHARACTERS or name == ANY:
        reader.problems.add(node, "A status is named by its API name in the org, and not any.")
    if is_blank(node):
        return Status(name, place=place, line=line)
    if not reader.keys(node, STATUS, "A status"):
        return Status(name, place=place, line=line)
    return Status(
        name=name,
        meaning=reader.text(node, "meaning", MAX_LONG_TEXT_CHARACTERS),
        next_action=reader.text(node, "next_action"),
        is_entry=reader.flag(node, "entry"),
        is_terminal=reader.flag(node, "terminal"),
        is_unqualified=reader.flag(node, "unqualified"),
        place=place,
        line=line,
    )


def _one_entry(reader: Reader, node: Node, statuses: dict[str, Status]) -> None:
    entries = [one.name for one in statuses.values() if one.is_entry]
    for name in entries[1:]:
        place = node.at(["statuses", name, "entry"])
        reader.problems.add(
            place, f'A program has one entry status, and "{entries[0]}" is one already.', "Leave entry: out here."
        )


def _transitions(reader: Reader, node: Node, statuses: dict[str, Status]) -> list[Transition]:
    if not reader.keys(node, TRANSITION, "A transition"):
        return []
    by = Mover(reader.word(node, "by", [one.value for one in Mover], Mover.BOTH.value))
    sides: dict[str, list[str]] = {}
    for side in ("from", "to"):
        named = reader.texts(node, side, MAX_STATUSES)
        if side == "from" and any(text == ANY for text, _ in named):
            sides[side] = list(statuses)
            continue
        message = "This program has no status {!r}."
        sides[side] = [text for text, one in named if reader.known(text, one, statuses, message.format(text).replace("'", '"'))]
    found = []
    for before in sides["from"]:
        for after in sides["to"]:
            if before != after:
                found.append(Transition(before, after, by, node.line))
            elif len(sides["from"]) == 1:
                reader.problems.add(node, f'The transition leads from "{before}" to itself.')
    return found


def _illegal(reader: Reader, node: Node, statuses: dict[str, Status]) -> tuple[IllegalDo, dict[str, str]]:
    found = node.get("illegal")
    if found is None or found.kind != "mapping":
        plain = [IllegalDo.REPORT.value, IllegalDo.REVERT.value]
        if found is not None and found.kind == "scalar" and found.scalar == IllegalDo.MAP.value:
            reader.problems.add(found, "illegal: map says what becomes what.", "Write {map: {OLD: NEW}}.")
            return IllegalDo.REPORT, {}
        return IllegalDo(reader.word(node, "illegal", plain, IllegalDo.REPORT.value)), {}
    reader.words(found, ("map",), "illegal")
    mapped = {}
    for old, one in reader.entries(found, "map", MAX_STATUSES).items():
        new = reader.text_of(one, f'"{old[:60]}"')
        if new and reader.known(new, one, statuses, f'This program has no status "{new}".'):
            mapped[old] = new
    if is_blank(found.get("map")):
        reader.problems.add(found, "illegal needs map:.", "Write {map: {OLD: NEW}}.")
    return IllegalDo.MAP, mapped


# The criteria have to be known before anything that names them is read: `names_of_criteria` comes first.


def names_of_criteria(root: Node) -> tuple[str, ...]:
    """The names under `standards.criteria`, whatever else is wrong with them."""
    standards = root.get("standards")
    criteria = standards.get("criteria") if standards is not None else None
    return tuple(criteria.entries)[:MAX_CRITERIA] if criteria is not None else ()


def read_standards(reader: Reader, root: Node) -> Standards:
    """When somebody is qualified."""
    node = root.get("standards")
    if node is None or is_blank(node) or not reader.keys(node, STANDARDS, "standards"):
        return Standards()
    entries = reader.entries(node, "criteria", MAX_CRITERIA)
    criteria = []
    for index, (name, one) in enumerate(entries.items()):
        reader.identifier_of(name, one, "The name of a criterion")
        if reader.keys(one, CRITERION, f'The criterion "{name[:60]}"'):
            line = node.entries["criteria"].keys[name][0]
            criteria.append(_criterion(reader, name, one, tuple(entries)[index:], line))
    scoring = [_score(reader, one) for one in reader.items(node, "scoring", MAX_SCORE_RULES)]
    _unique(reader, node, scoring)
    return Standards(tuple(criteria), tuple(one for one in scoring if one), reader.condition(node, "qualified", CRITERIA))


def _criterion(reader: Reader, name: str, node: Node, later: tuple[str, ...], line: int) -> Criterion:
    if is_blank(node.get("met")) and is_blank(node.get("unmet")):
        reader.problems.add(
            node, f'The criterion "{name[:60]}" needs met: or unmet:.', "Without either it is unknown for everybody."
        )
    return Criterion(
        name,
        reader.text(node, "meaning", MAX_LONG_TEXT_CHARACTERS),
        reader.condition(node, "met", CRITERIA, later),
        reader.condition(node, "unmet", CRITERIA, later),
        line,
    )


def _score(reader: Reader, node: Node) -> ScoreRule | None:
    if not reader.keys(node, SCORING, "A scoring rule"):
        return None
    is_touch, is_when = "touch" in node, "when" in node
    if is_touch == is_when:
        reader.problems.add(node, "A scoring rule has either when: or touch:.")
    for key in ("halves_after_days", "at_most"):
        if key in node and not is_touch:
            reader.problems.add_key(node, key, f"{key} goes with touch: only.")
    return ScoreRule(
        rule_id=reader.identifier(node, "id"),
        points=reader.number(node, "points", -MAX_POINTS, MAX_POINTS) or 0,
        when=reader.condition(node, "when", NOT_IN_SCORING),
        channel=reader.text(node, "touch"),
        halves_after_days=reader.number(node, "halves_after_days", 1),
        at_most=reader.number(node, "at_most", -MAX_POINTS, MAX_POINTS),
        line=node.line,
    )


def _unique(reader: Reader, node: Node, scoring: list[ScoreRule | None]) -> None:
    seen: dict[str, int] = {}
    for index, one in enumerate(scoring):
        if one is None or not one.rule_id:
            continue
        if one.rule_id in seen:
            place = node.at(["scoring", index, "id"])
            reader.problems.add(place, f'The id "{one.rule_id}" stands in line {seen[one.rule_id]} already.')
        seen.setdefault(one.rule_id, one.line)
