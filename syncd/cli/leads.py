"""`syncd lead`: who is known, and why something was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from syncd.cli.erasure import show_erasure
from syncd.cli.output import Output, show_decided, shown
from syncd.cli.shared import Json, Yes, ask_daemon, confirm, globals_of, house
from syncd.errors import StoreError

if TYPE_CHECKING:
    from syncd.app.exports import Exported
    from syncd.app.leads import LeadCard

Who = Annotated[
    str,
    typer.Argument(
        help="An e-mail, phone, Salesforce id, person id, a source's record (SOURCE:KEY), or part of a name.", metavar="WHO"
    ),
]


def register(app: typer.Typer) -> None:
    """Add the `lead` commands to `app`."""
    lead = typer.Typer(no_args_is_help=True, help="People: find, show, export, convert, erase.")
    app.add_typer(lead, name="lead")
    _convert(lead)
    _erase(lead)

    @lead.command(
        help="""People who answer to WHO.

Examples:
  syncd lead find ada@example.com
  syncd lead find Lovelace --json
"""
    )
    def find(context: typer.Context, who: Who, limit: int = 20, as_json: Json = False) -> None:
        from syncd.app.leads import find_leads

        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            ids = find_leads(opened.store, who, limit)
            documents = opened.store.person_documents(ids)
        rows = [{"person_id": one, **_names(documents.get(one, {}).get("golden", {}))} for one in ids]
        if as_json:
            output.json(rows)
            return
        output.table(
            "", ("person", "name", "company", "e-mail"), [(r["person_id"], r["name"], r["company"], r["email"]) for r in rows]
        )

    @lead.command(
        help="""Everything about one person: values with their source, the org's records, every write and why.

Examples:
  syncd lead show ada@example.com
  syncd lead show 00Q5g00000AbCdEFGH --json
"""
    )
    def show(context: typer.Context, who: Who, as_json: Json = False) -> None:
        from syncd.app.leads import show_lead

        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            card = show_lead(opened.store, who)
        if as_json:
            output.json(card)
        else:
            _show_card(output, card)

    @lead.command(
        help="""Every person, one JSON object per line with --json, else as a table.

With --for-deletion: the leads that the policy wants to delete now, and no others, with every field that syncd can read in Salesforce, as
JSON Lines with a manifest beside it. The file is read back; the next pass then deletes those that have not changed since.

Examples:
  syncd lead export --json > people.jsonl
  syncd lead export --for-deletion /srv/archive/leads-2026-11.jsonl
"""
    )
    def export(
        context: typer.Context,
        for_deletion: Annotated[
            str, typer.Option("--for-deletion", help="Write the leads that are due for deletion to this file.", metavar="FILE")
        ] = "",
        as_json: Json = False,
    ) -> None:
        from syncd.app.leads import export_leads

        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            if for_deletion:
                _show_export(output, opened.export_for_deletion(Path(for_deletion)))
                return
            if as_json:
                for person in export_leads(opened.store):
                    output.json(person)
                return
            output.table(
                "",
                ("person", "object", "id", "name", "e-mail", "sources"),
                [
                    (
                        one["person_id"][:12],
                        one["sf_object"],
                        one["sf_id"],
                        _joined(one["fields"].get("FirstName"), one["fields"].get("LastName")),
                        one["fields"].get("Email"),
                        ", ".join(one["sources"]),
                    )
                    for one in export_leads(opened.store)
                ],
            )


def _show_export(output: Output, found: Exported) -> None:
    """What was exported, and what comes of it."""
    if output.as_json:
        output.json(found)
        return
    if not found.count:
        output.line("No lead is due for deletion, so no file was written.")
    else:
        output.line(f"{found.file} holds {found.count} leads, and was read back.", "bold")
        output.line(f"SHA-256 {found.sha256}; manifest {found.manifest}.")
        output.say("The next pass deletes those that have not changed since. Move both files to a safe place.")
    if found.left_out:
        output.say(f"{found.left_out} more have changed since the last pass, which has to look at them first.", "yellow")


def _convert(lead: typer.Typer) -> None:
    @lead.command(
        help="""Convert a lead to an account and a contact now, whatever the policy's condition says. It cannot be undone.

The account is found as the policy's convert rule says, unless you name it; a person who opted out stays opted out.
WHO is named whole: a part of a name or address may be somebody else's.

Examples:
  syncd lead convert ada@example.com
  syncd lead convert 00Q5g00000AbCdEFGH --account 0015g00000AbCdEFGH --yes
  syncd lead convert ada@example.com --account new --owner jo@acme.com --opportunity "Acme - 20 seats"
