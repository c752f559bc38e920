"""An export that cannot be read back as it was written is none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from syncd.app.exports import MANIFEST, _verify
from syncd.errors import ConfigError
from syncd.ports import LeadExport

NOW = datetime(2026, 5, 20, tzinfo=UTC)
LINES = b'{"sf_id":"00Q1"}\n{"sf_id":"00Q2"}\n'


def written(folder: Path) -> tuple[LeadExport, Path, Path]:
    """A file of two leads with its manifest."""
    path = folder / "x.jsonl"
    path.write_bytes(LINES)
    sha256 = hashlib.sha256(LINES).hexdigest()
    manifest = folder / ("x.jsonl" + MANIFEST)
    manifest.write_bytes(msgspec.json.encode({"export_id": "e", "count": 2, "sha256": sha256}))
    return LeadExport("e", NOW, "00D1", str(path), sha256, 2), path, manifest


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    _verify(*written(tmp_path), {"00Q1", "00Q2"})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path, manifest: path.write_bytes(LINES[:-3]),
        lambda path, manifest: path.write_bytes(LINES + LINES),
        lambda path, manifest: path.write_bytes(b""),
        lambda path, manifest: path.write_bytes(LINES.replace(b"00Q2", b"00Q3")),
        lambda path, manifest: path.unlink(),
        lambda path, manifest: manifest.write_bytes(b"{"),
        lambda path, manifest: manifest.write_bytes(msgspec.json.encode({"export_id": "e", "count": 2, "sha256": "0" * 64})),
        lambda path, manifest: manifest.unlink(),
    ],
    ids=["cut", "twice", "empty", "another lead", "gone", "no manifest to read", "a manifest of something else", "no manifest"],
)
def test_what_was_not_is_refused(tmp_path: Path, spoil: Callable[[Path, Path], object]) -> None:
    export, path, manifest = written(tmp_path)
    spoil(path, manifest)
    with pytest.raises(ConfigError, match="does not hold what was written"):
        _verify(export, path, manifest, {"00Q1", "00Q2"})
