"""Conversions inside one pass: what is looked up for them, whose turn it is, and the call itself with what it made read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from syncd.errors import ClaimConflictError, SyncdError, UnknownOutcomeError
from syncd.model import Operation, OperationKind, OrgRecord, PersonView, RowOutcome
from syncd.plan import StandardsSettings
from syncd.plan.conversions import Prospects, account_keys_in, request_of
from syncd.plan.converting import Convertible, carry_conversion, carry_opportunity, carry_opt_outs
from syncd.plan.opportunities import OPPORTUNITY, is_unset, owed_opportunities, set_on
from syncd.plan.standards import Carried
from syncd.policy import Enforcement, Facts, Verdict
from syncd.policy.model import Converting
from syncd.ports import Key
from syncd.run.context import OrgSession, PassContext
from syncd.run.mirror import put_rows
from syncd.run.prospects import find_prospects, open_lead, owners_of

LEADS_PER_CALL = 100
"""SOAP API Developer Guide, convertLead()."""

_ROTATION = "rotation:"
"""Setting: how often a queue's members had their turn."""


class Conversions:
    """What `ctx.policy` converts in this pass."""

    def __init__(self, ctx: PassContext, session: OrgSession) -> None:
        """Nothing is looked up yet."""
        self._ctx = ctx
        self._session = session
        policy = ctx.policy
        self._rules = [one for one in policy.rules if one.converting is not None and one.enforcement is Enforcement.ENFORCE]
        self._prospects: dict[str, Prospects] = {}
        self._founding: dict[Key, str] = {}
        self._active: dict[str, bool] = {}
        self._members: dict[str, list[str]] = {}
        self._turns: dict[tuple[str, str], str] = {}
        self._untouched: frozenset[str] = frozenset()
        own = session.schema.objects.get(OPPORTUNITY)
        name = ctx.settings.external_id_field or ""
        self._own_field = name if own is not None and name in own.fields and own.fields[name].is_external_id else None

    def look(self, views: Sequence[PersonView]) -> None:
        """Look up what the leads among `views` may join that stand in a status from which they are converted."""
        ways: dict[str, Converting] = {}
        for view in views:
            record = open_lead(view)
            for rule in self._rules if record is not None else ():
                if record is not None and str(record.row.fields.get("Status") or "") in rule.from_statuses:
                    ways.setdefault(view.person_id, rule.converting or Converting(""))
        self._prospects = find_prospects(self._ctx.store, views, ways)
        self._founding = {}
        self.ask_active(owners_of(views, self._prospects))
        owed = sorted({sf_id for view in views for sf_id in set_on(view) if is_unset(view, sf_id)})
        self._untouched = self._untouched_of(owed) if owed else frozenset()

    def ask_active(self, sf_ids: set[str]) -> None:
        """Ask the org which of these users are active, as far as it was not asked yet."""
        wanted = sorted(sf_ids - self._active.keys())
        if wanted:
            self._active |= self._session.org.active_users(wanted)

    def _untouched_of(self, sf_ids: Sequence[str]) -> frozenset[str]:
        """Opportunities that nobody but machines has changed since they were made."""
        machines = self._ctx.settings.machine_users | {self._session.identity.user_id}
        rows = self._session.org.retrieve(OPPORTUNITY, sf_ids, self._session.fields.get(OPPORTUNITY, ("Name",)))
        return frozenset(sf_id for sf_id, row in rows.items() if row is not None and row.modified_by in machines)

    def carry(
        self,
        verdict: Verdict,
        facts: Facts,
        view: PersonView,
        record: OrgRecord,
        settings: StandardsSettings,
        carried: Carried,
    ) -> Carried:
        """`carried` with what the verdict converts or opens, and with what is owed since earlier passes."""
        ctx, policy = self._ctx, self._ctx.policy
        if verdict.converts or verdict.opens:
            one = self.convertible(view, record, settings)
            if verdict.converts:
                carried = carry_conversion(policy, verdict, facts, one, carried)
                self._found(view.person_id, carried)
            elif self._own_field is None:
                carried = msgspec.structs.replace(carried, notes={**carried.notes, OPPORTUNITY: "no_opportunity_external_id"})
            else:
                carried = carry_opportunity(policy, verdict, facts, one, carried, ctx.secret)
        if view.conversions:
            owed = owed_opportunities(policy, view, self._untouched, self._own_field, ctx.secret, ctx.run_id)
            carried = msgspec.structs.replace(carried, writes=(*carried.writes, *owed))
            carried = carry_opt_outs(view, record, self._session.schema, settings.own_user_id, carried)
        return carried

    def convertible(
        self, view: PersonView, record: OrgRecord, settings: StandardsSettings, prospects: Prospects | None = None
    ) -> Convertible:
        """The lead with everything that says how it is converted."""
        met = prospects or self._prospects.get(view.person_id, Prospects())
        if not met.founder:
            founder = next((self._founding[key] for key in met.keys if key in self._founding), "")
            met = msgspec.structs.replace(met, founder=founder)
        self.ask_active({sf_id for name, sf_id in settings.owners.items() if name.startswith("user:")})
        active = {sf_id for sf_id, is_active in self._active.items() if is_active}
        return Convertible(
            view=view,
            record=record,
            schema=self._session.schema,
            prospects=met,
            active=frozenset(active - {settings.own_user_id}),
            named=settings.owners,
            member=lambda queue: self._member(queue, view.person_id, settings),
            run_id=self._ctx.run_id,
            at=self._ctx.clock.now(),
        )

    def _found(self, person_id: str, carried: Carried) -> None:
        """Until the account is there, nobody else of this company is converted."""
        for write in carried.writes:
            if write.kind is OperationKind.CONVERT:
                for key in account_keys_in(write.fields):
                    self._founding.setdefault(key, person_id)

    def _member(self, queue: str, person_id: str, settings: StandardsSettings) -> str:
        """The member of a queue whose turn it is; who was given this person once keeps them through the pass."""
        if (queue, person_id) not in self._turns:
            queue_id = settings.owners.get(queue, "")
            if queue not in self._members:
                members = self._session.org.queue_members(queue_id) if queue_id else []
                self._members[queue] = [one for one in members if one != settings.own_user_id]
                self._active |= dict.fromkeys(self._members[queue], True)
            members = self._members[queue]
            turn = int(self._ctx.store.setting(_ROTATION + queue) or 0)
            if members:
                self._ctx.store.put_setting(_ROTATION + queue, str(turn + 1))
            self._turns[queue, person_id] = members[turn % len(members)] if members else ""
        return self._turns[queue, person_id]


