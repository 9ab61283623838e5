"""A broker of one's own for a test: mosquitto on a free port of the loopback, with what it holds in a folder."""

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import time

import pytest

PLACE = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
needs_broker = pytest.mark.skipif(
    PLACE is None, reason="mosquitto is not there and could not be installed: nothing was sent to a broker"
)


class Mosquitto:
    """A broker that can be killed, stopped and started again on its port; sessions are kept over a kill."""

    def __init__(self, folder):
        self.port = _free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.folder, self.process = folder, None
        config = (
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {folder}/\nmax_queued_messages 0\nmax_inflight_messages 0\nuser root\n"
            "autosave_interval 1\nautosave_on_changes true\n"
        )
        (folder / "broker.conf").write_text(config)

    def start(self):
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [PLACE, "-c", str(self.folder / "broker.conf")], stdout=log, stderr=log
            )
        end = time.monotonic() + 10.0
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                return self
            time.sleep(0.01)
        raise AssertionError((self.folder / "broker.log").read_text())

    def end(self, how=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(10)
            self.process = None


def _free_port():
    """A port below those that the system gives away: while the broker is down nobody else gets it."""
    for port in random.sample(range(20_000, 30_000), 100):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port between 20000 and 30000")


class Consumer:
    """Takes everything below fab/ with a session that outlives broken lines, and keeps a ledger."""

    def __init__(self, broker, name="consumer"):
        import json

        import paho.mqtt.client as client
        from paho.mqtt.enums import CallbackAPIVersion

        from flyball.fab import mqtt

        self.ledger, self.rows = mqtt.Ledger(), []
        self.client = client.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self.client.reconnect_delay_set(0.05, 0.2)
        self.client.on_connect = lambda c, *_: c.subscribe("fab/#", qos=1)

        def taken(_, __, message):
            row = json.loads(message.payload)
            if self.ledger.take(row["source"], row["epoch"], row["sequence"]):
                self.rows.append((message.topic, row))

        self.client.on_message = taken
        self.subscribed = False
        self.client.on_subscribe = self._on_subscribe
        host, port = broker.address.split(":")
        self.client.connect(host, int(port), keepalive=5)
        self.client.loop_start()
        self.wait(lambda: self.subscribed)

    def _on_subscribe(self, *_):
        self.subscribed = True

    def wait(self, happened, seconds=60.0):
        end = time.monotonic() + seconds
        while not happened() and time.monotonic() < end:
            time.sleep(0.01)
        return happened()

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@contextlib.contextmanager
def running(folder):
    broker = Mosquitto(folder)
    try:
        yield broker.start()
    finally:
        broker.end(signal.SIGKILL)
