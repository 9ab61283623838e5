"""The AVX-512 path on a machine that has none: the self-checking C++ programs of the kernels, run in an emulator.

Each program of tests/kernels/native is built for x86-64-v4 as a static binary and run on a Linux kernel inside Bochs,
whose Skylake-X model executes AVX-512. A program compares its operator with plain loops and ends with 0 where all is
equal, so this shows that answers are right on AVX-512, not that they are fast. Where the processor has AVX-512 the
tests themselves run the path, and the programs run here without the emulator.

Needs Debian's bochs, bochsbios, bochs-term, isolinux, syslinux-common, xorriso and busybox-static; the kernel is
Debian's linux-image-cloud-amd64, fetched by apt without being installed.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import sidebyside

HOME = Path(__file__).parent.parent
PROGRAMS = sorted((HOME / "tests/kernels/native").glob("*.cpp"))
LIMIT_S = 3000
CPU = "corei7_skylake_x"
BOCHS = """\
megs: 1024
cpu: model={cpu}, count=1, ips=50000000
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path={folder}/disc.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={folder}/serial.txt
display_library: rfb, options="timeout=0"
log: {folder}/bochs.log
clock: sync=none
sound: driver=dummy, waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
plugin_ctrl: speaker=0, es1370=0, sb16=0, voodoo=0, usb_uhci=0, e1000=0, gameport=0
"""
# Bochs 2.7 tells another size of the compacted register image than Linux works out, which then gives up AVX.
BOOT = """\
default linux
prompt 0
timeout 1
label linux
 kernel /vmlinuz
 append initrd=/initrd.gz console=ttyS0 quiet mitigations=off clearcpuid=xsaves,xsavec
"""


def run() -> dict[str, Any]:
    """Run every program, in the emulator unless this processor has AVX-512 itself; a row each, 0 is right."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "windows.in").write_bytes(_series())
        built = [
            _build(source, folder, "-march=x86-64-v4", "-mprefer-vector-width=512") for source in PROGRAMS
        ]
        inside = "avx512f" not in Path("/proc/cpuinfo").read_text()
        told = _emulated(built, folder) if inside else {program.name: _told(program) for program in built}
        plain = {source.stem: _told(_build(source, folder)) for source in PROGRAMS}
    where = f"Bochs {CPU}" if inside else "this processor"
    rows = []
    for name, (code, digest) in plain.items():
        if code or name not in told:
            raise AssertionError(f"{name}: ends with {code} here, and in the emulator with {told.get(name)}")
        # A program that ends well but prints other bits than the plainest build is wrong too.
        found = told[name][0] or int(told[name][1] != digest)
        rows.append(sidebyside.row(f"{name} on AVX-512, {where}", found, None, "", "exit code", 0))
    return sidebyside.result("avx512", (), rows)


def _series() -> bytes:
    """Return what `windows` reads: rows, windows over them, positions."""
    import numpy as np

    rng = np.random.default_rng(0)
    values = rng.normal(size=3000).cumsum().round(2)
    values[rng.random(3000) < 0.1] = np.nan
    lo = np.concatenate([np.arange(0, 2990), rng.integers(0, 3000, 300)])
    hi = np.minimum(3000, lo + rng.integers(0, 900, len(lo)))
    parts = np.array([3000, len(lo)]), values, lo, hi, np.arange(3000) * 7.0
    return b"".join(part.tobytes() for part in parts)


