"""All tests as two pytests at once, one for each core of a small machine: most of them wait or use one core.

`python tests/halves.py [options of pytest]`.  What computes stands in one half, what starts processes and waits for
them in the other.  Ends with one line that adds both up, and with the worse exit code of the two.
"""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
#: What computes; everything else is the other half.  By seconds each takes, so that both end at about one time.
COMPUTES = ("docs", "features", "kernels", "model", "runtime", "systems")
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?)")


def halves():
    """Return the two lists of what pytest is given; together they are all there is."""
    every = sorted(
        path for path in HERE.iterdir()
        if (path.is_dir() and any(path.rglob("test_*.py"))) or path.name.startswith("test_")
    )  # fmt: skip
    return (
        [str(path) for path in every if path.name in COMPUTES],
        [str(path) for path in every if path.name not in COMPUTES],
    )


def added(lines):
    """Return the counts of some summaries of pytest as one text.

    >>> added(["== 3 passed, 1 skipped in 2.00s ==", "1 failed, 2 passed in 1.00s"])
    '1 failed, 5 passed, 1 skipped'
    """
    found = collections.Counter()
    for line in lines:
        for number, what in COUNT.findall(line):
            found[what.removesuffix("s") if what in ("errors", "warnings") else what] += int(number)
    order = ("failed", "error", "passed", "skipped", "xfailed", "xpassed", "deselected", "warning")
    return ", ".join(f"{found[what]} {what}" for what in order if found[what])


def main(options):
    begun, command = time.monotonic(), [sys.executable, "-m", "pytest"]
    first, second = halves()
    with tempfile.TemporaryFile("w+") as behind:
        beside = subprocess.Popen([*command, *options, *first], stdout=behind, stderr=subprocess.STDOUT)
        try:
            ahead = subprocess.Popen([*command, *options, *second], stdout=subprocess.PIPE, text=True)
            last = ""
            for line in ahead.stdout:
                print(line, end="", flush=True)
                last = line.strip() or last
            codes = [ahead.wait(), beside.wait()]
        finally:
            if beside.poll() is None:
                beside.terminate()
                beside.wait()
        behind.seek(0)
        told = behind.read().rstrip()
    print(told)
    print(f"{added([last, told.rpartition(chr(10))[2]])} in {time.monotonic() - begun:.2f}s")
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
