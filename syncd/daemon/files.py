"""Notices that the configuration on disk is another one, once what was written stands still. Reads files, and nothing else.

A changed time, size or inode makes it read; what counts is the content, so a touched file is no change, and a config map of
Kubernetes, which swaps a symbolic link, is one. Editors write in steps: a change counts when it looks the same twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import stat
from pathlib import Path

from syncd.config import Settings

Stamp = tuple[int, int, int, int]


class FileWatch:
    """syncd.yaml, its mappings and its policy. `look` is called often and looks every `reload.watch_seconds`."""

    def __init__(self, config: Path, settings: Settings, now: float) -> None:
        """What is on disk now counts as loaded."""
        self._config = config
        self._contents: dict[Path, tuple[Stamp, bytes]] = {}
        self._candidate = b""
        self._looked_at = now
        self._every = self._every_next = settings.reload.watch_seconds
        self._policy, self._mappings = settings.policy, settings.mappings_dir
        self._tried = self._running = self._digest()

    def follow(self, settings: Settings) -> None:
        """Watch the files that these settings name; how often is theirs to say once they are at work."""
        self._policy, self._mappings = settings.policy, settings.mappings_dir
        self._every_next = settings.reload.watch_seconds

    def look(self, now: float) -> bool:
        """Whether there is something new to be loaded; once for each content, and not for the one that runs."""
        if self._every is None or now - self._looked_at < self._every:
            return False
        self._looked_at = now
        found = self._digest()
        is_settled, self._candidate = found == self._candidate, found
        if found == self._tried or not is_settled:
            return False
        self._tried = found
        return found != self._running

    def note_begun(self) -> None:
        """What is on disk now is being loaded, whoever asked for it."""
        self._tried = self._candidate = self._digest()

    def note_taken(self) -> None:
        """What was being loaded is at work."""
        self._running = self._tried
        self._every = self._every_next

    def _digest(self) -> bytes:
        """Of the contents of all files, by name; a file that is not there, or may not be read, counts as such."""
        whole = hashlib.blake2b(digest_size=16)
        for name, path in sorted(self._files().items()):
            whole.update(f"{name}\0".encode(errors="surrogateescape"))
            whole.update(self._content(path))
        return whole.digest()

    def _files(self) -> dict[str, Path]:
        """The files by what the configuration calls them; where it lies is looked up each time, as it is for a load."""
        folder = self._config.resolve().parent
        found = {"": self._config, self._policy: folder / self._policy}
        with contextlib.suppress(OSError):
            found |= {f"{self._mappings}/{path.name}": path for path in (folder / self._mappings).glob("*.yaml")}
        return found

    def _content(self, path: Path) -> bytes:
        try:
            found = path.stat()  # follows symbolic links
            if not stat.S_ISREG(found.st_mode):
                return b"no file"  # a pipe would be waited for, for ever; whether it can be used is for the load to say
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)
            known = self._contents.get(path)
            if known is None or known[0] != stamp:
                known = stamp, hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
                self._contents[path] = known
        except OSError as error:
            self._contents.pop(path, None)
            return f"errno {error.errno}".encode()
        return known[1]
