"""Actions at sources: the outbox's are carried out, each at most once, and those without an answer are looked up.

An action waits in state `planned` until its source has taken it, over passes and processes. It is marked as sent before the call, so
whatever dies leaves it in doubt: it is looked up, and sent again only if it surely was not carried out or its source knows it by its id.
Nothing here holds up a write to the org: sources are asked at the end of a pass, without the turn, each by a thread of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec

from syncd import events
from syncd.connector import NOT_CARRIED_OUT, ActionOutcome, ActionState
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.model import Operation, OperationState, PersonState, PersonView
from syncd.plan import action_of, has_opted_out, standing_record, stated_action
from syncd.policy import FOR_MAILING
from syncd.ports import OperationResult, Review, Store
from syncd.run.context import IDS_PER_READ, Actor, OrgSession, PassContext
from syncd.run.judge import refused_record
from syncd.run.mirror import put_rows
from syncd.run.rest import is_resting, put_to_rest, wake_up
from syncd.run.standards import may_act

_PER_LOOK = 200
"""Actions of one source between two looks at the people they are for: a withdrawal of consent must not come too late by much."""
_SECONDS = 300.0
"""After this a pass begins no more of them; the next one goes on."""
_MAX_ATTEMPTS = 5
_SPIKE_COUNT = 20
"""So many refusals with one code and nothing else are the set-up's fault: the others wait."""

LOST = (SourceUnavailableError, RateLimitedError, AuthError, ContractError)
"""What a connector raises when nothing was carried out."""
_OPEN = (OperationState.PLANNED, OperationState.SENT, OperationState.UNKNOWN)


def act(ctx: PassContext, session: OrgSession) -> None:
    """Carry out what waits at sources. Writes the store; a source that fails is left for a later pass, and nothing else with it."""
    actors = ctx.actors
    if actors is None or ctx.pushing_stopped or ctx.is_stopping or not may_act(ctx, session):
        return
    waiting = ctx.store.acting_sources()
    _leave_behind(ctx, waiting - actors.keys())
    awake = [name for name in waiting & actors.keys() if not actors[name].is_paused and not is_resting(ctx, name)]
    with ctx.company.acting_at(awake) as mine:
        if mine:
            _Acting(ctx, session, {name: actors[name] for name in sorted(mine)}).work()


class _Acting:
    """What one pass does at some sources. `_open` are those that still take something."""

    def __init__(self, ctx: PassContext, session: OrgSession, actors: Mapping[str, Actor]) -> None:
        self._ctx = ctx
        self._session = session
        self._errands = {name: _Errand(ctx, actor, ctx.clock.monotonic() + _SECONDS) for name, actor in actors.items()}

    def work(self) -> None:
        """First what is in doubt, then what waits, oldest first."""
        store, names = self._ctx.store, list(self._errands)
        # Nobody else is at it: whoever had sent these is gone.
        for part in _slices(store, (OperationState.SENT,), names):
            ids = [one.operation_id for one in part]
            store.set_operation_states(ids, OperationState.UNKNOWN, dirty=False, at=self._ctx.clock.now())
        with ThreadPoolExecutor(len(names), thread_name_prefix="act") as pool:
            for part in _slices(store, (OperationState.UNKNOWN,), names):
                self._share(pool, part, is_in_doubt=True)
            places = dict.fromkeys(names, "")
            while places and not self._ctx.is_stopping:
                found = {}
                for name, after in list(places.items()):
                    found[name] = store.actions((OperationState.PLANNED,), (name,), _PER_LOOK, after)
                    if found[name] and self._errands[name].is_open:
                        places[name] = found[name][-1].operation_id
                    else:
                        del places[name]
                self._share(pool, self._checked([one for part in found.values() for one in part]), is_in_doubt=False)
        for errand in self._errands.values():
            errand.report()

    def _share(self, pool: ThreadPoolExecutor, operations: Sequence[Operation], *, is_in_doubt: bool) -> None:
        """Each source's by a thread of its own, one after the other; waits for all of them."""
        under_way = []
        for name, errand in self._errands.items():
            mine = [one for one in operations if one.source == name]
            if mine:
                under_way.append(pool.submit(errand.settle if is_in_doubt else errand.carry_out, mine))
        with self._ctx.turn.aside():
            for one in under_way:
                one.result()

    def _checked(self, operations: Sequence[Operation]) -> list[Operation]:
        """Those that may still be carried out; the others end, or are planned anew. The last look before the write."""
        people = sorted({one.person_id for one in operations})
        views = self._ctx.store.person_views(people)
        if any(_is_mailing(one) for one in operations):
            self._look(views)
            views = self._ctx.store.person_views(people)
        by_id = {view.person_id: view for view in views}
        may, results = [], []
        for one in operations:
            view = by_id.get(one.person_id)
            word = "person_gone" if view is None else self._why_not(one, view)
            if not word:
                may.append(one)
            elif word != "waits":
                results.append(_superseded(one, word))
        if results:
            self._ctx.store.commit_results(self._ctx.run_id, results, self._ctx.clock.now())
            for code, count in Counter(one.code for one in results if one.code).items():
                self._ctx.count_note(code, count)
        return may

    def _why_not(self, one: Operation, view: PersonView) -> str:
        """Why an action is not carried out: "" if it is, `waits`, `anew` if it is planned anew, else the word with which it ends."""
        stated = stated_action(self._ctx.policy, one)
        record = standing_record(view.org_records)
        if stated is None:
            return "rule_gone"
        if view.state is PersonState.REVIEW:
            return "waits"
        if view.state is not PersonState.ACTIVE or record is None:
            return "person_gone"
        if _is_mailing(one) and has_opted_out(view):
            return "opted_out"
        email = str(record.row.fields.get("Email") or "")
        is_same = email.lower() == str(one.fields.get("email") or "").lower() and action_of(one).options == stated.options
        return "" if is_same else "anew"

    def _look(self, views: Sequence[PersonView]) -> None:
        """Read the people's records anew: somebody may have opted out in the org a moment ago."""
        for name in ("Lead", "Contact"):
            ids = sorted(
                {one.row.sf_id for view in views for one in view.org_records if one.row.object == name and not one.row.is_deleted}
            )
            for start in range(0, len(ids), IDS_PER_READ):
                rows = self._session.org.retrieve(name, ids[start : start + IDS_PER_READ], self._session.fields[name])
                put_rows(self._ctx, [row for row in rows.values() if row is not None])


