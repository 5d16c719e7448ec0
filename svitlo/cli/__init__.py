"""The command line. Commands import what they need when they run, so each process stays as small as its task."""

from __future__ import annotations

import contextlib
import io
import sys

from svitlo.errors import SvitloError


def main() -> None:
    """Run the command line: errors are one line and exit code 1 (2 for wrong usage), never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a letter gets a question mark
            stream.reconfigure(errors="replace")
    try:
        from svitlo.cli.app import app

        app()
    except SvitloError as error:
        _end(str(error))
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            sys.stdout.close()
        sys.exit(1)
    except OSError as error:
        _end(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        # What PostgreSQL or its driver says (a wrong password, no such database) is the person's to mend.
        if type(error).__module__.partition(".")[0] not in ("sqlalchemy", "asyncpg"):
            raise
        _end(f"the database refuses: {str(getattr(error, 'orig', None) or error).splitlines()[0]}")


def _end(text: str) -> None:
    print(f"svitlo: {text}", file=sys.stderr)
    sys.exit(1)
