"""The company's policy inside one pass: what is known of people, what it decides, and who must be looked at again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from syncd import events
from syncd.connector import TellingConnector
from syncd.errors import ConfigError
from syncd.model import ConversionTerms, Deal, OrgRecord, PersonView
from syncd.plan import (
    StandardsSettings,
    ask_sources,
    carry,
    facts_of,
    is_led_by_person,
    is_old,
    last_expired,
    rule_name,
    standing_record,
    stated,
    won_deals,
)
from syncd.plan.standards import Carried
from syncd.policy import ActionKind, Decision, Facts, Policy, Verdict, evaluate, is_wanted_again
from syncd.ports import StoredFacts
from syncd.run.context import OrgSession, PassContext
from syncd.run.converting import Conversions
from syncd.run.deleting import Deletions, deletion_rules
from syncd.run.lacks import tell_lacks

SETTLED = "policy_digest"
"""Setting: the policy under which a pass has come to its end."""
MARKING = "policy_marking"
"""Setting: the policy that everybody is being looked at under, and how far that is (`end`)."""
OWN_USER = "own_user_id"
"""Setting: who syncd is in the org, for those who explain without asking it."""
PUBLISHED = "policy_published"
"""Setting: digest of the policy that was published last, for people to read."""
_PER_SLICE = 1_000
_DUE_PER_PASS = 20_000
"""People whose date has come, looked at in one pass at most: the rest comes with the next one."""


class Standards:
    """What `ctx.policy` decides in this pass; only made for a policy with programs."""

    def __init__(self, ctx: PassContext, session: OrgSession, starts: Mapping[str, datetime | None]) -> None:
        """Look the owners up that rules name: at most one call each an hour. What the org lacks is said, and moves nobody."""
        self._ctx = ctx
        self._schema = session.schema
        self._starts = starts
        self._machines = ctx.settings.machine_users | {session.identity.user_id}
        self._org = session.org
        if ctx.store.setting(OWN_USER) != session.identity.user_id:
            ctx.store.put_setting(OWN_USER, session.identity.user_id)
        self._active: dict[str, bool] = {}
        lacks = _lacking_statuses(ctx, session)
        self._settings = StandardsSettings(
            external_id_field=ctx.settings.external_id_field,
            own_user_id=session.identity.user_id,
            owners=_owners(ctx, session, lacks),
            secret=ctx.secret,
            conversions=terms_of(ctx),
            may_act=may_act(ctx, session),
            is_published=ctx.store.setting(PUBLISHED) == ctx.policy.digest,
        )
        tell_lacks(ctx, lacks)
        self._previous = {
            one.means.previous_owner_field for one in ctx.policy.rules if one.means and one.means.previous_owner_field
        }
        self._conversions = Conversions(ctx, session)
        self._deletions = Deletions(ctx, session)
        self._asked_owners = {word for word in named_owners(ctx.policy) if ":" not in word}
        self.is_new = ctx.store.setting(SETTLED) != ctx.policy.digest
        """Whether no pass under this policy has come to its end: what it moves is held until it was counted (the guard)."""

    def facts(self, views: Sequence[PersonView]) -> dict[str, StoredFacts]:
        """What the store knows of these people, by person; asks the org who of their former owners, or their account's, is active.

        What leads may join that are converted is looked up along with it.
        """
        self._conversions.look(views)
        self._deletions.look(views)
        stored = self._ctx.store.person_facts([view.person_id for view in views], self._machines, self._ctx.clock.now())
        for person_id, won in won_of(self._ctx, views).items():
            stored[person_id] = msgspec.structs.replace(stored[person_id], won=won)
        wanted: set[str] = set()
        if "previous" in self._asked_owners:
            fields = (one.row.fields for view in views for one in view.org_records)
            wanted |= {str(value) for one in fields for name in self._previous if (value := one.get(name))}
        if "account" in self._asked_owners:
            wanted |= {one.account.owner_id for one in stored.values() if one.account is not None and one.account.owner_id}
        wanted -= self._active.keys()
        if wanted:
            self._active |= self._org.active_users(sorted(wanted))
            active = frozenset(one for one, is_active in self._active.items() if is_active)
            self._settings = msgspec.structs.replace(self._settings, active=active)
        return stored

    def decide(
        self, view: PersonView, stored: StoredFacts | None, decision: Decision
    ) -> tuple[Decision, Callable[[OrgRecord | None], Carried]]:
        """The decision with the program's own status for a new lead, and what carries the verdict out."""
        policy, now = self._ctx.policy, self._ctx.clock.now()
        facts, verdict = self._judged(view, stored)
        won = stored.won if stored is not None else {}
        gone = last_expired(view)
        if gone is not None:
            status = str(gone.row.fields.get("Status") or "")
            is_wanted = is_wanted_again(policy, facts, verdict, status, gone.row.stamp)
            decision = msgspec.structs.replace(decision, is_wanted_again=is_wanted)
        program = next((one for one in policy.programs if one.name == verdict.program), None)
        if program is not None and program.entry is not None and standing_record(view.org_records) is None:
            named = rule_name(policy, f"programs.{program.name}")
            decision = msgspec.structs.replace(decision, status_on_create=program.entry.name, rule=named)

        def carry_out(record: OrgRecord | None) -> Carried:
            if record is None:
                return self._taken_back(verdict, view, won)
            account = stored.account if stored is not None else None
            carried = carry(
                policy,
                verdict,
                view,
                record,
                self._schema,
                self._settings,
                facts.waiting,
                now,
                self._ctx.run_id,
                account_owner=account.owner_id if account is not None and account.owner_id in self._settings.active else "",
                deals=facts.deals,
                won=won,
                is_old=is_old(view, self._starts) and not is_led_by_person(facts),
            )
            if carried.fields:
                return carried  # one write to a record at a time: a conversion comes after it
            carried = self._conversions.carry(verdict, facts, view, record, self._settings, carried)
            return self._deletions.carry(verdict, view, record, carried)

        return decision, carry_out

    def _taken_back(self, verdict: Verdict, view: PersonView, won: Mapping[str, Deal]) -> Carried:
        """Of somebody who has no record left nothing is written; what platforms were told of them is taken back all the same."""
        settings, now = self._settings, self._ctx.clock.now()
        asked = ask_sources(
            self._ctx.policy, (), view, None, settings.secret, now, self._ctx.run_id,
            may_act=settings.may_act, won=won, terms=settings.conversions,
        )  # fmt: skip
        look_at = {"": verdict.look_at} if verdict.look_at is not None else {}
        return Carried(actions=asked.writes, due=look_at | asked.due, notes=asked.notes)

    def verdicts(self, views: Sequence[PersonView]) -> dict[str, Verdict]:
        """What the policy says of these people now, by what the store knows at this moment."""
        stored = self.facts(views)
        return {view.person_id: self._judged(view, stored.get(view.person_id))[1] for view in views}

    def _judged(self, view: PersonView, stored: StoredFacts | None) -> tuple[Facts, Verdict]:
        policy, now = self._ctx.policy, self._ctx.clock.now()
        facts = facts_of(view, stated(view.records), stored, policy, now=now, machine_users=self._machines, starts=self._starts)
        return facts, evaluate(policy, facts)


