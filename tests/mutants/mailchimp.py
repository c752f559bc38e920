"""Breaks of reading Mailchimp and of the slow lanes; what each of them loses, or doubles, or costs, a named test sees."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LOSSES = "tests/integration/test_mailchimp_losses.py"
LIMITS = "tests/integration/test_mailchimp_limits.py"
LANES = "tests/integration/test_mailchimp_lanes.py"
AHEAD = "tests/unit/connectors/test_walk_ahead.py"
WALK = "syncd/connector/walk.py"

MUTANTS = [
    Mutant(
        "Mailchimp by offset instead of by key",
        WALK,
        "if self._since is None or floor > self._since:",
        "if False:",
        (LOSSES, "edited_and_deleted_between_two_pages"),
        (
            (WALK, "if self._offset and self._is_astray(listing.rows):", "if False:"),
            (WALK, "self._offset = offset + len(rows) - self._overlap", "self._offset = offset + len(rows)"),
            (WALK, "if self._at_once > 1 and", "if False and"),
        ),
    ),
    Mutant(
        "a page asked for ahead is taken wherever it begins",
        WALK,
        "if not self._goes_on(listing, offset):",
        "if False:",
        (AHEAD, "more_leave_than_pages_overlap"),
    ),
    Mutant(
        "a page asked for ahead may begin within the last second",
        WALK,
        "dated.second < self._place:",
        "dated.second <= self._place:",
        (AHEAD, "another_size"),
    ),
    Mutant(
        "cursor at the window's end before the window was read",
        WALK,
        "return Part(fresh, floor, is_end=False)",
        "return Part(fresh, self._end, is_end=False)",
        (LOSSES, "stays_unreadable and html"),
    ),
    Mutant(
        "cursor at the newest record instead of the window's end",
        WALK,
        "return Part(fresh, self._end, is_end=True)",
        "return Part(fresh, max((row.second for row in rows), default=self._end), is_end=True)",
        (LIMITS, "without_news_is_one_call"),
    ),
    Mutant(
        "no overlap",
        "connectors/mailchimp/place.py",
        "- max(overlap_seconds, 1.0))",
        "- 1.0)",
        (LOSSES, "quiet_audience and older"),
    ),
    Mutant(
        "the newest second forgotten",
        "connectors/mailchimp/__init__.py",
        "is_quiet = since is not None and",
        "is_quiet = False and",
        (LOSSES, "quiet_audience and long"),
    ),
    Mutant(
        "an empty page is the end",
        "connectors/mailchimp/api.py",
        "if given < count and offset + given < reply.value.total_items:",
        "if 0 < given < count and offset + given < reply.value.total_items:",
        (LOSSES, "stays_unreadable and empty_page"),
        ((WALK, "if len(rows) < len(listing.rows) or ", "if not rows or len(rows) < len(listing.rows) or "),),
    ),
    Mutant(
        "pages that have come already go on after a stop",
        "syncd/run/ingest.py",
        "if self._feed is None or self._is_late or self._ctx.is_stopping:",
        "if self._feed is None or self._ahead is not None:",
        ("tests/unit/run/test_ingest.py", "do_not_make_a_pass_go_on"),
    ),
    Mutant(
        "the page behind fails in secret",
        "syncd/run/ingest.py",
        "            if kind is None:\n                self._finish_page()",
        "            pass",
        ("tests/unit/run/test_ingest.py", "no_secret"),
    ),
    Mutant(
        "a page that cannot be read is not kept",
        "syncd/run/ingest.py",
        "if isinstance(error, ContractError | SourceUnavailableError) and error.page:",
        "if False:",
        (LOSSES, "stays_unreadable and html"),
    ),
    Mutant(
        "the overlap fills the inbox",
        "syncd/store/inbox.py",
        "if version in waiting or (version in settled and record.key not in open_keys):",
        "if version in waiting:",
        (LIMITS, "overlap_brings_again"),
    ),
    Mutant(
        "known is unchanged, whatever waits",
        "syncd/store/inbox.py",
        "if version in waiting or (version in settled and record.key not in open_keys):",
        "if version in waiting or version in settled:",
        (LIMITS, "taken_back_while"),
        (("syncd/store/inbox.py", "closed = listed(keys - open_keys)", "closed = listed(keys)"),),
    ),
    Mutant(
        "five writes at once", "syncd/run/context.py", "CALLS_IN_FLIGHT = 4", "CALLS_IN_FLIGHT = 5", (LIMITS, "never_a_fifth")
    ),
    Mutant(
        "a changed mapping is ignored",
        "syncd/run/one_pass.py",
        "waiting = put_stale(ctx)",
        "waiting = 0",
        (LANES, "new_line_of_the_mapping"),
    ),
    Mutant(
        "a re-mapping is not judged",
        "syncd/run/planning.py",
        "if operation.is_guarded or self._is_of_remapping(view, operation):",
        "if operation.is_guarded:",
        (LANES, "more_than_the_share"),
    ),
    Mutant(
        "a back-fill moves the live cursor",
        "syncd/run/ingest.py",
        "kept = msgspec.structs.replace(kept, partition=task.partition) if task.partition else kept",
        "kept = msgspec.structs.replace(kept, partition='')",
        (LANES, "beside_the_live_cursor"),
    ),
    Mutant(
        "a back-fill is news",
        "syncd/plan/facts.py",
        "return lane < _BACKFILL and",
        "return lane <= Lane.REMAP and",
        (LANES, "beside_the_live_cursor"),
    ),
    Mutant(
        "a back-fill that broke off is over",
        "syncd/run/ingest.py",
        "        if error is not None:\n            self._lose(task, error)",
        "        if task.partition:\n            self._ctx.store.end_backfill(task.source.name, task.stream, task.partition)\n"
        "        if error is not None:\n            self._lose(task, error)",
        (LANES, "cannot_be_read_is_asked_for_again"),
    ),
]
