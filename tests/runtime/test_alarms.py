"""Alarms as people and their receivers get them, with a real Alertmanager where one is installed."""

import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request

import pytest

from flyball import errors
from flyball.monitoring import causes
from flyball.runtime import alarms

NOW = 1_790_000_000_000_000
DRIFT = {
    "detector": "drift", "at": NOW, "since": NOW - 3_600_000_000, "statistic": 0.4, "limit": 0.1,
    "columns": ["vibration", "current"], "machines": ["m1"], "why": "vibration PSI 0.400 > 0.100", "cause": "sensor",
    "sure": 0.001,
}  # fmt: skip
LOSS = {
    "detector": "PageHinkley(log_loss)",
    "at": NOW,
    "statistic": 60.0,
    "limit": 50.0,
    "columns": [],
    "why": "rose",
}

manager = shutil.which("prometheus-alertmanager")
needs_alertmanager = pytest.mark.skipif(
    manager is None, reason="NOT TRIED WITH ALERTMANAGER: apt-get install prometheus-alertmanager"
)


@pytest.fixture
def receiver():
    """What takes webhooks: `.bodies` holds them, `.reply` is the status it answers with."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(server.reply)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.bodies, server.reply = [], 200
    server.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_alarm_keeps_its_name_while_it_stands_and_another_has_another():
    later = {**DRIFT, "at": NOW + 5, "statistic": 0.9, "columns": ["current", "vibration", "more"]}
    assert alarms.named(later) == alarms.named(DRIFT)
    others = [{**DRIFT, "since": 1}, {**DRIFT, "machines": ["m2"]}, LOSS]
    assert len({alarms.named(one) for one in [DRIFT, *others]}) == 4


@pytest.mark.parametrize("cause", alarms.CAUSES)
def test_the_words_say_where_and_what_to_do(cause):
    said = alarms.words({**DRIFT, "cause": cause})
    assert said.startswith("vibration and current on m1: ") and alarms.CAUSES[cause] in said
    assert alarms.words({"detector": "x", "at": 1, "why": "the mean rose"}).startswith("the mean rose: ")


def test_labels_hold_no_machine_and_no_column():
    (told,) = alarms.alerts("pumps", [DRIFT], NOW, 60.0)
    assert not {"m1", "vibration"} & set(told["labels"].values())
    assert told["annotations"]["machines"] == "m1"
    assert told["annotations"]["ask"] == f"flyball why {alarms.named(DRIFT)}"


def test_a_step_of_a_counter_is_no_time():
    (told,) = alarms.alerts("pumps", [{**LOSS, "at": 31}], NOW, 60.0)
    assert "startsAt" not in told


def test_a_webhook_gets_what_receivers_of_alertmanager_read(receiver):
    assert alarms.tell(receiver.url, "pumps", [DRIFT, LOSS], NOW, 60.0) == ""
    (body,) = receiver.bodies
    assert (body["version"], body["status"], len(body["alerts"])) == ("4", "firing", 2)
    assert {"labels", "annotations", "startsAt", "endsAt", "status"} <= set(body["alerts"][0])
    assert alarms.tell(receiver.url, "pumps", [], NOW, 60.0) == ""
    assert receiver.bodies[-1]["status"] == "resolved"


def test_what_cannot_be_told_is_said_and_ends_nothing(receiver):
    receiver.reply = 503
    assert "503" in alarms.tell(receiver.url, "pumps", [DRIFT], NOW, 60.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"http://127.0.0.1:{free.getsockname()[1]}/"
    assert "1 alarm(s) could not be told" in alarms.tell(place, "pumps", [DRIFT], NOW, 60.0)


def test_a_place_that_is_no_address_and_no_file_is_refused():
    with pytest.raises(errors.DeclarationError, match="http"):
        alarms.checked("mailto://somebody")


def test_a_webhook_is_called_when_something_changed(tmp_path):
    told = alarms.Told(tmp_path / "state" / "told.json")
    assert told.changed("hook", [DRIFT])
    told.note("hook", [DRIFT])
    assert not told.changed("hook", [{**DRIFT, "at": NOW + 1}]) and told.changed("hook", [])
    told.file.write_bytes(b"damaged")
    assert told.changed("hook", [DRIFT])


@needs_alertmanager
@pytest.mark.slow
def test_an_alertmanager_takes_them_and_forgets_those_that_are_told_no_more(tmp_path):
    (tmp_path / "config.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    asked = [
        manager, f"--config.file={tmp_path / 'config.yml'}", f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    running = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    place = f"http://127.0.0.1:{port}/api/v2/alerts"

    def standing():
        with urllib.request.urlopen(place) as reply:
            return json.loads(reply.read())

    try:
        until = time.monotonic() + 30
        while alarms.tell(place, "pumps", [DRIFT, LOSS], time.time_ns() // 1000, 1.0):
            assert time.monotonic() < until, "it does not listen"
            time.sleep(0.1)
        found = {one["labels"]["alertname"]: one for one in standing()}
        assert set(found) == {"FlyballDrift", "FlyballPagehinkley"}
        assert found["FlyballDrift"]["annotations"]["columns"] == "vibration, current"
        while len(standing()):
            assert alarms.tell(place, "pumps", [], 0, 1.0) == ""
            assert time.monotonic() < until, "it does not forget"
            time.sleep(0.5)
    finally:
        running.terminate()
        running.wait()


def test_a_sentence_says_what_the_column_does():
    alarm = {
        "detector": "drift",
        "at": 1,
        "columns": ["telemetry: clock"],
        "machines": ["m1"],
        "kind": "clock",
        "cause": "sensor",
    }
    assert alarms.words(alarm).startswith(
        "telemetry on m1 tells another time than the clocks around it: a sensor"
    )
    swap = alarm | {"columns": ["a", "b: missing", "b"], "kind": "swap with b"}
    assert alarms.words(swap).startswith("a and b on m1 (a shows what another one should): ")
    assert alarms.words(alarm | {"kind": "", "columns": ["a"]}).startswith("a on m1: a sensor")
    assert set(alarms.KINDS) >= {causes.RELATION, causes.CLOCK, causes.BURST, *causes.IMPOSSIBLE}
