"""The reference page of mappings, made from the code: `python -m syncd.mapping.reference > docs/reference/mapping.md`."""

from __future__ import annotations

import sys

from syncd.mapping.rules import SENTENCES
from syncd.normalise.transforms import ARGUMENTS, LOCALES, TRANSFORMS

_HEAD = """\
# Mapping reference

`mappings/NAME.yaml`. Made from the code; do not edit. `syncd mapping check NAME` checks a file, `syncd mapping try NAME FILE` tries it.

## Keys of the file

| key | meaning | default |
| --- | --- | --- |
| `version` | always `1` | required |
| `stream` | the stream it is for | |
| `create` | may this source create a Lead: `always`, `never` or `{when: CONDITION}` | `always` |
| `lead` | field of Lead to line | required |
| `touch` | the interaction: `channel`, `at`, `campaign`, `source_url`, `utm`, `click_ids`, `consent` | |
| `task` | what the owner is asked to do because of a hot record; see below | |
| `skip_when` | a condition; a withdrawal of consent is honoured all the same | |
| `overwrite` | default for all lines | `if_unchanged` |
| `on_null` | a source that says nothing: `keep` or `clear` | `keep` |
| `tests` | a list of `{record, lead, touch, task, skipped, problems}`; run by `check` | |

## Keys of a line

| key | meaning |
| --- | --- |
| `from` | a path of the record, or a list: the first that is not blank. `merge_fields.FNAME`, `answers.0.text`, `First name`; see below |
| `value` | a constant |
| `as` | a transform |
| `translate` | source value to Salesforce value; case and spaces do not count |
| `unknown` | a value that is not in `translate`: `keep`, `no_value` or `reject` (dead letter). Booleans: `no_value`; restricted picklists: `reject`; else `keep` |
| `default` | on create only, if no source states a value; never evidence for a match |
| `overwrite` | `always`, `if_unchanged`, `if_blank`, `first`, `never` |
| `on_null` | `keep` or `clear` |

## Paths

| path | leads to |
| --- | --- |
| `merge_fields.FNAME` | a value inside objects |
| `answers.0.text` | the first member of a list |
| `First name`, `Tel.`, `Budget [EUR]` | the key of that very name: the whole text is looked up first |
| `tags.*.name` | every member of a list |
| `interests.*` | every value of an object; of an object of yes and no, the keys that are yes |
| `marketing_permissions[enabled=true].text` | the members of a list whose `enabled` has the text `true` |
| `answers[field.ref=email].email` | the same with a key inside the member |

Of a path that leads to several values the first that is not blank counts; `as: join` takes all of them.
`touch.channel` is a word, or `{from: type, translate: {referral.created: referral}, default: web}`. A value of `utm` and `click_ids` is a path, a
list of which the first that is not blank counts, `{value: google}`, or `{from: platform, translate: {ig: instagram}}`.
`touch.consent` is a path, a list of which the first that is not blank counts, or `{from: [...], as: join, separator: "; "}` for all of them (255 characters).

## Task

`task: {subject: "New web lead: call back", due_in_days: 1, priority: High, description: {from: message}}`

| key | meaning | default |
| --- | --- | --- |
| `subject` | a text, or `{from: PATH}` with `as`, `translate`, `unknown` and `default` as in a line; cut to 255 characters | required; `Follow up` where the record has none |
| `due_in_days` | 0 to 365, counted from the day (UTC) of the record | no due day |
| `priority` | a value of Task.Priority | `Normal` |
| `status` | a value of Task.Status | `Not Started` |
| `description` | like `subject`, cut to 32,000 characters | |
| `when` | a condition, as in `skip_when`; without it every hot record asks | |

Only a record that is hot (a webhook) and news makes a task, one for ever: never one that was pulled, back-filled, mapped anew, skipped or refused,
or is older than `start_from`. The task goes to the owner of the lead, or of the contact where the lead is converted. While that is a queue, or syncd's own
user, it waits until a person takes over. A task is internal work: it is made for people who do not want to be called or mailed too.
A test may expect `task: true`, `task: false`, or some of its values: `task: {subject: Call back, due_in_days: 1}`.
[How to](../how-to/admin/give-a-task-to-the-owner.md) prepare the org for it.

## Overwriting

| mode | org blank, never written | org filled, never written | still what we wrote | changed since |
| --- | --- | --- | --- | --- |
| `always` | write | write | write | write |
| `if_unchanged` | write | keep | write | keep |
| `if_blank` | write | keep | keep | keep |
| `first` | write | keep | keep | keep |
| `never` | on create only | keep | keep | keep |

Street, City, PostalCode, State and Country are one group, FirstName and LastName another: an edit in a member keeps the group.

"""
_MEANINGS = {
    "boolean": "yes or no in many languages; `x` and `1` are yes",
    "company": "trimmed; `n/a`, `-` and the like are no value",
    "country": "a country by code, English or native name; `style: name` (default), `iso2`, `iso3`",
    "date": "a day by `format:` (a list of strptime codes, or `iso`)",
    "domain": "the registrable domain of an address, URL or host",
    "email": "checked and lower case; placeholders are no value",
    "instant": "an instant by `format:`; `zone:` for texts without one",
    "join": "all of `from:`, joined by `separator:` (a space)",
    "lower": "lower case",
    "name": "spacing mended; ALL CAPS and all lower case become Mixed Case",
    "number": "a number in `locale:`; currency signs go",
    "phone": "international form; `region:` (a country or `{from: PATH}`) for numbers without country code",
    "split": "one part of the text: `separator:` (`,`), `index:` (0)",
    "state": "a state by code or name; `region:` is its country",
    "text": "without HTML, entities and control characters",
    "title": "spacing mended",
    "trim": "spacing mended",
    "truncate": "at most `length:` characters",
    "upper": "upper case",
    "url": "a web address with its scheme",
}


def page() -> str:
    """The whole page."""
    lines = [_HEAD + "## Transforms\n", "| `as:` | gives | further keys |", "| --- | --- | --- |"]
    lines += [
        f"| `{name}` | {_MEANINGS[name]} | {', '.join(f'`{key}`' for key in ARGUMENTS.get(name, ()))} |"
        for name in sorted(TRANSFORMS)
    ]
    lines += [f"\nLocales: {', '.join(LOCALES)}.\n", "## Problems of a record\n", "| reason | means |", "| --- | --- |"]
    lines += [f"| `{reason}` | {sentence} |" for reason, sentence in sorted(SENTENCES.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
