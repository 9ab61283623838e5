"""A PostgreSQL of one's own for a test: a cluster in a folder, on a free port of the loopback."""

import contextlib
import glob
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
from tests.fab.brokers import _free_port

HOME = next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)), "")
needs_postgres = pytest.mark.skipif(
    not HOME, reason="PostgreSQL is not there and could not be installed: no database was asked"
)


class Postgres:
    """A server that can be killed and started again; on the loopback one is `reader` or `owner`."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, _free_port(), None
        # It does not run as root.
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)
        self._run(
            "initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "owner", "--no-sync", "-E", "UTF8"
        )

    def _run(self, program, *arguments, **more):
        return subprocess.run(
            [f"{HOME}/{program}", *arguments], check=True, capture_output=True, text=True, user=self.user,
            cwd=self.folder, env={**os.environ, "HOME": str(self.folder)}, **more,
        )  # fmt: skip

    def start(self):
        self.process = subprocess.Popen(
            [f"{HOME}/postgres", "-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder), "-F"],
            user=self.user, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(self.folder)},
        )  # fmt: skip
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(subprocess.CalledProcessError):
                self.sql("select 1")
                return self
            time.sleep(0.05)
        raise AssertionError("PostgreSQL did not start")

    def sql(self, text, user="owner"):
        """Run SQL; return what psql prints."""
        return subprocess.run(
            ["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", user, "-d", "postgres", "-qAtc", text],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    @property
    def address(self):
        return f"postgresql://reader@127.0.0.1:{self.port}/postgres"

    def end(self, how=signal.SIGINT):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(20)
            self.process = None
            if how == signal.SIGKILL:  # its children end by themselves when they notice
                time.sleep(0.3)
                (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)


@contextlib.contextmanager
def running():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="flyball-pg-", dir="/tmp"))
    server = Postgres(folder)
    try:
        server.start()
        server.sql("create role reader login")
        yield server
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)
