"""Erasing people, as the house is asked for it. Part of the house that wiring builds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from syncd import events, log
from syncd.app.erase import BUSY, Eraser, Erasure, find_traces, look
from syncd.errors import ClaimConflictError
from syncd.identity import tombstone_digest
from syncd.model import PersonState
from syncd.passes import LEASE, Passes
from syncd.ports import Traces
from syncd.run.mirror import re_read


class Erasures(Passes):
    """The forgetting part of a house; `syncd.wiring.House` gives it its parts."""

    def look_at_erasure(self, text: str, *, keep: bool) -> Erasure:
        """What an erasure of the one person who answers to `text` would erase. May be looked at beside a running daemon.

        Raises:
            ConfigError: Nobody, or more than one person, answers to `text`.
        """
        return look(self._find_traces(text), self.company.others(""), keep=keep)

    def erase_lead(self, text: str, *, keep: bool) -> Erasure:
        """Erase the one person who answers to `text`. What the mirror has of them is looked up in the org first, unless it is kept.

        Raises:
            ConfigError: Nobody, or more than one person, answers to `text`; or it cannot be done now.
            StoreError: A daemon works on the store.
        """
        self.store.acquire_lease(LEASE, self._owner)
        traces = self._find_traces(text)
        # Somebody who was erased may have been kept in the org until now: whoever asks again may have erased them there for good.
        living = self.store.kept_of_erased() if traces.state is PersonState.ERASED else traces.belongings.living
        if living and not keep:
            self._look_up(living)
        eraser = Eraser(self.store, self.journal, self.secret(), self.new_run_id())
        try:
            done = eraser.carry_out(traces.person_id, self.company.others(""), self.clock.now(), keep=keep)
        except ClaimConflictError as error:
            # A wish that came too early; as an error of the store it would end a daemon, which would begin with it again.
            raise BUSY from error
        log.get_log().info(events.PERSON_ERASED, person_id=done.person_id)
        return done

    def _find_traces(self, text: str) -> Traces:
        return find_traces(self.store, text, partial(tombstone_digest, self.secret()))

    def _look_up(self, living: Sequence[tuple[str, str]]) -> None:
        """See whether the org still has what the mirror has: what was erased for good is in no list of changes."""
        ctx, session = self._opened(is_preview=False)
        re_read(ctx, session, living)
        self.keep_budget()
