"""What one pass works with: the adapters, the sources and the limits. Built by `syncd.wiring`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from syncd.clock import Clock
from syncd.connector import ActingConnector, Connector, PullConnector, Session
from syncd.log import Log
from syncd.mapping import Mapping as LeadMapping
from syncd.model import Assignment, Lane, OptOuts, OrgIdentity, OrgSchema
from syncd.policy import Policy
from syncd.ports import Journal, Org, Store
from syncd.run.stopwatch import Stopwatch
from syncd.run.turns import Turn, Turns

LEADS_PER_ROUND = 1_000
"""Leads between two looks at the mirror and per round of pushes (DESIGN 6: at most once per 1,000 leads)."""

LEADS_PER_COMMIT = 200
"""Leads per write unit (DESIGN 4)."""

ROWS_PER_CALL = 200
"""Records of one collections call (REST: Create Records Using sObject Collections)."""

CALLS_IN_FLIGHT = 4
"""Calls to the org at the same time: a batch of 200 leads keeps several of the org's transactions busy already."""

IDS_PER_READ = 2_000
"""Ids of one collections retrieve (REST: Get Records Using sObject Collections)."""


_BY_RULE = Assignment()

_NAP_SECONDS = 0.5
"""A sleeping pass looks as often whether it is to end."""


@dataclass(frozen=True)
class Source:
    """A configured source with everything it needs. `start_from` None means all of its history is news."""

    name: str
    connector: Connector
    options: Any
    session: Session
    mapping: LeadMapping
    start_from: datetime | None = None
    assignment: Assignment | None = _BY_RULE

    @property
    def reader(self) -> PullConnector | None:
        """The connector of a source that is asked for records; None for one that only sends by itself."""
        return self.connector if isinstance(self.connector, PullConnector) else None


@dataclass(frozen=True)
class Actor:
    """A source that takes actions, with everything it needs. `call_seconds`: after this a call is over at the vendor, heard of or not.

    `opt_outs`: how far somebody's opt-out elsewhere travels there.
    """

    name: str
    connector: ActingConnector
    options: Any
    session: Session
    call_seconds: float = 120.0
    is_paused: bool = False
    opt_outs: OptOuts = OptOuts.LIST


@dataclass(frozen=True)
class PassSettings:
    """Limits and names that the stages need; seconds and shares (0.0-1.0) as their names say."""

    external_id_field: str | None = "Syncd_Id__c"
    expected_org_id: str | None = None
    machine_users: frozenset[str] = frozenset()
    max_creates_per_pass: int | None = None
    max_changed_share: float = 0.2
    force: bool = False
    request_timeout_seconds: float = 30.0
    max_settle_wait_seconds: float = 60.0
    may_act_from_sandbox: bool = False
    max_opt_outs_per_user_per_hour: int = 50


@dataclass(frozen=True)
class Scope:
    """What part of the work a pass takes on; by default all of it.

    Attributes:
        reads_live: Read streams from their cursors. reads_ranges: Read ranges that were asked for once more.
        remaps: Map anew what an older mapping made.
        lanes: The most and the least urgent lane whose waiting records it takes.
        slice_seconds: After this much time nothing more is read, so that others may read the same source; None: read to the end.
    """

    reads_live: bool = True
    reads_ranges: bool = True
    remaps: bool = True
    lanes: tuple[Lane, Lane] = (Lane.HOT, Lane.REMAP)
    slice_seconds: float | None = None


_WHOLE = Scope()


class Company:
    """What the passes of one process share: whose turn it is, which runs are under way, and whether to stop."""

    def __init__(self, clock: Clock) -> None:
        """Nobody works yet."""
        self.turns = Turns(clock)
        self.is_stopping = threading.Event()
        self._lock = threading.Lock()
        self._runs: set[str] = set()
        self._acting: set[str] = set()

    @contextmanager
    def joined(self, run_id: str) -> Iterator[None]:
        """Count a run among those under way."""
        with self._lock:
            self._runs.add(run_id)
        try:
            yield
        finally:
            with self._lock:
                self._runs.discard(run_id)

    @contextmanager
    def acting_at(self, sources: Iterable[str]) -> Iterator[frozenset[str]]:
        """Those of `sources` at which nobody else is carrying out actions now; nobody does until this is over."""
        with self._lock:
            mine = frozenset(sources) - self._acting
            self._acting |= mine
        try:
            yield mine
        finally:
            with self._lock:
                self._acting -= mine

    def others(self, run_id: str) -> tuple[str, ...]:
        """The other runs under way: what is open of theirs is in good hands."""
        with self._lock:
            return tuple(sorted(self._runs - {run_id}))


