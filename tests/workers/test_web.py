"""`recon serve`, as a process of its own over a real state and a real Valkey."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from steps_place import breakable, own_valkey, place

from recon import access
from recon.claim_books import open_claims
from workers import steps

__all__ = ["breakable", "own_valkey", "place"]

HOSTILE = '<script>document.title="owned"</script>"\'\u202e\x07&\n'
RECON = (sys.executable, "-c", "from recon.cli import main; main()")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def run_cycle(place) -> None:
    cycle_id = access.new_cycle_id(datetime.now(UTC))
    place.scanned(cycle_id)
    steps.finish(cycle_id)
    steps.note_consumed("control")


@contextmanager
def serving(place, *words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run ``recon serve`` on a free port; give its address and its process."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from recon.cli import main; main()",
            "serve",
            "--port",
            "0",
            "--json",
            *words,
        ],
        cwd=place.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        said = "".join(process.stdout.readline() for _ in range(3))
        assert said, process.stderr.read() if process.stderr else ""
        yield json.loads(said)["listening"], process
    finally:
        process.kill()
        process.communicate()


def get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def metric(text: str, sample: str) -> float:
    return float(next(line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(f"{sample} ")))


def test_an_engine_that_makes_progress_is_ready_and_measured(place):
    run_cycle(place)
    with serving(place) as (address, _):
        assert get(f"{address}healthz")[0] == 200
        status, body = get(f"{address}readyz")
        assert status == 200, body
        document = json.loads(body)
        assert document["status"] == "ok"
        assert set(document["checks"]) == {
            "facts", "broker", "state", "last consumed", "last cycle", "lake", "shards", "brake",
        }  # fmt: skip
        text = get(f"{address}metrics")[1]
        assert metric(text, "recon_ready") == metric(text, "recon_broker_up") == 1
        assert metric(text, 'recon_verdicts{data_type="box",source="nba",verdict="missing"}') == 5
        shown = json.loads(get(f"{address}page.json")[1])
        assert [row["data_type"] for row in shown["coverage"]] == ["box"]
        assert get(f"{address}nothing")[0] == 404


def test_a_killed_broker_makes_it_unready_at_once_and_metrics_still_answer(breakable):
    run_cycle(breakable)
    with serving(breakable) as (address, _):
        assert get(f"{address}readyz")[0] == 200
        breakable.server.kill()
        time.sleep(4.2)  # facts are fresh for 4 s
        began = time.monotonic()
        status, body = get(f"{address}readyz")
        assert time.monotonic() - began < 12
        assert status == 503
        assert not json.loads(body)["checks"]["broker"]["ok"]
        assert get(f"{address}healthz")[0] == 200
        text = get(f"{address}metrics")[1]
        assert metric(text, "recon_broker_up") == 0
        assert metric(text, 'recon_condition_active{condition="broker unreachable"}') == 1
        assert metric(text, "recon_objects") == 25
        assert get(address)[0] == 200


def test_a_server_that_hangs_keeps_nobody_waiting(breakable):
    run_cycle(breakable)
    with serving(breakable) as (address, _):
        assert get(f"{address}readyz")[0] == 200
        os.kill(breakable.server.pid, signal.SIGSTOP)
        try:
            time.sleep(4.2)
            for path in ("readyz", "metrics", ""):
                began = time.monotonic()
                get(f"{address}{path}")
                assert time.monotonic() - began < 12
        finally:
            os.kill(breakable.server.pid, signal.SIGCONT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_it_with_0(place, number):
    with serving(place) as (_, process):
        process.send_signal(number)
        assert process.wait(timeout=10) == 0


def test_the_second_signal_ends_it_at_once(breakable):
    with serving(breakable) as (address, process):
        assert get(f"{address}healthz")[0] == 200
        os.kill(breakable.server.pid, signal.SIGSTOP)
        try:
            host, port = address.removeprefix("http://").rstrip("/").split(":")
            with socket.create_connection((host, int(port))) as waiting:
                waiting.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")  # takes as long as a look: 1.5 s
                time.sleep(0.3)
                process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=5) == 143
        finally:
            os.kill(breakable.server.pid, signal.SIGCONT)


def test_a_port_in_use_is_told_with_what_to_do(place):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*RECON, "serve", "--port", port],
            cwd=place.folder, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "--port" in done.stderr


def test_an_address_that_is_not_loopback_works_and_warns_once(place):
    with serving(place, "--host", "0.0.0.0") as (address, process):
        assert get(f"{address}healthz".replace("0.0.0.0", "127.0.0.1"))[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.stderr
        assert process.stderr.read().count("is not loopback") == 1


def hostile(place) -> None:
    run_cycle(place)
    ports = steps.engine().ports
    with open_claims(ports.queue, ports.state) as claims:
        claims.pause(HOSTILE, "a person", HOSTILE, datetime.now(UTC))


def test_hostile_names_stay_text(place):
    hostile(place)
    with serving(place) as (address, _):
        html, text = get(address)[1], get(f"{address}metrics")[1]
        assert "<script>document" not in html
        assert "&lt;script&gt;document" in html
        assert "\x07" not in html
        (line,) = [line for line in text.splitlines() if line.startswith("recon_scraper_paused{")]
        assert line.endswith(" 1.0")


def test_the_page_works_in_chromium_asks_nobody_else_and_renews_itself(place, tmp_path):
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH")
    hostile(place)
    with serving(place) as (address, _):
        log = tmp_path / "net.json"
        done = subprocess.run(
            [
                *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
                *("--no-first-run", "--disable-background-networking", f"--user-data-dir={tmp_path}/profile"),
                *("--enable-logging=stderr", f"--log-net-log={log}", "--virtual-time-budget=25000"),
                *("--dump-dom", address),
            ],
            capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
    assert "What is wrong" in done.stdout, done.stderr
    assert "<title>(1) recon</title>" in done.stdout
    assert 'role="status"></span>' in done.stdout, "a refresh failed"
    assert not re.findall(r"CONSOLE.*", done.stderr)
    events = json.loads(log.read_text())["events"]
    asked = {
        event["params"]["url"]
        for event in events
        if address.rstrip("/") == event.get("params", {}).get("initiator") and "url" in event["params"]
    }
    assert asked == {address}
