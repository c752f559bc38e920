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

from syncd.model import ANSWER_LOST, Deal, Operation, OperationState, OrgRecord, PersonState, PersonView
from syncd.plan import (
    Feedback,
    action_of,
    has_opted_out,
    is_conversion,
    is_copy,
    is_early,
    is_registration,
    standing_record,
    stated_action,
    why_not_copied,
    why_not_registered,
)
from syncd.policy import FOR_MAILING, WITH_LEAVE, Action
from syncd.ports import OperationResult, Store
from syncd.run.context import IDS_PER_READ, Actor, OrgSession, PassContext
from syncd.run.errand import Errand
from syncd.run.mirror import put_rows
from syncd.run.opt_outs import OptOuts
from syncd.run.rest import is_resting
from syncd.run.standards import may_act, won_of
from syncd.run.storms import hold_storms

_PER_LOOK = 200
"""Actions of one source between two looks at the people they are for: a withdrawal of consent must not come too late by much."""
_SECONDS = 300.0
"""After this a pass begins no more of them; the next one goes on."""
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
        self._opt_outs = OptOuts(ctx, session)
        self._errands = {name: Errand(ctx, actor, ctx.clock.monotonic() + _SECONDS) for name, actor in actors.items()}

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
        if any(one.fields["action"] in WITH_LEAVE or is_copy(one) for one in operations):
            self._look(views)
            hold_storms(self._ctx, self._session)
            views = self._ctx.store.person_views(people)
        self._opt_outs.look(views)
        by_id = {view.person_id: view for view in views}
        deals = self._deals(operations)
        won = won_of(self._ctx, views)
        may, results = [], []
        for one in operations:
            view = by_id.get(one.person_id)
            word = (
                "person_gone"
                if view is None
                else self._why_not(one, view, deals.get(one.person_id, ()), won.get(one.person_id, {}))
            )
            if not word:
                may.append(one)
            elif word != "waits":
                results.append(_superseded(one, word))
        if results:
            self._ctx.store.commit_results(self._ctx.run_id, results, self._ctx.clock.now())
            for code, count in Counter(one.code for one in results if one.code).items():
                self._ctx.count_note(code, count)
        return may

    def _deals(self, operations: Sequence[Operation]) -> dict[str, tuple[Deal, ...]]:
        """The opportunities of those of whom a platform is to be told."""
        people = sorted({one.person_id for one in operations if is_conversion(one)})
        facts = self._ctx.store.person_facts(people, (), self._ctx.clock.now()) if people else {}
        return {person_id: one.deals for person_id, one in facts.items()}

    def _why_not(self, one: Operation, view: PersonView, deals: Sequence[Deal], won: Mapping[str, Deal]) -> str:
        """Why an action is not carried out: "" if it is, `waits`, `anew` if it is planned anew, else the word with which it ends."""
        if is_copy(one):
            return why_not_copied(one, view, self._opt_outs.settings(), self._ctx.clock.now())
        stated = stated_action(self._ctx.policy, one)
        record = standing_record(view.org_records)
        is_reversal = "value.retracts" in one.fields
        if stated is None and not is_reversal:
            return "rule_gone"
        if view.state is PersonState.REVIEW:
            return "waits"
        if view.state is not PersonState.ACTIVE or (record is None and not is_reversal):
            return "person_gone"
        if one.fields["action"] in FOR_MAILING and has_opted_out(view):
            return "opted_out"
        if is_registration(one.fields):
            asked = action_of(one)
            word = why_not_registered(view, one.source, asked.email, asked.options, one.own_id)
            if word:
                return word
        if is_conversion(one):
            feedback = Feedback(self._ctx.policy, view, record, deals, won, {})
            return self._why_not_told(one, feedback, record, stated)
        return "" if _is_as_stated(one, record, stated) else "anew"

    def _why_not_told(self, one: Operation, feedback: Feedback, record: OrgRecord | None, stated: Action | None) -> str:
        """The same of a conversion: consent and opportunity as they are now; what is taken back is as it was told."""
        word = feedback.why_not(one, self._ctx.clock.now())
        if word:
            return "anew" if word == "not_so_now" else word
        if is_early(one, self._ctx.clock.now()):
            return "waits"
        if "value.retracts" in one.fields or _is_as_stated(one, record, stated):
            return ""
        return "anew"

    def _look(self, views: Sequence[PersonView]) -> None:
        """Read the people's records anew: somebody may have opted out in the org a moment ago."""
        for name in ("Lead", "Contact"):
            ids = sorted(
                {one.row.sf_id for view in views for one in view.org_records if one.row.object == name and not one.row.is_deleted}
            )
            for start in range(0, len(ids), IDS_PER_READ):
                rows = self._session.org.retrieve(name, ids[start : start + IDS_PER_READ], self._session.fields[name])
                put_rows(self._ctx, [row for row in rows.values() if row is not None])


def _is_as_stated(one: Operation, record: OrgRecord | None, stated: Action | None) -> bool:
    """Whether it goes to the address that the person has now, as the policy words it now; a conversion may go without an address."""
    if stated is None or record is None or action_of(one).options != stated.options:
        return False
    if is_conversion(one) and "email" not in one.fields:
        return True
    return str(record.row.fields.get("Email") or "").lower() == str(one.fields.get("email") or "").lower()


def _leave_behind(ctx: PassContext, sources: AbstractSet[str]) -> None:
    """Of sources that are configured no longer, or cannot act, nothing more comes."""
    for part in _slices(ctx.store, _OPEN, sorted(sources)) if sources else ():
        ctx.store.commit_results(ctx.run_id, [_superseded(one, _left_word(one)) for one in part], ctx.clock.now())
        ctx.count_note("source_gone", len(part))


def _left_word(one: Operation) -> str:
    """How it ends: what a platform may have been told is not told again when its source comes back."""
    return ANSWER_LOST if is_conversion(one) and one.state is not OperationState.PLANNED else "source_gone"


def _slices(store: Store, states: Sequence[OperationState], sources: Sequence[str]) -> Iterator[list[Operation]]:
    """Actions at these sources, oldest first."""
    after = ""
    while part := store.actions(states, sources, _PER_LOOK, after):
        after = part[-1].operation_id
        yield part


def _superseded(one: Operation, word: str) -> OperationResult:
    """The end of an action that is not carried out; `anew` has its person planned again."""
    is_anew = word == "anew"
    # What a platform is told another rule may tell, under the same id.
    is_dirty = is_anew or (word == "rule_gone" and is_conversion(one))
    return OperationResult(
        one.operation_id,
        OperationState.SUPERSEDED,
        code="" if is_anew else word,
        message=ANSWER_LOST if one.code == ANSWER_LOST else "",  # it may have arrived all the same
        dirty=is_dirty,
        operation=one,
    )
