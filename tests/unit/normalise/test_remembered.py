"""What normalising keeps in memory."""

from __future__ import annotations

from syncd.normalise.remembered import ANSWERS, LONGEST, remembered


def test_a_text_is_worked_out_once_while_it_is_among_the_last() -> None:
    asked = []

    @remembered
    def shout(text: str, mark: str) -> str:
        asked.append(text)
        return text.upper() + mark

    assert [shout("a", "!"), shout("a", "!"), shout("a", "?")] == ["A!", "A!", "A?"]
    assert asked == ["a", "a"]
    for number in range(ANSWERS):
        shout(str(number), "!")
    asked.clear()
    shout("a", "!")
    shout(str(ANSWERS - 1), "!")
    assert asked == ["a"]


def test_long_texts_take_no_room() -> None:
    asked = 0

    @remembered
    def size(text: str) -> int:
        nonlocal asked
        asked += 1
        return len(text)

    for count in (LONGEST, LONGEST + 1):
        assert [size("x" * count), size("x" * count)] == [count, count]
    assert asked == 3
