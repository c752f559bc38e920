"""`syncd lead export --for-deletion`: every field of the leads that are due, in a file that was read back and found whole.

JSON Lines, one lead a line, beside it a manifest with count, SHA-256, org and time. Both are written under another name first. Only then
the store learns of it: a file that nobody has verified deletes nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from syncd import __version__
from syncd.errors import ConfigError
from syncd.model import OrgRow, PersonState, PersonView
from syncd.plan import exported_digest, exported_fields, facts_of, may_delete, standing_record, stated, why_kept
from syncd.policy import evaluate
from syncd.ports import ExportedLead, LeadExport
from syncd.run.context import ROWS_PER_CALL, OrgSession, PassContext
from syncd.run.deleting import deletion_rules, read_whole

MANIFEST = ".manifest.json"
"""What the manifest's name ends in, behind the name of the file."""
_VERSION = 1
_PRIVATE = 0o600


class _Named(msgspec.Struct):
    """What is read back of a line."""

    sf_id: str


class _Manifest(msgspec.Struct):
    """What is read back of a manifest."""

    export_id: str
    count: int
    sha256: str


_NAMED, _MANIFEST = msgspec.json.Decoder(_Named), msgspec.json.Decoder(_Manifest)


class Exported(msgspec.Struct, frozen=True):
    """An export. `left_out`: leads that have changed since the last pass; the next one looks at them again. `count` 0: there is no file."""

    export_id: str
    file: str
    manifest: str
    count: int
    sha256: str
    left_out: int


class _Due(msgspec.Struct, frozen=True):
    """A lead that a rule wants to delete now."""

    person_id: str
    rule_id: str
    row: OrgRow


def export_due(ctx: PassContext, session: OrgSession, path: Path) -> Exported:
    """Write exactly the leads that are due for deletion to `path`, and remember that it was done. Reads the org; changes nothing there.

    Raises:
        ConfigError: The policy deletes nothing, the file is there already, or it cannot be written, or not be read back.
    """
    rules = deletion_rules(ctx.policy)
    if not rules:
        raise ConfigError(
            "The policy deletes no leads.", advice="An archive rule deletes if it says delete: {after_days: 730} and is enforced."
        )
    if not may_delete(session.schema):
        raise ConfigError(
            "The integration user may not delete leads.", advice="Assign Syncd_Undo to it, or take delete: out of the policy."
        )
    manifest = path.with_name(path.name + MANIFEST)
    for made in (path, manifest):
        if made.exists():
            raise ConfigError(f"{made} is there already.", advice="An export is never overwritten: name another file.")
    writer = _Writer(path)
    leads: list[ExportedLead] = []
    left_out = 0
    is_whole = False
    try:
        for due in _in_parts(_due(ctx, session, rules), ROWS_PER_CALL):
            rows = read_whole(session, [one.row.sf_id for one in due])
            for one in due:
                row = rows.get(one.row.sf_id)
                if row is None or row.stamp != one.row.stamp:
                    left_out += 1
                    continue
                writer.add(_line(one, row))
                leads.append(ExportedLead(row.sf_id, one.person_id, row.stamp, exported_digest(row, session.schema)))
        if not leads:
            return Exported("", "", "", 0, "", left_out)
        sha256 = writer.finish()
        export = LeadExport(ctx.run_id, ctx.clock.now(), session.identity.org_id, str(path.absolute()), sha256, len(leads))
        _write_whole(manifest, msgspec.json.format(msgspec.json.encode(_manifest(ctx, session, export, path)), indent=2) + b"\n")
        _sync_folder(path.parent)
        _verify(export, path, manifest, {one.sf_id for one in leads})
        is_whole = True
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}.", advice="Check the folder, its rights and its room."
        ) from error
    finally:
        writer.discard()
        if not is_whole:
            # Made by us a moment ago, and good for nothing.
            for made in (path, manifest):
                made.unlink(missing_ok=True)
    ctx.store.put_export(export, leads)
    return Exported(export.export_id, str(path), str(manifest), export.count, sha256, left_out)


