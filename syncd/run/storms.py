"""Opt-outs that one user of the org makes by the dozen: their copies to sources wait until a person has looked."""

from __future__ import annotations

from syncd import events
from syncd.model import FIRST_LOOK
from syncd.plan import HOUR, storms
from syncd.ports import Review
from syncd.run.context import OrgSession, PassContext

KIND = "opt_out_storm"
"""Of the question."""


def hold_storms(ctx: PassContext, session: OrgSession) -> None:
    """Count the opt-outs that the mirror has seen made since the last time; hold those of a storm and ask once. Writes the store.

    Until it is counted an opt-out does not travel. Everything that stops at once for whoever has opted out does so all the same. Where no
    source takes opt-outs there is nothing to ask.
    """
    if not ctx.takers:
        return
    turns = ctx.store.opt_out_turns(HOUR)
    if not turns:
        return
    limit = ctx.settings.max_opt_outs_per_user_per_hour
    found = storms(turns, limit, session.identity.user_id)
    held = [(one.object, one.sf_id) for theirs in found.values() for one in theirs]
    stormy = set(held)
    own = [(one.object, one.sf_id) for one in turns if one.user_id == session.identity.user_id]
    calm = sorted({(one.object, one.sf_id) for one in turns} - stormy - set(own))
    questions = [_question(ctx, user_id, limit) for user_id in sorted(found)]
    asked = ctx.store.judge_opt_outs(calm, held, questions, own)
    # What a rehearsal asks is asked in its scratch copy: the pass says it.
    for one in asked if ctx.actors is not None else ():
        ctx.log.error(events.OPT_OUTS_HELD, stage="mirror", sf_id=one.key, count=len(found[one.key]))


def _question(ctx: PassContext, user_id: str, limit: int) -> Review:
    what = (
        f"More than {limit} people had been opted out of e-mail in Salesforce before syncd first looked."
        if user_id == FIRST_LOOK
        else f"The user {user_id} has opted more than {limit} people out of e-mail within an hour in Salesforce."
    )
    reason = (
        f"{what} In Salesforce they are opted out, "
        "and nobody is enrolled or mailed. Their opt-outs at the sources wait: accept this review if that is as it should be; "
        "reject it, and they are never copied to the sources, whatever Salesforce says."
    )
    return Review(KIND, user_id, (), reason, key=user_id, run_id=ctx.run_id, at=ctx.clock.now())
