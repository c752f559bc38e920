"""A small world for whole-pipeline tests: one sandbox org, a drop folder, a store, and processes that come and go.

The house is opened by `syncd.wiring` exactly as the command line opens it; only the clock, the ids and the way to the org
(in process instead of over a socket) are given. Nothing of ours is replaced.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from syncd.clock import FixedClock
from syncd.http import make_session
from syncd.run.one_pass import Summary
from syncd.sandbox import CONSUMER_KEY, CONSUMER_SECRET, SandboxOrg
from syncd.sandbox.adapter import SandboxAdapter
from syncd.wiring import House, open_house

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LOGIN_URL = "https://sandbox.test"

SETTINGS = """\
version: 1
allow_literal_secrets: true
store: {{url: "{store_url}"}}
salesforce:
  login_url: {login_url}
  auth: {{type: client_credentials, consumer_key: {key}, consumer_secret: {secret}}}
  request_timeout_seconds: 5
mappings_dir: mappings
policy: mappings/policy.yaml
sources:
"""

BOOTH = "  booth: {type: csv_drop, folder: drop, mapping: csv, settle_seconds: 0}\n"

MAPPING = """\
version: 1
stream: rows
create: always
lead:
  Email:       {from: email, as: email}
  FirstName:   {from: first, as: name}
  LastName:    {from: last, as: name}
  Company:     {from: company, default: "[not provided]"}
  Phone:       {from: phone, as: phone, region: US}
  Title:       {from: title}
  Street:      {from: street}
  City:        {from: city}
  LeadSource:  {value: Trade Show, overwrite: first}
  HasOptedOutOfEmail: {from: optout, translate: {"yes": true}, unknown: no_value}
touch: {channel: event}
skip_when: 'record.skip == "yes"'
overwrite: if_unchanged
"""

POLICY = "version: 1\non_create: {status: Open - Not Contacted}\n"

COLUMNS = ("email", "first", "last", "company", "phone", "title", "street", "city", "optout", "skip")


@dataclass
class World:
    """Everything outside the process under test; survives its deaths."""

    folder: Path
    store_url: str = ""
    mapping: str = MAPPING
    policy: str = POLICY
    sources: str = BOOTH
    extra_settings: str = ""
    clock: FixedClock = field(default_factory=lambda: FixedClock(START))
    seed: int = 1

    def __post_init__(self) -> None:
        """Write the configuration and open the org for business."""
        self.org = SandboxOrg(seed=self.seed, clock=self.clock)
        self._ids = itertools.count(1)
        self._files = itertools.count(1)
        (self.folder / "drop").mkdir(parents=True)
        (self.folder / "mappings").mkdir()
        self.store_url = self.store_url or "sqlite:///syncd.db"
        self.write("mappings/csv.yaml", self.mapping)
        self.write("mappings/policy.yaml", self.policy)
        settings = SETTINGS.format(store_url=self.store_url, login_url=LOGIN_URL, key=CONSUMER_KEY, secret=CONSUMER_SECRET)
        self.write("syncd.yaml", settings + self.sources + self.extra_settings)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the configuration."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def drop(self, rows: Iterable[Mapping[str, str]], name: str = "") -> Path:
        """Drop a file of rows (column -> text), newer than every file before."""
        self.clock.advance(60)
        lines = [",".join(COLUMNS)]
        lines += [",".join(f'"{row.get(column, "")}"' for column in COLUMNS) for row in rows]
        path = self.write(f"drop/{name or f'file{next(self._files)}.csv'}", "\n".join(lines) + "\n")
        self.touch(path)
        self.clock.advance(60)
        return path

    def touch(self, path: Path) -> None:
        """Give a file the world's time."""
        import os

        stamp = self.clock.now().timestamp()
        os.utime(path, (stamp, stamp))

    def open(self, wrap: Callable[[Any, str], Any] | None = None) -> House:
        """A fresh process on the same store and org. `wrap(port, name)` may stand between the stages and their ports."""
        return open_house(
            self.folder / "syncd.yaml",
            clock=self.clock,
            sessions=self.sessions,
            make_id=self.make_id,
            wrap=wrap,
            source_sessions=self.source_sessions(),
        )

    def sessions(self) -> Any:
        """The way to the org: a requests session without a socket."""
        session = make_session()
        session.mount("https://", SandboxAdapter(self.org))
        return session

    def make_id(self) -> str:
        """The next id of an operation."""
        return f"{next(self._ids):012d}"

    def source_sessions(self) -> Callable[[], Any] | None:
        """The way to the sources; None where they are folders."""
        return None

    def run(self, *names: str, force: bool = False, wrap: Callable[[Any, str], Any] | None = None) -> Summary:
        """One pass of a fresh process."""
        self.clock.advance(5)
        house = self.open(wrap)
        try:
            summary, _ = house.run(list(names), force=force)
            return summary
        finally:
            house.close()

    def plan(self) -> list[Any]:
        """What the next pass would write."""
        self.clock.advance(5)
        house = self.open()
        try:
            return house.run([], dry_run=True, force=True)[1]
        finally:
            house.close()

    def leads(self, **wanted: Any) -> list[dict[str, Any]]:
        """Living leads of the org whose fields are as `wanted`."""
        rows = [row for row in self.org.rows("Lead") if not row.get("IsDeleted")]
        return [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]

    def lead(self, email: str) -> dict[str, Any]:
        """The one living lead with that e-mail."""
        found = self.leads(Email=email)
        assert len(found) == 1, f"{len(found)} leads instead of one"
        return found[0]


def row(number: int, **changes: str) -> dict[str, str]:
    """A plausible row; the same number is the same person."""
    return {
        "email": f"person{number}@example.com",
        "first": f"First{_letters(number)}",
        "last": f"Last{_letters(number)}",
        "company": f"Company {number % 7}",
        **changes,
    }


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))
