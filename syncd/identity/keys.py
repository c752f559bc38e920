"""The keys a lead and an org record can be found by. Pure."""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from syncd.model import Lead, OrgRow, RecordRef, Value
from syncd.normalise.keys import company_key, domain_of, email_key, is_freemail, is_role_mailbox, phone_key

Key = tuple[str, str]

RECORD_CLAIM = "record"
"""The kind of the claim that a source record itself is; the store keeps it as the record's own row."""

ACCOUNT_DOMAIN, ACCOUNT_NAME, CONTACT_DOMAIN = "account_domain", "account_name", "contact_domain"
"""Kinds of the keys by which accounts are found; the last one leads to them through their contacts."""

_PHONE_FIELDS = ("Phone", "MobilePhone")


class LeadKeys(msgspec.Struct, frozen=True, gc=False):
    """Strong keys (`claims`, the record's own first) and shared ones (`evidence`) of one record."""

    claims: tuple[Key, ...]
    evidence: tuple[Key, ...]

    @property
    def email(self) -> Key | None:
        """The claim on a personal mailbox, if there is one."""
        for key in self.claims:
            if key[0] == "email":
                return key
        return None


def lead_keys(ref: RecordRef, lead: Lead) -> LeadKeys:
    """Keys of one mapped record; defaults are no evidence, role mailboxes are no claim."""
    claims: list[Key] = [record_claim(ref)]
    evidence: list[Key] = []
    mailbox = _mailbox_key(lead.evidence("Email"))
    if mailbox is not None:
        (claims if mailbox[0] == "email" else evidence).append(mailbox)
    for name in _PHONE_FIELDS:
        evidence.extend(_phone_keys(lead.evidence(name)))
    return LeadKeys(tuple(claims), tuple(dict.fromkeys(evidence)))


def org_keys(row: OrgRow) -> tuple[Key, ...]:
    """Keys under which a record of the org is found again: mailbox, phones, and the external id (which names the person).

    Of an account the domain of its website and its name.
    """
    if row.object == "Account":
        return account_keys(str(row.fields.get("Name") or ""), str(row.fields.get("Website") or ""))
    keys: list[Key] = []
    mailbox = _mailbox_key(row.fields.get("Email"))
    if mailbox is not None:
        keys.append(mailbox)
    for name in _PHONE_FIELDS:
        keys.extend(_phone_keys(row.fields.get(name)))
    if row.external_id:
        keys.append(("external_id", row.external_id))
    return tuple(dict.fromkeys(keys))


def domain_keys(row: OrgRow) -> tuple[Key, ...]:
    """The domain of a contact's mailbox, by which the account of colleagues is found; none where anybody can have a mailbox."""
    domain = domain_of(str(row.fields.get("Email") or "")) if row.object == "Contact" else ""
    return ((CONTACT_DOMAIN, domain),) if domain and not is_freemail(domain) else ()


def account_keys(name: str, address: str) -> tuple[Key, ...]:
    """What a company is found by: its name, and the domain of a website or mailbox unless anybody can have a mailbox there."""
    domain = domain_of(address)
    keys = [(ACCOUNT_DOMAIN, domain)] if domain and not is_freemail(domain) else []
    return (*keys, *((ACCOUNT_NAME, one) for one in sorted(company_key(name))))


def record_claim(ref: RecordRef) -> Key:
    """The claim of a source record; lengths keep (a|b, c) apart from (a, b|c)."""
    return RECORD_CLAIM, f"{len(ref.source)}:{ref.source}|{len(ref.stream)}:{ref.stream}|{ref.key}"


def person_id_for(ref: RecordRef, secret: bytes) -> str:
    """The id of the person whose first record is `ref`: a keyed hash, 32 hex characters, fixed for life (DESIGN 4)."""
    return hashlib.blake2b(record_claim(ref)[1].encode(), key=secret[:64], digest_size=16, person=b"syncd-person").hexdigest()


def tombstone_digest(secret: bytes, key: Key) -> str:
    """The keyed hash under which an erased person's mailbox (`email`) or source record (`record`) is remembered: hex, 64 characters."""
    label = b"tombstone\0" if key[0] == "email" else f"tombstone of {key[0]}\0".encode()
    return hmac.new(secret, label + key[1].encode(), hashlib.sha256).hexdigest()


def _mailbox_key(value: Value) -> Key | None:
    if not isinstance(value, str) or "@" not in value:
        return None
    key = email_key(value)
    if not key:
        return None
    return ("shared_email" if is_role_mailbox(value) else "email", key)


def _phone_keys(value: Value) -> list[Key]:
    key = phone_key(value, None) if isinstance(value, str) else None
    return [("phone", key)] if key else []
