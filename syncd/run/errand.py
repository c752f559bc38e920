"""One source in one pass: its actions are sent one after the other, looked up, put off, refused or asked about. Used by one thread.

The rules that keep an action from being carried out twice are here; which actions may be carried out at all is `syncd.run.acting`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from syncd import events
from syncd.connector import NOT_CARRIED_OUT, ActionOutcome, ActionState
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.model import ANSWER_LOST, Operation, OperationState
from syncd.plan import action_of, is_conversion
from syncd.ports import OperationResult, Review
from syncd.run.context import Actor, PassContext
from syncd.run.judge import refused_record
from syncd.run.rest import put_to_rest, wake_up

_MAX_ATTEMPTS = 5
_SILENT_TIMES = 2
"""One answer may get lost; so many in a row without one that came are an outage."""
_ITS_LOG = "Look at the receiver's own log; everything is sent again with the same id."
_SPIKE_COUNT = 20
"""So many refusals with one code and nothing else are the set-up's fault: the others wait."""

LOST = (SourceUnavailableError, RateLimitedError, AuthError, ContractError)
"""What a connector raises when nothing was carried out."""


class Errand:
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
        if not store.mark_sent([one.operation_id], sent_at, self._ctx.run_id):
            return  # sources are asked without the turn: the person was erased meanwhile
        sent = msgspec.structs.replace(one, state=OperationState.SENT, sent_at=sent_at)
        try:
            outcome = actor.connector.act(actor.session, actor.options, action_of(one))
        except LOST as error:
            self._lose(error)
            # What was in doubt before is so still.
            self._again(sent, ANSWER_LOST if one.code == ANSWER_LOST else _code_of(error))
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
            self._again(one, ANSWER_LOST)
            if put_to_rest(self._ctx, actor.name) >= _SILENT_TIMES:
                self._tell_lost(SourceUnavailableError(f"{actor.name} gives no answer that says what it took.", advice=_ITS_LOG))
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
        # An opportunity may have been lost while it was under way that it is won: it is looked at once more.
        self._commit(OperationResult(one.operation_id, OperationState.DONE, code=code, dirty=is_conversion(one), operation=one))
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
        self._tell_lost(error)

    def _tell_lost(self, error: SyncdError) -> None:
        if self._ctx.lose(f"actions {self._actor.name}"):
            kind = type(error).__name__
            self._ctx.log.error(events.ACTIONS_LOST, source=self._actor.name, stage="act", error_type=kind, reason=str(error))

    def _commit(self, result: OperationResult) -> None:
        self._ctx.store.commit_results(self._ctx.run_id, [result], self._ctx.clock.now())


def _code_of(error: SyncdError) -> str:
    """A constant word for what stopped a source."""
    words = {RateLimitedError: "throttled", AuthError: "not_authorised", ContractError: "unexpected_answer"}
    return next((word for kind, word in words.items() if isinstance(error, kind)), "source_unavailable")
