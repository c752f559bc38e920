"""Convert one lead because a person says so: `syncd lead convert`. The rules of the policy's own conversions hold, but for its condition.

A withdrawal of consent goes to the joined contact first; what several records fit is asked for, never guessed; an answer that is lost is
looked up before anything is repeated.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from syncd.app.leads import one_lead
from syncd.errors import ConfigError
from syncd.model import Operation, OperationKind, OperationState, OrgRecord, OrgRow, PersonState, PersonView, Provenance
from syncd.plan import StandardsSettings
from syncd.plan.conversions import Joined, Prospects
from syncd.plan.converting import convert
from syncd.plan.standards import CONVERT, Carried, PolicyWrite
from syncd.policy.doing import PLACEHOLDER_COMPANY
from syncd.policy.model import Converting
from syncd.run.context import OrgSession, PassContext
from syncd.run.converting import Conversions
from syncd.run.mirror import put_rows
from syncd.run.prospects import find_prospects, open_lead, owners_of
from syncd.run.recover import settle_unknown
from syncd.run.send import Sender

NEW = "new"
_STEPS = 3
_WHY = Provenance(rule="syncd lead convert")
_PROBLEMS = {
    "status_not_in_org": ("The org has no such converted status.", "Name one with --status."),
    "waits_for_account": ("The account of this company is being made just now.", "Try again in a minute."),
    "opt_out_not_writable": (
        "The lead has opted out of mail, and that cannot be written to the contact it would join.",
        "Give the integration user the right to edit HasOptedOutOfEmail of Contact.",
    ),
}


class ConvertWish(msgspec.Struct, frozen=True):
    """What a person asks for; "" leaves it to the policy.

    Attributes:
        account: Id of the account to join, or `new`.
        owner: User name of who gets what is made.
        status: API name of a converted status.
        opportunity: Name of an opportunity to make; "" for none.
    """

    account: str = ""
    owner: str = ""
    status: str = ""
    opportunity: str = ""


class Converted(msgspec.Struct, frozen=True):
    """What a lead became; ids of Salesforce."""

    person_id: str
    lead_id: str
    account_id: str
    contact_id: str
    opportunity_id: str


class LeadConversion:
    """One conversion: look at `prepare`, then `carry_out`."""

    def __init__(self, ctx: PassContext, session: OrgSession, text: str, wish: ConvertWish, make_id: Callable[[], str]) -> None:
        """Nothing is looked up yet; `text` is what the person answers to, whole: a part of a name may be somebody else."""
        self._ctx = ctx
        self._session = session
        self._wish = wish
        self._make_id = make_id
        self._person_id = one_lead(ctx.store, text, is_whole=True).person_id

    def prepare(self) -> PolicyWrite:
        """The next write: the conversion, or what must go before it. Re-reads the lead; writes the mirror.

        Raises:
            ConfigError: It cannot be done, or a person must say more.
        """
        view, record = self._lead()
        company = str(record.row.fields.get("Company") or "").strip()
        if company.lower() in ("", PLACEHOLDER_COMPANY):
            raise ConfigError("The lead has no company, so there is no account for it.", advice="Fill in Company in Salesforce.")
        converting = self._converting()
        met = self._met(view, converting)
        joined = self._joined(met) if self._wish.account else None
        settings = self._settings(converting)
        conversions = Conversions(self._ctx, self._session)
        conversions.ask_active(owners_of([view], {view.person_id: met}) | self._owners_of(joined))
        opening = {"Name": self._wish.opportunity[:120]} if self._wish.opportunity else {}
        one = conversions.convertible(view, record, settings, met)
        carried = convert(converting, one, dict(opening), "account", _WHY, Carried(), joined)
        if carried.review is not None or not carried.writes:
            note = carried.notes.get(CONVERT, "")
            message, advice = _PROBLEMS.get(note, ("It cannot be converted.", ""))
            if carried.review is not None:
                ids = ", ".join(candidate.subject_id for candidate in carried.review.candidates)
                advice = (
                    "Name a user with --owner." if note == "ask_no_owner" else f"Choose with --account: {ids or 'an id, or new'}."
                )
                message = carried.review.reason
            raise ConfigError(message, advice=advice)
        if self._wish.opportunity and "Opportunity" in carried.notes:
            raise ConfigError("An opportunity is open already.", advice="Convert without --opportunity.")
        return carried.writes[-1]

    def carry_out(self) -> Converted:
        """Do it. Writes the org and the store.

        Raises:
            ConfigError: As `prepare`, or the org refused it.
        """
        ctx = self._ctx
        lead_id = ""
        for _ in range(_STEPS):
            write = self.prepare()
            operation = self._sent(self._operation(write))
            if operation.state is not OperationState.DONE:
                said = f"{operation.code} {operation.message}".strip() or str(operation.state)
                raise ConfigError(f"Salesforce did not take it: {said}.", advice='"syncd lead show" tells what was tried.')
            if write.kind is OperationKind.CONVERT:
                lead_id = write.sf_id
                break
        ctx.store.close_reviews(self._person_id, "conversion", lead_id)
        wanted = ("ConvertedAccountId", "ConvertedContactId", "ConvertedOpportunityId")
        row = self._session.org.retrieve("Lead", [lead_id], wanted)[lead_id]
        found = [str(row.fields.get(name) or "") if row is not None else "" for name in wanted]
        return Converted(self._person_id, lead_id, found[0], row.contact_id if row is not None else "", found[2])

    def _lead(self) -> tuple[PersonView, OrgRecord]:
        """The person and the open lead as the org has it now."""
        store = self._ctx.store
        record = open_lead(store.person_views([self._person_id])[0])
        if record is not None:
            rows = self._session.org.retrieve("Lead", [record.row.sf_id], self._session.fields["Lead"])
            put_rows(self._ctx, [row for row in rows.values() if row is not None])
        view = store.person_views([self._person_id])[0]
        record = open_lead(view)
        if view.state is not PersonState.ACTIVE:
            raise ConfigError("Who this is must be decided first.", advice='See "syncd review list".')
        if record is None:
            raise ConfigError("The person has no open lead: converted, deleted, or a contact.", advice='See "syncd lead show".')
        if view.open_operations:
            raise ConfigError("Something is being written for this person just now.", advice="Try again in a minute.")
        # Whatever was asked before: who converts by hand is told.
        return msgspec.structs.replace(view, notes={}), record

    def _converting(self) -> Converting:
        """As the policy converts; without one to the only converted status there is, for the lead's owner."""
        wish, statuses = self._wish, self._session.schema.lead_statuses
        known = [one.converting for one in self._ctx.policy.rules if one.converting is not None]
        if not known and not wish.account:
            raise ConfigError(
                "The policy has no convert rule, so syncd knows no accounts to choose from.",
                advice="Name the account with --account ID, or --account new.",
            )
        converting = next(
            (one for one in known if wish.status in ("", one.status)), known[0] if known else Converting("", "lead")
        )
        converted = [name for name, is_converted in statuses.items() if is_converted]
        status = wish.status or converting.status or (converted[0] if len(converted) == 1 else "")
        if status not in converted:
            raise ConfigError(
                f'"{status}" is no converted status of the org.' if status else "Which converted status?",
                advice=f"--status takes one of: {', '.join(converted)}.",
            )
        return msgspec.structs.replace(converting, status=status, owner=f"user:{wish.owner}" if wish.owner else converting.owner)

    def _settings(self, converting: Converting) -> StandardsSettings:
        kind, _, name = converting.owner.partition(":")
        owners = {converting.owner: self._session.org.owner_id(kind, name)} if name else {}
        return StandardsSettings(own_user_id=self._session.identity.user_id, owners=owners)

    def _met(self, view: PersonView, converting: Converting) -> Prospects:
        """What the lead may join; contacts as the org has them now, with their accounts."""
        met = find_prospects(self._ctx.store, [view], {view.person_id: converting}).get(view.person_id, Prospects())
        if not met.contacts:
            return met
        fields = tuple(dict.fromkeys((*self._session.fields["Contact"], "AccountId")))
        rows = self._session.org.retrieve("Contact", [one.sf_id for one in met.contacts], fields)
        return msgspec.structs.replace(met, contacts=tuple(row for row in rows.values() if row is not None))

    def _joined(self, met: Prospects) -> Joined:
        """The account that the person has chosen, with the contact there who is the person."""
        account = self._wish.account
        if account == NEW:
            if met.contacts:
                raise ConfigError(
                    f"The person is the contact {met.contacts[0].sf_id} already; a new account would make a second one.",
                    advice="Name the contact's account with --account.",
                )
            return Joined(evidence="choice")
        row = self._account(account)
        contacts = [one for one in met.contacts if str(one.fields.get("AccountId") or "") == row.sf_id]
        if met.contacts and len(contacts) != 1:
            ids = ", ".join(one.sf_id for one in met.contacts)
            raise ConfigError(
                f"The person is a contact already ({ids}), and not exactly one of that account.",
                advice="Choose the account of one of them, or merge them in Salesforce first.",
            )
        return Joined(row.sf_id, row, contacts[0] if contacts else None, "choice")

    def _account(self, sf_id: str) -> OrgRow:
        rows = self._session.org.retrieve("Account", [sf_id], ("Name",)) if "Account" in self._session.schema.objects else {}
        row = next((one for one in rows.values() if one is not None and not one.is_deleted), None)
        if row is None:
            raise ConfigError(f"There is no account {sf_id} that syncd may see.", advice="Give its id, or new.")
        return row

    @staticmethod
    def _owners_of(joined: Joined | None) -> set[str]:
        return {joined.account.owner_id} if joined is not None and joined.account is not None else set()

    def _operation(self, write: PolicyWrite) -> Operation:
        return Operation(
            operation_id=self._make_id(),
            person_id=self._person_id,
            object=write.object,
            sf_id=write.sf_id,
            kind=write.kind,
            fields=write.fields,
            before=write.before,
            provenance=write.provenance,
            run_id=self._ctx.run_id,
            planned_at=self._ctx.clock.now(),
        )

    def _sent(self, operation: Operation) -> Operation:
        """The operation as it ended."""
        ctx = self._ctx
        ctx.store.put_operations([operation])
        with Sender(ctx, self._session) as sender:
            sender.send([operation])
            sender.drain()
        settle_unknown(ctx, self._session, wait=True)
        return next(one for one in ctx.store.operations_of_run(ctx.run_id) if one.operation_id == operation.operation_id)


__all__ = ["ConvertWish", "Converted", "LeadConversion"]
