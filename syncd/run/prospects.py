"""What leads may join when they are converted: contacts who are the same person, accounts, open opportunities. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from syncd.identity import ACCOUNT_DOMAIN, ACCOUNT_NAME, account_keys, clashes, org_keys
from syncd.identity.match import Names
from syncd.model import OrgRecord, OrgRow, PersonView
from syncd.plan import standing_record
from syncd.plan.conversions import Prospects, account_keys_in
from syncd.policy.model import Converting
from syncd.ports import Key, Store


class _Wanted(msgspec.Struct, frozen=True):
    """One lead with the keys under which its account may be found."""

    lead: OrgRow
    keys: Mapping[str, tuple[Key, ...]]


def open_lead(view: PersonView) -> OrgRecord | None:
    """The lead of a person that could be converted."""
    record = standing_record(view.org_records)
    return record if record is not None and record.row.object == "Lead" and not record.row.is_converted else None


def find_prospects(store: Store, views: Sequence[PersonView], ways: Mapping[str, Converting]) -> dict[str, Prospects]:
    """Prospects by person, a constant number of look-ups for all of `views`; `ways` says how each person's account is found."""
    wanted = {
        view.person_id: _wanted(record.row, ways[view.person_id])
        for view in views
        if view.person_id in ways and (record := open_lead(view)) is not None
    }
    if not wanted:
        return {}
    founders = {key: one.person_id for one in store.open_conversions() for key in account_keys_in(one.fields)}
    contacts = _contacts(store, {view.person_id: view for view in views if view.person_id in wanted}, wanted)
    by_key = _accounts(store, {key for one in wanted.values() for keys in one.keys.values() for key in keys})
    account_ids = {str(row.fields.get("AccountId") or "") for rows in contacts.values() for row in rows} - {""}
    by_id = {one.row.sf_id: one.row for one in store.org_records([("Account", one) for one in sorted(account_ids)])}
    found = {}
    for person_id, one in wanted.items():
        accounts = {method: _of_keys(keys, by_key) for method, keys in one.keys.items()}
        mine = contacts.get(person_id, ())
        accounts["contact"] = tuple(by_id[name] for row in mine if (name := str(row.fields.get("AccountId") or "")) in by_id)
        keys = tuple(dict.fromkeys(key for method in ("domain", "name") for key in one.keys.get(method, ())))
        founder = next((founders[key] for key in keys if key in founders), "")
        found[person_id] = Prospects(mine, accounts, keys=keys, founder=founder)
    ids = {row.sf_id for one in found.values() for rows in one.accounts.values() for row in rows}
    busy = store.with_open_opportunities(ids | account_ids | {row.sf_id for rows in contacts.values() for row in rows})
    return {person_id: msgspec.structs.replace(one, busy=busy) for person_id, one in found.items()}


def _wanted(lead: OrgRow, converting: Converting) -> _Wanted:
    email, company = str(lead.fields.get("Email") or ""), str(lead.fields.get("Company") or "")
    keys = account_keys(company, email)
    alias = converting.aliases.get(company.strip().lower(), "")
    kinds = {
        "domain": tuple(key for key in keys if key[0] == ACCOUNT_DOMAIN and key[1] not in converting.shared_domains),
        "alias": tuple(key for key in account_keys(alias, "") if alias),
        "name": tuple(key for key in keys if key[0] == ACCOUNT_NAME),
    }
    return _Wanted(lead, {method: kinds[method] for method in converting.match})


def _accounts(store: Store, keys: set[Key]) -> dict[Key, tuple[OrgRow, ...]]:
    """Accounts by these keys. A domain that is no account's website leads to those whose contacts have mailboxes there."""
    found = {
        (kind, value): rows
        for kind in (ACCOUNT_DOMAIN, ACCOUNT_NAME)
        if (values := [value for one, value in keys if one == kind])
        for value, rows in store.accounts_by(kind, values).items()
    }
    domains = [value for kind, value in keys if kind == ACCOUNT_DOMAIN and (kind, value) not in found]
    if domains:
        found |= {(ACCOUNT_DOMAIN, value): rows for value, rows in store.accounts_of_domains(domains).items()}
    return found


def _of_keys(keys: Sequence[Key], by_key: Mapping[Key, tuple[OrgRow, ...]]) -> tuple[OrgRow, ...]:
    found = {row.sf_id: row for key in keys for row in by_key.get(key, ())}
    return tuple(found[sf_id] for sf_id in sorted(found))


def _contacts(store: Store, views: Mapping[str, PersonView], wanted: Mapping[str, _Wanted]) -> dict[str, tuple[OrgRow, ...]]:
    """Contacts who are the person: linked ones, and those of the same personal mailbox that are nobody else's and have no clashing name."""
    mailboxes = {person_id: {key for key in org_keys(one.lead) if key[0] == "email"} for person_id, one in wanted.items()}
    candidates = store.candidates({key for keys in mailboxes.values() for key in keys})
    targets = {
        person_id: {
            one.subject_id
            for key in keys
            for one in candidates.get(key, ())
            if one.kind == "Contact" and one.person_id in ("", person_id) and not clashes(_names(wanted[person_id].lead), (one,))
        }
        | {one.row.sf_id for one in views[person_id].org_records if one.row.object == "Contact"}
        for person_id, keys in mailboxes.items()
    }
    ids = sorted({sf_id for found in targets.values() for sf_id in found})
    rows = {one.row.sf_id: one.row for one in store.org_records([("Contact", sf_id) for sf_id in ids]) if not one.row.is_deleted}
    return {person_id: tuple(rows[sf_id] for sf_id in sorted(found) if sf_id in rows) for person_id, found in targets.items()}


def _names(lead: OrgRow) -> Names:
    first, last, email = (str(lead.fields.get(name) or "") for name in ("FirstName", "LastName", "Email"))
    return Names(first, last, email)


def owners_of(views: Sequence[PersonView], prospects: Mapping[str, Prospects]) -> set[str]:
    """Ids of everybody who may be given what these conversions make, as owner of the lead or of an account."""
    found = {record.row.owner_id for view in views if view.person_id in prospects and (record := open_lead(view)) is not None}
    found |= {row.owner_id for one in prospects.values() for rows in one.accounts.values() for row in rows}
    return found - {""}


__all__ = ["find_prospects", "open_lead", "owners_of"]
