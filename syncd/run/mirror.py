"""The org mirror: who and what is in Salesforce, kept fresh by one call per 1,000 leads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import msgspec

from syncd import events
from syncd.errors import GuardError
from syncd.identity import domain_keys, org_keys
from syncd.model import CONSENT_FIELDS, OrgIdentity, OrgRow, OrgSchema
from syncd.policy import Policy, needs, written_fields
from syncd.ports import Key, Org, Store
from syncd.run.context import OrgSession, PassContext
from syncd.run.storms import hold_storms

KEY_FIELDS = ("FirstName", "LastName", "Email", "Phone", "MobilePhone")
"""What identity needs of every Lead and Contact."""

_OPPORTUNITY = "Opportunity"
_LEAD_FIELDS = ("Company", "Status")
_POLICY_LEAD_FIELDS = ("OwnerId", "CreatedDate", "ConvertedAccountId", "ConvertedOpportunityId")
_POLICY_CONTACT_FIELDS = ("OwnerId", "AccountId", "CreatedDate")
_RELATED_FIELDS = {
    "Account": ("Name", "Website", "OwnerId", "BillingCountry"),
    "Task": ("WhoId", "IsClosed", "CompletedDateTime", "ActivityDate", "CreatedDate"),
    "Event": ("WhoId", "StartDateTime", "ActivityDateTime", "ActivityDate", "CreatedDate"),
    "Opportunity": (
        "AccountId", "ContactId", "IsClosed", "IsWon", "CloseDate", "Name", "StageName", "Amount", "CurrencyIsoCode", "RecordTypeId",
    ),
    "User": ("Name", "IsActive"),
}  # fmt: skip
"""What the store files these records by (`syncd.store.standing`), and what syncd writes itself."""

_REFRESH_SECONDS = 2.0
_ROWS_PER_COMMIT = 500
_IDS_PER_CALL = 2_000


def open_org(ctx: PassContext) -> OrgSession:
    """Connect: check that this is the right org, read its schema, choose the mirrored fields. One API call.

    Raises:
        GuardError: The org is not the configured one, or not the one this store belongs to.
    """
    schema = ctx.org.schema()
    identity = right_org(ctx.org, ctx.store, ctx.settings.expected_org_id)
    ctx.store.note_machines(ctx.settings.machine_users | {identity.user_id})
    # Of every configured mapping: a pass over one source must not forget what the others need.
    mapped = ctx.mapped_fields | {name for source in ctx.sources.values() for name in source.mapping.fields}
    # What was told as won is watched as long as it can be taken back, also if no rule tells of wins any more.
    watched = (_OPPORTUNITY,) if ctx.policy.programs and ctx.store.holds_wins(ctx.clock.now()) else ()
    session = OrgSession(ctx.org, identity, schema, mirrored_fields(schema, mapped, ctx.policy, watched))
    ctx.log.debug(events.ORG_CONNECTED, stage="push")
    return session


def right_org(org: Org, store: Store, expected: str | None) -> OrgIdentity:
    """Whose org this is; the store is bound to the first one. Shares its call with the org's schema.

    Raises:
        GuardError: It is not the `expected` one, or not the one this store belongs to.
    """
    identity = org.identity()
    if expected and expected[:15] != identity.org_id[:15]:
        raise GuardError(
            f"salesforce.login_url leads to the org {identity.org_id}, but salesforce.expected_org_id is {expected}.",
            advice="Correct one of the two in syncd.yaml. Nothing was written.",
        )
    bound = store.bind_org(identity.org_id)
    if bound != identity.org_id:
        raise GuardError(
            f"This store belongs to the org {bound}, but salesforce.login_url leads to {identity.org_id}.",
            advice="Use a store of its own for each org (store.url). Nothing was written.",
        )
    return identity


def mirrored_fields(
    schema: OrgSchema, mapped: Iterable[str], policy: Policy, watched: Iterable[str] = ()
) -> dict[str, tuple[str, ...]]:
    """What is wanted, as far as the user may see it."""
    return {
        name: tuple(field for field in fields if field in schema.objects[name].fields)
        for name, fields in wanted_fields(mapped, policy, watched).items()
        if name in schema.objects
    }


def wanted_fields(mapped: Iterable[str], policy: Policy, watched: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
    """Fields to read per object: keys, consent, what mappings name, and what a policy with programs asks for, `watched` objects too."""
    wanted = {
        "Lead": [*KEY_FIELDS, *_LEAD_FIELDS, *CONSENT_FIELDS, *sorted(mapped)],
        "Contact": [*KEY_FIELDS, *CONSENT_FIELDS],
    }
    if policy.programs:
        asked = needs(policy)
        wanted["Lead"] += _POLICY_LEAD_FIELDS
        wanted["Contact"] += _POLICY_CONTACT_FIELDS
        for name, written in written_fields(policy).items():
            wanted[name] += written
        for name in (*asked.objects, *watched):
            wanted.setdefault(name, list(_RELATED_FIELDS.get(name, ())))
        for name, fields in asked.fields.items():
            if name in wanted:
                wanted[name] += sorted(fields)
    return {name: tuple(dict.fromkeys(fields)) for name, fields in wanted.items()}


def people_fields(session: OrgSession) -> dict[str, tuple[str, ...]]:
    """The mirrored fields of the objects that are people."""
    return {name: fields for name, fields in session.fields.items() if name in ("Lead", "Contact")}


class Look:
    """Keeps the mirror fresh while a pass runs; a context manager.

    The first look is waited for. Later ones, at most one every 2 s, are taken beside the work: two round trips to the org
    would hold up everything else.
    """

    def __init__(self, ctx: PassContext, session: OrgSession) -> None:
        """Nothing was looked at yet in this pass."""
        self._ctx = ctx
        self._session = session
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mirror")
        self._under_way: Future[None] | None = None

    def __enter__(self) -> Self:
        """Ready."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the look that is under way end."""
        self._pool.shutdown(wait=True)

    def refresh(self) -> None:
        """Look, if it is time. Raises what an earlier look met."""
        if self._under_way is not None:
            if not self._under_way.done():
                return
            self._under_way.result()
            self._under_way = None
        at = self._session.mirrored_at
        if at is None:
            refresh_mirror(self._ctx, self._session)
        elif self._ctx.clock.monotonic() - at >= _REFRESH_SECONDS:
            self._under_way = self._pool.submit(refresh_mirror, self._ctx, self._session)


