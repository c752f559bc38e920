"""An org as a JSON file: records, ids, history and counts. Rules, triggers, faults, sessions and cursors are not kept."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from syncd.errors import ConfigError
from syncd.sandbox.admin import align
from syncd.sandbox.schema import Field
from syncd.sandbox.table import Row
from syncd.sandbox.values import as_json

if TYPE_CHECKING:
    from syncd.sandbox.org import SandboxOrg

_VERSION = 1
_COUNTERS = ("assignment_runs", "side_effects", "numbers")
_ADDED = ("lead_mapping", "currencies", "processes")  # files of before may lack them
_PLAIN = ("org_id", "integration_user_id", "queue_id", "users", "api_calls", "daily_limit", "may_edit_converted")


def write(org: SandboxOrg, path: Path) -> None:
    """Write the org's state; an older file is replaced as a whole or not at all."""
    with org.lock:
        document: dict[str, Any] = {name: getattr(org, name) for name in (*_PLAIN, *_ADDED)}
        document |= {name: dict(getattr(org, name)) for name in _COUNTERS}
        document["version"] = _VERSION
        document["hidden"] = sorted(org.hidden)
        document["fields"] = {
            name: [asdict(one) for one in described.fields.values() if one.name.endswith("__c")]
            for name, described in org.objects.items()
        }
        document["rows"] = {name: [_shown(row) for row in org.table(name).rows.values()] for name in org.objects}
        document["purged"] = {name: _shown(org.table(name).purged) for name in org.objects}
        document["audit"] = [
            {**structs.asdict(one), "at": one.at.isoformat(), "before": _shown(one.before), "after": _shown(one.after)}
            for one in org.audit
        ]
    beside = path.with_name(path.name + ".new")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside.write_text(json.dumps(document), encoding="utf-8")
    beside.replace(path)


def read(org: SandboxOrg, path: Path) -> None:
    """Make `org`, fresh, the one that `write` wrote.

    Raises:
        ConfigError: The file is missing or not one of ours.
    """
    from syncd.sandbox.org import Audit

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        for name in _PLAIN if document["version"] == _VERSION else (f"version {_VERSION}",):
            setattr(org, name, document[name])
        for name in _ADDED:
            setattr(org, name, document.get(name, getattr(org, name)))
        if org.currencies:
            org.admin.use_currencies(*org.currencies)
        for name in _COUNTERS:
            # The larger of both: an older file knows nothing of what a new org has by now.
            setattr(org, name, Counter(document[name]) | getattr(org, name))
        org.hidden = set(document["hidden"])
        for name, fields in document["fields"].items():
            for one in fields:
                lists = {key: tuple(one[key]) for key in ("picklist", "refers_to")}
                org.add_field(name, Field(**{**one, **lists}))
        for name, rows in document["rows"].items():
            org.forget(name)
            for row in rows:
                org.table(name).put(_parsed(org, name, row))
            org.table(name).purged = {sf_id: datetime.fromisoformat(at) for sf_id, at in document["purged"][name].items()}
        align(org)
        org.audit = [
            Audit(
                **{
                    **one,
                    "at": datetime.fromisoformat(one["at"]),
                    "before": _parsed(org, one["object"], one["before"]),
                    "after": _parsed(org, one["object"], one["after"]),
                }
            )
            for one in document["audit"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{path} is not a file of the sandbox's state."
        raise ConfigError(message, advice="Name another file, or remove it to start anew.") from error


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    return {name: as_json(value) for name, value in values.items()}


def _parsed(org: SandboxOrg, name: str, values: Row) -> Row:
    """Values with their instants and days, by the types of the describe."""
    fields = org.objects[name].fields
    readers: dict[str, Any] = {"datetime": datetime.fromisoformat, "date": date.fromisoformat}
    return {
        key: readers[fields[key].type](value) if value is not None and key in fields and fields[key].type in readers else value
        for key, value in values.items()
    }