class _Errand:
    """One source in one pass; used by one thread at a time."""

    def __init__(self, ctx: PassContext, actor: Actor, until: float) -> None:
        self._ctx = ctx
        self._actor = actor
        self._until = until
        self._refusals: Counter[str] = Counter()
        self._stuck: set[str] = set()
        """People with an action in doubt: what their rules state after it waits (no tag before the enrolment)."""
        self._has_taken = False
        self.is_open = True
        """Whether it is asked for more in this pass."""

    def carry_out(self, operations: Sequence[Operation]) -> None:
        """Send each once, until the source fails or time is up."""
        for one in operations:
            if not self.is_open or self._ctx.is_stopping:
                return
            if self._ctx.clock.monotonic() > self._until:
                self._ctx.miss(f"Some actions at {self._actor.name} wait for the next pass")
                self.is_open = False
                return
            if one.person_id not in self._stuck:
                self._send(one)
            self._ctx.progress("acted", {self._actor.name: 1})

    def settle(self, operations: Sequence[Operation]) -> None:
        """Look up what became of each."""
        for one in operations:
            if not self.is_open or self._ctx.is_stopping:
                return
            self._look_up(one)

    def report(self) -> None:
        """Say what was refused, once for each cause, and what is in doubt."""
        name, log = self._actor.name, self._ctx.log
        for code, count in sorted(self._refusals.items()):
            log.warning(events.ACTION_REFUSED, source=name, stage="act", reason=code, count=count)
        if self._stuck:
            log.warning(events.ACTION_UNKNOWN, source=name, stage="act", count=len(self._stuck))

    def _send(self, one: Operation) -> None:
        actor, store, sent_at = self._actor, self._ctx.store, self._ctx.clock.now()
        store.mark_sent([one.operation_id], sent_at, self._ctx.run_id)
        sent = msgspec.structs.replace(one, state=OperationState.SENT, sent_at=sent_at)
        try:
            outcome = actor.connector.act(actor.session, actor.options, action_of(one))
        except LOST as error:
            self._lose(error)
            self._again(sent, _code_of(error))
            return
        except SyncdError:
            raise
        except Exception:  # noqa: BLE001 - a connector's bug: nobody knows how far it came
            outcome = ActionOutcome(ActionState.UNKNOWN, "connector_failed")
        if outcome.state is ActionState.UNKNOWN:
            store.set_operation_states([one.operation_id], OperationState.UNKNOWN, dirty=False, at=sent_at)
            self._look_up(msgspec.structs.replace(sent, state=OperationState.UNKNOWN))
        else:
            self._end(sent, outcome)

    def _look_up(self, one: Operation) -> None:
        actor, now = self._actor, self._ctx.clock.now()
        try:
            outcome = actor.connector.look_up(actor.session, actor.options, action_of(one))
        except LOST as error:
            self._lose(error)
            return
        except SyncdError:
            raise
        except Exception:  # noqa: BLE001 - a connector's bug tells nothing
            outcome = ActionOutcome(ActionState.UNKNOWN, "connector_failed")
        is_over = one.sent_at is None or now - one.sent_at >= timedelta(seconds=actor.call_seconds)
        is_undone = outcome.state is ActionState.REFUSED and outcome.code == NOT_CARRIED_OUT
        if outcome.state is not ActionState.UNKNOWN and not is_undone:
            self._end(one, outcome)
        elif actor.connector.repeats_safely:
            self.is_open = False
            self._again(one, "answer_lost")
            put_to_rest(self._ctx, actor.name)
        elif not is_over:
            # The vendor may still be at it.
            self._stuck.add(one.person_id)
        elif is_undone:
            self._again(one, NOT_CARRIED_OUT)
        else:
            self._ask(one)

    def _end(self, one: Operation, outcome: ActionOutcome) -> None:
        """Done, or refused for good. What was there already is done, and changed nothing: its code says so."""
        if outcome.state is ActionState.REFUSED:
            self._refuse(one, outcome.code, outcome.message)
            return
        code = (outcome.code or "unchanged") if outcome.state is ActionState.UNCHANGED else ""
        self._commit(OperationResult(one.operation_id, OperationState.DONE, code=code, operation=one))
        self._ctx.log.debug(events.ACTION_DONE, source=self._actor.name, stage="act", count=1)
        if not self._has_taken:
            self._has_taken = True
            wake_up(self._ctx, self._actor.name)
            if self._ctx.regain(f"actions {self._actor.name}"):
                self._ctx.log.info(events.ACTIONS_RECOVERED, source=self._actor.name, stage="act")

    def _again(self, one: Operation, code: str) -> None:
        """Nothing was done: another try in a later pass, or a dead letter after the last."""
        if one.attempt + 1 < _MAX_ATTEMPTS:
            self._ctx.store.put_off([one.operation_id], code)
            self._ctx.miss(f"{self._actor.name} could not carry out an action for a passing reason ({code})")
        else:
            self._refuse(one, code, "It was tried again and again, and never carried out.")

    def _refuse(self, one: Operation, code: str, message: str) -> None:
        letter = refused_record(self._ctx, one, code, message, stage="act")
        self._commit(
            OperationResult(
                one.operation_id, OperationState.REFUSED, code=code, message=message, dead_letter=letter, operation=one
            )
        )
        self._refusals[code] += 1
        if self._refusals[code] == _SPIKE_COUNT and not self._has_taken:
            self._ctx.log.error(
                events.CONFIG_SPIKE_DETECTED, source=self._actor.name, stage="act", reason=code, count=_SPIKE_COUNT
            )
            self._ctx.miss(f"{self._actor.name} refused {_SPIKE_COUNT} actions with {code}: this looks like configuration.")
            self.is_open = False

    def _ask(self, one: Operation) -> None:
        """Nobody can tell what became of it, and it must not be sent twice: a person looks."""
        rule = next((why.rule for why in one.provenance.values()), "")
        review = Review(
            kind="action_unknown",
            person_id=one.person_id,
            candidates=(),
            reason=(
                f'Whether {one.source} has carried out "{one.fields["action"]}" ({rule}) nobody can tell: the answer was lost. It is not '
                f"sent again. Look there, do it by hand if it is missing, then reject this review to close it."
            ),
            source=one.source,
            run_id=self._ctx.run_id,
            at=self._ctx.clock.now(),
        )
        self._commit(
            OperationResult(one.operation_id, OperationState.REFUSED, code="outcome_unknown", review=review, operation=one)
        )
        self._refusals["outcome_unknown"] += 1

    def _lose(self, error: SyncdError) -> None:
        """The source takes nothing now: leave it alone for a while, and say so once."""
        self.is_open = False
        self._ctx.miss(f"{self._actor.name} takes no actions for now. {error}")
        put_to_rest(self._ctx, self._actor.name)
        if self._ctx.lose(f"actions {self._actor.name}"):
            self._ctx.log.error(events.ACTIONS_LOST, source=self._actor.name, stage="act", error_type=type(error).__name__)

    def _commit(self, result: OperationResult) -> None:
        self._ctx.store.commit_results(self._ctx.run_id, [result], self._ctx.clock.now())


