"""What sources say of people who were erased already. The records themselves are skipped where they are resolved (`syncd.run.resolving`)."""

from __future__ import annotations

import msgspec

from syncd.identity import record_claim, tombstone_digest
from syncd.model import ERASURE_ASKED, WITHDRAWN, Page, RecordRef
from syncd.run.context import PassContext


def without_answered(ctx: PassContext, source: str, stream: str, page: Page) -> Page:
    """A page without the wishes for an erasure that was done: a source may repeat them for ever. Looks nothing up where there are none."""
    asked = {reject.key: reject.key.removeprefix(WITHDRAWN) for reject in page.rejects if reject.reason == ERASURE_ASKED}
    if not asked:
        return page
    digests = {
        told: {tombstone_digest(ctx.secret, record_claim(RecordRef(source, stream, key))) for key in (told, plain)}
        for told, plain in asked.items()
    }
    known = ctx.store.tombstones(one for both in digests.values() for one in both)
    kept = tuple(one for one in page.rejects if one.reason != ERASURE_ASKED or not digests[one.key] & known)
    return msgspec.structs.replace(page, rejects=kept)
