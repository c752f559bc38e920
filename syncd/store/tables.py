"""The tables of DESIGN 4. Instants are whole microseconds since 1970 UTC, documents are JSON text, digests are raw bytes.

Every table says what one row is; a comment stands behind each column whose name does not say it all.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    func,
    select,
    text,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData()

SCHEMA_VERSION = "0011"
"""The newest revision of `migrations/versions` that this program knows; revisions are four digits in order."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant as a 64-bit count of microseconds: sorts and compares alike on both engines."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        """Aware datetime to microseconds."""
        del dialect
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        """Microseconds to aware UTC datetime."""
        del dialect
        return _instant_of(value)

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """The same without SQLAlchemy's own function around it: there are ten instants to a person."""
        del dialect, coltype
        return _instant_of


def _instant_of(value: int | None) -> datetime | None:
    return None if value is None else _EPOCH + timedelta(0, 0, value)


Serial = BigInteger().with_variant(Integer, "sqlite")

_OPEN_STATES = "state IN ('planned', 'held', 'sent', 'unknown')"
OPEN_STATES_SQL = f"operation.{_OPEN_STATES}"
"""Written as the partial index has it, so that it is chosen."""

# Named facts about the store itself: schema, oldest program, org, person key, fence.
meta = Table("meta", metadata, Column("name", String, primary_key=True), Column("value", Text, nullable=False))

