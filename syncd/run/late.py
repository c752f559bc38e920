"""The last look before a create: has the person appeared in the org since the record was resolved?

A rep may have typed the lead in, or another tool created it, between resolve and push; or the process before us died in between.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd import events
from syncd.identity import RECORD_CLAIM, lead_keys, place
from syncd.model import OperationKind, PersonView
from syncd.ports import Key, PersonPlan, Review
from syncd.run.context import PassContext


def settle_late_matches(ctx: PassContext, views: Sequence[PersonView], plans: Sequence[PersonPlan]) -> set[str]:
    """Link persons about to be created to org records that now answer to their keys; gives those not to be created now.

    One look-up for the whole round. Exactly one agreeing record is linked; several, or a clashing name, go to review.
    """
    creating = {plan.person_id for plan in plans if any(one.kind is OperationKind.CREATE for one in plan.operations)}
    keys: dict[str, set[Key]] = {}
    for view in views:
        if view.person_id in creating:
            keys[view.person_id] = {("external_id", view.person_id)} | {
                key for record in view.records for key in _keys(record.ref, record.lead)
            }
    found = ctx.store.candidates({key for wanted in keys.values() for key in wanted})
    settled: set[str] = set()
    for view in views:
        candidates = {
            (one.kind, one.subject_id): one
            for key in keys.get(view.person_id, ())
            for one in found.get(key, ())
            if one.kind != "person" and one.person_id in ("", view.person_id)
        }
        if not candidates:
            continue
        placed = place([record.lead for record in view.records], tuple(candidates.values()))
        if placed is None:
            continue
        review = None
        if placed.review is not None:
            review = Review(
                kind=placed.review.kind,
                person_id=view.person_id,
                candidates=placed.review.candidates,
                reason=placed.review.reason,
                run_id=ctx.run_id,
                at=ctx.clock.now(),
            )
            ctx.log.info(events.REVIEW_OPENED, person_id=view.person_id, reason=review.kind)
        ctx.store.link_person(view.person_id, placed.org_links, review, ctx.clock.now())
        settled.add(view.person_id)
    return settled


def _keys(ref: object, lead: object) -> tuple[Key, ...]:
    """Claims and evidence of one record, without the record's own claim (the org cannot know it)."""
    keys = lead_keys(ref, lead)  # type: ignore[arg-type]
    return (*(key for key in keys.claims if key[0] != RECORD_CLAIM), *keys.evidence)
