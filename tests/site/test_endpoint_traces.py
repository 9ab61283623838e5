import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from flyball import errors
from flyball.site import endpoint_traces

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def spans(text):
    return [
        span
        for line in text.splitlines()
        for scope in json.loads(line)["resourceSpans"][0]["scopeSpans"]
        for span in scope["spans"]
    ]


def test_a_span_has_the_parent_that_the_request_names(tmp_path):
    traces = endpoint_traces.Traces(tmp_path / "spans", "pump")
    with traces.span("infer", [(b"traceparent", PARENT), (b"authorization", b"Bearer secret")]) as span:
        span(rows=3, release="abc")
    with pytest.raises(ValueError), traces.span("infer", [(b"traceparent", b"odd")]):
        raise ValueError("a secret of the request")
    traces.close()
    text = (tmp_path / "spans").read_text()
    one, other = spans(text)
    assert one["traceId"] == "0af7651916cd43dd8448eb211c80319c" and one["parentSpanId"] == "b7ad6b7169203331"
    assert {a["key"]: a["value"] for a in one["attributes"]} == {
        "flyball.rows": {"intValue": "3"},
        "flyball.release": {"stringValue": "abc"},
    }
    assert int(one["startTimeUnixNano"]) <= int(one["endTimeUnixNano"])
    assert "parentSpanId" not in other and "ValueError" in text and "secret" not in text
    resource = json.loads(text.splitlines()[0])["resourceSpans"][0]["resource"]
    assert resource == {"attributes": [{"key": "service.name", "value": {"stringValue": "pump"}}]}


def test_what_the_caller_does_not_sample_is_not_recorded(tmp_path):
    traces = endpoint_traces.Traces(tmp_path / "spans")
    with traces.span("infer", [(b"traceparent", PARENT[:-1] + b"0")]) as span:
        span(rows=1)
    traces.close()
    assert not (tmp_path / "spans").exists()


def test_a_collector_is_sent_what_it_is_to_have_and_a_dead_one_stops_nothing():
    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *rest):
            pass

    got = []
    with http.server.HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/v1/traces"
        traces = endpoint_traces.Traces(url)
        with traces.span("infer", []):
            pass
        traces.close()
        server.shutdown()
        thread.join()
    assert got[0][0] == "/v1/traces" and len(spans(got[0][1].decode())) == 1
    dead = endpoint_traces.Traces(url)
    with dead.span("infer", []):
        pass
    dead.close()


def test_a_file_of_spans_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(endpoint_traces, "MOST_BYTES", 100)
    write = endpoint_traces._append(tmp_path / "spans")
    for number in range(5):
        write(b"%d" % number * 60)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["spans", "spans.1"]
    assert (tmp_path / "spans").read_bytes() == b"4" * 60
    with pytest.raises(errors.DataError, match="no such folder"):
        endpoint_traces.Traces(tmp_path / "none" / "spans")


def test_by_default_nothing_is_imported_and_nothing_recorded():
    code = (
        "import sys\nfrom flyball.site import endpoint_traces\ntraces = endpoint_traces.Traces()\n"
        "with traces.span('infer', []) as span:\n    span(rows=1)\ntraces.close()\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
