import subprocess
import sys

import pytest

from flyball.runtime import memory

#: Blocks of 8 MiB come and go between small ones that stay; prints how much memory is held that nobody uses, MiB.
GROWTH = """
import sys
from flyball.runtime import memory
if sys.argv[1] == "steady":
    assert memory.steady()
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20
bytes(bytearray(30 * 2**20))  # glibc takes this for the usual size from now on
kept, before = [], resident()
for size in range(1, 24):
    block = [bytearray(b"x" * (size * 2**19)) for _ in range(3)]
    kept.append(bytearray(100_000))
    del block
print(resident() - before - sum(map(len, kept)) / 2**20)
"""


def held(how):
    told = subprocess.run([sys.executable, "-c", GROWTH, how], capture_output=True, text=True, check=True)
    return float(told.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_large_blocks_that_were_freed_are_given_back():
    assert held("steady") < 8 < held("as it is")


def test_it_can_be_asked_again():
    assert memory.steady() is memory.steady()