def mark_people(ctx: PassContext) -> None:
    """Have people planned whose date has come and, after the policy was changed, everybody. Writes the store, in slices."""
    if not ctx.policy.programs:
        return
    store = ctx.store
    if store.setting(SETTLED) is None and not store.stats().get("persons"):
        # Nobody is known yet: there is nobody whom the first policy could surprise.
        store.put_setting(SETTLED, ctx.policy.digest)
        store.put_setting(MARKING, f"{ctx.policy.digest} end")
    digest, _, after = (store.setting(MARKING) or "").partition(" ")
    if digest != ctx.policy.digest:
        after = ""
        ctx.log.info(events.POLICY_CHANGED, stage="plan", reason=ctx.policy.digest[:8])
    if after != "end":
        while not ctx.is_stopping:
            after = store.mark_everybody(after, _PER_SLICE)
            store.put_setting(MARKING, f"{ctx.policy.digest} {after or 'end'}")
            if not after:
                break
            ctx.turn.breathe()
    store.mark_due(ctx.clock.now(), _DUE_PER_PASS)
    if deletion_rules(ctx.policy):
        store.mark_exported()


def settle_policy(ctx: PassContext) -> None:
    """Remember that a pass under this policy has come to its end and the guard let it pass. Writes the store."""
    store = ctx.store
    if not ctx.policy.programs or ctx.pushing_stopped or store.setting(SETTLED) == ctx.policy.digest:
        return
    if store.setting(MARKING) == f"{ctx.policy.digest} end":
        store.put_setting(SETTLED, ctx.policy.digest)


