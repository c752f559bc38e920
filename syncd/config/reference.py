"""The reference page of syncd.yaml, made from the typed settings: `python -m syncd.config.reference > docs/reference/configuration.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from syncd.config.settings import ClientCredentialsSettings, JwtSettings, Settings, SourceSettings

_HEAD = """\
# Configuration reference

`syncd.yaml`. Made from the settings themselves; do not edit. `syncd check --show` prints what is in force and where each value came from.
Unknown keys are errors. Paths are relative to the folder of the file. `SYNCD_CONFIG` names another file, `SYNCD_STORE_URL` another store.

Secrets are `{env: NAME}`, `{file: PATH}` or `{credential: NAME}` (of the service manager); in plain text only with `allow_literal_secrets: true`.
A connector that takes several (a webhook, while its secret is rotated) takes a list of them.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, "## The file\n", _table(_rows("", Settings))]
    parts += ["## salesforce.auth, `type: client_credentials`\n", _table(_rows("", ClientCredentialsSettings))]
    parts += ["## salesforce.auth, `type: jwt`\n", _table(_rows("", JwtSettings))]
    parts += ["## sources.NAME\n", "The connector's own options are on its page.\n", _table(_rows("", SourceSettings))]
    return "\n".join(parts)


def _rows(prefix: str, model: type[BaseModel]) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        if name in ("folder", "sources", "auth", "type", "version") and not field.description:
            continue
        kind = field.annotation
        optional = [one for one in get_args(kind) if isinstance(one, type) and issubclass(one, BaseModel)]
        if field.default is None and len(optional) == 1:
            yield f"{prefix}{name}", field.description or "", _default(None)
            yield from _rows(f"{prefix}{name}.", optional[0])
            continue
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _rows(f"{prefix}{name}.", kind)
            continue
        yield f"{prefix}{name}", field.description or "", _default(field.default)


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def _table(rows: Iterator[tuple[str, str, str]]) -> str:
    lines = ["| option | meaning | default |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {text} | {default} |" for name, text, default in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
