"""What the inner house expects of its adapters: the store and the org as protocols.

`run/` and `app/` speak to these only; `store/` and `salesforce/` implement them; `wiring` joins them.
Every Store method is one short transaction and is safe to call from any thread. Nothing here waits for
a network inside a transaction. All instants are aware UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Protocol

import msgspec

from syncd.model import (
    Assignment,
    Candidate,
    Conversion,
    ConversionOutcome,
    Deal,
    Delivery,
    Hold,
    InboxOutcome,
    Lane,
    Lead,
    ObjectSchema,
    Operation,
    OperationKind,
    OperationState,
    OptOutHold,
    OrgIdentity,
    OrgRecord,
    OrgRow,
    OrgSchema,
    Page,
    PersonState,
    PersonView,
    Provenance,
    RecordRef,
    RowOutcome,
    RunStatus,
    SourceCounts,
    Value,
    Wanted,
)

Key = tuple[str, str]
"""(kind, value) of a claim or an evidence key, e.g. ("email", "ada@example.com"), ("phone", "+4930...")."""

ERASED = "erased"
"""Why a record of an erased person is skipped, and the rule in what is left of such a person's operations."""


# ---------------------------------------------------------------- inbox and records


class InboxRow(msgspec.Struct, frozen=True, gc=False):
    """One version of one record, waiting. `digest` is blake2b-16 of the payload.

    `is_replay`: an equal digest is no reason to skip it. `packed` is the payload as the store keeps it, so that it is compressed once.
    """

    sequence: int
    ref: RecordRef
    payload: bytes
    digest: bytes
    source_at: datetime | None
    received_at: datetime
    position: int = 0
    locator: str = ""
    lane: Lane = Lane.INCREMENT
    is_replay: bool = False
    packed: tuple[bytes, bool] | None = None


class KnownRecord(msgspec.Struct, frozen=True, gc=False):
    """What is stored of the latest version of a record."""

    digest: bytes
    person_id: str
    mapping_digest: str
    source_at: datetime
    position: int = 0


class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    """Something set aside with its reason, ready to be replayed.

    `kind` is `record` (payload kept), `page` (an answer nobody could read; its payload is kept, its records come again) or
    `operation`. `message` holds no record values for records; for an
    operation it is the org's text, shown on request only. `dead_letter_id` is "" until it is stored.
    """

    kind: str
    stage: str
    reason: str
    message: str
    source: str = ""
    stream: str = ""
    key: str = ""
    locator: str = ""
    payload: bytes = b""
    person_id: str = ""
    operation_id: str = ""
    run_id: str = ""
    at: datetime | None = None
    state: str = "open"
    dead_letter_id: str = ""


class Review(msgspec.Struct, frozen=True, gc=False):
    """A question for a person.

    `kind`: `several_matches`, `clashing_names`, `weak_match`, `merge`, `on_deleted`, `duplicate_rule`, `conversion`, `action_unknown`,
    `opt_out_storm`. That one is about no person but a user of the org: `person_id` and `key` are that user's id.

    `candidates` are Candidate values as the resolver saw them (names and e-mail: personal data, stored only).
    """

    kind: str
    person_id: str
    candidates: tuple[Candidate, ...]
    reason: str
    source: str = ""
    stream: str = ""
    key: str = ""
    run_id: str = ""
    at: datetime | None = None
    state: str = "open"
    review_id: str = ""
    decision: str = ""


class OptOutTurn(msgspec.Struct, frozen=True, gc=False):
    """A record of the org as the mirror saw it opted out of e-mail: by whom and when (its stamp then), and what has become of that."""

    object: str
    sf_id: str
    user_id: str
    at: datetime
    hold: OptOutHold


class ResolvedRecord(msgspec.Struct, frozen=True, gc=False):
    """What became of one inbox row; written with all its consequences in one transaction.

    For `applied`: `lead`, `person_id` and `mapping*` are set and the record row is replaced.
    `is_new_person` makes the person row. `claims` are strong keys to take (idempotent if already this person's;
    ClaimConflictError if somebody else's). `evidence` are shared keys to index the person under.
    `org_links` are (object, sf_id) of org records now known to be this person's.
    `dirty` asks for planning. A dead or skipped row may still carry a person (consent is honoured).
    """

    sequence: int
    ref: RecordRef
    outcome: InboxOutcome
    reason: str = ""
    person_id: str = ""
    is_new_person: bool = False
    person_state: PersonState = PersonState.ACTIVE
    lead: Lead | None = None
    digest: bytes = b""
    payload: bytes = b""
    packed: tuple[bytes, bool] | None = None
    lane: Lane = Lane.INCREMENT
    mapping: str = ""
    mapping_digest: str = ""
    source_at: datetime | None = None
    position: int = 0
    locator: str = ""
    claims: tuple[Key, ...] = ()
    evidence: tuple[Key, ...] = ()
    org_links: tuple[tuple[str, str], ...] = ()
    link_evidence: str = ""
    dirty: bool = False
    dead_letter: DeadLetter | None = None
    review: Review | None = None


