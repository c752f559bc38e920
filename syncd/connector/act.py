"""Connectors whose system can be asked to do something with a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from syncd.connector.session import Options, Session
from syncd.model import ActionOutcome, ConversionTerms, MailStop, OptOuts, SourceAction, SourceActionKind


@runtime_checkable
class ActingConnector(Protocol):
    """A connector whose system can be asked to do something with a person; it is a pull or push connector as well.

    Its writes go through `session.http.send` once each: nothing here is repeated, because most of these systems know no
    idempotency key. `repeats_safely` says that this one does: the same `action_id` twice is carried out once.
    """

    name: str
    Options: type[Options]
    repeats_safely: bool

    def check_action(self, options: Any, kind: SourceActionKind, action_options: Mapping[str, str]) -> Sequence[str]:
        """Say, offline, what is wrong with an action as a policy states it; sentences, none when it is fine."""
        ...

    def act(self, session: Session, options: Any, action: SourceAction) -> ActionOutcome:
        """Carry out one action.

        Raises SourceUnavailableError, RateLimitedError, AuthError or ContractError only when nothing was carried out, so that the
        same action may be tried again; whatever may have been is the outcome UNKNOWN.
        """
        ...

    def look_up(self, session: Session, options: Any, action: SourceAction) -> ActionOutcome:
        """Say what became of an action whose answer was lost, when whatever was sent has had its time to arrive.

        DONE or UNCHANGED: it holds. REFUSED with the code NOT_CARRIED_OUT: it does not, it may be tried again; with another code:
        it never will. UNKNOWN: nobody can tell; only where `repeats_safely` may it be tried again. Reads only. Raises as `pull` does.
        """
        ...


@runtime_checkable
class OptOutConnector(ActingConnector, Protocol):
    """An acting connector that takes `opt_out`, so that somebody who opts out elsewhere gets no mail from its system either."""

    def mail_stops(self, options: Any, payload: bytes, scope: OptOuts) -> Sequence[MailStop]:
        """What ends the mail that comes of one record, by its payload as it was stored; none where it brings none as it stands.

        Offline and pure. With `list` only the lists that this record says it is on, with `global` everything that the account may send to
        its address. The same record gives the same stops as long as it is on the same lists. Whether a stop is still needed, `act` finds
        out: it must change nothing where it is not.
        """
        ...


@runtime_checkable
class TellingConnector(ActingConnector, Protocol):
    """A connector of an advertising platform: it takes actions of kind `conversion` on these terms."""

    conversions: ConversionTerms