def send_conversions(ctx: PassContext, session: OrgSession, batch: Sequence[Operation]) -> list[RowOutcome]:
    """Convert, and bring what was made or joined into the mirror, so that nobody makes the same account once more. Writes the store.

    Raises:
        UnknownOutcomeError: Nobody knows what became of them, or what was made could not be read: IsConverted is asked later.
        SalesforceUnavailableError, AuthError, BudgetExhausted: Nothing was converted.
    """
    outcomes = session.org.convert([request_of(one) for one in batch])
    made = {
        one.person_id: {"Account": outcome.account_id, "Contact": outcome.contact_id}
        for one, outcome in zip(batch, outcomes, strict=True)
        if outcome.fault is None
    }
    try:
        adopt(ctx, session, made)
    except SyncdError as error:
        raise UnknownOutcomeError("What a conversion has made could not be read.", advice="syncd looks it up later.") from error
    close_questions(ctx, {one.person_id: one.sf_id for one in batch if one.person_id in made})
    return [RowOutcome(one.sf_id, fault=outcome.fault) for one, outcome in zip(batch, outcomes, strict=True)]


def adopt(ctx: PassContext, session: OrgSession, made: Mapping[str, Mapping[str, str]]) -> None:
    """Read accounts and contacts into the mirror and link the contacts: person id to object to the id of the record. Writes the store."""
    for name in ("Account", "Contact"):
        ids = sorted({ids[name] for ids in made.values() if ids.get(name)})
        if ids and name in session.fields:
            rows = session.org.retrieve(name, ids, session.fields[name])
            put_rows(ctx, [row for row in rows.values() if row is not None])
    for person_id, became in made.items():
        if became.get("Contact"):
            link_contact(ctx, person_id, became["Contact"])


def close_questions(ctx: PassContext, converted: Mapping[str, str]) -> None:
    """Nobody need say any more how somebody is to be converted: person id to the id of the lead that was. Writes the store."""
    for person_id, lead_id in converted.items():
        ctx.store.close_reviews(person_id, "conversion", lead_id)


def link_contact(ctx: PassContext, person_id: str, contact_id: str) -> bool:
    """A contact belongs to the person whose lead became it, unless it is somebody else's already. Writes the store."""
    try:
        ctx.store.link_person(person_id, [("Contact", contact_id)], None, ctx.clock.now())
    except ClaimConflictError:
        return False
    return True


def with_contacts(ctx: PassContext, views: Sequence[PersonView]) -> list[PersonView]:
    """The same people; who was converted by a rep goes on as the contact. Writes the store."""
    wanted = {
        (view.person_id, one.row.contact_id): one.row.sf_id
        for view in views
        for one in view.org_records
        if one.row.contact_id and one.row.is_converted and not one.row.is_deleted
    }
    linked = {(view.person_id, one.row.sf_id) for view in views for one in view.org_records}
    missing = wanted.keys() - linked
    if not missing:
        return list(views)
    close_questions(ctx, {person_id: wanted[person_id, contact_id] for person_id, contact_id in sorted(missing)})
    free = {
        one.row.sf_id
        for one in ctx.store.org_records([("Contact", contact_id) for _, contact_id in sorted(missing)])
        if not one.person_id and not one.row.is_deleted
    }
    joined = {
        person_id for person_id, contact_id in sorted(missing) if contact_id in free and link_contact(ctx, person_id, contact_id)
    }
    fresh = {view.person_id: view for view in ctx.store.person_views(sorted(joined))} if joined else {}
    return [fresh.get(view.person_id, view) for view in views]


__all__ = ["LEADS_PER_CALL", "Conversions", "adopt", "close_questions", "send_conversions", "with_contacts"]