class Newcomer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What storing a record takes if it is about somebody whom nobody knows; what is long is text as the store keeps it.

    Attributes:
        lead, golden, notes, touch: JSON of the lead, the surviving values and the notes of the plan (`syncd.as_stored`), and of the
            touch, "" without one.
        touched_at: ISO text, None for the record's own time.
        withdraws: Whether the record opts out of e-mail.
        stays_dirty: Whether more is to be planned afterwards.
        operation_id, document, operation_source: The create, its document and the source it is for; "" where nothing is to be written.
        problems, reasons: What is counted: reasons of the lead's problems, and of the plan's notes.
    """

    person_id: str
    lead: str
    golden: str
    notes: str
    touch: str
    touched_at: str | None
    withdraws: bool
    stays_dirty: bool
    operation_id: str
    document: str
    operation_source: str
    problems: tuple[str, ...]
    reasons: tuple[str, ...]


class Adopted(msgspec.Struct, frozen=True, gc=False):
    """A waiting record that nobody knows, with what was made ready for that case. `claims` and `evidence` as in a resolved record."""

    row: InboxRow
    newcomer: Newcomer
    mapping: str
    mapping_digest: str
    claims: tuple[Key, ...]
    evidence: tuple[Key, ...]
    operation: Operation | None


# ---------------------------------------------------------------- operations


class GoldenValue(msgspec.Struct, frozen=True, gc=False):
    """A person's surviving value of one field and where it comes from."""

    value: Value
    provenance: Provenance
    is_default: bool = False


class DecisionRow(msgspec.Struct, frozen=True, gc=False):
    """What one rule of the policy made of one person. Append only.

    Attributes:
        policy: Its name and digest.
        outcome: `fired` or `observed` (it would have).
        document: Reason, inputs as score and criteria, actions; no values of fields.
        person_id, at, run_id, number: Set by the store; `number` counts up.
    """

    rule_id: str
    section: str
    outcome: str
    policy: str = ""
    from_status: str = ""
    to_status: str = ""
    document: dict[str, Any] = {}
    person_id: str = ""
    at: datetime | None = None
    run_id: str = ""
    number: int = 0


class PersonPlan(msgspec.Struct, frozen=True, gc=False):
    """What planning decided for one person; stored in one transaction.

    `golden` holds the surviving values by field. `operations` may be empty. `stays_dirty` when
    more is to be planned after these operations (consent goes first). `dead_letter` and `review`: what a person must know
    of a lead that cannot be created; `settled`: kinds of open questions about the person that stand no
    longer; `asked_again`: kinds of those that had been settled and stand once more. `bases` are (object, sf_id, field -> value) adopted without
    a write (theirs = ours). `notes` are reasons per field (`kept_persons_edit`), for `lead show`. `decisions` are added to the log.
    `due` replaces all dates of the person: `""` for when a policy must look again, a rule's id for the end of its hold period;
    None leaves them as they are. `marks` are those of the view: whoever was marked since stays dirty, for this plan has not seen why.
    """

    person_id: str
    operations: tuple[Operation, ...] = ()
    golden: dict[str, GoldenValue] = {}
    notes: dict[str, str] = {}
    bases: tuple[tuple[str, str, dict[str, Value]], ...] = ()
    stays_dirty: bool = False
    dead_letter: DeadLetter | None = None
    review: Review | None = None
    settled: tuple[str, ...] = ()
    asked_again: tuple[str, ...] = ()
    decisions: tuple[DecisionRow, ...] = ()
    due: dict[str, datetime] | None = None
    marks: int = 0


class OperationResult(msgspec.Struct, frozen=True, gc=False):
    """The end of one sent operation. `state` done, refused, failed, superseded or unknown.

    `echo` is the row as re-read after the write (None if it could not be read yet: the operation is kept as needing an echo).
    It replaces the mirror's row; with `is_own_echo` nobody but syncd has modified it since. `base` holds what becomes base of the
    written fields, decided by the caller (DESIGN 5.1).
    `dirty` asks for the person to be planned again. `operation` is the operation as it stood before this result, where the
    caller has it at hand: it is not looked up then.
    """

    operation_id: str
    state: OperationState
    sf_id: str = ""
    code: str = ""
    message: str = ""
    echo: OrgRow | None = None
    is_own_echo: bool = False
    base: dict[str, Value] = {}
    dirty: bool = False
    dead_letter: DeadLetter | None = None
    review: Review | None = None
    operation: Operation | None = None


# ---------------------------------------------------------------- what a policy decides on


class StoredTouch(msgspec.Struct, frozen=True, gc=False):
    """One touch, how its record came, and what it says of consent."""

    channel: str
    at: datetime
    campaign: str
    source: str
    lane: Lane
    consent: str = ""


