"""Plans as planning makes them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from syncd.ports import PersonPlan
from syncd.store import SqlStore


def seen(store: SqlStore, plans: Iterable[PersonPlan]) -> list[PersonPlan]:
    """Plans of people as they are now: whoever is marked later stays marked."""
    given = list(plans)
    marks = {view.person_id: view.marks for view in store.person_views([one.person_id for one in given])}
    return [msgspec.structs.replace(one, marks=marks.get(one.person_id, 0)) for one in given]
