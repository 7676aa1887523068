"""``recon work`` as people and supervisors run it: a process with flags, signals and exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from in_process import Done, called
from redis_servers import binary_of, running
from terminal import shown
from work_place import WorkPlace, wait_for

from recon.model import TaskState

RECON = [sys.executable, "-c", "from recon.cli import main; main()"]
CANARY = "c4nary-c4nary"
INVENTORY = """
dimensions: {g: {values: [a, b]}}
expected_coverage: {src: {scraper: nba, data_types: {box: {path_patterns: ["box/{g}.json"]}}}}
"""


@pytest.fixture(scope="module")
def valkey():
    with running(binary_of("valkey-9")) as server:
        yield server


@pytest.fixture
def place(valkey, tmp_path):
    valkey.client.flushall()
    made = WorkPlace(valkey, tmp_path)
    made.url = valkey.url
    yield made
    made.broker.close()


def configure(place: WorkPlace, command: list[str], more: str = "", settings: str = "") -> None:
    scrapers = f"scrapers:\n  nba: {{command: {json.dumps(command)}, {more}}}\n"
    text = f"lake: file:///lake\ninventory: inventory.yaml\nbroker: {place.url}\n{settings}"
    (place.folder / "recon.yaml").write_text(text + (scrapers if command else ""))
    (place.folder / "inventory.yaml").write_text(INVENTORY)


def environment() -> dict[str, str]:
    plain = {name: text for name, text in os.environ.items() if not name.startswith("RECON_")}
    return {**plain, "RECON_CONFIG": "recon.yaml", "SITE_API_KEY": CANARY}


def recon(place: WorkPlace, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RECON, *words],
        cwd=place.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def started(place):
    workers: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        worker = subprocess.Popen(
            [*RECON, "work", *words],
            cwd=place.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.communicate()


def is_alive(file: Path) -> bool:
    with suppress(OSError):
        stat = Path(f"/proc/{int(file.read_text())}/stat").read_text()
        return "Z" not in stat.rpartition(")")[2].split()[0]
    return False


def test_once_works_until_the_queues_are_empty_and_says_what_it_did(place):
    tasks = [place.put(), place.put([{"g": "2"}])]
    configure(place, ["sh", "-c", '[ "$1" = 1 ] && exit; echo broken >&2; exit 3', "sh", "{g}"])
    done = recon(place, "work", "--once")
    assert done.returncode == 0
    head, row = (line.split() for line in done.stdout.splitlines())
    assert dict(zip(head, row, strict=True)) == {
        **dict.fromkeys(("absent", "released", "held", "gone", "poison"), "0"),
        "scraper": "nba",
        "runs": "2",
        "done": "1",
        "failed": "1",
        "keys": "1",
    }
    assert "nba: 1 task, 1 key: ended well" in done.stderr
    assert "nba: 1 task, 1 key: exit status 3: broken" in done.stderr
    assert place.states() == {tasks[0]: TaskState.CLAIMED, tasks[1]: TaskState.COOLING}
    again = recon(place, "work", "--once", "--json")
    assert json.loads(again.stdout)["totals"]["runs"] == 0


def test_print_shows_what_would_run_and_leases_nothing(place):
    first, second = place.put([{"g": "it's; a"}], level="low"), place.put([{"g": "b"}])
    place.put([{"x": "1"}], keys=["odd"])
    more = f"per: source, env: {{TZ: UTC, TOKEN: {CANARY}}}, cwd: /srv/nba"
    configure(place, ["python", "x.py", "{items.g...}", "{keys_file}"], more)
    before = place.outstanding()
    done = recon(place, "work", "--print")
    assert done.returncode == 0
    assert done.stdout.splitlines()[:4] == [
        "nba: high, 2 tasks, 2 items",
        "  python x.py b 'it'\"'\"'s; a' '{keys_file}'",
        "  in /srv/nba, with TZ=UTC TOKEN=***",
        f"  settles {second} {first}",
    ]
    assert done.stdout.splitlines()[4].startswith("held: nba: task ")
    (run,) = json.loads(recon(place, "work", "--print", "--json").stdout)["runs"]
    assert run["argv"] == ["python", "x.py", "b", "it's; a", "{keys_file}"]
    assert place.outstanding() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_gives_back_what_is_unfinished_and_exits_0(place, started, number):
    task = place.put()
    configure(place, ["sh", "-c", "echo $$ > pid; while :; do sleep 0.1; done"])
    worker = started("--json")
    wait_for((place.folder / "pid").exists)
    begun = time.monotonic()
    worker.send_signal(number)
    out, err = worker.communicate(timeout=60)
    assert (worker.returncode, time.monotonic() - begun < 10) == (0, True), err
    assert json.loads(out)["totals"]["released"] == 1
    assert (place.states(), place.outstanding()[task].attempts) == ({task: TaskState.READY}, 0)
    assert not is_alive(place.folder / "pid")


def test_the_second_signal_ends_everything_at_once(place, started):
    task = place.put()
    configure(place, ["sh", "-c", "trap 'touch told' TERM; echo $$ > pid; while :; do sleep 0.1; done"])
    worker = started()
    wait_for((place.folder / "pid").exists)
    worker.terminate()
    wait_for((place.folder / "told").exists)
    begun = time.monotonic()
    worker.terminate()
    assert worker.wait(timeout=60) == 143
    assert time.monotonic() - begun < 3
    wait_for(lambda: not is_alive(place.folder / "pid"))
    assert place.states() == {task: TaskState.LEASED}


def test_a_killed_worker_leaves_no_scraper_and_its_task_comes_back(place, started):
    task = place.put()
    configure(place, ["sh", "-c", "trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done"])
    worker = started()
    wait_for((place.folder / "pid").exists)
    worker.kill()
    worker.communicate()
    wait_for(lambda: not is_alive(place.folder / "pid"))
    place.end_lease(task)
    place.client.zadd("recon:q:cool", {task: 1}, xx=True)
    configure(place, ["true"])
    assert recon(place, "work", "--once").returncode == 0
    assert place.states() == {task: TaskState.CLAIMED}


def test_workers_that_are_killed_again_and_again_lose_no_task(place, started):
    tasks = [place.put([{"g": str(number)}]) for number in range(24)]
    command = ["sh", "-c", 'sleep 0.1; echo "$1" >> runs; touch "filled-$1"', "sh", "{g}"]
    configure(place, command, "concurrency: 2")
    for killed in (4, 9):
        worker = started()
        wait_for(lambda most=killed: len(place.lines("runs")) >= most)
        worker.kill()
        worker.communicate()
        for task, state in place.states().items():
            if state is TaskState.LEASED:
                place.end_lease(task)
        for task in place.client.zrange("recon:q:cool", 0, -1):
            place.client.zadd("recon:q:cool", {task: 1})
    assert recon(place, "work", "--once").returncode == 0
    assert place.states() == dict.fromkeys(tasks, TaskState.CLAIMED)
    assert {file.name for file in place.folder.glob("filled-*")} == {f"filled-{n}" for n in range(24)}
    assert len(place.lines("runs")) <= 24 + 2 * 2  # what was settled is not run again


def test_no_secret_reaches_a_result_the_terminal_or_the_engines_own_address_a_scraper(place):
    place.put()
    configure(place, ["sh", "-c", 'echo "denied $SITE_API_KEY $RECON_REDIS_URL" >&2; exit 1'])
    done = recon(place, "work", "--once", "--json")
    assert CANARY not in done.stdout + done.stderr
    (result,) = place.results()
    assert result["error"] == "exit status 1: denied ***"


def test_one_that_cannot_start_is_exit_1_with_once(place):
    place.put()
    configure(place, ["no-such-program"])
    done = recon(place, "work", "--once", "--json")
    assert done.returncode == 1
    assert "cannot start no-such-program" in json.loads(done.stdout)["unable"]["nba"]


@pytest.mark.parametrize(
    ("command", "settings", "words", "message"),
    [
        ([], "", (), "no scrapers are configured"),
        (["true"], "task_queue: {mode: file}\n", (), "task_queue.mode is 'file'"),
        (["true"], "", ("--scraper", "nbaa"), "no scraper 'nbaa' is configured; did you mean 'nba'?"),
        (["true"], "", ("--jobs", "0"), "x>=1"),
    ],
)
def test_what_cannot_be_worked_on_is_exit_2(place, command, settings, words, message):
    configure(place, command, settings=settings)
    done = recon(place, "work", "--once", *words)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_terminal_shows_a_board_and_the_table_is_left(place):
    place.put()
    configure(place, ["sh", "-c", "sleep 0.6"])
    seen = shown(place.folder, "work", "--once", environment={"RECON_CONFIG": "recon.yaml"})
    assert seen.code == 0
    assert "running" in seen.terminal
    assert "nba: 1 task, 1 key: ended well" in seen.terminal
    assert "poison" in seen.terminal


def test_spiders_get_a_redis_of_their_own_or_nothing_is_run(place):
    def work(redis: str, flag: str) -> Done:
        ask = f"scrapers:\n  nba: {{scrapy: {{spider: s, url: 'http://s/{{g}}'}}, env: {{{redis}}}}}\n"
        (place.folder / "recon.yaml").write_text(text + ask)
        return called(place.folder, ("work", flag, "--config", "recon.yaml"))

    place.put([{"g": "a b"}])
    configure(place, [])
    text = (place.folder / "recon.yaml").read_text()
    refused = work("", "--once")
    assert (refused.returncode, place.states()) == (2, dict.fromkeys(place.states(), TaskState.READY))
    assert "recon.yaml:5:3: SCRAPY_REDIS_URL is not set; expected the Redis that the spider" in refused.stderr
    refused = work(f"SCRAPY_REDIS_URL: '{place.url}'", "--once")
    assert "recon.yaml:5:3: SCRAPY_REDIS_URL: it is the database of the engine's queues" in refused.stderr
    assert "  asks for http://s/a%20b\n" in work(f"SCRAPY_REDIS_URL: '{place.url}?db=1'", "--print").stdout
