"""The commands: each does one thing, speaks JSON when asked, and ends a user's mistake with a sentence.

Exit codes: 0 done, 1 a gate or expectation did not hold where that was asked, 2 the page or the command is wrong,
3 the data or the store is wrong, 4 a leak or a gate that could not be judged, 5 trust, 6 an extra is missing.
"""

from __future__ import annotations

import errno
import io
import os
import sys

from flyball import errors

CODES: tuple[tuple[type[errors.FlyballError], int], ...] = (
    (errors.DeclarationError, 2),
    (errors.DataError, 3),
    (errors.GateError, 4),
    (errors.TrustError, 5),
    (errors.RolloutError, 5),
    (errors.MissingExtraError, 6),
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and exit with its code; no traceback for a user's mistake."""
    from flyball.cli import commands

    # Threads that wait must sleep: spinning ones take the cores from whatever else the machine does (measured on two
    # busy cores: a training took 36 s instead of 11).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    # What a page calls things (°C, µm) must not break a terminal that cannot show it.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = commands.app(spelled(sys.argv[1:] if arguments is None else arguments), standalone_mode=False)
        sys.stdout.flush()
    except errors.FlyballError as error:
        return _end(f"flyball: {error}", code_of(error))
    except KeyboardInterrupt:
        return _end("flyball: interrupted; run the same command again to go on", 130)
    except BrokenPipeError:
        # Whoever read this has seen enough; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _end("", 141)
    except OSError as error:
        return _end(
            f"flyball: {error.filename or 'the system'}: {error.strerror or error}, {_mend(error)}", 3
        )
    except Exception as error:
        # What the command line itself was given wrongly: click's errors carry their own message and exit code.
        if not hasattr(error, "format_message"):
            raise
        return _end(f"flyball: {error.format_message()}", 2)
    raise SystemExit(code if isinstance(code, int) else 0)


def spelled(arguments: list[str]) -> list[str]:
    """Return arguments with every option in one spelling: people write --as_of and --as-of.

    >>> spelled(["run", "my_page.py", "--as_of=2013-05-05", "--", "--as_is"])
    ['run', 'my_page.py', '--as-of=2013-05-05', '--', '--as_is']
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    out = []
    for argument in arguments[:end]:
        name, mark, value = argument.partition("=")
        out.append(name.replace("_", "-") + mark + value if name.startswith("--") else argument)
    return out + arguments[end:]


def _mend(error: OSError) -> str:
    """Say what to do about an error of the system."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free space and run again: the old state is untouched"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "give the right to read and write there, or name another place"
    return "name another place"


def code_of(error: errors.FlyballError) -> int:
    """Return the exit code of an error.

    >>> code_of(errors.StoreError("full"))
    3
    """
    return next((code for kind, code in CODES if isinstance(error, kind)), 1)


def _end(message: str, code: int) -> int:
    if message:
        print(message, file=sys.stderr)
    raise SystemExit(code)
