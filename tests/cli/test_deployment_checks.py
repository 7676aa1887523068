"""The doctor tells a deployment's faults apart, each with what mends it."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from installation import CONTROL, SCAN, Site, site_in

from recon.cli import deployment_checks
from recon.cli.deployment_checks import _clocks, _engines, _flower, _shared, _versions, _web
from recon.diagnosis import Check, Status
from recon.settings import load_settings

AT = 1_790_000_000.0
SAID = {
    "at": AT,
    "version": "0.1.0",
    "lake": "s3://lake",
    "prefix": "recon",
    "state": "s3://state",
    "sees": True,
}


@pytest.fixture
def chosen(tmp_path):
    (tmp_path / "recon.yaml").write_text(
        "lake: s3://lake\nstate: s3://state\nbroker: redis://localhost:6379/0\n"
        "reconciliation_loop: {health_check_port: 1}\n"
    )
    return load_settings("recon.yaml", {}, cwd=tmp_path)


def is_wrong(check: Check, status: Status, *words: str) -> None:
    assert check.status is status
    assert check.fix
    assert all(word in check.found for word in words), check.found


def test_a_worker_of_another_lake_over_this_broker_fails(chosen):
    assert _engines(chosen, {"scan@a": SAID}).status is Status.OK
    other = _engines(chosen, {"scan@a": SAID, "scan@b": {**SAID, "lake": "s3://other"}})
    is_wrong(other, Status.FAIL, "scan@b", "s3://other")
    is_wrong(_engines(chosen, {"scan@b": {**SAID, "prefix": "two"}}), Status.FAIL, "under two")


def test_a_worker_that_does_not_see_the_state_fails(chosen):
    assert _shared(chosen, {"scan@a": SAID}).status is Status.OK
    is_wrong(_shared(chosen, {"scan@a": SAID, "scan@b": {**SAID, "sees": False}}), Status.FAIL, "scan@b")
    broken = {"scan@c": {**SAID, "sees": False, "problem": "no rights"}}
    is_wrong(_shared(chosen, broken), Status.FAIL, "no rights")


def test_workers_of_two_versions_are_told():
    assert list(_versions({"a": SAID, "b": SAID})) == []
    (found,) = _versions({"a": SAID, "b": {**SAID, "version": "0.2.0"}})
    is_wrong(found, Status.WARN, "1 of 0.1.0", "1 of 0.2.0")


@pytest.mark.parametrize("skew_s", [-3600.0, 30.0])
def test_a_worker_s_clock_that_is_wrong_is_told(skew_s):
    assert _clocks({"a": {**SAID, "at": AT + 1}}, AT).status is Status.OK
    is_wrong(_clocks({"a": {**SAID, "at": AT + skew_s}}, AT), Status.WARN, f"{skew_s:+.0f} s")


@contextmanager
def page(status: int) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_flower_that_asks_nobody_fails_and_one_that_is_wanted_and_away_is_told(monkeypatch):
    monkeypatch.setattr(deployment_checks, "PORT", 1)
    monkeypatch.delenv("RECON_FLOWER_AUTH", raising=False)
    assert list(_flower()) == []
    monkeypatch.setenv("RECON_FLOWER_AUTH", "keeper:word")
    (away,) = _flower()
    is_wrong(away, Status.WARN, "nobody answers")
    for status, expected in ((401, Status.OK), (200, Status.FAIL)):
        with page(status) as port:
            monkeypatch.setattr(deployment_checks, "PORT", port)
            (found,) = _flower()
        assert found.status is expected


def test_health_that_nobody_answers_for_is_told(chosen):
    is_wrong(_web(chosen), Status.WARN, "127.0.0.1:1", "nobody answers")


def doctor(site: Site) -> dict[str, dict]:
    done = subprocess.run(
        [sys.executable, "-c", "from recon.cli import main; main()", "doctor", "--json"],
        cwd=site.folder, env=site.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {check["name"]: check for check in json.loads(done.stdout)}


def test_a_state_that_a_worker_does_not_see_is_found_in_a_real_deployment(tmp_path):
    with site_in(tmp_path) as site:
        site.start(*CONTROL)
        apart = tmp_path / "apart.yaml"
        apart.write_text((tmp_path / "recon.yaml").read_text() + f"state: {tmp_path / 'elsewhere'}\n")
        site.start(*SCAN, config=apart)
        found: dict[str, dict] = {}

        def both_answer() -> bool:
            found.update(doctor(site))
            return "2 workers" in found.get("engines", {"found": ""})["found"]

        site.wait_for(both_answer)
        assert found["shared state"]["status"] == "fail"
        assert "scan@" in found["shared state"]["found"]
        assert "control@" not in found["shared state"]["found"]
        assert found["beat"]["status"] == "fail"
