"""Secrets: references in the file, values in memory, nothing on paper."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from syncd.document import Node, Problems, suggest
from syncd.model.secret import Secret as Secret

_KINDS = ("env", "file", "credential")


class SecretReader:
    """Reads secret references; what is wrong goes to `problems`."""

    def __init__(self, problems: Problems, env: Mapping[str, str], folder: Path, *, allow_literal: bool) -> None:
        """`folder` is what relative file paths are meant against."""
        self._problems = problems
        self._env = env
        self._folder = folder
        self._allow_literal = allow_literal

    def read(self, node: Node, key: str) -> Secret | None:
        """The secret that `node` refers to, None when it cannot be had."""
        if node.kind == "scalar":
            if not self._allow_literal:
                advice = f"Write {key}: {{env: NAME}}, {{file: PATH}} or {{credential: NAME}}; allow_literal_secrets: true is for sandboxes."
                self._problems.add(node, f"{key} stands here in plain text.", advice)
                return None
            if node.scalar in (None, ""):
                self._note_empty(node, key, "It")
                return None
            return Secret(str(node.scalar), "syncd.yaml")
        kinds = [kind for kind in _KINDS if kind in node]
        if node.kind != "mapping" or len(node.entries) != 1 or not kinds:
            wrong = next(iter(node.entries), "")
            self._problems.add(
                node, f"{key} is {{env: NAME}}, {{file: PATH}} or {{credential: NAME}}.", suggest(wrong, _KINDS) if wrong else ""
            )
            return None
        name = str(node.entries[kinds[0]].scalar)
        return getattr(self, f"_from_{kinds[0]}")(node, key, name)  # type: ignore[no-any-return]

    def read_all(self, node: Node, key: str) -> tuple[Secret, ...]:
        """The secrets of a list; those that cannot be had are left out, each with its own problem."""
        if not node.items:
            self._note_empty(node, key, "The list")
        found = (self.read(one, f"{key}.{index}") for index, one in enumerate(node.items))
        return tuple(one for one in found if one is not None)

    def _from_env(self, node: Node, key: str, name: str) -> Secret | None:
        value = self._env.get(name)
        if value is None:
            self._problems.add(node, f"{key}: the environment variable {name} is not set.", "Set it where syncd is started.")
            return None
        if value.strip():
            return Secret(value, f"env {name}")
        self._note_empty(node, key, f"The environment variable {name}")
        return None

    def _from_file(self, node: Node, key: str, name: str) -> Secret | None:
        return self._from_path(node, key, self._folder / name, f"file {name}")

    def _from_credential(self, node: Node, key: str, name: str) -> Secret | None:
        folder = self._env.get("CREDENTIALS_DIRECTORY")
        if not folder:
            self._problems.add(
                node, f"{key}: there is no CREDENTIALS_DIRECTORY.", "The service manager sets it (LoadCredential= of systemd)."
            )
            return None
        return self._from_path(node, key, Path(folder) / Path(name).name, f"credential {name}")

    def _from_path(self, node: Node, key: str, path: Path, origin: str) -> Secret | None:
        try:
            value = path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            self._problems.add(node, f"{key}: {origin} cannot be read: {error.strerror}.", "Check the path and its rights.")
            return None
        except UnicodeDecodeError:
            self._problems.add(node, f"{key}: {origin} is not text.")
            return None
        if value.strip():
            return Secret(value, origin)
        self._note_empty(node, key, origin.capitalize())
        return None

    def _note_empty(self, node: Node, key: str, what: str) -> None:
        self._problems.add(node, f"{key}: {what} is empty.")