class StoredStatus(msgspec.Struct, frozen=True, gc=False):
    """A status as it was first seen in a lead; `by_person` where none of the machine users had changed the record last."""

    status: str
    at: datetime
    by_person: bool


class StatusRow(msgspec.Struct, frozen=True, gc=False):
    """The same with the record, for reports."""

    sf_id: str
    at: datetime
    status: str
    modified_by: str


class StoredActivity(msgspec.Struct, frozen=True, gc=False):
    """Tasks and events of one lead or contact. `last_at` is of what is over."""

    open_tasks: int = 0
    next_event_at: datetime | None = None
    last_at: datetime | None = None


class StoredFacts(msgspec.Struct, frozen=True, gc=False):
    """What the store knows of one person besides the view, for a policy.

    Attributes:
        first_at: When syncd first heard of the person.
        touches: By time.
        statuses: By id of the lead, oldest first.
        activities: By id of the lead or contact; absent where there are none.
        account: Of the contact, or of the converted lead; None where there is none or it is not mirrored.
        account_opportunities, contact_opportunities: Ids of the open ones.
        owners: By id of a user who owns one of the records: whether that user is active. Queues are in nobody's table.
        fired: Rule to when it last fired; `waiting`: rule to the end of its hold period.
        deals: Opportunities whose primary contact the person is, deleted ones too, by id.
        won: Opportunities that a platform was told of as won for the person, whoever is their contact now; added by `syncd.run.standards`.
    """

    person_id: str
    first_at: datetime
    touches: tuple[StoredTouch, ...] = ()
    statuses: dict[str, tuple[StoredStatus, ...]] = {}
    activities: dict[str, StoredActivity] = {}
    account: OrgRow | None = None
    account_opportunities: frozenset[str] = frozenset()
    contact_opportunities: frozenset[str] = frozenset()
    owners: dict[str, bool] = {}
    fired: dict[str, datetime] = {}
    waiting: dict[str, datetime] = {}
    deals: tuple[Deal, ...] = ()
    won: dict[str, Deal] = {}


class PastActivity(msgspec.Struct, frozen=True, gc=False):
    """One task or event as the mirror has it now. `at` is when an event begins; `done_at` when a task was completed, None if nobody says."""

    is_task: bool
    is_open: bool
    is_deleted: bool
    stamp: datetime
    created_at: datetime | None = None
    at: datetime | None = None
    done_at: datetime | None = None


class StoredHistory(msgspec.Struct, frozen=True, gc=False):
    """What is known of one person's past besides the view and the facts of now, for a replay that begins at some instant.

    Attributes:
        statuses: By id of the lead, oldest first; also of leads that are deleted now.
        activities: By id of the lead or contact.
        arrived: Records that syncd has known only since after that beginning, and since when.
        fired: Rule to when it last fired before that beginning.
    """

    statuses: dict[str, tuple[StatusRow, ...]] = {}
    activities: dict[str, tuple[PastActivity, ...]] = {}
    arrived: dict[RecordRef, datetime] = {}
    fired: dict[str, datetime] = {}


class PolicyDay(msgspec.Struct, frozen=True, gc=False):
    """How often something happened on a day of which not all rows are kept; `kind` is `decision` or `status_change`."""

    day: datetime
    kind: str
    status: str
    rule_id: str
    outcome: str
    count: int


class StatusMove(msgspec.Struct, frozen=True, gc=False):
    """A move that syncd made and the org took: of a status, or only of a flag or an owner (both statuses "" then).

    `rule` is its provenance, `policy NAME DIGEST: RULE`. `is_deletion`: it deleted the lead after retention instead.
    """

    sf_id: str
    at: datetime
    rule: str
    from_status: str = ""
    to_status: str = ""
    is_deletion: bool = False


class LeadHistory(msgspec.Struct, frozen=True, gc=False):
    """A lead over time, for reports.

    Attributes:
        statuses: Those that are kept, oldest first.
        source: Of the person's oldest record; "" for a lead that no source knows.
        created_at: When the org made it; None where it is not mirrored.
        first_at: When syncd first heard of the person; None for a lead that no source knows.
        is_news: Whether something of the person came otherwise than by a back-fill; for a lead that no source knows, too.
        touches: When the person did something, without back-fills; sorted.
        tasks: When tasks about the lead were completed; sorted.
        moves: What syncd moved, by time.
    """

    sf_id: str
    statuses: tuple[StatusRow, ...]
    source: str = ""
    created_at: datetime | None = None
    is_converted: bool = False
    first_at: datetime | None = None
    is_news: bool = True
    touches: tuple[datetime, ...] = ()
    tasks: tuple[datetime, ...] = ()
    moves: tuple[StatusMove, ...] = ()


class StandingLeads(msgspec.Struct, frozen=True, gc=False):
    """How many leads that are neither deleted nor converted stand in a status; `source` as in LeadHistory."""

    status: str
    source: str
    count: int


