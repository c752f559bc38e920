"""Extract: pages from a source into the inbox, page and cursor in one step."""

from __future__ import annotations

from collections import Counter

import msgspec

from syncd import events
from syncd.connector import Page
from syncd.errors import StoreError, SyncdError
from syncd.model import Lane
from syncd.run.context import PassContext, Source


class Ingested(msgspec.Struct):
    """What one pull of one source did. `reached_end` is False if any stream has more, or could not be read."""

    records: int = 0
    pages: int = 0
    reached_end: bool = True
    recheck_seconds: float | None = None
    notices: list[str] = []
    error: str = ""


def ingest(ctx: PassContext, source: Source) -> Ingested:
    """Pull every stream of `source` from its cursor into the inbox. Writes the store.

    A stream's failure never stops the others: it is noted, and the pass will not end as ok. Raises StoreError only.
    """
    done = Ingested()
    until = ctx.clock.now()
    for stream in source.connector.streams(source.options):
        try:
            _pull_stream(ctx, source, stream, until, done)
        except StoreError:
            raise
        except SyncdError as error:
            _lose(ctx, source, stream, done, type(error).__name__, str(error))
        except Exception as error:  # noqa: BLE001 - the stream boundary of STYLE 4: a connector's bug stops its stream only
            _lose(ctx, source, stream, done, type(error).__name__, f"The connector of {source.name} failed unexpectedly.")
    if not done.error and ctx.regain(f"source {source.name}"):
        ctx.log.info(events.SOURCE_RECOVERED, source=source.name, stage="extract")
    return done


def _pull_stream(ctx: PassContext, source: Source, stream: str, until: object, done: Ingested) -> None:
    """Store the pages of one stream; the stream counts as read only when its last page says so."""
    cursor = ctx.store.cursor(source.name, stream)
    last: Page | None = None
    for page in source.connector.pull(source.session, source.options, stream, cursor, until):  # type: ignore[arg-type]
        last = page
        done.notices.extend([page.notice] if page.notice else [])
        if page.records or page.rejects or page.cursor != cursor:
            done.records += ctx.store.put_page(ctx.run_id, source.name, stream, page, Lane.INCREMENT, ctx.clock.now())
            done.pages += 1
            ctx.log.debug(events.PAGE_STORED, source=source.name, stream=stream, count=len(page.records))
            for reason, count in Counter(reject.reason for reject in page.rejects).items():
                ctx.log.warning(events.RECORD_DEAD_LETTERED, source=source.name, stage="extract", reason=reason, count=count)
            ctx.progress("pulled", {source.name: done.records})
        cursor = page.cursor
    if last is None or not last.is_last:
        done.reached_end = False
        waits = last.recheck_seconds if last else None
        if waits is not None:
            done.recheck_seconds = max(waits, done.recheck_seconds or 0.0)


def _lose(ctx: PassContext, source: Source, stream: str, done: Ingested, error_type: str, message: str) -> None:
    done.reached_end = False
    done.error = message
    if ctx.lose(f"source {source.name}"):
        ctx.log.error(events.SOURCE_LOST, source=source.name, stream=stream, stage="extract", error_type=error_type)


def ingest_settled(ctx: PassContext, source: Source) -> Ingested:
    """`ingest`, and once more when the source asked for a little patience (a file still being written).

    Waits at most `max_settle_wait_seconds` in all; what is not settled by then makes the pass partial.
    """
    done = ingest(ctx, source)
    waited = 0.0
    while done.recheck_seconds is not None and not done.error:
        pause = max(done.recheck_seconds, 0.2)
        if waited + pause > ctx.settings.max_settle_wait_seconds:
            break
        ctx.progress("waiting", {source.name: round(pause)})
        ctx.clock.sleep(pause)
        waited += pause
        again = ingest(ctx, source)
        again.records += done.records
        again.pages += done.pages
        done = again
    if not done.reached_end:
        ctx.miss(f"{source.name}: {done.error or '; '.join(dict.fromkeys(done.notices)) or 'not read to its end'}")
        ctx.log.warning(events.STREAM_UNFINISHED, source=source.name, stage="extract")
    return done
