import math
import urllib.request

import pytest

from flyball.runtime import gauges

pytest.importorskip("prometheus_client", reason="NOT TRIED WITH PROMETHEUS: pip install 'flyball[serve]'")

ROUND = {
    "release": "ab" * 32, "as_of": 10**15, "refused": "", "arrived": {"files": 2}, "outcomes": {"known": 5},
    "data": {"holds": {"quarantined": {"telemetry": {"no time": 3, "no key": 1}}}},
    "verdicts": [{"gate": "beats", "passed": True}, {"gate": "latency", "passed": False}],
    "watch": {
        "columns": [
            {"column": "vibration", "psi": 0.4, "limit": 0.1}, {"column": "few", "psi": 1.0, "limit": math.inf}],
        "alarms": [{"detector": "drift", "cause": "sensor"}, {"detector": "PageHinkley(log_loss)"}],
        "performance": {
            "metric": "log_loss", "ahead": {"estimated": {"value": 0.25}}, "realised": {"value": None, "low": None}},
    },
}  # fmt: skip


def lines(made):
    return {line for line in made.text().decode().splitlines() if not line.startswith("#")}


def test_a_round_stands_in_gauges_and_what_is_gone_is_told_no_more():
    made = gauges.Gauges("pumps")
    made.update(ROUND, now=2 * 10**15)
    told = lines(made)
    for line in (
        'flyball_round_time_seconds{system="pumps"} 2e+09',
        'flyball_release_info{release="abababababab",system="pumps"} 1.0',
        'flyball_quarantined_rows{system="pumps"} 4.0',
        'flyball_gate_passed{gate="latency",system="pumps"} 0.0',
        'flyball_drift_statistic{column="vibration",system="pumps"} 0.4',
        'flyball_drift_limit{column="vibration",system="pumps"} 0.1',
        'flyball_alarms{cause="sensor",detector="drift",system="pumps"} 1.0',
        'flyball_alarms{cause="unknown",detector="PageHinkley",system="pumps"} 1.0',
        'flyball_outcomes{state="known",system="pumps"} 5.0',
        'flyball_performance{by="estimated",metric="log_loss",system="pumps"} 0.25',
    ):
        assert line in told, line
    assert not any("inf" in line.lower().split()[-1] for line in told)
    made.update({"release": "cd" * 32, "watch": {"alarms": []}}, now=3 * 10**15)
    after = lines(made)
    assert not any(line.startswith(("flyball_alarms{", "flyball_drift_limit{")) for line in after)
    assert [line for line in after if "release_info" in line] == [
        'flyball_release_info{release="cdcdcdcdcdcd",system="pumps"} 1.0'
    ]


def test_every_gauge_that_is_declared_is_filled():
    made = gauges.Gauges("pumps")
    made.update(ROUND, now=1)
    empty = {name for name in gauges.GAUGES if not any(line.startswith(name + "{") for line in lines(made))}
    assert not empty


def test_gauges_are_scraped_or_read_from_a_file(tmp_path):
    made = gauges.Gauges("pumps")
    made.update(ROUND, now=1)
    made.write(tmp_path / "flyball.prom")
    address, server = made.serve(0)
    try:
        with urllib.request.urlopen(address) as reply:
            scraped = reply.read()
    finally:
        server.shutdown()
        server.server_close()
    assert scraped == (tmp_path / "flyball.prom").read_bytes()
