"""Opt-outs that travel back to the sources: which records still bring mail, and who is looked at when the configuration changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from syncd.connector import MailStop, OptOutConnector
from syncd.model import PersonView, RecordRef
from syncd.plan import OptOutSettings, mailable
from syncd.run.context import Actor, OrgSession, PassContext
from syncd.run.standards import may_act

MARKING = "opt_outs_marking"
"""Setting: the sources that the opted out are being looked at for, and how far that is (`end`)."""
_PER_SLICE = 1_000


class OptOuts:
    """What one pass knows of records that still bring mail to people who have opted out."""

    def __init__(self, ctx: PassContext, session: OrgSession) -> None:
        """Nothing was looked at yet."""
        self._ctx = ctx
        self._takers: Mapping[str, Actor] = ctx.takers
        # Asked once: to ask whether an object keeps a protocol takes longer than its answer for a record.
        self._asked = {name: one.connector for name, one in ctx.takers.items() if isinstance(one.connector, OptOutConnector)}
        self._stops: dict[RecordRef, Sequence[MailStop]] = {}
        self._own_user_id = session.identity.user_id
        self._may_act = may_act(ctx, session)

    def look(self, views: Sequence[PersonView]) -> None:
        """Ask the connectors what ends the mail of these people's records, of those who have opted out; forgets everybody else."""
        self._stops = self._found(views, self._ctx.store.payloads)

    def look_at_new(self, views: Sequence[PersonView], payloads: Mapping[RecordRef, bytes]) -> None:
        """The same of people whose records are not stored yet. Where there is mail to end they wait until they are, and for `look`.

        As a rule there is none: they have opted out where they come from.
        """
        found = self._found(views, lambda refs: {ref: payloads[ref] for ref in refs})
        self._stops = {ref: stops for ref, stops in found.items() if not stops}

    def _found(
        self, views: Sequence[PersonView], payloads_of: Callable[[Sequence[RecordRef]], Mapping[RecordRef, bytes]]
    ) -> dict[RecordRef, Sequence[MailStop]]:
        found: dict[RecordRef, Sequence[MailStop]] = {}
        names = self._takers.keys()
        refs = [one.ref for view in views for one in mailable(view, names)] if names else []
        for ref, payload in payloads_of(refs).items() if refs else ():
            taker, connector = self._takers[ref.source], self._asked.get(ref.source)
            try:
                if connector is not None:
                    found[ref] = connector.mail_stops(taker.options, payload, taker.opt_outs)
            except Exception as error:  # noqa: BLE001 - a connector's bug must not stop everybody else, nor pass for an answer
                bug = type(error).__name__
                self._ctx.miss(
                    f"{ref.source}: its connector cannot say what ends the mail of a record ({bug}), so an opt-out waits"
                )
        return found

    def settings(self) -> OptOutSettings:
        """For the people who were looked at last."""
        return OptOutSettings(
            sources=self._takers.keys(),
            stops=self._stops,
            own_user_id=self._own_user_id,
            secret=self._ctx.secret,
            allow_clear=self._ctx.policy.allow_clear,
            may_act=self._may_act,
        )


def mark_opted_out(ctx: PassContext) -> None:
    """Have everybody planned who has opted out, once after a source has begun to take opt-outs. Writes the store, in slices."""
    store = ctx.store
    told = ",".join(f"{name}={taker.opt_outs}" for name, taker in sorted(ctx.takers.items()))
    wanted = f"{told},sandbox={ctx.settings.may_act_from_sandbox}"
    known, _, after = (store.setting(MARKING) or "").partition(" ")
    if known == wanted and after == "end":
        return
    if known != wanted:
        after = ""
    if not ctx.takers or not store.stats().get("persons"):
        store.put_setting(MARKING, f"{wanted} end")
        return
    while not ctx.is_stopping:
        after = store.mark_opted_out(after, _PER_SLICE)
        store.put_setting(MARKING, f"{wanted} {after or 'end'}")
        if not after:
            break
        ctx.turn.breathe()