def terms_of(ctx: PassContext) -> dict[str, ConversionTerms]:
    """What the sources that take conversions ask for, by source."""
    actors = (ctx.actors or {}).items()
    return {name: one.connector.conversions for name, one in actors if isinstance(one.connector, TellingConnector)}


def won_of(ctx: PassContext, views: Sequence[PersonView]) -> dict[str, dict[str, Deal]]:
    """Opportunities that platforms were told of as won, by person and id, whoever is their contact now; one read for all of them."""
    wanted = {view.person_id: ids for view in views if view.actions and (ids := won_deals(view.actions))}
    if not wanted:
        return {}
    found = ctx.store.deals({one for ids in wanted.values() for one in ids})
    return {person_id: {one: found[one] for one in ids if one in found} for person_id, ids in wanted.items()}


def may_act(ctx: PassContext, session: OrgSession) -> bool:
    """Whether sources may be asked to do something with people: from a sandbox org only if the configuration says so (DESIGN 5.3)."""
    return ctx.settings.may_act_from_sandbox or not session.identity.is_sandbox


def named_owners(policy: Policy) -> set[str]:
    """Owners that rules name for leads: `previous`, `account`; and for what conversions make, too: `queue:NAME`, `user:NAME`."""
    found = {one.owner for one in policy.rules} | {one.means.owner for one in policy.rules if one.means is not None}
    found |= {one.converting.owner for one in policy.rules if one.converting is not None and ":" in one.converting.owner}
    found |= {one.options["to"] for rule in policy.rules for one in rule.actions if one.kind is ActionKind.OWNER}
    return found - {""}


def _lacking_statuses(ctx: PassContext, session: OrgSession) -> dict[str, str]:
    """Statuses of the policy that the org does not have, by key; a deleted one is noticed when the schema is read anew, within the hour."""
    named = {name for program in ctx.policy.programs for name in program.statuses}
    return {
        f"status:{status}": f'The policy names the lead status "{status}", which the org does not have; nobody is moved there.'
        for status in sorted(named - session.schema.lead_statuses.keys())
    }


def _owners(ctx: PassContext, session: OrgSession, lacks: dict[str, str]) -> dict[str, str]:
    """The ids of the queues and users that rules name, as far as the org has them; the others are added to `lacks`."""
    found = {}
    for one in sorted(name for name in named_owners(ctx.policy) if ":" in name):
        kind, _, name = one.partition(":")
        try:
            found[one] = session.org.owner_id(kind, name)
        except ConfigError as error:
            sentence = f"The policy names an owner that cannot be given leads, so nobody is moved there. {error}"
            lacks[f"owner:{one}"] = sentence
    return found


__all__ = ["MARKING", "OWN_USER", "PUBLISHED", "SETTLED", "Standards", "mark_people", "settle_policy"]