"""
    )
    def convert(
        context: typer.Context,
        who: Who,
        account: Annotated[str, typer.Option("--account", help="Id of the account to join, or: new.")] = "",
        owner: Annotated[str, typer.Option("--owner", help="User name of who gets what is made.")] = "",
        status: Annotated[str, typer.Option("--status", help="The converted status, if there are several.")] = "",
        opportunity: Annotated[str, typer.Option("--opportunity", help="Make an opportunity of this name too.")] = "",
        force: Annotated[bool, typer.Option("--force", help="Also if the policy does not call the person qualified.")] = False,
        yes: Yes = False,
        as_json: Json = False,
    ) -> None:
        import msgspec

        from syncd.app.convert import Converted, ConvertWish
        from syncd.app.leads import one_lead

        output = globals_of(context).output(as_json=as_json)
        wish = ConvertWish(account, owner, status, opportunity)
        with house(context) as opened:
            opened.check_qualified(who, is_forced=force)
            confirm("The lead will be converted; Salesforce takes no conversion back.", "convert", yes=yes)
            try:
                found = opened.convert_lead(who, wish)
            except StoreError as error:
                # By its id: what was typed may be an address, and requests are kept.
                document = {"who": one_lead(opened.store, who, is_whole=True).person_id, "wish": msgspec.to_builtins(wish)}
                found = msgspec.convert(ask_daemon(opened, output, error, "convert", document)["converted"], Converted)
        if as_json:
            output.json(found)
            return
        made = f", opportunity {found.opportunity_id}" if found.opportunity_id else ""
        output.line(f"Lead {found.lead_id} is contact {found.contact_id} of account {found.account_id}{made}.", "green")


def _erase(lead: typer.Typer) -> None:
    @lead.command(
        help="""Erase a person who asks to be forgotten, for good: everything that syncd keeps of them. They are not imported again.

Without --yes nothing is erased: it shows what would be. While the person is in Salesforce it is refused: erase them there first, or say
that what is there stays. Of somebody who was merged from several people all of them are erased. WHO is named whole: a part of a name or
address may be somebody else's.

Examples:
  syncd lead erase ada@example.com
  syncd lead erase linkedin:6cd9bd5a-1234 --yes
  syncd lead erase 00Q5g00000AbCdEFGH --keep-in-salesforce --yes
"""
    )
    def erase(
        context: typer.Context,
        who: Who,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Erase, and do not only show it.")] = False,
        keep: Annotated[
            bool, typer.Option("--keep-in-salesforce", help="Leads and contacts in Salesforce stay, and are nobody's for syncd.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        import msgspec

        from syncd.app.erase import Erasure

        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            found = opened.look_at_erasure(who, keep=keep)
            if yes:
                try:
                    found = opened.erase_lead(found.person_id, keep=keep)
                except StoreError as error:
                    # By its id: what was typed may be an address, and requests are kept.
                    document = {"who": found.person_id, "keep": keep}
                    found = msgspec.convert(ask_daemon(opened, output, error, "erase", document)["erased"], Erasure)
        if as_json:
            output.json(found)
            return
        show_erasure(output, found, keep=keep)


def _joined(*parts: object) -> str:
    return " ".join(str(part) for part in parts if part)


def _names(golden: dict[str, dict[str, object]]) -> dict[str, object]:
    def value(name: str) -> object:
        found = golden.get(name)
        return found.get("value") if isinstance(found, dict) else found

    return {"name": _joined(value("FirstName"), value("LastName")), "company": value("Company"), "email": value("Email")}


def _show_card(output: Output, card: LeadCard) -> None:
    if card.state == "erased":
        output.line(f"Person {card.person_id} was erased; nothing of them is kept but that something was written.")
        return
    output.line(f"Person {card.person_id} ({card.state})", "bold")
    for record in card.org_records:
        marks = [word for word in ("is_deleted", "is_converted") if record[word]]
        mark = f" ({', '.join(word.removeprefix('is_') for word in marks)})" if marks else ""
        output.line(f"In Salesforce: {record['object']} {record['sf_id']}{mark}")
    held = {name: record["fields"] for record in card.org_records[:1] for name in record["fields"]}
    rows = []
    for name, golden in card.golden.items():
        value = golden.get("value") if isinstance(golden, dict) else golden
        why = golden.get("provenance", {}) if isinstance(golden, dict) else {}
        place = why.get("locator") or why.get("source")
        line = f"{why.get('mapping')} line {why.get('line')}" if why.get("line") else ""
        rows.append((name, value, held.get(name, {}).get(name), place, line, card.notes.get(name)))
    output.table("Values", ("field", "sources say", "Salesforce holds", "from", "mapping", "note"), rows)
    output.table(
        "Records",
        ("source", "record", "as of", "problems"),
        [
            (one["source"], one["locator"] or one["key"][:16], one["source_at"], ", ".join(p["reason"] for p in one["problems"]))
            for one in card.records
        ],
    )
    output.line("Writes", "bold")
    for one in card.operations:
        refusal = f"  {one['code']} {one['message']}" if one["code"] else ""
        where = f" at {one['object'].partition(':')[2]}" if one["kind"] == "action" else ""
        output.line(f"  {shown(one['at'])}  {one['kind']}{where} {one['state']}  run {one['run_id']}{refusal}")
        for change in one["fields"]:
            why = change["because"] or {}
            because = f"   <- {why.get('locator') or why.get('rule') or why.get('source')}" if why else ""
            output.line(f"      {change['field']}: {shown(change['before'])} -> {shown(change['after'])}{because}", "dim")
    if card.forgotten_before is not None:
        output.line(f"  Of what ended before {card.forgotten_before:%Y-%m-%d} only the last write of each field is kept.", "dim")
    show_decided(output, card.decided)
    for hold in card.holds:
        output.line(f"Held: {hold['field']} ({hold['reason']})")
    leftover = {name: note for name, note in card.notes.items() if name not in card.golden}
    for name, note in leftover.items():
        output.line(f"Note: {name}: {note.replace('_', ' ')}")
