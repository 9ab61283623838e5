import subprocess
import sys

import pytest

from flyball import errors
from flyball.cli import given

TWICE = """
import os, signal, threading
from flyball.cli import given
before = signal.getsignal(signal.SIGTERM)
try:
    with given.ended() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(5)
        print("waited")
except KeyboardInterrupt:
    print("ended at once", signal.getsignal(signal.SIGTERM) == before)
"""


def test_asked_twice_it_ends_at_once():
    """In a process of its own: the one that runs the tests is asked to end by nobody."""
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("ended at once True\n", 0), done.stderr


@pytest.mark.parametrize(
    ("text", "whole_day", "seconds"),
    [
        ("1970-01-02", False, 86400.0),
        ("1970-01-02", True, 2 * 86400 - 1e-6),
        ("1970-01-01T02:00+01:00", True, 3600.0),
    ],
)
def test_a_moment_is_utc_unless_it_says_otherwise(text, whole_day, seconds):
    assert given.moment(text, "--at", whole_day) == round(seconds * 1e6)


def test_what_is_no_moment_names_its_option():
    assert given.moment(None, "--at") is None
    with pytest.raises(errors.DeclarationError, match="--until 'soon'"):
        given.moment("soon", "--until")
