import re

from flyball.site import metrics
from flyball.site import router as routers


def figures(text):
    return {
        name: float(value) for name, value in re.findall(r"^(flyball\S+) (\S+)$", text.decode(), flags=re.M)
    }


def test_requests_are_counted_by_how_they_ended(router):
    one = metrics.Metrics(router)
    one.answered("http", 0.003, 5)
    one.answered("http", 0.3, 1)
    one.ended("grpc", "refused")
    found = figures(one.text())
    assert found['flyball_requests_total{outcome="answered",protocol="http"}'] == 2
    assert found['flyball_requests_total{outcome="refused",protocol="grpc"}'] == 1
    assert found['flyball_rows_total{protocol="http"}'] == 6
    assert found['flyball_request_seconds_bucket{le="0.005",protocol="http"}'] == 1
    assert found['flyball_request_seconds_bucket{le="+Inf",protocol="http"}'] == 2


def test_what_the_router_knows_is_read_when_somebody_looks(router, releases):
    found = figures(metrics.Metrics(router).text())
    assert found[f'flyball_scorer_up{{release="{releases["trees"].name[:12]}"}}'] == 1
    assert found["flyball_scorer_resident_bytes"] > 20e6
    assert found["flyball_scorer_starts_total"] == 1 and found["flyball_scorer_exits_total"] == 0
    empty = figures(metrics.Metrics(routers.Router()).text())
    assert empty['flyball_scorer_up{release=""}'] == 0 == empty["flyball_scorer_resident_bytes"]