def refresh_mirror(ctx: PassContext, session: OrgSession) -> None:
    """Read what changed in the org since the last look; the first time, everything. Writes the store."""
    # Fields that were not read before have no value in the mirror, and keys that nobody asked for are not there: read everything once more.
    read = (sorted(session.fields.items()), _converts(ctx.policy))
    digest = hashlib.blake2b(repr(read).encode(), digest_size=16).hexdigest()
    is_same = ctx.store.setting("mirror_fields") == digest
    since = {name: ctx.store.mirror_cursor(name) if is_same else None for name in session.fields}
    count = 0
    for page in session.org.changes(session.fields, since):
        count += put_rows(ctx, page.rows, is_fill=None in since.values())
        if page.covered_until is not None:
            for name in session.fields:
                ctx.store.set_mirror_cursor(name, page.covered_until)
            ctx.store.put_setting("mirror_fields", digest)
    hold_storms(ctx, session)
    session.mirrored_at = ctx.clock.monotonic()
    ctx.log.debug(events.MIRROR_REFRESHED, stage="mirror", count=count)


def _converts(policy: Policy) -> bool:
    """Whether accounts are looked for."""
    return any(one.converting is not None for one in policy.rules)


def put_rows(ctx: PassContext, rows: Sequence[OrgRow], *, is_fill: bool = False) -> int:
    """Store rows of the org in slices with the keys that identity finds them by; gives how many changed. `is_fill` as in the store."""
    changed = 0
    converts = _converts(ctx.policy)
    for start in range(0, len(rows), _ROWS_PER_COMMIT):
        part = rows[start : start + _ROWS_PER_COMMIT]
        key_sets: Mapping[str, Sequence[Key]] = {
            row.sf_id: (*org_keys(row), *domain_keys(row)) if converts else org_keys(row) for row in part
        }
        changed += ctx.store.put_org_rows(part, key_sets, ctx.clock.now(), is_fill=is_fill)
    return changed


def re_read(ctx: PassContext, session: OrgSession, targets: Iterable[tuple[str, str]]) -> None:
    """Bring records (object, id) of mirrored objects up to date; what the org no longer has at all counts as deleted. Writes the mirror."""
    ids: dict[str, list[str]] = {}
    for name, sf_id in sorted(set(targets)):
        ids.setdefault(name, []).append(sf_id)
    for name, theirs in ids.items():
        for start in range(0, len(theirs), _IDS_PER_CALL):
            rows = session.org.retrieve(name, theirs[start : start + _IDS_PER_CALL], session.fields[name])
            put_rows(ctx, [row for row in rows.values() if row is not None])
            gone = {sf_id for sf_id, row in rows.items() if row is None}
            known = ctx.store.org_records([(name, sf_id) for sf_id in gone])
            put_rows(ctx, [msgspec.structs.replace(record.row, is_deleted=True) for record in known])


def is_filled(ctx: PassContext, session: OrgSession) -> bool:
    """Whether the first fill is complete; before that nothing may be created (DESIGN 4)."""
    return all(ctx.store.mirror_cursor(name) is not None for name in session.fields)
