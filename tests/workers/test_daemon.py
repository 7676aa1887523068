"""``recon daemon``: one process tree that runs on, takes up what was under way, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from s3_server import S3Server

RECON = [sys.executable, "-c", "from recon.cli import main; main()"]
#: A daemon that gives the check of its configuration so many seconds only.
HASTY = """
import sys
from workers.daemon import Daemon, DaemonOptions
def say(text):
    print(text, file=sys.stderr, flush=True)
Daemon(DaemonOptions(), say, check_s=float(sys.argv[1])).run()
"""
INVENTORY = """
dimensions: {n: {integers: "0..39", width: 3}}
expected_coverage: {nba: {data_types: {box: {path_patterns: ["box/{n}.json"]}}}}
"""
PROCESSES = ("control worker", "scan worker", "beat", "web")
KEYS = [b"box/%03d.json" % number for number in range(0, 40, 2)]


class House:
    """A folder with a configuration, and the daemons that run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.daemons: list[subprocess.Popen[bytes]] = []
        (folder / "inventory.yaml").write_text(INVENTORY)
        lake = folder / "lake" / "box"
        lake.mkdir(parents=True)
        for key in KEYS:
            (lake / Path(key.decode()).name).write_text("x")
        self.configure("lake: lake\n")

    def configure(self, text: str, loop: str = "") -> None:
        told = f"reconciliation_loop: {{health_check_port: {self.port}{loop and ', '}{loop}}}\n"
        (self.folder / "recon.yaml").write_text(f"inventory: inventory.yaml\n{text}{told}")

    def answer(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as found:
                return found.status
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return 0

    @property
    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("RECON_")}
        aws = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        return {**plain, **aws, "RECON_CONFIG": str(self.folder / "recon.yaml")}

    def daemon(self, *words: str) -> subprocess.Popen[bytes]:
        return self.started(*RECON, "daemon", *words)

    def started(self, *words: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        with (self.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                words,
                cwd=self.folder,
                env=environment or self.environment,
                stderr=log,
                start_new_session=True,
            )
        self.daemons.append(process)
        return process

    def recon(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*RECON, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text() if (self.folder / "log.txt").exists() else ""

    def wait_for(self, what: Callable[[], object], patience_s: float = 60) -> None:
        give_up_at = time.monotonic() + patience_s
        while not what():
            assert time.monotonic() < give_up_at, self.log[-3000:]
            time.sleep(0.05)

    def reports(self) -> list[dict]:
        paths = sorted((self.folder / ".recon" / "cycles").glob("*/report.json"))
        return [json.loads(path.read_text()) for path in paths]

    def pid_of(self, name: str) -> int:
        lines = [line for line in self.log.splitlines() if line.startswith(f"{name} started (process ")]
        return int(lines[-1].rpartition(" ")[2].rstrip(")"))

    def is_alive(self, name: str) -> bool:
        return Path(f"/proc/{self.pid_of(name)}").exists()

    def server_runs(self) -> bool:
        path = self.folder / ".recon" / "broker" / "running.lock"
        if not path.exists():
            return False
        with path.open() as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def close(self) -> None:
        for process in self.daemons:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(15)
                process.kill()
                process.wait()
        self.recon("down")


@pytest.fixture
def house(tmp_path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[House]:
    """A house whose daemon runs on from test to test."""
    made = House(tmp_path_factory.mktemp("house"))
    made.daemon()
    made.wait_for(made.reports)
    yield made
    made.close()


@pytest.fixture
def edited(running) -> Iterator[House]:
    """The running daemon's house, whose configuration is as it was afterwards."""
    yield running
    running.configure("lake: lake\n")


class SlowLake(S3Server):
    """Answers at once while a cycle is planned, which takes many requests, and slowly from then on."""

    def __init__(self, house: House, latency_s: float) -> None:
        self.house = house
        super().__init__(KEYS, latency_s=latency_s)

    @property
    def latency_s(self) -> float:
        return self._latency_s if open_cycles(self.house) else 0.0

    @latency_s.setter
    def latency_s(self, value: float) -> None:
        self._latency_s = value


@contextmanager
def slow_lake(house: House, latency_s: float = 3.0) -> Iterator[S3Server]:
    with SlowLake(house, latency_s) as server:
        house.configure(f"lake: s3://{server.bucket}\ns3: {{endpoint_url: {server.url}}}\n")
        yield server


def open_cycles(house: House) -> list[str]:
    return [path.parent.name for path in (house.folder / ".recon" / "cycles").glob("*/plan.json")]


def stopped(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> tuple[int, float]:
    began = time.monotonic()
    process.send_signal(number)
    return process.wait(30), time.monotonic() - began


def ends_with_nothing_left(house: House, process: subprocess.Popen[bytes]) -> None:
    code, took_s = stopped(process)
    assert code == 0
    assert took_s < 10
    assert not any(map(house.is_alive, PROCESSES))
    assert not house.server_runs()


def test_a_cycle_runs_at_once(running):
    assert running.reports()[0]["verdicts"]["missing"] == 20
    running.wait_for(lambda: all(map(running.is_alive, PROCESSES)))


def test_a_cycle_that_a_signal_stopped_is_taken_up_by_the_next_start(house):
    with slow_lake(house) as server:
        process = house.daemon()
        house.wait_for(lambda: open_cycles(house))
        ends_with_nothing_left(house, process)
        assert not house.reports()
        server.latency_s = 0.0
        house.daemon()
        house.wait_for(house.reports)
    (report,) = house.reports()
    assert report["cycle_id"] == open_cycles(house)[0]
    assert report["verdicts"]["missing"] == 20
    assert report["observed"]["shards"]["failed"] == 0


def test_a_killed_daemon_leaves_no_process_but_the_broker_which_the_next_one_takes_over(house):
    process = house.daemon()
    house.wait_for(house.reports)
    names = PROCESSES
    pids = [house.pid_of(name) for name in names]
    process.kill()
    process.wait()
    house.wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 20)
    process = house.daemon()
    house.wait_for(lambda: house.log.count("beat started") == 2)
    ends_with_nothing_left(house, process)


@pytest.mark.parametrize("name", PROCESSES)
def test_what_dies_is_started_again(running, name):
    before = running.log.count(f"{name} started")
    os.kill(running.pid_of(name), signal.SIGKILL)
    running.wait_for(lambda: running.log.count(f"{name} started") == before + 1)
    assert f"{name} ended (signal 9)" in running.log


def test_a_cycle_whose_scan_worker_dies_goes_on_with_the_next_one(house):
    with slow_lake(house) as server:
        house.daemon()
        house.wait_for(lambda: open_cycles(house))
        time.sleep(1.5)  # its shard is being looked at
        os.kill(house.pid_of("scan worker"), signal.SIGKILL)
        server.latency_s = 0.0
        house.wait_for(house.reports)
    (report,) = house.reports()
    assert report["verdicts"]["missing"] == 20
    assert report["observed"]["shards"]["failed"] == 0


def test_a_broker_that_dies_is_started_again_and_the_cycle_ends(house):
    with slow_lake(house, latency_s=1.0):
        house.daemon()
        house.wait_for(lambda: open_cycles(house))
        record = json.loads((house.folder / ".recon" / "broker" / "server.pid").read_text())
        os.kill(record["pid"], signal.SIGKILL)
        house.wait_for(house.reports, 100)
    assert house.reports()[0]["verdicts"]["missing"] == 20


def test_a_second_daemon_over_the_same_broker_is_refused_with_5(running):
    second = running.recon("daemon")
    assert second.returncode == 5
    assert "another daemon runs" in second.stderr


def test_a_second_signal_ends_it_at_once(house):
    with slow_lake(house, latency_s=1.5):
        process = house.daemon()
        house.wait_for(lambda: open_cycles(house))
        process.send_signal(signal.SIGTERM)
        house.wait_for(lambda: "stopping" in house.log)
        code, took_s = stopped(process)
    assert code == 143
    assert took_s < 2
    assert not any(map(house.is_alive, PROCESSES))


def test_a_wrong_configuration_is_told_and_the_last_good_one_stays(edited):
    edited.configure("lake: lake\n", "interval_minutes: soon")
    edited.daemons[0].send_signal(signal.SIGHUP)
    edited.wait_for(lambda: "recon.yaml:3:" in edited.log)
    assert "the last good one stays" in edited.log
    before = edited.log.count("scan worker started")
    os.kill(edited.pid_of("scan worker"), signal.SIGKILL)
    edited.wait_for(lambda: edited.log.count("scan worker started") == before + 1)
    time.sleep(2.0)  # it reads its settings meanwhile: the good ones
    assert edited.is_alive("scan worker")


def test_what_is_taken_up_is_what_was_checked_though_the_file_changes_meanwhile(edited):
    inventory = edited.folder / "inventory.yaml"
    inventory.unlink()
    os.mkfifo(inventory)
    edited.configure("lake: lake\n", "interval_minutes: 11")
    edited.daemons[0].send_signal(signal.SIGHUP)
    with inventory.open("w") as asked:  # opens when the check reads it
        edited.configure("lake: lake\n", "interval_minutes: soon")
        (edited.folder / "next.yaml").write_text(INVENTORY)
        (edited.folder / "next.yaml").replace(inventory)
        asked.write(INVENTORY)
    edited.wait_for(lambda: "a cycle every 11 min" in edited.log)
    time.sleep(2.0)  # the processes read their settings meanwhile
    assert all(map(edited.is_alive, PROCESSES))


def test_a_check_that_hangs_leaves_the_daemon_running(house):
    process = house.started(sys.executable, "-c", HASTY, "8")
    house.wait_for(house.reports)
    os.mkfifo(house.folder / "silent.yaml")
    told = (house.folder / "recon.yaml").read_text().replace("inventory.yaml", "silent.yaml")
    (house.folder / "recon.yaml").write_text(told)
    process.send_signal(signal.SIGHUP)
    house.wait_for(lambda: "the check takes over 8 s" in house.log)
    assert "the last good one stays" in house.log
    assert all(map(house.is_alive, PROCESSES))
    assert stopped(process)[0] == 0


def test_the_next_start_goes_on_with_a_configuration_that_only_the_flag_names(house):
    with slow_lake(house) as server:
        environment = {name: text for name, text in house.environment.items() if name != "RECON_CONFIG"}
        words = (*RECON, "daemon", "--config", "recon.yaml")
        process = house.started(*words, environment=environment)
        house.wait_for(lambda: open_cycles(house))
        assert stopped(process)[0] == 0
        server.latency_s = 0.0
        house.started(*words, environment=environment)
        house.wait_for(house.reports)
    assert len(open_cycles(house)) == 1


def test_health_is_told_while_it_runs(running):
    running.wait_for(lambda: running.answer("/readyz") == 200)
    assert running.answer("/healthz") == 200
    assert running.answer("/metrics") == 200


def test_another_lake_is_not_taken_up_by_a_running_daemon(edited):
    edited.configure("lake: elsewhere\n")
    edited.daemons[0].send_signal(signal.SIGHUP)
    edited.wait_for(lambda: "lake cannot change under a running daemon" in edited.log)


def test_a_good_configuration_is_taken_up_on_sighup(edited):
    edited.configure("lake: lake\n", "interval_minutes: 7")
    edited.daemons[0].send_signal(signal.SIGHUP)
    edited.wait_for(lambda: "a cycle every 7 min" in edited.log)


def test_a_wrong_configuration_at_the_start_is_an_error_and_nothing_runs(house):
    (house.folder / "inventory.yaml").write_text("expected_coverage: {nba: {data_typos: {}}}")
    refused = house.recon("daemon")
    assert refused.returncode == 2
    assert "data_typos" in refused.stderr
    assert not house.server_runs()


def test_flower_without_a_password_is_refused(house):
    refused = house.recon("daemon", "--flower")
    assert refused.returncode == 2
    assert "RECON_FLOWER_AUTH" in refused.stderr


def test_run_once_is_one_run(house):
    done = house.recon("daemon", "--run-once", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["dry_run"] is True
    assert report["verdicts"]["missing"] == 20


def test_the_flags_count_more_than_the_file(house):
    house.configure("lake: lake\n", "enabled: false")
    house.daemon("--interval-minutes", "90", "--dry-run")
    house.wait_for(house.reports)
    assert "a cycle every 90 min, dry" in house.log
    assert house.reports()[0]["dry_run"] is True


def test_where_no_cycle_is_scheduled_it_says_so(house):
    house.configure("lake: lake\n", "enabled: false")
    house.daemon()
    house.wait_for(lambda: "no cycle is scheduled" in house.log)


def test_no_cycle_begins_while_the_engine_is_paused(house):
    house.configure("lake: lake\n", "interval_minutes: 0.05")
    assert house.recon("pause", "--until", "1h", "--reason", "moving house").returncode == 0
    house.daemon()
    house.wait_for(lambda: re.findall(r"recon\.scheduled_cycle\[\S+ succeeded", house.log)[1:])
    assert not open_cycles(house)
    ended = house.recon("resume")
    assert "moving house" in ended.stdout
    house.wait_for(house.reports)
