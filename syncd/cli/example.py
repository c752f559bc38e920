"""The example configuration of this installation: `python -m syncd.cli.example > deploy/syncd.example.yaml`."""

from __future__ import annotations

import sys

from syncd.config.example import example
from syncd.wiring import known_connectors


def page() -> str:
    """Every setting, and a source of every known connector."""
    return example({name: connector.Options for name, connector in known_connectors().items()})


if __name__ == "__main__":
    sys.stdout.write(page())
