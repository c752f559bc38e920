"""Conditions in words: a rep reads what the rule asks, and nothing that it does not ask."""

from __future__ import annotations

import pytest

from syncd.policy.wording import amount, days, field_name, listed
from syncd.policy.words import in_words
from tests.policies import ex, when


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('any_touch("demo", 30)', "there was a touch on demo in the last 30 days"),
        ('any_touch("demo", 1)', "there was a touch on demo in the last day"),
        ("not any_touch(null, 45)", "there was no touch in the last 45 days"),
        (
            'any_touch("a", 9) or any_touch("b", 9) or any_touch("c")',
            "there was a touch on a or b in the last 9 days or there was a touch on c",
        ),
        ('any_touch("a") and any_touch("b")', "there was a touch on a and there was a touch on b"),
        ('not (any_touch("a") or any_touch("b"))', "there was no touch on a or b"),
        ('count_touches("webinar", 90) >= 1', "there was at least 1 touch on webinar in the last 90 days"),
        ('count_touches("webinar") > 2', "there were more than 2 touches on webinar"),
        ("days_in_status >= 45", "they have been in the status for at least 45 days"),
        ("days_since(person.first_at) < 30", "the first time we heard of them was less than 30 days ago"),
        ("lead.Due__c < today + 90", "Due is before today plus 90 days"),
        ('lead.Country in ["DE", "AT"]', "Country is “DE” or “AT”"),
        ('"site" in person.sources', "they came from site"),
        ('"site" not in person.sources', "they did not come from site"),
        ("not lead.DoNotCall", "Do not call is not ticked"),
        ("lead.DoNotCall == false", "Do not call is not ticked"),
        ("qualified and score >= 40", "they are qualified and the score is at least 40"),
        ("40 <= score", "the score is at least 40"),
        ("is_known(lead.Need__c)", "Need is known"),
        ("not is_known(account.Industry)", "Industry of the account is empty"),
        (r'matches(lead.Title, "(?i)\b(head|vp)\b")', "Title contains one of the words head or vp"),
        (r'matches(lead.Title, "(?i)\bstudent\b")', "Title contains the word student"),
        ('matches(lead.Title, "chief|vp")', "Title contains chief or vp"),
        (r'matches(lead.Title, "\bhead|vp\b")', r"Title matches the pattern “\bhead|vp\b”"),
        ('not matches(lead.Title, "^x+")', "Title does not match the pattern “^x+”"),
        ('contains(lower(lead.Title), "sales")', "Title contains “sales”"),
        ('starts_with(lead.Title, "Head")', "Title begins with “Head”"),
        ('not ends_with(lead.Title, "x")', "Title does not end with “x”"),
        ("lead.NumberOfEmployees >= 1000000", "Number of employees is at least 1,000,000"),
        ("true", "always"),
        ("length(lead.Title) > 3", "“length(lead.Title)” is more than 3"),
        (
            "qualified if person.is_new else criteria.need",
            "if they are not in Salesforce yet: they are qualified; else: need is met",
        ),
    ],
)
def test_a_condition_in_words(text: str, said: str) -> None:
    assert in_words(when(text)) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("criteria.need", "need is met"),
        ("not criteria.need", "need is not met"),
        ("criteria.need == false", "need is certainly not met"),
        ("not (criteria.need == false)", "not (need is certainly not met)"),
        ('lead.Title != "x"', "Title is known, and not “x”"),
        ('not (lead.Title == "x")', "not (Title is “x”)"),
        ("not (score > 3)", "not (the score is more than 3)"),
    ],
)
def test_what_is_not_known_is_not_the_contrary(text: str, said: str) -> None:
    """`not a == b` holds where a is not known, `a != b` does not: the words keep them apart."""
    assert in_words(when(text)) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("criteria.need and (criteria.fit or qualified)", "need is met and (fit is met or they are qualified)"),
        ("criteria.need and criteria.fit and qualified", "need is met, fit is met and they are qualified"),
        ("criteria.need or criteria.fit and qualified", "need is met or (fit is met and they are qualified)"),
        ("not (criteria.need and criteria.fit)", "need is not met or fit is not met"),
    ],
)
def test_and_and_or_stay_apart(text: str, said: str) -> None:
    assert in_words(when(text)) == said


def test_a_value_in_words() -> None:
    assert in_words(ex('coalesce(account.Name, lead.Title) + " - x"')) == "Name of the account or else Title + “ - x”"
    assert [field_name(one) for one in ("NumberOfEmployees", "DOI_At__c", "Syncd_Next_Action__c", "Title")] == [
        "Number of employees",
        "DOI at",
        "Syncd next action",
        "Title",
    ]
    assert (amount(1234567), amount(0.5), days(1), days(3650)) == ("1,234,567", "0.5", "1 day", "3,650 days")
    assert (listed([]), listed(["a"]), listed(["a", "b", "c"], "or")) == ("", "a", "a, b or c")
