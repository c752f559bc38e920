"""`syncd` and `python -m syncd`."""

import sys

from syncd.cli import main


def run() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(main())


if __name__ == "__main__":
    run()