class RuleCount(msgspec.Struct, frozen=True, gc=False):
    """How often the log says of a rule that it fired or would have."""

    rule_id: str
    section: str
    outcome: str
    count: int


class LeadExport(msgspec.Struct, frozen=True, gc=False):
    """An export of leads that are due for deletion, read back and found whole; `count` leads, `sha256` of the file in hex."""

    export_id: str
    at: datetime
    org_id: str
    file: str
    sha256: str
    count: int


class ExportedLead(msgspec.Struct, frozen=True, gc=False):
    """A lead as it stands in an export: its SystemModstamp, and the digest of its values (`syncd.plan.exported_digest`)."""

    sf_id: str
    person_id: str
    stamp: datetime
    digest: str
    export_id: str = ""


class Belongings(msgspec.Struct, frozen=True, gc=False):
    """What belongs to one person, as an erasure has found it; all of it sorted. Holds mailboxes and keys: for nobody's eyes.

    Attributes:
        person_ids: The person's own id, then those that were merged into it; `numbers` likewise. Empty of a mailbox that is nobody's.
        mailboxes: Every personal mailbox that was ever claimed, as `syncd.normalise.keys.email_key` has it.
        refs: Source records, the present ones and those that were linked once.
        org: (object, sf_id, is deleted) of the records in the org; also of records with one of the mailboxes that belong to nobody.
        operations: (id, state, run) of those that are open or not read back yet.
    """

    person_ids: tuple[str, ...]
    numbers: tuple[int, ...]
    mailboxes: tuple[str, ...] = ()
    refs: tuple[RecordRef, ...] = ()
    org: tuple[tuple[str, str, bool], ...] = ()
    operations: tuple[tuple[str, str, str], ...] = ()

    @property
    def living(self) -> tuple[tuple[str, str], ...]:
        """(object, sf_id) of the records that the org still has."""
        return tuple((name, sf_id) for name, sf_id, is_deleted in self.org if not is_deleted)


class Traces(msgspec.Struct, frozen=True, gc=False):
    """Everything the store keeps of one person.

    Attributes:
        state: Of the person; `erased` if there is nothing to be done any more.
        waiting: Sequences of their records that wait in the inbox, by source; `ended`: of those that ended.
        records: Records of nobody with one of the mailboxes and no other.
        dead_letters: Ids of those that go; `pages`: of unreadable pages that hold one of the mailboxes; `asked`: of those that ask for
            this very erasure.
        rivals: Others with one of the mailboxes, about whom a question is open or was not answered: ids of people, and `Object:sf_id` of
            records of the org.
        unsure: How many other payloads name one of the mailboxes among others: somebody must say whose they are.
        counts: How much there is, by kind.
        stranger_id: The keyed hash of the mailbox, where it is nobody's; "" of a person.
        is_owed: Whether the org may not know all of it yet: records wait, or an opt-out is still to be written.
    """

    belongings: Belongings
    state: PersonState
    waiting: dict[str, tuple[int, ...]] = {}
    ended: tuple[int, ...] = ()
    records: tuple[RecordRef, ...] = ()
    dead_letters: tuple[int, ...] = ()
    pages: tuple[int, ...] = ()
    asked: tuple[int, ...] = ()
    rivals: tuple[str, ...] = ()
    unsure: int = 0
    counts: dict[str, int] = {}
    is_owed: bool = False
    stranger_id: str = ""

    @property
    def person_id(self) -> str:
        """What the person is called by: their id, or the hash of a mailbox that is nobody's."""
        return self.stranger_id or self.belongings.person_ids[0]


class RunRow(msgspec.Struct, frozen=True, gc=False):
    """One run as listed."""

    run_id: str
    started_at: datetime
    finished_at: datetime | None
    status: str
    summary: dict[str, Any]


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """A stream's position and when it was stored."""

    source: str
    stream: str
    partition: str
    cursor: dict[str, Any]
    moved_at: datetime


class StoredPage(msgspec.Struct, frozen=True, gc=False):
    """What became of a page: how many records and rejects it held, and how many records wait now because of it."""

    held: int = 0
    waiting: int = 0


class Backfill(msgspec.Struct, frozen=True, gc=False):
    """A range of a stream that was asked for once more; `cursor` is its own, the stream's stays where it is.

    `partition` names it: `backfill:FROM..UNTIL`, both ISO instants.
    """

    source: str
    stream: str
    partition: str
    cursor: dict[str, Any]

    @property
    def until(self) -> datetime:
        """The end of the range, aware UTC."""
        return datetime.fromisoformat(self.partition.rpartition("..")[2])


class ScheduleRow(msgspec.Struct, frozen=True, gc=False):
    """When a source was last read. `succeeded_at` is the start of the last pass that missed nothing of it; `status` is how the last one ended."""

    source: str
    is_paused: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    succeeded_at: datetime | None = None
    run_id: str = ""
    status: str = ""