def _due(ctx: PassContext, session: OrgSession, rules: Sequence[str]) -> Iterator[_Due]:
    """Leads that are due by what the store knows, each once."""
    machines = ctx.settings.machine_users | {session.identity.user_id}
    starts = {name: source.start_from for name, source in ctx.sources.items()}
    now = ctx.clock.now()
    seen: set[str] = set()
    for page in ctx.store.due_for_deletion(rules, now):
        ids = [one for one in page if one not in seen]
        seen.update(ids)
        stored = ctx.store.person_facts(ids, machines, now)
        for view in ctx.store.person_views(ids):
            facts = facts_of(
                view, stated(view.records), stored.get(view.person_id), ctx.policy, now=now, machine_users=machines, starts=starts
            )
            verdict = evaluate(ctx.policy, facts)
            record = standing_record(view.org_records)
            if verdict.deletes and record is not None and _is_free(view) and not why_kept(view, record):
                yield _Due(view.person_id, verdict.deletes, record.row)


def _is_free(view: PersonView) -> bool:
    """Whether nobody has to decide first who the person is."""
    return view.state is PersonState.ACTIVE


def _in_parts(found: Iterator[_Due], size: int) -> Iterator[list[_Due]]:
    part: list[_Due] = []
    for one in found:
        part.append(one)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _line(due: _Due, row: OrgRow) -> bytes:
    """One lead as it stands in the file."""
    lead = {"sf_id": row.sf_id, "person_id": due.person_id, "rule": due.rule_id, "stamp": row.stamp, "fields": row.fields}
    return msgspec.json.encode(lead) + b"\n"


def _manifest(ctx: PassContext, session: OrgSession, export: LeadExport, path: Path) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "export_id": export.export_id,
        "at": export.at,
        "org_id": export.org_id,
        "object": "Lead",
        "file": path.name,
        "count": export.count,
        "sha256": export.sha256,
        "fields": exported_fields(session.schema),
        "policy": f"{ctx.policy.name} {ctx.policy.digest[:8]}".strip(),
        "syncd": __version__,
    }


def _verify(export: LeadExport, path: Path, manifest: Path, sf_ids: set[str]) -> None:
    """Read both files back.

    Raises:
        ConfigError: They do not hold what was written.
    """
    whole, found = hashlib.sha256(), []
    wrong = ConfigError(
        f"{path} does not hold what was written to it.", advice="Export to another disk. Nothing was deleted, nothing will be."
    )
    try:
        with path.open("rb") as file:
            for line in file:
                whole.update(line)
                found.append(_NAMED.decode(line).sf_id)
        said = _MANIFEST.decode(manifest.read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise wrong from error
    is_same = whole.hexdigest() == export.sha256 == said.sha256 and len(found) == export.count == said.count
    if not is_same or set(found) != sf_ids or said.export_id != export.export_id:
        raise wrong


class _Writer:
    """A file that is there as a whole or not at all; only its owner may read it."""

    def __init__(self, path: Path) -> None:
        """Begin it under another name.

        Raises:
            ConfigError: The folder cannot be written to.
        """
        self._path = path
        self._beside = _beside(path)
        self._digest = hashlib.sha256()
        try:
            self._file = open(_private(self._beside), "wb")  # noqa: SIM115 - of a descriptor; closed by `discard`
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be written: {error.strerror}.", advice="Check the folder and its rights."
            ) from error

    def add(self, line: bytes) -> None:
        """Add a line."""
        self._digest.update(line)
        self._file.write(line)

    def finish(self) -> str:
        """Give it its name once it is on the disk; gives its SHA-256 in hex."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._beside.replace(self._path)
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Remove what was not finished."""
        self._file.close()
        self._beside.unlink(missing_ok=True)


def _write_whole(path: Path, content: bytes) -> None:
    beside = _beside(path)
    with open(_private(beside), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _sync_folder(folder: Path) -> None:
    """The names in a folder outlive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)


__all__ = ["MANIFEST", "Exported", "export_due"]