def _leave_behind(ctx: PassContext, sources: AbstractSet[str]) -> None:
    """Of sources that are configured no longer, or cannot act, nothing more comes."""
    for part in _slices(ctx.store, _OPEN, sorted(sources)) if sources else ():
        ctx.store.commit_results(ctx.run_id, [_superseded(one, "source_gone") for one in part], ctx.clock.now())
        ctx.count_note("source_gone", len(part))


def _slices(store: Store, states: Sequence[OperationState], sources: Sequence[str]) -> Iterator[list[Operation]]:
    """Actions at these sources, oldest first."""
    after = ""
    while part := store.actions(states, sources, _PER_LOOK, after):
        after = part[-1].operation_id
        yield part


def _superseded(one: Operation, word: str) -> OperationResult:
    """The end of an action that is not carried out; `anew` has its person planned again."""
    is_anew = word == "anew"
    return OperationResult(
        one.operation_id, OperationState.SUPERSEDED, code="" if is_anew else word, dirty=is_anew, operation=one
    )


def _is_mailing(one: Operation) -> bool:
    return one.fields["action"] in FOR_MAILING


def _code_of(error: SyncdError) -> str:
    """A constant word for what stopped a source."""
    words = {RateLimitedError: "throttled", AuthError: "not_authorised", ContractError: "unexpected_answer"}
    return next((word for kind, word in words.items() if isinstance(error, kind)), "source_unavailable")
