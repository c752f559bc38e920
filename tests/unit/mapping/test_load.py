"""A bad mapping is refused as a whole, each problem with its line, column and advice (G10)."""

from __future__ import annotations

import pytest

from syncd.errors import ConfigError
from syncd.mapping import load_mapping
from syncd.model import FieldSchema, ObjectSchema, OrgSchema, Overwrite
from syncd.policy import load_policy

HEAD = "version: 1\nlead:\n"

PROBLEMS = {
    "unknown top key": ("version: 1\nlaed: {}\nlead:\n  Email: {from: e}\n", 2, 1, 'Did you mean "lead"?'),
    "no version": ("lead:\n  Email: {from: e}\n", 1, 1, "version: 1"),
    "no lead": ("version: 1\n", 1, 1, "needs lead:"),
    "unknown field": (HEAD + "  Emial: {from: e}\n", 3, 3, 'Did you mean "Email"?'),
    "unknown line key": (HEAD + "  Email: {frmo: e, from: e}\n", 3, 11, 'Did you mean "from"?'),
    "unknown transform": (HEAD + "  Email: {from: e, as: emial}\n", 3, 24, 'Did you mean "email"?'),
    "argument of another transform": (HEAD + "  Email: {from: e, as: email, region: DE}\n", 3, 31, "It goes with phone"),
    "neither from nor value": (HEAD + "  Email: {as: email}\n", 3, 10, "either from: or value:"),
    "both from and value": (HEAD + "  Email: {from: e, value: x}\n", 3, 10, "either from: or value:"),
    "no country": (HEAD + "  Phone: {from: p, as: phone, region: Germany}\n", 3, 39, 'Did you mean "DE"?'),
    "no format": (HEAD + "  X__c: {from: d, as: date, format: '%H:%M'}\n", 3, 37, "no format"),
    "no zone": (HEAD + "  X__c: {from: d, as: instant, zone: Mars/Base}\n", 3, 38, "no time zone"),
    "no locale": (HEAD + "  X__c: {from: d, as: number, locale: xx}\n", 3, 39, "locale is one of"),
    "no mode": (HEAD + "  Email: {from: e, overwrite: allways}\n", 3, 31, 'Did you mean "always"?'),
    "truncate without length": (HEAD + "  X__c: {from: d, as: truncate}\n", 3, 9, "needs length"),
    "translated twice": (HEAD + "  Industry: {from: i, translate: {Tech: a, ' tech': b}}\n", 3, 44, "same source value"),
    "default for consent": (HEAD + "  DoNotCall: {from: d, default: false}\n", 3, 33, "silence is never consent"),
    "wrong condition": (HEAD + "  Email: {from: e}\nskip_when: 'recrod.x == 1'\n", 4, 13, 'Did you mean "record.x"?'),
    "wrong create": (HEAD + "  Email: {from: e}\ncreate: sometimes\n", 4, 9, "always, never or"),
    "test of an unknown field": (
        HEAD + "  Email: {from: e}\ntests:\n  - record: {e: x}\n    lead: {Emial: x}\n",
        6,
        12,
        'Did you mean "Email"?',
    ),
    "a key twice": (HEAD + "  Email: {from: e}\n  Email: {from: f}\n", 4, 3, "twice"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_mistake_is_told_with_its_place_and_advice(name: str) -> None:
    text, line, column, words = PROBLEMS[name]
    with pytest.raises(ConfigError) as refused:
        load_mapping(text, "m.yaml", name="m")
    told = [(one.line, one.column) for one in refused.value.problems]
    assert (line, column) in told, refused.value
    assert words in str(refused.value)


def test_all_mistakes_are_told_at_once() -> None:
    text = HEAD + "  Emial: {from: e}\n  Phone: {from: p, as: phome}\noverwrite: nevr\n"
    with pytest.raises(ConfigError) as refused:
        load_mapping(text, "m.yaml", name="m")
    assert [one.line for one in refused.value.problems] == [3, 4, 5]


def test_a_test_in_the_file_that_does_not_hold_is_a_problem() -> None:
    text = HEAD + "  Email: {from: e, as: email}\ntests:\n  - record: {e: ' A@example.com'}\n    lead: {Email: b@example.com}\n"
    problems = load_mapping(text, "m.yaml", name="m").run_tests()
    assert [one.line for one in problems] == [5]


def test_with_an_org_its_own_fields_and_picklists_count() -> None:
    fields = {
        "Email": FieldSchema("Email", "email", length=80),
        "Industry": FieldSchema("Industry", "picklist", length=255, is_restricted=True, picklist=("Technology",)),
        "Title": FieldSchema("Title", "string", length=5),
    }
    org = OrgSchema({"Lead": ObjectSchema("Lead", fields)})
    with pytest.raises(ConfigError, match="Score__c"):
        load_mapping(HEAD + "  Score__c: {from: s}\n", "m.yaml", name="m", org=org)
    mapping = load_mapping(HEAD + "  Industry: {from: i}\n  Title: {from: t}\n  Email: {from: e}\n", "m.yaml", name="m", org=org)
    lead = mapping.map_record({"i": "Farming", "t": "Director", "e": "a@example.com"})
    assert lead.is_fatal
    assert lead.fields["Title"].value == "Direc"
    assert {(one.field, one.reason) for one in lead.problems} == {("Industry", "not_in_picklist"), ("Title", "cut_to_length")}


def test_the_digest_changes_with_the_meaning_only() -> None:
    text = HEAD + "  Email: {from: e, as: email}\n"
    digest = load_mapping(text, "m.yaml", name="m").digest
    assert load_mapping("# a comment\n" + text + "tests: []\n", "m.yaml", name="m").digest == digest
    assert load_mapping(text.replace("from: e", "from: f"), "m.yaml", name="m").digest != digest


def test_lines_do_what_they_say() -> None:
    text = """\
version: 1
create: {when: 'is_known(record.mail)'}
lead:
  Email:     {from: [mail, "other.mail"], as: email}
  LastName:  {from: Last name, default: "[not provided]", overwrite: never}
  FirstName: {from: first, on_null: clear}
  Industry:  {from: branch, translate: {tech: Technology}, unknown: no_value}
  Description: {from: [a, b], as: join, separator: " / "}
  HasOptedOutOfEmail: {from: status, translate: {unsubscribed: true}}
touch: {channel: email, at: when, campaign: {from: source}, utm: {source: utm_source}}
skip_when: 'record.status == "pending"'
"""
    mapping = load_mapping(text, "m.yaml", name="m")
    lead = mapping.map_record(
        {"other": {"mail": " A@Example.com"}, "branch": "Tech ", "a": "x", "b": "y", "status": "Unsubscribed", "when": "2026-11-24T09:00:00Z", "utm_source": " News "},
        source="list",
    )  # fmt: skip
    values = {name: one.value for name, one in lead.fields.items()}
    assert values == {
        "Email": "a@example.com", "LastName": "[not provided]", "FirstName": None, "Industry": "Technology",
        "Description": "x / y", "HasOptedOutOfEmail": True,
    }  # fmt: skip
    assert lead.fields["LastName"].is_default
    assert lead.fields["LastName"].overwrite is Overwrite.NEVER
    assert (lead.may_create, lead.skipped) == (False, "")
    assert (lead.touch.campaign, lead.touch.at, lead.touch.utm) == ("list", "2026-11-24T09:00:00Z", {"source": "News"})
    assert mapping.map_record({"mail": "a@example.com", "status": "pending"}).skipped == "skip_when"


def test_a_channel_and_utm_values_may_depend_on_the_record() -> None:
    text = """\
version: 1
lead:
  Email: {from: mail, as: email}
touch:
  channel: {from: type, translate: {referral.created: referral}, default: web}
  utm: {source: {from: platform, translate: {ig: instagram, fb: facebook}}, medium: {value: paid_social}, campaign: [name, id]}
  click_ids: {gclid: {from: click}}
"""
    mapping = load_mapping(text, "m.yaml", name="m")
    touch = mapping.map_record(
        {"mail": "a@example.com", "type": "referral.created", "platform": "ig", "id": 7, "click": "Cj0"}
    ).touch
    assert (touch.channel, touch.click_ids) == ("referral", {"gclid": "Cj0"})
    assert touch.utm == {"source": "instagram", "medium": "paid_social", "campaign": "7"}
    bare = mapping.map_record({"mail": "a@example.com"}).touch
    assert (bare.channel, bare.utm) == ("web", {"medium": "paid_social"})
    with pytest.raises(ConfigError, match=r"m.yaml:5:\d+.*translait"):
        load_mapping(text.replace("translate: {referral", "translait: {referral"), "m.yaml", name="m")


def test_a_policy_is_checked_the_same_way() -> None:
    statuses = OrgSchema({}, {"New": False, "Converted": True})
    assert load_policy("version: 1\non_create: {status: New}\n", "p.yaml", statuses).status_on_create == "New"
    for text, words in (
        ("version: 2\n", "version: 1"),
        ("version: 1\non_craete: {status: New}\n", 'Did you mean "on_create"?'),
        ("version: 1\non_create: {status: Nwe}\n", 'Did you mean "New"?'),
        ("version: 1\non_create: {status: Converted}\n", "only a conversion"),
        ("version: 1\non_deleted: recreate\n", "skip, review, create"),
        ("version: 1\nconsent: {allow_clear: maybe}\n", "true or false"),
    ):
        with pytest.raises(ConfigError) as refused:
            load_policy(text, "p.yaml", statuses)
        assert words in str(refused.value)
