"""What commands ask of the running daemon: taken from the store, carried out by a lane, answered in the store (DESIGN 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from syncd import events
from syncd.app.convert import ConvertWish
from syncd.app.lanes import range_document
from syncd.daemon.agenda import Agenda
from syncd.daemon.lanes import Errand, LiveLane
from syncd.errors import ConfigError, StoreError, SyncdError
from syncd.log import Log
from syncd.model import Lane
from syncd.ports import RequestRow
from syncd.run.turns import Turn
from syncd.wiring import House

Answer = dict[str, Any]


class Requests:
    """Takes requests and hands them to whom they concern."""

    def __init__(self, house: House, agenda: Agenda, live: LiveLane, log: Log) -> None:
        """Nothing is taken yet."""
        self._house = house
        self._agenda = agenda
        self._live = live
        self._log = log

    def take_back(self) -> None:
        """What a daemon had taken that died is taken once more: each kind may be repeated, it ends where it would have ended."""
        self._house.store.reopen_requests()

    def take(self) -> None:
        """Take everything that was asked for. Writes the store."""
        for one in self._house.store.open_requests():
            if self._house.store.take_request(one.request_id):
                self._log.info(events.REQUEST_TAKEN, reason=one.kind)
                self._begin(one)

    def _begin(self, one: RequestRow) -> None:
        carry_out = self._kinds.get(one.kind)
        if carry_out is None:
            self._end(one, lambda: _refuse(f'This daemon does not know the request "{one.kind}".'))
        elif one.kind in ("backfill", "publish"):
            self._end(one, lambda: carry_out(self, one.document))
            self._agenda.wake()
        else:
            names = one.document.get("names") or self._house.pulled_sources()
            self._live.ask(Errand(names, lambda: self._end(one, lambda: carry_out(self, one.document))))

    def _end(self, one: RequestRow, carry_out: Callable[[], Answer]) -> None:
        """Carry out and answer; what is wrong with the wish is its answer, what is wrong with the store is not."""
        try:
            answer, is_done = carry_out(), True
        except StoreError:
            raise
        except SyncdError as error:
            answer, is_done = {"error": str(error), "code": error.code, "exit_code": error.exit_code}, False
        except Exception as error:  # noqa: BLE001 - a bug is answered as well: taken once more it would end the engine again and again
            answer, is_done = {"error": f"The daemon failed on it ({type(error).__name__})."}, False
        self._house.store.end_request(one.request_id, is_done, answer, self._house.clock.now())
        self._log.info(events.REQUEST_ENDED, reason=one.kind, status="done" if is_done else "failed")

    def _run(self, document: Answer) -> Answer:
        pulled = set(self._house.pulled_sources())
        names = [name for name in self._house.unpaused(document["names"]) if name in pulled]
        summary = self._live.run(names, force=bool(document.get("force")))
        return {"summary": msgspec.to_builtins(summary)}

    def _pull(self, document: Answer) -> Answer:
        return {"summary": msgspec.to_builtins(self._house.pull(document["names"]))}

    def _backfill(self, document: Answer) -> Answer:
        until = document.get("until")
        planned = self._house.plan_backfill(
            document["source"],
            document["stream"],
            datetime.fromisoformat(document["from"]),
            datetime.fromisoformat(until) if until else None,
        )
        self._house.start_backfill(planned)
        return {"range": range_document(planned.range), "is_new": planned.backfill is not None}

    def _publish(self, document: Answer) -> Answer:
        self._house.publish_policy(document["digest"])
        return {}

    def _undo(self, document: Answer) -> Answer:
        # Nobody may plan meanwhile: what is undone is what a plan would write again.
        with Turn(self._house.company.turns, Lane.POLICY):
            undoing = self._house.undo(document["run_id"])
            operations = undoing.carry_out()
        return {"kept": msgspec.to_builtins(undoing.plan.kept), "operations": operations}

    def _convert(self, document: Answer) -> Answer:
        with Turn(self._house.company.turns, Lane.POLICY):
            converted = self._house.convert_lead(document["who"], msgspec.convert(document["wish"], ConvertWish))
        return {"converted": msgspec.to_builtins(converted)}

    def _erase(self, document: Answer) -> Answer:
        # Whoever gives the turn has stored what it had resolved; what it had planned may be on its way, and is asked for.
        with Turn(self._house.company.turns, Lane.POLICY):
            erased = self._house.erase_lead(document["who"], keep=bool(document["keep"]))
        return {"erased": msgspec.to_builtins(erased)}

    _kinds: ClassVar[dict[str, Callable[[Requests, Answer], Answer]]] = {
        "run": _run,
        "pull": _pull,
        "backfill": _backfill,
        "undo": _undo,
        "convert": _convert,
        "erase": _erase,
        "publish": _publish,
    }


def _refuse(message: str) -> Answer:
    raise ConfigError(message, advice="Restart the daemon with this version of syncd.")
