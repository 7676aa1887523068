"""The site tells what is wrong also while no worker can: the broker is away, and beat's tasks with it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    server.told = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_a_broker_that_is_away_is_told_by_the_site(tmp_path, receiver):
    (tmp_path / "inventory.yaml").write_text("expected_coverage: {}\n")
    (tmp_path / "recon.yaml").write_text(
        "lake: lake\ninventory: inventory.yaml\nstate_shared: true\nbroker: redis://127.0.0.1:1/0\n"
        f"notifications: {{enabled: true}}\nreconciliation_loop: {{health_check_port: {free_port()}}}\n"
    )
    soon = "import recon.alarm as a, recon.core.alerting as b; a.REST_S, b._PATIENCE = 0.2, {}"
    code = f"{soon}; from workers import serving; serving.ALERT_EVERY_S = 0.5; serving.main()"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RECON_")}
    told = {
        "RECON_CONFIG": str(tmp_path / "recon.yaml"),
        "RECON_ALERT_URLS": f"json://127.0.0.1:{receiver.server_port}",
    }
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**plain, **told},
        stderr=subprocess.PIPE,
    ) as process:
        try:
            give_up_at = time.monotonic() + 60
            while "broker unreachable" not in json.dumps(receiver.told):
                assert time.monotonic() < give_up_at
                assert process.poll() is None, process.stderr.read().decode()
                time.sleep(0.1)
        finally:
            process.terminate()
