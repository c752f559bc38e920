"""The wheel in an environment of its own: nothing of the checkout is needed to run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("syncd", "connectors")
"""Packages of the wheel."""


def run(*command: str | Path, cwd: Path, env: dict[str, str]) -> str:
    """Run a command that must succeed; gives its stdout."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def built(folder: Path) -> Path:
    """The wheel, built without the network by the back end of the development environment."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT, env=dict(os.environ))
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_everything_that_the_packages_hold(tmp_path: Path) -> None:
    """Modules, pages, samples, migrations, the mappings, and the marker of types; no test and no leftover."""
    names = {name for name in zipfile.ZipFile(built(tmp_path)).namelist() if ".dist-info/" not in name}
    tracked = {
        path.relative_to(ROOT).as_posix()
        for part in PARTS
        for path in (ROOT / part).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    mappings = ROOT / "mappings"
    bundled = {f"syncd/bundled/mappings/{path.relative_to(mappings)}" for path in mappings.rglob("*") if path.is_file()}
    assert "syncd/py.typed" in names
    assert any(name.startswith("syncd/store/migrations/versions/") for name in names)
    assert names == tracked | bundled


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_wheel_runs_where_nothing_else_is(tmp_path: Path) -> None:
    """Installed as the how-tos say, hash by hash; then from a folder outside the checkout, with a bare environment.

    Installing needs the package registry, or a cache of it, as `make test` itself does.
    """
    wheel = built(tmp_path / "dist")
    place = tmp_path / "venv"
    venv.create(place, with_pip=True)
    python, syncd = place / "bin" / "python", place / "bin" / "syncd"
    work = tmp_path / "work"
    work.mkdir()
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    # Where packages come from is this machine's business; nothing else of the environment is handed on.
    outside = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "SYNCD", "PYTEST"))
    }
    run(*pip, "--require-hashes", "-r", ROOT / "requirements" / "run.txt", cwd=work, env=outside)
    run(*pip, "--no-deps", wheel, cwd=work, env=outside)

    home = tmp_path / "home"
    home.mkdir()
    bare = {"PATH": f"{place / 'bin'}:/usr/bin:/bin", "HOME": str(home), "NO_COLOR": "1", "SF_KEY": "k", "SF_SECRET": "s"}
    for part in PARTS:
        found = run(python, "-c", f"import {part}; print({part}.__file__)", cwd=work, env=bare)
        assert Path(found.strip()).is_relative_to(place)
    assert run(syncd, "--version", cwd=work, env=bare).startswith("syncd ")
    assert "Usage: syncd" in run(python, "-m", "syncd", "--help", cwd=work, env=bare)
    assert "syncd.yaml" in run(syncd, "init", "leads", cwd=work, env=bare)
    given, written = ROOT / "mappings", work / "leads" / "mappings"
    assert {path.relative_to(written) for path in written.rglob("*")} == {path.relative_to(given) for path in given.rglob("*")}
    assert "All good." in run(syncd, "check", cwd=work / "leads", env=bare)
    assert "E500" in run(syncd, "help", "E500", cwd=work, env=bare)
    told = json.loads(run(syncd, "demo", "--json", "--keep", work / "demo", cwd=work, env=bare))
    assert told["promises"]
    assert all(told["promises"].values())
    run(python, "-m", "pip", "--disable-pip-version-check", "check", cwd=work, env=bare)
