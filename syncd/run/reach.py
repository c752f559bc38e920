"""How far a withdrawal of consent reaches: also to records of the person that nobody has linked yet (G6)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from syncd.identity import clashes, lead_keys, names_of
from syncd.model import Candidate, PersonView
from syncd.plan import contact_of
from syncd.ports import Key
from syncd.run.context import PassContext

Target = tuple[str, str]


def with_reach(ctx: PassContext, views: Sequence[PersonView]) -> list[PersonView]:
    """The same people; who has withdrawn consent sees as candidates also the records that answer to their mailbox.

    Of a lead that was converted and owes its owner a task, the contact it became is a candidate too.

    A rep may have typed in a Contact since, or a lead of ours was converted to one: the withdrawal goes there too, without
    linking anything. A record that belongs to somebody else, or carries a clashing name, is left alone.
    """
    keys = {view.person_id: _mailboxes(view) for view in views if any(record.lead.opt_outs for record in view.records)}
    targets: dict[str, set[Target]] = {
        one: {("Contact", sf_id) for sf_id in ids} for one, ids in contact_of(views).items() if ids
    }
    if not keys and not targets:
        return list(views)
    found = ctx.store.candidates({key for wanted in keys.values() for key in wanted}) if keys else {}
    for view in views:
        if view.person_id in keys:
            reached = _targets(view, [one for key in keys[view.person_id] for one in found.get(key, ())])
            targets[view.person_id] = targets.get(view.person_id, set()) | reached
    records = {
        (one.row.object, one.row.sf_id): one
        for one in ctx.store.org_records(sorted({target for wanted in targets.values() for target in wanted}))
    }
    return [
        msgspec.structs.replace(
            view,
            candidates=(*view.candidates, *(records[one] for one in sorted(targets.get(view.person_id, ())) if one in records)),
        )
        for view in views
    ]


def _mailboxes(view: PersonView) -> set[Key]:
    return {key for record in view.records for key in lead_keys(record.ref, record.lead).claims if key[0] == "email"}


def _targets(view: PersonView, candidates: Sequence[Candidate]) -> set[Target]:
    """Records that are the person's without being linked: by mailbox, and contacts that leads were converted to."""
    names = [names_of(record.lead) for record in view.records]
    mine = [
        one
        for one in candidates
        if one.kind != "person" and one.person_id in ("", view.person_id) and not any(clashes(name, (one,)) for name in names)
    ]
    reached = {(one.kind, one.subject_id) for one in mine}
    reached |= {("Contact", one.contact_id) for one in mine if one.contact_id}
    reached |= {
        ("Contact", record.row.contact_id) for record in view.org_records if record.row.is_converted and record.row.contact_id
    }
    return reached - {(record.row.object, record.row.sf_id) for record in view.org_records}