class XactlyRow(msgspec.Struct, frozen=True, gc=False):
    """One row of an export to Xactly: version `version` (from 1) of one line of an opportunity, or its reversal.

    Attributes:
        deal, part: Id of the opportunity, and of the line in it ("1" where it is exported as a whole).
        order_code: Without what makes a later version's code its own.
        digest: Of what is compared; `document` is the whole line as JSON, b"" where it is left out.
        is_standing: Nobody has reversed it. False for reversals.
    """

    deal: str
    part: str
    version: int
    order_code: str
    digest: bytes
    is_reversal: bool = False
    is_standing: bool = True
    document: bytes = b""


class XactlyBatch(msgspec.Struct, frozen=True, gc=False):
    """A batch of an export: state `writing` (its files may be there in part), `delivering` (the last one, too) or `done`.

    Attributes:
        period: The month that it belongs to, `2026-03`.
        number: From 1 within the period.
        rows, assignments: How many there are.
        files: Name to text, in the order of writing; {} where they are left out.
    """

    name: str
    period: str
    number: int
    created_at: datetime
    rows: int
    assignments: int
    state: str = "writing"
    files: dict[str, str] = {}


class RequestRow(msgspec.Struct, frozen=True, gc=False):
    """What a command asks of the running daemon; `state` is open, taken, done or failed, `answer` is its JSON object."""

    request_id: str
    kind: str
    document: dict[str, Any]
    state: str
    at: datetime
    answer: dict[str, Any] = {}
    ended_at: datetime | None = None


class WantedRow(msgspec.Struct, frozen=True, gc=False):
    """A record that a source said is there and that is still to be asked for: since when, and how often it was tried.

    `said` is how often the source has said so: it may say it again while the record is asked for.
    """

    ref: RecordRef
    wanted: Wanted
    received_at: datetime
    attempts: int = 0
    said: int = 1


class Backlog(msgspec.Struct, frozen=True, gc=False):
    """What waits in the journal: how many deliveries, their bytes, and when the oldest came (None: nothing waits)."""

    count: int = 0
    bytes: int = 0
    oldest_at: datetime | None = None


