"""Runs on MicroPython: executes what the board's console hands it, in one scope, as the REPL of a board does."""

import io
import sys

import machine

RESET = 77


def serve():
    scope = {"__name__": "__main__"}
    while True:
        head = sys.stdin.buffer.read(4)
        if len(head) < 4:
            return 0
        code = sys.stdin.buffer.read(int.from_bytes(head, "big"))
        said = io.StringIO()
        try:
            exec(str(code, "utf-8"), scope)
        except machine.Restart:
            return RESET
        except BaseException as error:
            sys.print_exception(error, said)
        sys.stdout.write("\x04" + said.getvalue() + "\x04")


sys.exit(serve())
