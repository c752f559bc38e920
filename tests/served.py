"""A world in which a case of the contract suite is a source of the house: its vendor lives in process and shares the world's clock."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.connector import Secret
from syncd.http import make_session
from tests.contract.connectors.kit import Case
from tests.stores import store_url_for
from tests.world import BOOTH, World

SOURCE = "vendor"
"""The name of the source in syncd.yaml; `booth` is read beside it."""
MAILS = (
    "email", "email_address", "E-mail", "by_title.E-mail", "profile.email", "fields.WORK_EMAIL", "user_email",
    "answers[field=EMAIL].value", "answers[field=WORK_EMAIL].value", "field_data[name=email].values.*", "answers[type=email].email",
)  # fmt: skip
"""Where the vendors of the cases keep an address."""
MAPPING = f"""\
version: 1
stream: any
create: always
lead:
  Email:    {{from: {json.dumps(MAILS)}, as: email}}
  LastName: {{from: last_name, default: "[not provided]"}}
  Company:  {{from: company, default: "[not provided]"}}
touch: {{channel: form}}
"""


@dataclass
class Served(World):
    """A world with `case` as the source `vendor` beside the drop folder `booth`."""

    case: Case = None  # type: ignore[assignment] - a dataclass wants a default here

    def __post_init__(self) -> None:
        """Configure the source as an admin would, with the options of the case."""
        self.clock = self.case.clock
        self.sources = f"{BOOTH}  {SOURCE}: \n"
        self.store_url = store_url_for("sqlite", self.folder.parent)
        super().__post_init__()
        self.write("mappings/any.yaml", MAPPING)
        self.give()

    def source_sessions(self) -> Callable[[], Any] | None:
        """The way to the vendor, if it is behind HTTP."""
        vendor = self.case.vendor
        if vendor is None:
            return None

        def sessions() -> Any:
            session = make_session()
            session.mount("https://", vendor.line)
            return session

        return sessions

    def give(self, *, is_revoked: bool = False) -> None:
        """Write the options of the case into syncd.yaml, or with a secret that the vendor does not know: of its form, and another."""
        options = {"type": self.case.connector.name, "mapping": "any", **_shown(self.case.options)}
        if "folder" in options:
            options["folder"] = str(self.case.session.folder / options["folder"])
        if is_revoked:
            assert self.case.vendor is not None
            name = self.case.vendor.secret_option
            options[name] = _shown(self.case.options[name], _other)
        settings = (self.folder / "syncd.yaml").read_text(encoding="utf-8")
        self.write("syncd.yaml", re.sub(rf"(?m)^  {SOURCE}: .*$", lambda _: f"  {SOURCE}: {json.dumps(options)}", settings))


def _other(secret: str) -> str:
    """Of the same form, and not the same."""
    if secret.startswith("{"):
        return secret.replace("leads-robot@", "other-robot@")
    return ("1" if secret[0] == "0" else "0") + secret[1:]


def _shown(value: Any, change: Callable[[str], str] = str) -> Any:
    """Options as they are written into syncd.yaml: secrets in the open."""
    if isinstance(value, Secret):
        return change(value.reveal())
    if isinstance(value, Mapping):
        return {name: _shown(one, change) for name, one in value.items()}
    return [_shown(one, change) for one in value] if isinstance(value, list | tuple) else value
