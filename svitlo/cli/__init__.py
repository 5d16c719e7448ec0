"""The command line. Commands import what they need when they run, so each process stays as small as its task."""

from __future__ import annotations

import sys

from svitlo.errors import SvitloError


def main() -> None:
    """Run the command line: errors are one line and exit code 1 (2 for wrong usage), never a traceback."""
    from svitlo.cli.app import app

    try:
        app()
    except SvitloError as error:
        print(f"svitlo: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
