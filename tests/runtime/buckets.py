"""A server of one's own that speaks S3 for a test: moto on a free port, and a line to it that can be disturbed."""

import contextlib
import http.client
import http.server
import importlib.util
import os
import subprocess
import sys
import threading
import time

import pytest

needs_server = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("boto3", "moto", "flask", "flask_cors")),
    reason="moto[s3], flask, flask-cors or boto3 is not there (extra dev): nothing was taken from object storage",
)
ACCESS = {
    "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
}  # fmt: skip


class Line(http.server.ThreadingHTTPServer):
    """Passes requests on to a server; `plan` says what goes wrong with the next GETs of objects, one after another.

    "503" is answered instead; "cut" ends the line in the middle of the body; a callable is called before.
    """

    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), Passing)
        self.there, self.plan, self.gets = port, [], []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Passing(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.partition("?")[0]
        fault = ""
        if path.count("/") > 1:  # of an object, no listing
            self.server.gets.append(path)
            fault = self.server.plan.pop(0) if self.server.plan else ""
        elif self.server.plan[:1] == ["list 503"]:
            fault = self.server.plan.pop(0)[5:]
        if callable(fault):
            fault = fault() or ""
        if fault == "503":
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        there = http.client.HTTPConnection("127.0.0.1", self.server.there)
        there.request("GET", self.path, headers=dict(self.headers))
        answer = there.getresponse()
        body = answer.read()
        there.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "flip":
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
        if fault == "cut":
            self.close_connection = True

    def log_message(self, *_):
        pass


class Storage:
    """The server, a disturbed line to it, and a client that goes past the line."""

    def __init__(self, process, port):
        import boto3
        from botocore.config import Config

        self.process, self.line = process, Line(port)
        threading.Thread(target=self.line.serve_forever, daemon=True).start()
        self.environment = {**ACCESS, "AWS_ENDPOINT_URL": self.line.url}
        self.client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id="test", aws_secret_access_key="test",
            region_name="us-east-1", config=Config(s3={"addressing_style": "path"}),
        )  # fmt: skip

    def bucket(self, name):
        self.client.create_bucket(Bucket=name)
        return lambda key, text: self.client.put_object(
            Bucket=name, Key=key, Body=text if isinstance(text, bytes) else text.encode()
        )


@contextlib.contextmanager
def running(folder):
    """Start the server on a port that the system gives it, and end it."""
    script = (
        "import werkzeug.serving as serving\nimport moto.moto_server.werkzeug_app as app\n"
        "routed = app.DomainDispatcherApplication(app.create_backend_app)\n"
        "server = serving.make_server('127.0.0.1', 0, routed, threaded=True)\n"
        "print(server.server_port, flush=True)\nserver.serve_forever()\n"
    )
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=log, text=True,
            env={**os.environ, **ACCESS},
        )  # fmt: skip
    try:
        end = time.monotonic() + 60
        port = process.stdout.readline().strip()
        assert port.isdigit() and time.monotonic() < end, (folder / "moto.log").read_text()
        storage = Storage(process, int(port))
        yield storage
        storage.line.shutdown()
        storage.line.server_close()
        storage.client.close()
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