class Journal(Protocol):
    """Deliveries of push sources between their 2xx and the inbox (G1). Safe for threads and for two processes.

    The intake puts, the engine takes, stores them in the inbox and only then removes: after a crash between the two they are
    taken again, and the inbox knows them.
    """

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Store them in one transaction; durable when it returns."""
        ...

    def take(self, limit: int, sources: Sequence[str] | None = None) -> list[Delivery]:
        """The oldest that wait, with their sequence; of `sources` only if they are named. Changes nothing."""
        ...

    def remove(self, sequences: Sequence[int]) -> None:
        """Forget what is in the inbox now."""
        ...

    def backlog(self) -> dict[str, Backlog]:
        """What waits, by source."""
        ...

    def probe(self) -> None:
        """Write something that changes nothing. Raises StoreError while deliveries could not be stored."""
        ...

    def scrub(self) -> tuple[str, ...]:
        """Overwrite what was removed; what stood in the way, as `Store.scrub` names it."""
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


LOG_IN_USE, TOO_LARGE, NOT_COMPACTED = "log_in_use", "too_large", "not_compacted"
"""What `scrub` met: a reader of the write-ahead log; a file that is too large to be written anew beside the work; a disk that failed it."""


class Store(Protocol):
    """The state of syncd (DESIGN 4), on SQLite or PostgreSQL."""

    # life
    def migrate(self) -> str: ...
    def check(self) -> list[str]: ...
    def close(self) -> None: ...
    def copy_to_scratch(self) -> Store: ...
    def bind_org(self, org_id: str) -> str: ...
    def setting(self, name: str) -> str | None: ...
    def put_setting(self, name: str, value: str) -> None: ...
    def acquire_lease(self, name: str, owner: str) -> None: ...
    def release_lease(self, name: str, owner: str) -> None: ...

    # runs
    def start_run(self, run_id: str, at: datetime, sources: Sequence[str]) -> None: ...
    def finish_run(self, run_id: str, at: datetime, status: RunStatus, summary: Mapping[str, Any]) -> None: ...
    def runs(self, limit: int) -> list[RunRow]: ...
    def run(self, run_id: str) -> RunRow | None: ...
    def source_counts(self, run_id: str) -> dict[str, SourceCounts]: ...

    # extract
    def cursor(self, source: str, stream: str, partition: str = "") -> dict[str, Any] | None: ...
    def cursors(self) -> list[Cursor]: ...
    def put_page(
        self, run_id: str, source: str, stream: str, page: Page, lane: Lane, at: datetime, news_from: datetime | None = None
    ) -> StoredPage: ...
    def put_dead_letters(self, letters: Sequence[DeadLetter]) -> None: ...
    def close_page_letters(self, source: str) -> None: ...
    def put_wanted(self, source: str, stream: str, wanted: Sequence[Wanted], at: datetime) -> None: ...
    def take_wanted(self, at: datetime, limit: int, sources: Sequence[str]) -> list[WantedRow]: ...
    def postpone_wanted(self, row: WantedRow, due_at: datetime) -> None: ...
    def hold_wanted(self, source: str, until: datetime) -> None: ...
    def end_wanted(self, rows: Sequence[WantedRow]) -> None: ...
    def wanted_counts(self) -> dict[str, int]: ...
    def credential(self, name: str) -> str | None: ...
    def put_credential(self, name: str, document: str, at: datetime) -> None: ...
    def put_backfill(self, backfill: Backfill, at: datetime) -> bool: ...
    def backfills(self, source: str, stream: str) -> list[Backfill]: ...
    def end_backfill(self, source: str, stream: str, partition: str) -> None: ...
    def put_stale(self, run_id: str, source: str, mapping_digest: str, limit: int, at: datetime) -> int: ...
    def stale_count(self, source: str, mapping_digest: str) -> int: ...

    # map and resolve
    def take_inbox(
        self,
        limit: int,
        sources: Sequence[str] | None = None,
        held: Sequence[int] = (),
        lanes: tuple[Lane, Lane] = (Lane.HOT, Lane.REMAP),
    ) -> list[InboxRow]: ...
    def known_records(self, refs: Iterable[RecordRef]) -> dict[RecordRef, KnownRecord]: ...
    def claims(self, keys: Iterable[Key]) -> dict[Key, str]: ...
    def candidates(self, keys: Iterable[Key]) -> dict[Key, tuple[Candidate, ...]]: ...
    def person_candidates(self, person_ids: Iterable[str]) -> dict[str, Candidate]: ...
    def tombstones(self, digests: Iterable[str]) -> set[str]: ...
    def commit_resolved(
        self,
        run_id: str,
        rows: Sequence[ResolvedRecord],
        at: datetime,
        plans: Sequence[PersonPlan] = (),
        adopted: Sequence[Adopted] = (),
    ) -> None: ...

    # plan and push
    def dirty_persons(self, limit: int, after: str = "", among: Sequence[str] | None = None) -> list[str]: ...
    def person_views(self, person_ids: Sequence[str]) -> list[PersonView]: ...
    def commit_plans(self, run_id: str, plans: Sequence[PersonPlan], at: datetime) -> None: ...
    def operations(
        self,
        states: Sequence[OperationState],
        limit: int,
        run_id: str | None = None,
        other_than: Sequence[str] = (),
        kinds: Sequence[OperationKind] = (),
    ) -> list[Operation]: ...
    def actions(
        self, states: Sequence[OperationState], sources: Sequence[str], limit: int, after: str = ""
    ) -> list[Operation]: ...
    def acting_sources(self) -> set[str]: ...
    def opt_out_turns(self, within: timedelta) -> list[OptOutTurn]: ...
    def judge_opt_outs(
        self,
        calm: Sequence[tuple[str, str]],
        held: Sequence[tuple[str, str]],
        questions: Sequence[Review],
        own: Sequence[tuple[str, str]] = (),
    ) -> list[Review]: ...
    def answer_opt_outs(self, review_id: str, *, is_let: bool) -> int: ...
    def held_opt_outs(self, user_id: str) -> int: ...
    def mark_opted_out(self, after: str, limit: int) -> str: ...
    def payloads(self, refs: Sequence[RecordRef]) -> dict[RecordRef, bytes]: ...
    def open_conversions(self) -> list[Operation]: ...
    def held_persons(self, run_id: str) -> int: ...
    def operations_needing_echo(self, limit: int, other_than: Sequence[str] = ()) -> list[Operation]: ...
    def operations_of(self, person_id: str) -> list[Operation]: ...
    def operations_of_run(self, run_id: str) -> list[Operation]: ...
    def put_operations(self, operations: Sequence[Operation]) -> None: ...
    def mark_sent(self, operation_ids: Sequence[str], at: datetime, run_id: str = "") -> int: ...
    def put_off(self, operation_ids: Sequence[str], code: str) -> None: ...
    def take_back(self, operation_ids: Sequence[str], at: datetime) -> None: ...
    def set_operation_states(self, operation_ids: Sequence[str], state: OperationState, *, dirty: bool, at: datetime) -> None: ...
    def commit_results(self, run_id: str, results: Sequence[OperationResult], at: datetime) -> None: ...
    def operation_counts(self, run_id: str) -> dict[str, int]: ...

    def link_person(self, person_id: str, org_links: Sequence[tuple[str, str]], review: Review | None, at: datetime) -> None: ...

    # mirror
    def mirror_cursor(self, object: str) -> datetime | None: ...
    def note_machines(self, user_ids: frozenset[str]) -> None: ...
    def put_org_rows(
        self, rows: Sequence[OrgRow], key_sets: Mapping[str, Sequence[Key]], at: datetime, *, is_fill: bool = False
    ) -> int: ...
    def set_mirror_cursor(self, object: str, stamp: datetime) -> None: ...
    def org_records(self, targets: Sequence[tuple[str, str]]) -> list[OrgRecord]: ...
    def put_holds(self, person_id: str, holds: Sequence[Hold], bases: Mapping[tuple[str, str], Mapping[str, Value]]) -> None: ...

    def accounts_by(self, kind: str, values: Iterable[str]) -> dict[str, tuple[OrgRow, ...]]: ...

    def accounts_of_domains(self, domains: Iterable[str]) -> dict[str, tuple[OrgRow, ...]]: ...
    def with_open_opportunities(self, sf_ids: Iterable[str]) -> frozenset[str]: ...

    # policy
    def note_statuses(self, is_wanted: bool) -> None: ...
    def person_facts(
        self, person_ids: Sequence[str], machine_users: Iterable[str], now: datetime | None = None
    ) -> dict[str, StoredFacts]: ...
    def facts_stream(
        self, machine_users: Iterable[str], after: str = "", limit: int | None = None, now: datetime | None = None
    ) -> Iterator[list[tuple[PersonView, StoredFacts]]]: ...
    def history_stream(
        self,
        machine_users: Iterable[str],
        since: datetime,
        after: str = "",
        limit: int | None = None,
        now: datetime | None = None,
    ) -> Iterator[list[tuple[PersonView, StoredFacts, StoredHistory]]]: ...
    def stream_parts(self, count: int) -> list[tuple[str, int]]: ...
    def deals(self, sf_ids: Iterable[str]) -> dict[str, Deal]: ...
    def holds_wins(self, now: datetime) -> bool: ...
    def mark_due(self, now: datetime, limit: int) -> int: ...
    def next_due(self) -> datetime | None: ...
    def mark_everybody(self, after: str, limit: int) -> str: ...
    def decisions_of(self, person_id: str) -> list[DecisionRow]: ...
    def decisions(
        self, since: datetime | None = None, until: datetime | None = None, rule_id: str | None = None
    ) -> Iterator[DecisionRow]: ...
    def status_changes(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[StatusRow]: ...
    def policy_days(self, since: datetime, until: datetime) -> list[PolicyDay]: ...
    def statuses_noted_since(self) -> datetime | None: ...
    def lead_histories(self, since: datetime, until: datetime) -> Iterator[list[LeadHistory]]: ...
    def status_moves(self, since: datetime, until: datetime) -> Iterator[list[StatusMove]]: ...
    def standing_leads(self) -> list[StandingLeads]: ...
    def rule_counts(self, since: datetime, until: datetime) -> list[RuleCount]: ...

    # the export to Xactly
    def put_xactly_batch(self, batch: XactlyBatch, rows: Sequence[XactlyRow]) -> None: ...
    def set_xactly_state(self, name: str, state: str) -> None: ...
    def xactly_batches(self) -> list[XactlyBatch]: ...
    def xactly_batch(self, name: str) -> XactlyBatch | None: ...
    def xactly_heads(self) -> list[XactlyRow]: ...
    def xactly_documents(self, keys: Sequence[tuple[str, str, int]]) -> dict[tuple[str, str, int], bytes]: ...

    # erasing
    def traces_of(self, person_id: str) -> Traces: ...
    def traces_of_mailbox(self, mailbox: str) -> Traces: ...
    def kept_of_erased(self) -> list[tuple[str, str]]: ...
    def mailbox_of(self, is_it: Callable[[str], bool]) -> str: ...
    def erase_person(self, traces: Traces, digest_of: Callable[[Key], str], run_id: str, at: datetime) -> None: ...
    def scrub(self) -> tuple[str, ...]: ...

    # deletion after retention
    def put_export(self, export: LeadExport, leads: Sequence[ExportedLead]) -> None: ...
    def exports(self, limit: int) -> list[LeadExport]: ...
    def exported(self, sf_ids: Sequence[str]) -> dict[str, ExportedLead]: ...
    def forget_exported(self, sf_ids: Sequence[str]) -> None: ...
    def mark_exported(self) -> int: ...
    def due_for_deletion(self, rules: Sequence[str], now: datetime) -> Iterator[list[str]]: ...
    def waiting_for_export(self, rules: Sequence[str], now: datetime, limit: int) -> int: ...

    # daemon
    def schedules(self) -> dict[str, ScheduleRow]: ...
    def note_start(self, source: str, run_id: str, at: datetime) -> None: ...
    def note_end(self, source: str, run_id: str, at: datetime, status: str, *, succeeded: bool) -> None: ...
    def set_paused(self, source: str, paused: bool, at: datetime) -> bool: ...
    def put_request(self, kind: str, document: Mapping[str, Any], at: datetime) -> str: ...
    def request(self, request_id: str) -> RequestRow | None: ...
    def open_requests(self) -> list[RequestRow]: ...
    def take_request(self, request_id: str) -> bool: ...
    def end_request(self, request_id: str, ok: bool, answer: Mapping[str, Any], at: datetime) -> None: ...
    def reopen_requests(self) -> int: ...
    def queues(self) -> dict[str, Any]: ...
    def file_sizes(self) -> dict[str, int]: ...
    def arrivals(self, source: str, since: datetime) -> list[tuple[datetime, int]]: ...
    def end_dead_runs(self, at: datetime) -> int: ...
    def prune(self, before: datetime, limit: int) -> Iterator[int]: ...
    def pruned_before(self) -> datetime | None: ...
    def checkpoint(self) -> bool: ...

    # faces
    def dead_letters(self, state: str = "open", limit: int = 1000, source: str | None = None) -> list[DeadLetter]: ...
    def dead_letter(self, dead_letter_id: str) -> DeadLetter | None: ...
    def replay_dead_letters(self, dead_letter_ids: Sequence[str], at: datetime) -> int: ...
    def drop_dead_letters(self, dead_letter_ids: Sequence[str], at: datetime) -> int: ...
    def reviews(self, state: str = "open", limit: int = 1000) -> list[Review]: ...
    def review(self, review_id: str) -> Review | None: ...
    def accept_review(self, review_id: str, candidate: Candidate | None, at: datetime) -> None: ...
    def close_reviews(self, person_id: str, kind: str, decision: str) -> None: ...
    def reject_review(self, review_id: str, at: datetime) -> None: ...
    def find_persons(self, keys: Sequence[Key], text: str, limit: int, *, is_whole: bool = False) -> list[str]: ...
    def export_persons(self) -> Iterator[tuple[PersonView, dict[str, Any]]]: ...
    def person_documents(self, person_ids: Sequence[str]) -> dict[str, dict[str, Any]]: ...
    def stats(self) -> dict[str, Any]: ...


# ---------------------------------------------------------------- the org


class ChangedRows(msgspec.Struct, frozen=True, gc=False):
    """One page of a mirror read. `covered_until` is set on the last page: the stamp the next read may start from."""

    rows: tuple[OrgRow, ...]
    covered_until: datetime | None = None


class Drop(Protocol):
    """A place for finished files. Every method may raise DeliveryError."""

    @property
    def place(self) -> str: ...
    def holds(self, name: str) -> bool: ...
    def put(self, name: str, content: bytes) -> None: ...


class Deals(Protocol):
    """Opportunities and what hangs on them as the org has them now. Raises as Org; `describe` first: it says what may be asked for."""

    def describe(self, names: Sequence[str]) -> dict[str, ObjectSchema]: ...
    def won(self, fields: Sequence[str], since: date) -> Iterator[list[OrgRow]]: ...
    def related(
        self, object: str, fields: Sequence[str], field: str, sf_ids: Sequence[str], *, with_deleted: bool = False
    ) -> Iterator[list[OrgRow]]: ...


class Org(Protocol):
    """Salesforce as syncd uses it. Every method may raise SalesforceUnavailableError, AuthError, BudgetExhausted.

    Write methods take at most 200 rows, `convert` 100 (one API call each when nothing goes wrong), return one outcome per row in order,
    and raise UnknownOutcomeError when they cannot tell whether the request was carried out. `changes` and `retrieve` take any object that
    `schema` has; an object that it lacks is hidden from the integration user, and asking for it is a ContractError.
    """

    @property
    def api_calls(self) -> int: ...
    @property
    def api_usage(self) -> tuple[int, int] | None: ...
    def identity(self) -> OrgIdentity: ...
    def schema(self) -> OrgSchema: ...
    def changes(self, fields: Mapping[str, Sequence[str]], since: Mapping[str, datetime | None]) -> Iterator[ChangedRows]: ...
    def retrieve(self, object: str, sf_ids: Sequence[str], fields: Sequence[str]) -> dict[str, OrgRow | None]: ...
    def find_by_external_id(self, object: str, values: Sequence[str], fields: Sequence[str]) -> dict[str, list[OrgRow]]: ...
    def find_by_email(self, emails: Sequence[str], fields: Mapping[str, Sequence[str]]) -> list[OrgRow]: ...
    def create(
        self, object: str, rows: Sequence[tuple[str, Mapping[str, Value]]], assignment: Assignment | None
    ) -> list[RowOutcome]: ...
    def update(self, object: str, rows: Sequence[tuple[str, Mapping[str, Value]]]) -> list[RowOutcome]: ...
    def delete(self, sf_ids: Sequence[str]) -> list[RowOutcome]: ...
    def convert(self, rows: Sequence[Conversion]) -> list[ConversionOutcome]: ...
    def owner_id(self, kind: str, name: str) -> str: ...
    def active_users(self, sf_ids: Sequence[str]) -> dict[str, bool]: ...
    def queue_members(self, queue_id: str) -> list[str]: ...
