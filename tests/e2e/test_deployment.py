"""The commands of Procfile, compose and the units, run for real: they work, answer, and stop when told."""

from __future__ import annotations

import base64
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from deployment_files import compose, procfile
from installation import GONE, Site, site_in

from recon.cli import COMMANDS

PASSWORD = "canary-0f6e1c"
USERS = f"keeper:{PASSWORD}"
#: compose's stop_grace_period and the units' TimeoutStopSec.
GRACE_S = 30.0
HAS_WEB = "serve" in COMMANDS
PROCESSES = {name: one for name, one in procfile().items() if name != "web" or HAS_WEB}


@dataclass
class Life:
    """What was seen of one deployment, from its start to its end."""

    site: Site
    flower_port: int
    health: dict[str, int] = field(default_factory=dict)
    doctor: tuple[int, list[dict]] = (0, [])
    flower: dict[str, tuple[int, str]] = field(default_factory=dict)
    ended: dict[str, tuple[int, float]] = field(default_factory=dict)
    queued: set[str] = field(default_factory=set)
    shown: str = ""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as own:
        return own.getsockname()[1]


def got(port: int, path: str, users: str | None) -> tuple[int, str]:
    headers = {"Authorization": f"Basic {base64.b64encode(users.encode()).decode()}"} if users else {}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def begun(site: Site, flower_port: int) -> dict[str, subprocess.Popen[bytes]]:
    found = {}
    for name, process in PROCESSES.items():
        more = ["--port", str(flower_port)] if name == "flower" else []
        with (site.folder / "log.txt").open("ab") as log:
            found[name] = subprocess.Popen(
                [*process.argv, *more],
                cwd=site.folder,
                env={**site.environment, **process.variables, "RECON_FLOWER_AUTH": USERS},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    site.processes.extend(found.values())
    return found


def health_of(site: Site, name: str, ports: dict[str, str]) -> int:
    words = compose()["services"][name]["healthcheck"]["test"][1:]
    words = [ports.get(word, word) for word in words]
    for old, new in ports.items():
        words = [word.replace(old, new) for word in words]
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=site.folder, env=site.environment, capture_output=True, check=False
    )
    return done.returncode


@pytest.fixture(scope="module")
def life(tmp_path_factory) -> Iterator[Life]:
    with site_in(tmp_path_factory.mktemp("deployment")) as site:
        web, flower = free_port(), free_port()
        loop = f"reconciliation_loop: {{interval_minutes: 0.05, health_check_port: {web}}}\n"
        site.configure(loop)
        seen = Life(site, flower)
        processes = begun(site, flower)
        site.wait_for(lambda: answers(flower) and (not HAS_WEB or answers(web)))
        heard = ("recon:cycle:consumed", "control")
        site.wait_for(lambda: site.reports() and site.settled() and site.server.client.hexists(*heard))
        seen.queued = site.queued()
        ports = {":8050": f":{web}", ":5555": f":{flower}"}
        for name in PROCESSES:
            seen.health[name] = health_of(site, name, ports)
        done = subprocess.run(
            [sys.executable, "-c", "from recon.cli import main; main()", "doctor", "--json"],
            cwd=site.folder,
            env={**site.environment, "RECON_FLOWER_AUTH": USERS},
            capture_output=True,
            text=True,
            check=False,
        )
        seen.doctor = (done.returncode, json.loads(done.stdout))
        seen.flower["stranger"] = got(flower, "/api/tasks", None)
        seen.flower["guesser"] = got(flower, "/api/tasks", "keeper:guess")
        for path in ("/api/tasks", "/api/workers?refresh=1", "/tasks", "/broker", "/metrics"):
            seen.flower[path] = got(flower, path, USERS)
        seen.shown = subprocess.run(
            ["ps", "-axww", "-o", "args"], capture_output=True, text=True, check=True
        ).stdout
        stopped_at = time.monotonic()
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for name, process in processes.items():
            code = process.wait(GRACE_S)
            seen.ended[name] = (code, time.monotonic() - stopped_at)
        yield seen


def test_the_deployment_runs_cycles_by_its_schedule(life):
    assert life.queued == GONE
    assert all(report["verdicts"]["missing"] == len(GONE) for report in life.site.reports())


@pytest.mark.parametrize("name", PROCESSES)
def test_the_health_check_of_compose_finds_each_process_well(life, name):
    assert life.health[name] == 0


@pytest.mark.parametrize("name", PROCESSES)
def test_each_process_ends_with_0_within_the_grace_time(life, name):
    code, after_s = life.ended[name]
    assert code == 0, (life.site.folder / "log.txt").read_text()[-3000:]
    assert after_s < GRACE_S


def test_a_worker_that_is_gone_is_found_unwell(life):
    assert health_of(life.site, "scan", {}) == 1


def test_the_doctor_finds_every_part_of_it_well(life):
    code, checks = life.doctor
    wrong = [check for check in checks if check["status"] != "ok" and check["name"] not in {"web", "flower"}]
    assert wrong == []
    assert code == 0
    assert {"engines", "shared state", "workers' clocks", "beat"} <= {check["name"] for check in checks}


@pytest.mark.parametrize("who", ["stranger", "guesser"])
def test_flower_tells_nothing_without_the_password(life, who):
    status, text = life.flower[who]
    assert status == 401
    assert "recon" not in text


def test_flower_shows_a_cycle_s_tasks_by_name_with_the_ids_of_cycle_and_shard(life):
    status, text = life.flower["/api/tasks"]
    tasks = list(json.loads(text).values())
    assert status == 200
    by_name = {task["name"]: task for task in tasks}
    assert {"recon.begin", "recon.scan_shard", "recon.finish"} <= set(by_name)
    shown = re.fullmatch(
        r"\((\d{8}T\d{6}-[0-9a-f]{6}), ([0-9a-f]{16})\)", by_name["recon.scan_shard"]["args"]
    )
    assert shown
    assert by_name["recon.scan_shard"]["uuid"] == f"{shown[1]}:{shown[2]}"
    begun = re.fullmatch(r"\((\d{8}T\d{6}-[0-9a-f]{6}), …\)", by_name["recon.begin"]["args"])
    assert begun
    assert not {"recon.tend", "recon.watchdog", "recon.alert"} & set(by_name)  # they would bury the others
    assert by_name["recon.begin"]["uuid"].startswith(f"{begun[1]}:begin:")
    assert by_name["recon.begin"]["routing_key"] == "recon.control"
    assert {task["state"] for task in tasks if task["name"] == "recon.scan_shard"} == {"SUCCESS"}


def test_flower_shows_who_works_on_which_queue(life):
    status, text = life.flower["/api/workers?refresh=1"]
    assert status == 200
    queues = {
        worker.partition("@")[0]: [queue["name"] for queue in one["active_queues"]]
        for worker, one in json.loads(text).items()
    }
    assert queues == {"control": ["recon.control"], "scan": ["recon.scan"]}


def test_the_password_is_shown_by_no_page_no_log_and_no_list_of_processes(life):
    pages = "".join(text for _, text in life.flower.values())
    assert PASSWORD not in pages + life.shown + (life.site.folder / "log.txt").read_text()
