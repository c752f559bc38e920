"""Erase one person because somebody asks to be forgotten: `syncd lead erase` (G9, docs/adr/0027-erasure.md).

syncd erases what it keeps itself. What the org holds is erased there, by a person; syncd refuses while it is there, unless it is told
that it stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial

import msgspec

from syncd.app.leads import find_leads, one_lead
from syncd.errors import ClaimConflictError, ConfigError
from syncd.identity import tombstone_digest
from syncd.model import PersonState, RunStatus
from syncd.normalise.keys import email_key, is_role_mailbox
from syncd.ports import LOG_IN_USE, NOT_COMPACTED, TOO_LARGE, Belongings, Journal, Key, Store, Traces

_ATTEMPTS = 3
_HASH = re.compile("[0-9a-f]{64}")
_UNDER_WAY = ("sent", "unknown")
BUSY = ConfigError("Something is being written for this person just now.", advice="Try again after the next pass.")
_COMPACT = 'Stop syncd, and write its file anew once, with room for a second copy: sqlite3 FILE "VACUUM".'
NOTES = {
    LOG_IN_USE: "A reader was in the way: syncd.db-wal keeps the old bytes until the next quiet minute, or until syncd stops.",
    TOO_LARGE: f"The store is too large to be written anew beside the work: earlier versions may lie about in its free pages. {_COMPACT}",
    NOT_COMPACTED: f"The store could not be written anew, the disk may be full: earlier versions may lie about in its free pages. {_COMPACT}",
}
"""What the files may still hold, and what to do about it, by what stood in the way."""


class Erasure(msgspec.Struct, frozen=True):
    """What is erased, or would be: counts and ids, no values.

    Attributes:
        person_id: Whose, or the hash of an address of which nobody was made; `merged` are ids of people who had been merged into it, and are erased with it.
        is_done: False for a look.
        counts: How much there is, by kind.
        in_salesforce: `Object:id` of records that the org still has, as far as the mirror knows.
        dead_letters: Ids of dead letters that go.
        refusal: Why it cannot be done as it is, "" if it can.
        advice: What to do then.
        unsure: Kept payloads that name the person among others; they stay until they expire.
        notes: What is left in the files, `LOG_IN_USE` and so on.
    """

    person_id: str
    is_done: bool
    merged: tuple[str, ...] = ()
    counts: dict[str, int] = {}
    in_salesforce: tuple[str, ...] = ()
    dead_letters: tuple[int, ...] = ()
    refusal: str = ""
    advice: str = ""
    unsure: int = 0
    notes: tuple[str, ...] = ()


def find_traces(store: Store, text: str, digest_of: Callable[[Key], str]) -> Traces:
    """What is kept of exactly one person, who is named whole: a part of somebody else's address or name must not do.

    Raises:
        ConfigError: Nobody, or more than one person, answers to `text`.
    """
    stranger = None if find_leads(store, text, is_whole=True) else _find_stranger(store, text.strip(), digest_of)
    return stranger or store.traces_of(one_lead(store, text, with_erased=True, is_whole=True).person_id)


def _find_stranger(store: Store, text: str, digest_of: Callable[[Key], str]) -> Traces | None:
    """What is kept of an address that came, and of which nobody was made: it was skipped, set aside, or waits. None if nothing is.

    It is named by itself or, in requests and logs, by its hash.
    """
    if _HASH.fullmatch(text):
        if store.tombstones([text]):
            return Traces(Belongings((), ()), PersonState.ERASED, stranger_id=text)
        mailbox = store.mailbox_of(lambda one: digest_of(("email", one)) == text)
    else:
        mailbox = email_key(text) if "@" in text and not is_role_mailbox(text) else ""
    if not mailbox:
        return None
    found, digest = store.traces_of_mailbox(mailbox), digest_of(("email", mailbox))
    is_kept = any(count for name, count in found.counts.items() if name != "mailboxes") or found.rivals or found.is_owed
    if not is_kept and (not found.unsure or store.tombstones([digest])):
        return None
    return msgspec.structs.replace(found, stranger_id=digest)


def why_not(traces: Traces, runs: Collection[str], *, keep: bool) -> ConfigError | None:
    """Why a person cannot be erased now. Pure.

    Args:
        traces: What was found.
        runs: Those under way in this process; what they have planned may be on its way.
        keep: Records in the org stay.
    """
    if any(state in _UNDER_WAY or run_id in runs for _, state, run_id in traces.belongings.operations):
        return BUSY
    if traces.rivals:
        ids = ", ".join(traces.rivals)
        return ConfigError(
            f"Others have one of the person's mailboxes, and nobody has said who they are: {ids}.",
            advice='Answer the question first ("syncd review list"), or erase them first.',
        )
    living = traces.belongings.living
    if living and keep and traces.is_owed:
        return ConfigError(
            "What stays in Salesforce would never hear of an opt-out that is still on its way, or waits in the inbox.",
            advice='Try again after the next pass. What waits of a source that is paused or not configured any more waits until it is back: "syncd status".',
        )
    if living and not keep:
        names = ", ".join(f"{name} {sf_id}" for name, sf_id in living)
        return ConfigError(
            f"The person is still in Salesforce: {names}.",
            advice="Erase them there first (delete them and empty the recycle bin, or hard delete), or say --keep-in-salesforce.",
        )
    return None


def look(traces: Traces, runs: Collection[str] = (), *, keep: bool = False) -> Erasure:
    """What would be erased. Pure."""
    found, problem = traces.belongings, None if traces.state is PersonState.ERASED else why_not(traces, runs, keep=keep)
    return Erasure(
        person_id=traces.person_id,
        is_done=traces.state is PersonState.ERASED,
        merged=found.person_ids[1:],
        counts=traces.counts,
        in_salesforce=tuple(f"{name}:{sf_id}" for name, sf_id in found.living),
        dead_letters=tuple(sorted((*traces.dead_letters, *traces.asked))),
        refusal="" if problem is None else problem.problems[0].message,
        advice="" if problem is None else problem.problems[0].advice,
        unsure=traces.unsure,
    )


class Eraser:
    """Carries an erasure out. Nobody else may resolve, plan or send for the person meanwhile."""

    def __init__(self, store: Store, journal: Journal, secret: bytes, run_id: str) -> None:
        """`secret` is the key of the tombstones."""
        self._store = store
        self._journal = journal
        self._digest_of = partial(tombstone_digest, secret)
        self._run_id = run_id

    def carry_out(self, person_id: str, runs: Collection[str], at: datetime, *, keep: bool) -> Erasure:
        """Erase, and leave nothing in the files. Once more for somebody who was erased, the files are gone through again.

        Raises:
            ConfigError: It cannot be done now; see `why_not`.
            ClaimConflictError: Something was added again and again.
        """
        traces = self._traces(person_id)
        for attempt in range(1, _ATTEMPTS + 1):
            if traces.state is PersonState.ERASED:
                break
            problem = why_not(traces, runs, keep=keep)
            if problem is not None:
                raise problem
            try:
                self._erase(traces, at)
                break
            except ClaimConflictError:
                if attempt == _ATTEMPTS:
                    raise
                traces = self._traces(person_id)
        notes = tuple(dict.fromkeys((*self._store.scrub(), *self._journal.scrub())))
        return msgspec.structs.replace(look(traces, keep=keep), is_done=True, notes=notes)

    def _traces(self, person_id: str) -> Traces:
        is_hash = _HASH.fullmatch(person_id)
        return find_traces(self._store, person_id, self._digest_of) if is_hash else self._store.traces_of(person_id)

    def _erase(self, traces: Traces, at: datetime) -> None:
        """In a run of its own where records waited, so that the sums of their sources match (G2)."""
        sources = sorted(traces.waiting)
        if not sources:
            self._store.erase_person(traces, self._digest_of, self._run_id, at)
            return
        self._store.start_run(self._run_id, at, sources)
        try:
            self._store.erase_person(traces, self._digest_of, self._run_id, at)
        finally:
            self._store.finish_run(self._run_id, at, RunStatus.OK, {})


def explain(notes: Sequence[str]) -> list[str]:
    """Notes as sentences."""
    return [NOTES[one] for one in notes]