def _build(source: Path, folder: Path, *march: str) -> Path:
    program = folder / ("wide" if march else "plain") / source.stem
    program.parent.mkdir(exist_ok=True)
    command = ["g++", "-std=c++20", "-O2", "-static", *march, "-ffp-contract=off", "-Wno-psabi", "-pthread"]
    command += [f"-I{HOME / 'native'}", f"-I{HOME / 'native/include'}", str(source), "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def _told(program: Path) -> tuple[int, str]:
    """Return the exit code of a program that runs here, and the digest of what it prints."""
    run = subprocess.run([program], input=_given(program), stdout=subprocess.PIPE)
    return run.returncode, hashlib.md5(run.stdout).hexdigest()


def _given(program: Path) -> bytes:
    given = program.parent.parent / f"{program.name}.in"
    return given.read_bytes() if given.exists() else b""


def _emulated(programs: list[Path], folder: Path) -> dict[str, tuple[int, str]]:
    """Boot a kernel whose first process runs the programs and tells their exit codes on the serial line."""
    disc = folder / "disc"
    (disc / "isolinux").mkdir(parents=True)
    shutil.copy(_kernel(folder), disc / "vmlinuz")
    (disc / "initrd.gz").write_bytes(gzip.compress(_archive(programs), 1))
    shutil.copy("/usr/lib/ISOLINUX/isolinux.bin", disc / "isolinux")
    shutil.copy("/usr/lib/syslinux/modules/bios/ldlinux.c32", disc / "isolinux")
    (disc / "isolinux/isolinux.cfg").write_text(BOOT)
    boot = "-b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table"
    subprocess.run(
        ["xorriso", "-as", "mkisofs", "-quiet", "-o", folder / "disc.iso", *boot.split(), disc], check=True
    )
    (folder / "bochsrc").write_text(BOCHS.format(cpu=CPU, folder=folder))
    (folder / "go").write_text("c\n")
    command = ["bochs", "-q", "-f", folder / "bochsrc", "-rc", folder / "go"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    emulator = subprocess.Popen(command, **quiet)
    try:
        return _listen(folder / "serial.txt", emulator)
    finally:
        emulator.kill()
        emulator.wait()


def _listen(serial: Path, emulator: subprocess.Popen[bytes]) -> dict[str, tuple[int, str]]:
    begun, text = time.monotonic(), ""
    while time.monotonic() - begun < LIMIT_S and emulator.poll() is None:
        text = serial.read_text(errors="replace") if serial.exists() else ""
        if "Kernel panic" in text:
            raise AssertionError(f"the emulated machine did not come up:\n{text[-2000:]}")
        if "ALL DONE" in text:
            break
        time.sleep(1)
    print(text)
    ended = re.findall(r"^EXIT (\w+) (\d+) (\w+) ", text, re.MULTILINE)
    return {name: (int(code), digest) for name, code, digest in ended}


def _kernel(folder: Path) -> Path:
    """Return Debian's small kernel, unpacked from its package."""
    told = subprocess.run(
        ["apt-cache", "depends", "linux-image-cloud-amd64"], check=True, capture_output=True, text=True
    ).stdout
    package = re.search(r"Depends: (linux-image-\S+)", told)
    if package is None:
        raise AssertionError("apt knows no linux-image-cloud-amd64: run `apt-get update` on a Debian system")
    subprocess.run(
        ["apt-get", "download", "-qq", package.group(1)], check=True, cwd=folder, stderr=subprocess.DEVNULL
    )
    (fetched,) = folder.glob("linux-image-*.deb")
    subprocess.run(["dpkg-deb", "-x", fetched, folder / "kernel"], check=True)
    (found,) = (folder / "kernel/boot").glob("vmlinuz-*")
    return found


def _archive(programs: list[Path]) -> bytes:
    """Return the first file system: busybox, the programs, and an init that runs one after another."""
    lines = ["#!/bin/sh", "exec </dev/ttyS0 >/dev/ttyS0 2>&1"]
    for program in programs:
        name = program.name
        lines.append(f"/{name} </{name}.in >/told; code=$?")
        lines.append(f'echo "EXIT {name} $code $(/bin/busybox md5sum </told)"')
    init = "\n".join([*lines, "echo ALL DONE", "/bin/busybox sleep 1000"]) + "\n"
    parts = [_entry("dev", 0o040755), _entry("bin", 0o040755), _entry("dev/shm", 0o041777)]
    parts += [_entry("dev/console", 0o020600, device=(5, 1)), _entry("dev/ttyS0", 0o020600, device=(4, 64))]
    parts += [_entry("dev/null", 0o020666, device=(1, 3)), _entry("init", 0o100755, init.encode())]
    busybox = Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
    parts += [_entry("bin/busybox", 0o100755, busybox), _entry("bin/sh", 0o120777, b"busybox")]
    parts += [_entry(program.name, 0o100755, program.read_bytes()) for program in programs]
    parts += [_entry(f"{program.name}.in", 0o100644, _given(program)) for program in programs]
    return b"".join([*parts, _entry("TRAILER!!!", 0)])


def _entry(name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    """Return a file in the `newc` form of cpio(5): the form of an initial file system of Linux."""
    spelled = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(spelled), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + spelled
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