Progress = Callable[[str, Mapping[str, int]], None]
"""Called with a stage name and its counts whenever something moved; must be quick."""


def no_progress(stage: str, counts: Mapping[str, int]) -> None:
    """Show nothing."""


@dataclass
class OrgSession:
    """The org of this pass after it was checked: who we are and what its objects look like."""

    org: Org
    identity: OrgIdentity
    schema: OrgSchema
    fields: Mapping[str, tuple[str, ...]]
    mirrored_at: float | None = None


@dataclass
class PassContext:
    """Everything one pass shares between its stages.

    `unread` are sources that were not read to their end, `sliced` those of them that only ran out of time. `lane` says how urgent the pass is beside others in its `company`. `guarded_before`: guarded writes of earlier slices of the same
    work, so that a guard judges the whole. `actors`: sources that may be asked to act, whatever sources the pass reads; None: nobody is
    asked (a rehearsal). `takers` are those among them that take opt-outs; a rehearsal knows them, too. `journal`: where a pass finds what a daemon had received; None where that is another's business.
    """

    run_id: str
    store: Store
    org: Org
    clock: Clock
    sources: Mapping[str, Source]
    policy: Policy
    secret: bytes
    log: Log
    settings: PassSettings = PassSettings()
    mapped_fields: frozenset[str] = frozenset()
    progress: Progress = no_progress
    notes: dict[str, int] = field(default_factory=dict)
    creates_sent: int = 0
    unfinished: list[str] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    sliced: set[str] = field(default_factory=set)
    pushing_stopped: str = ""
    scope: Scope = _WHOLE
    lane: Lane = Lane.INCREMENT
    guarded_before: int = 0
    actors: Mapping[str, Actor] | None = None
    takers: Mapping[str, Actor] = field(default_factory=dict)
    journal: Journal | None = None
    company: Company = field(kw_only=True)
    turn: Turn = field(init=False)
    watch: Stopwatch = field(init=False)
    _counting: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        """Start the watch."""
        self.watch = Stopwatch(self.clock)
        self.turn = Turn(self.company.turns, self.lane)

    @property
    def is_stopping(self) -> bool:
        """Whether the process is to end: what is under way is finished, nothing is begun."""
        return self.company.is_stopping.is_set()

    def others(self) -> tuple[str, ...]:
        """Ids of the other runs under way in this process."""
        return self.company.others(self.run_id)

    def pause(self, seconds: float) -> None:
        """Sleep without a turn; ends early when the process is to end."""
        with self.turn.aside():
            end = self.clock.monotonic() + seconds
            while not self.is_stopping and (left := end - self.clock.monotonic()) > 0:
                self.clock.sleep(min(left, _NAP_SECONDS))

    def count_note(self, reason: str, count: int = 1) -> None:
        """Add to the sums of reasons that the summary shows (`kept_persons_edit`, `person_is_contact` ...). Safe for threads."""
        with self._counting:
            self.notes[reason] = self.notes.get(reason, 0) + count

    def lose(self, what: str) -> bool:
        """Remember that `what` is lost; True only the first time, so that it is logged once (STYLE 6)."""
        return note_lost(self.store, what, is_lost=True)

    def regain(self, what: str) -> bool:
        """Remember that `what` is there again; True only if it was lost."""
        return note_lost(self.store, what, is_lost=False)

    def miss(self, reason: str) -> None:
        """Remember that this pass missed something, so that it never ends as ok (G1)."""
        if reason not in self.unfinished:
            self.unfinished.append(reason)


def is_lost(store: Store, what: str) -> bool:
    """Whether something was last seen lost."""
    return store.setting(f"lost:{what}") == "yes"


def note_lost(store: Store, what: str, *, is_lost: bool) -> bool:
    """Remember whether `what` is lost, over passes and processes; gives whether that is news. Writes the store if it is."""
    if (store.setting(f"lost:{what}") == "yes") == is_lost:
        return False
    store.put_setting(f"lost:{what}", "yes" if is_lost else "no")
    return True