# One version of one record as it came; kept with its outcome until it is pruned.
inbox = Table(
    "inbox",
    metadata,
    Column("sequence", Serial, primary_key=True, autoincrement=True),
    Column("source", String, nullable=False),
    Column("stream", String, nullable=False),
    Column("key", String, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # blake2b-16 of the payload
    Column("payload", LargeBinary, nullable=False),  # zlib where is_compressed
    Column("is_compressed", Boolean, nullable=False),
    Column("source_at", Instant),
    Column("received_at", Instant, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("locator", String, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("state", String, nullable=False),  # waiting | applied | unchanged | skipped | dead
    Column("reason", String, nullable=False),
    Column("run_id", String, nullable=False),  # the run that pulled it, then the run that ended it
    Column("is_replay", Boolean, nullable=False),
)
Index(
    "inbox_waiting",
    inbox.c.lane,
    inbox.c.sequence,
    sqlite_where=text("state = 'waiting'"),
    postgresql_where=text("state = 'waiting'"),
)
Index(
    "inbox_waiting_key",
    inbox.c.source,
    inbox.c.stream,
    inbox.c.key,
    sqlite_where=text("state = 'waiting'"),
    postgresql_where=text("state = 'waiting'"),
)

# The latest version of a record: payload, mapped lead, person (none while it was only ever skipped).
record = Table(
    "record",
    metadata,
    Column("source", String, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("is_compressed", Boolean, nullable=False),
    Column("mapping", String, nullable=False),
    Column("mapping_digest", String, nullable=False),
    Column("lead", Text, nullable=False),  # model.Lead
    Column("person_number", BigInteger),
    Column("source_at", Instant, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("locator", String, nullable=False),
    Column("lane", Integer, nullable=False, server_default="2"),  # how its latest version came
    Column("withdrawn_at", Instant),  # since when it has stated an opt-out of e-mail
)
Index("record_person", record.c.person_number)
Index("record_mapping", record.c.source, record.c.mapping_digest)

# Where a stream goes on; moves with the last chunk of its page.
cursor = Table(
    "cursor",
    metadata,
    Column("source", String, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("partition", String, primary_key=True),
    Column("cursor", Text, nullable=False),
    Column("moved_at", Instant, nullable=False),
)

# The human behind leads. What grows with people refers to them by number: indexes then grow at their end, where an index on
# the id, which is a hash, would dirty another page for every lead (ADR 13).
person = Table(
    "person",
    metadata,
    Column("number", Serial, primary_key=True, autoincrement=True),
    Column("person_id", String, nullable=False),
    Column("state", String, nullable=False),
    Column("golden", Text, nullable=False),  # field -> value with provenance
    Column("notes", Text, nullable=False),  # field -> reason of the last plan
    Column("is_dirty", Boolean, nullable=False),
    Column("redirect", String),  # the survivor after a merge; "" of an erased person: nobody
    Column("created_at", Instant, nullable=False),
    Column("marks", Integer, nullable=False, server_default="0"),  # how often the person was asked to be planned again
)
TO_PLAN: dict[str, Any] = {"is_dirty": True, "marks": person.c.marks + 1}
"""What asks for people to be planned. The count tells a plan of older facts from one that has seen what the mark is about."""
Index("person_by_id", person.c.person_id, unique=True)
Index("person_dirty", person.c.person_id, sqlite_where=text("is_dirty"), postgresql_where=text("is_dirty"))

# A strong key, owned by one person: the database itself refuses a second owner. A merged owner redirects.
claim = Table(
    "claim",
    metadata,
    Column("kind", String, primary_key=True),
    Column("value", String, primary_key=True),
    Column("person_id", String, nullable=False),
)

# A key that several may hold: of persons (phones, shared mailboxes) and of org records.
block_key = Table(
    "block_key",
    metadata,
    Column("kind", String, primary_key=True),
    Column("value", String, primary_key=True),
    Column("subject_kind", String, primary_key=True),  # person | Lead | Contact
    Column("subject_id", String, primary_key=True),
)
# People's keys are never looked up from this side: an index with their random ids would cost every lead a page.
OF_ORG_RECORDS_SQL = "block_key.subject_kind <> 'person'"
Index(
    "block_key_org",
    block_key.c.subject_kind,
    block_key.c.subject_id,
    sqlite_where=text("subject_kind <> 'person'"),
    postgresql_where=text("subject_kind <> 'person'"),
)

# Who was joined to whom, why, by which run. Append only.
link = Table(
    "link",
    metadata,
    Column("link_id", Serial, primary_key=True, autoincrement=True),
    Column("source", String, nullable=False),
    Column("stream", String, nullable=False),
    Column("key", String, nullable=False),
    Column("person_id", String, nullable=False),
    Column("evidence", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("at", Instant, nullable=False),
)

# A person's word: these two are the same, or never the same.
constraint = Table(
    "person_constraint",
    metadata,
    Column("left_id", String, primary_key=True),
    Column("right_id", String, primary_key=True),  # a person id, or Object:sf_id
    Column("kind", String, nullable=False),  # same | never
    Column("at", Instant, nullable=False),
)

# One interaction on one channel.
touch = Table(
    "touch",
    metadata,
    Column("person_number", BigInteger, primary_key=True, autoincrement=False),
    Column("source", String, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("document", Text, nullable=False),  # model.Touch
    Column("lane", Integer, nullable=False, server_default="2"),  # how its record came
)

# When a policy must look at a person again (rule ""), when the hold period of a rule ends, and when an archived lead is to be deleted.
due = Table(
    "due",
    metadata,
    Column("person_id", String, primary_key=True),
    Column("rule", String, primary_key=True),
    Column("due_at", Instant, nullable=False),
)
LOOK_AGAIN_SQL = "due.rule = ''"
Index("due_look", due.c.due_at, sqlite_where=text("rule = ''"), postgresql_where=text("rule = ''"))
OF_RULES_SQL = "due.rule <> ''"
Index(
    "due_rule",
    due.c.rule,
    due.c.due_at,
    due.c.person_id,
    sqlite_where=text("rule <> ''"),
    postgresql_where=text("rule <> ''"),
)

# The mirror: one record of the org.
org_record = Table(
    "org_record",
    metadata,
    Column("object", String, primary_key=True),
    Column("sf_id", String, primary_key=True),
    Column("person_number", BigInteger),  # none while nobody knows
    Column("fields", Text, nullable=False),
    Column("base", Text, nullable=False),  # field -> value the org returned after our last write (DESIGN 5.1)
    Column("stamp", Instant, nullable=False),  # SystemModstamp
    Column("modified_by", String, nullable=False),
    Column("owner_id", String, nullable=False),
    Column("external_id", String, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
    Column("merged_into", String, nullable=False),  # MasterRecordId
    Column("is_converted", Boolean, nullable=False),
    Column("contact_id", String, nullable=False),
    Column("is_survivor", Boolean, nullable=False),
    Column("deleted_by_us", Boolean, nullable=False),
    Column("account_id", String, nullable=False, server_default=""),  # of a contact, or of a converted lead
    Column("other_by", String, nullable=False, server_default=""),  # who changed it last before modified_by did
    Column("other_at", Instant),  # and when: our own write must not hide a person's edit
    Column("opted_out_at", Instant),  # when it was first seen to be opted out of e-mail: its stamp then
    Column("opted_out_by", String, nullable=False, server_default=""),  # who had changed it last then
    Column("opt_out_hold", String, nullable=False, server_default=""),  # model.OptOutHold
)
UNJUDGED_SQL = "org_record.opt_out_hold = 'new'"
Index(
    "org_record_unjudged",
    org_record.c.opted_out_at,
    sqlite_where=text("opt_out_hold = 'new'"),
    postgresql_where=text("opt_out_hold = 'new'"),
)
OPTED_OUT_SQL = "org_record.opted_out_at IS NOT NULL"
Index(
    "org_record_opted_out",
    org_record.c.opted_out_by,
    org_record.c.opted_out_at,
    sqlite_where=text("opted_out_at IS NOT NULL"),
    postgresql_where=text("opted_out_at IS NOT NULL"),
)
Index("org_record_person", org_record.c.person_number)
OF_ACCOUNTS_SQL = "org_record.account_id <> ''"
Index(
    "org_record_account",
    org_record.c.account_id,
    sqlite_where=text("account_id <> ''"),
    postgresql_where=text("account_id <> ''"),
)

# The mirror: a task, event or opportunity, found by whom it is about.
related = Table(
    "related",
    metadata,
    Column("object", String, primary_key=True),
    Column("sf_id", String, primary_key=True),
    Column("who_id", String, nullable=False),  # lead or contact of a task or event
    Column("account_id", String, nullable=False),
    Column("contact_id", String, nullable=False),  # of an opportunity
    Column("is_open", Boolean, nullable=False),  # a task or opportunity that is not closed, nor deleted
    Column("at", Instant),  # when it was completed, is due, begins or closes
    Column("fields", Text, nullable=False),
    Column("stamp", Instant, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
)
WITH_WHO_SQL = "related.who_id <> ''"
OPEN_OPPORTUNITIES_SQL = "related.object = 'Opportunity' AND related.is_open"
_OPEN_OPPORTUNITIES = text("object = 'Opportunity' AND is_open")
Index("related_who", related.c.who_id, sqlite_where=text("who_id <> ''"), postgresql_where=text("who_id <> ''"))
Index("related_account", related.c.account_id, sqlite_where=_OPEN_OPPORTUNITIES, postgresql_where=_OPEN_OPPORTUNITIES)
Index("related_contact", related.c.contact_id, sqlite_where=_OPEN_OPPORTUNITIES, postgresql_where=_OPEN_OPPORTUNITIES)
DEALS_SQL = "related.object = 'Opportunity' AND related.contact_id <> ''"
_DEALS = text("object = 'Opportunity' AND contact_id <> ''")
Index("related_deal", related.c.contact_id, sqlite_where=_DEALS, postgresql_where=_DEALS)

# The mirror: a user.
org_user = Table(
    "org_user",
    metadata,
    Column("sf_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("stamp", Instant, nullable=False),
)

# A status as it was first seen in a lead of the org; written only while a policy has programs. Append only.
status_change = Table(
    "status_change",
    metadata,
    Column("number", Serial, primary_key=True, autoincrement=True),
    Column("sf_id", String, nullable=False),
    Column("at", Instant, nullable=False),  # the stamp of the row that first showed it
    Column("status", String, nullable=False),
    Column("modified_by", String, nullable=False),
)
Index("status_change_lead", status_change.c.sf_id)

# What a rule made of a person. Append only.
decision = Table(
    "decision",
    metadata,
    Column("number", Serial, primary_key=True, autoincrement=True),
    Column("person_number", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("run_id", String, nullable=False),
    Column("policy", String, nullable=False),
    Column("rule_id", String, nullable=False),
    Column("section", String, nullable=False),
    Column("outcome", String, nullable=False),  # fired | observed
    Column("from_status", String, nullable=False),
    Column("to_status", String, nullable=False),
    Column("document", Text, nullable=False),  # reason, inputs, actions; no values of fields
)
Index("decision_person", decision.c.person_number)
Index("decision_at", decision.c.at, decision.c.number)
Index("decision_rule", decision.c.rule_id, decision.c.at, decision.c.number)

# Decisions and changes of status that are kept no longer, by the day.
policy_day = Table(
    "policy_day",
    metadata,
    Column("day", Instant, primary_key=True, autoincrement=False),
    Column("kind", String, primary_key=True),  # decision | status_change
    Column("status", String, primary_key=True),
    Column("rule_id", String, primary_key=True),
    Column("outcome", String, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# The outbox: one write, from plan to outcome.
operation = Table(
    "operation",
    metadata,
    Column("operation_id", String, primary_key=True),
    Column("person_number", BigInteger, nullable=False),
    Column("object", String, nullable=False),
    Column("sf_id", String, nullable=False),
    Column("target", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("source", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("code", String, nullable=False),
    Column("message", Text, nullable=False),  # the org's words; may hold personal data, never logged
    Column("planned_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("finished_at", Instant),
    Column("needs_echo", Boolean, nullable=False),
    Column("is_answered", Boolean, nullable=False),  # its dead letter was replayed or dropped
)
Index("operation_open", operation.c.target, unique=True, sqlite_where=text(_OPEN_STATES), postgresql_where=text(_OPEN_STATES))
Index("operation_person", operation.c.person_number)
Index("operation_run", operation.c.run_id)
Index("operation_echo", operation.c.operation_id, sqlite_where=text("needs_echo"), postgresql_where=text("needs_echo"))

# What an operation writes. Apart from its state, which changes three times: the document would be written anew with it.
operation_document = Table(
    "operation_document",
    metadata,
    Column("operation_id", String, primary_key=True),
    Column("document", Text, nullable=False),  # fields, before-image, provenance, assignment
)

# A Bulk API job, resumed by its id.
bulk_job = Table(
    "bulk_job",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("object", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("document", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)

# One pass, and its sums per source.
run = Table(
    "run",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("status", String, nullable=False),  # running | ok | partial | failed | stopped
    Column("summary", Text, nullable=False),
)
Index("run_started", run.c.started_at)
run_source = Table(
    "run_source",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("waiting_before", BigInteger, nullable=False),
    Column("pulled", BigInteger, nullable=False),
    Column("applied", BigInteger, nullable=False),
    Column("unchanged", BigInteger, nullable=False),
    Column("skipped", BigInteger, nullable=False),
    Column("dead", BigInteger, nullable=False),
    Column("review", BigInteger, nullable=False),
)

# An export of leads that are due for deletion, as a file. Counts only once it was read back and found whole.
lead_export = Table(
    "lead_export",
    metadata,
    Column("number", Serial, primary_key=True, autoincrement=True),
    Column("export_id", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("org_id", String, nullable=False),
    Column("file", Text, nullable=False),  # where it was written; it may have been moved since
    Column("sha256", String, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("is_verified", Boolean, nullable=False),
)
Index("lead_export_by_id", lead_export.c.export_id, unique=True)

# A lead as it stands in an export. Stays after the deletion, as its proof.
exported_lead = Table(
    "exported_lead",
    metadata,
    Column("export_id", String, primary_key=True),
    Column("sf_id", String, primary_key=True),
    Column("person_number", BigInteger),
    Column("stamp", Instant, nullable=False),  # SystemModstamp
    Column("digest", String, nullable=False),  # SHA-256 of the values that can be written
    Column("is_marked", Boolean, nullable=False),  # its person was planned again for the export's sake
)
Index("exported_lead_of", exported_lead.c.sf_id)
UNMARKED_SQL = "NOT exported_lead.is_marked"
Index(
    "exported_lead_unmarked",
    exported_lead.c.export_id,
    exported_lead.c.sf_id,
    sqlite_where=text("NOT is_marked"),
    postgresql_where=text("NOT is_marked"),
)

# Something set aside with its reason.
dead_letter = Table(
    "dead_letter",
    metadata,
    Column("dead_letter_id", Serial, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("stage", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("source", String, nullable=False),
    Column("stream", String, nullable=False),
    Column("key", String, nullable=False),
    Column("locator", String, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("person_id", String, nullable=False),
    Column("operation_id", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", String, nullable=False),  # open | replayed | dropped
)
Index(
    "dead_letter_open",
    dead_letter.c.source,
    dead_letter.c.stream,
    dead_letter.c.key,
    sqlite_where=text("state = 'open'"),
    postgresql_where=text("state = 'open'"),
)

# A question for a person.
review = Table(
    "review",
    metadata,
    Column("review_id", Serial, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("person_id", String, nullable=False),
    Column("candidates", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("source", String, nullable=False),
    Column("stream", String, nullable=False),
    Column("key", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", String, nullable=False),  # open | accepted | rejected
    Column("decision", String, nullable=False),
)
Index(
    "review_open",
    review.c.person_id,
    review.c.kind,
    unique=True,
    sqlite_where=text("state = 'open'"),
    postgresql_where=text("state = 'open'"),
)

# A value that is left alone until a source sends another.
hold = Table(
    "hold",
    metadata,
    Column("person_id", String, primary_key=True),
    Column("field", String, primary_key=True),
    Column("value", Text, nullable=False),  # JSON scalar
    Column("reason", String, nullable=False),
)

# What a command asks of the running daemon.
request = Table(
    "request",
    metadata,
    Column("request_id", Serial, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("document", Text, nullable=False),
    Column("state", String, nullable=False),  # open | taken | done | failed
    Column("at", Instant, nullable=False),
    Column("answer", Text, nullable=False, server_default="{}"),
    Column("ended_at", Instant),
)
_OPEN_REQUESTS = "state IN ('open', 'taken')"
Index("request_open", request.c.request_id, sqlite_where=text(_OPEN_REQUESTS), postgresql_where=text(_OPEN_REQUESTS))

# When a source was last read, and whether it is meant to be.
schedule = Table(
    "schedule",
    metadata,
    Column("source", String, primary_key=True),
    Column("is_paused", Boolean, nullable=False),
    Column("started_at", Instant),  # of the last pass over it
    Column("ended_at", Instant),
    Column("succeeded_at", Instant),  # of the last one that missed nothing of it
    Column("run_id", String, nullable=False),
    Column("status", String, nullable=False),  # how the last pass ended
)

# News of a source by the hour: what is usual, so that silence can be told from a quiet night.
arrival = Table(
    "arrival",
    metadata,
    Column("source", String, primary_key=True),
    Column("hour", Instant, primary_key=True, autoincrement=False),  # its beginning
    Column("count", BigInteger, nullable=False),
)

# A record that a source said is there, and that is still to be asked for.
wanted = Table(
    "wanted",
    metadata,
    Column("source", String, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("payload", LargeBinary, nullable=False),  # what the source said of it
    Column("source_at", Instant),
    Column("locator", String, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),  # not asked for before
    Column("attempts", Integer, nullable=False),
    Column("said", Integer, nullable=False),  # how often the source has said so: who asks ends only what he was told of
)
Index("wanted_due", wanted.c.source, wanted.c.due_at)

# A batch of orders for Xactly with its files, so that it can be given again byte for byte. Never pruned: it is about money.
xactly_batch = Table(
    "xactly_batch",
    metadata,
    Column("name", String, primary_key=True),
    Column("period", String, nullable=False),  # 2026-03
    Column("number", Integer, nullable=False),  # from 1 in the period
    Column("state", String, nullable=False),  # writing | delivering | done
    Column("created_at", Instant, nullable=False),
    Column("row_count", Integer, nullable=False),
    Column("assignment_count", Integer, nullable=False),
    Column("files", LargeBinary, nullable=False),  # JSON object of name to text
    Column("is_compressed", Boolean, nullable=False),
)
Index("xactly_batch_number", xactly_batch.c.period, xactly_batch.c.number, unique=True)

# One version of one line of an opportunity as Xactly was told of it, or its reversal. Never pruned.
xactly_row = Table(
    "xactly_row",
    metadata,
    Column("deal", String, primary_key=True),
    Column("part", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("is_reversal", Boolean, primary_key=True),
    Column("batch", String, nullable=False),
    Column("order_code", String, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # of what is compared
    Column("document", LargeBinary, nullable=False),  # the whole line
    Column("state", String, nullable=False),  # standing | reversed | replaced by a later version | reversal
)
Index(
    "xactly_row_head",
    xactly_row.c.deal,
    xactly_row.c.part,
    unique=True,
    sqlite_where=text("state IN ('standing', 'reversed')"),
    postgresql_where=text("state IN ('standing', 'reversed')"),
)

# What nobody imports again: an erased person's mailbox or source record as a keyed hash; and `Object:sf_id` of their records in the
# org, which nobody is joined to.
tombstone = Table("tombstone", metadata, Column("digest", String, primary_key=True), Column("at", Instant, nullable=False))

# Who runs the engine; the fence grows with each take-over.
lease = Table(
    "lease",
    metadata,
    Column("name", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
)

# A rotating credential of a source.
credential = Table(
    "credential",
    metadata,
    Column("name", String, primary_key=True),
    Column("document", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

# A version of configuration, mappings and policy that was in force.
config_version = Table(
    "config_version",
    metadata,
    Column("kind", String, primary_key=True),
    Column("digest", String, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("document", Text, nullable=False),
)


def with_person(table: Table) -> Any:
    """Rows of `table` with the `person_id` of whom they belong to, "" where that is nobody."""
    person_id = func.coalesce(person.c.person_id, "").label("person_id")
    return select(table, person_id).outerjoin_from(table, person, table.c.person_number == person.c.number)


def of_people(table: Table) -> Any:
    """The same for rows that belong to somebody: to be searched by person."""
    return select(table, person.c.person_id).join_from(person, table, table.c.person_number == person.c.number)


OPERATIONS = (
    select(operation, person.c.person_id, operation_document.c.document)
    .join_from(operation, person, operation.c.person_number == person.c.number)
    .join(operation_document, operation_document.c.operation_id == operation.c.operation_id)
)
"""Operations whole: with their person and document."""


def number_of(person_id: Any) -> Any:
    """The number of a person as a value in SQL; none if there is no such person."""
    return select(person.c.number).where(person.c.person_id == person_id).scalar_subquery()
