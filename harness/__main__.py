"""``python -m harness`` and the ``breakeven`` command."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return its exit code."""
    from harness.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
