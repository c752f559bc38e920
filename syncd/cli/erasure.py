"""How an erasure looks to people: counts and ids, no values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.cli.output import Output

if TYPE_CHECKING:
    from syncd.app.erase import Erasure

_WORDS = {
    "people": "people (with those who were merged)",
    "mailboxes": "mailboxes",
    "records": "records of sources",
    "inbox": "versions in the inbox",
    "touches": "touches",
    "operations": "writes, of which only kind, state and times stay",
    "decisions": "decisions of the policy",
    "reviews": "questions",
    "holds": "values that were held",
    "dead_letters": "dead letters",
    "pages": "unreadable pages, which are emptied",
    "org_records": "records in the mirror of Salesforce",
}


def show_erasure(output: Output, found: Erasure, *, keep: bool) -> None:
    """What was erased, or would be, and how to go on."""
    from syncd.app.erase import explain

    if found.is_done and not found.counts:
        output.line(f"Person {found.person_id} was erased before; nothing of them is kept.")
    else:
        output.line(f"Person {found.person_id} {'is erased' if found.is_done else 'would be erased'}:", "bold")
        output.table(
            "", ("count", "what"), [(found.counts[name], word) for name, word in _WORDS.items() if found.counts.get(name)]
        )
    for one in found.in_salesforce if found.counts else ():
        output.line(f"In Salesforce: {one.replace(':', ' ', 1)}{' (stays there)' if keep else ''}")
    if found.dead_letters and not found.is_done:
        output.line(f"Dead letters that go: {', '.join(map(str, found.dead_letters))}")
    if found.unsure:
        what = (
            "kept payloads name the person beside others, and stay until they expire: store.retention_days, syncd deadletter list"
        )
        output.say(f"{found.unsure} {what}.", "yellow")
    for sentence in explain(found.notes):
        output.say(sentence, "yellow")
    if found.is_done:
        output.say("They are not imported again. Exports, backups and logs of others are yours to look through.")
    elif found.refusal:
        output.say(f"It cannot be done as it is. {found.refusal} {found.advice}", "yellow")
    else:
        more = " --keep-in-salesforce" if keep else ""
        output.say(f"Nothing was erased. It cannot be undone; to go on: syncd lead erase {found.person_id}{more} --yes")
