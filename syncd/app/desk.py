"""Answers of people: reviews, dead letters, and the runs they ask about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from syncd.document import suggest
from syncd.errors import ConfigError
from syncd.model import Operation
from syncd.ports import RunRow, Store

ACTION_UNKNOWN = "action_unknown"
"""The kind of question that is not about who somebody is."""


OPT_OUT_STORM = "opt_out_storm"
"""The kind of question that is about what a user of the org did to many people."""


def accept_review(store: Store, review_id: str, candidate: str | None, *, is_new: bool, at: datetime) -> None:
    """Answer an open review: it is the candidate with that id, or somebody new. Opt-outs may be let go once more, which changes nothing.

    Raises:
        ConfigError: No such open review, no or two answers, an id that is no candidate of it, or a question that is only to be closed.
    """
    review = store.review(review_id)
    is_repeated = review is not None and (review.kind, review.state) == (OPT_OUT_STORM, "accepted")
    if review is None or (review.state != "open" and not is_repeated):
        raise ConfigError(f"There is no open review {review_id}.", advice='"syncd review list" shows the open ones.')
    if review.kind == OPT_OUT_STORM:
        if is_new or candidate is not None:
            advice = f'"syncd review accept {review_id}" lets the opt-outs go to the sources.'
            raise ConfigError("This question is about opt-outs, not about who somebody is.", advice=advice)
        store.answer_opt_outs(review_id, is_let=True)
        return
    if review.kind == ACTION_UNKNOWN:
        advice = f'Do it at the source by hand if it is missing; "syncd review reject {review_id}" closes the question.'
        raise ConfigError("An action whose outcome nobody knows is never sent again.", advice=advice)
    if review.kind == "conversion":
        raise ConfigError(
            "What a lead joins is said when it is converted.",
            advice=f'"syncd lead convert {review.person_id} --account ID" (or "--account new") does it and closes the question.',
        )
    if is_new == (candidate is not None):
        raise ConfigError("Say who it is: one candidate, or somebody new.", advice="Use --candidate ID or --new.")
    chosen = next((one for one in review.candidates if candidate in (one.subject_id, one.subject_id[:15])), None)
    if candidate is not None and chosen is None:
        ids = [one.subject_id for one in review.candidates]
        raise ConfigError(f'"{candidate}" is no candidate of review {review_id}.', advice=suggest(candidate, ids))
    store.accept_review(review_id, chosen, at)


def reject_review(store: Store, review_id: str, at: datetime) -> None:
    """Close a question without an answer; opt-outs that it is about never go to the sources.

    Raises:
        ConfigError: There is no such question.
    """
    review = store.review(review_id)
    if review is None:
        raise ConfigError(f"There is no review {review_id}.", advice='"syncd review list" shows the open ones.')
    if review.kind == OPT_OUT_STORM:
        store.answer_opt_outs(review_id, is_let=False)
    else:
        store.reject_review(review_id, at)


def replay(store: Store, dead_letter_ids: Sequence[str], at: datetime) -> int:
    """Put dead letters back to work; gives how many were still open."""
    return store.replay_dead_letters(dead_letter_ids, at)


def runs_of(store: Store, run_id: str) -> tuple[RunRow, list[Operation]]:
    """A run and its operations.

    Raises:
        ConfigError: There is no such run.
    """
    found = store.run(run_id)
    if found is None:
        known = [one.run_id for one in store.runs(50)]
        pruned = store.pruned_before()
        gone = "" if pruned is None else f" What ended before {pruned:%Y-%m-%d} is kept no longer (store.retention_days)."
        advice = (suggest(run_id, known) or '"syncd runs list" shows them.') + gone
        raise ConfigError(f'There is no run "{run_id}".', advice=advice)
    return found, store.operations_of_run(run_id)


def forgotten_before(store: Store, run: RunRow) -> datetime | None:
    """The instant before which writes of a run may be kept no longer; None if all of them are there."""
    pruned = store.pruned_before()
    return pruned if pruned is not None and run.started_at < pruned else None
