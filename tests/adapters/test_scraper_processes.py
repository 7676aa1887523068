"""Scrapers as real processes: how each can end, and that nothing of them is ever left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

import pytest

from recon.adapters.scrapers import ScraperProcesses
from recon.errors import ArgumentsTooLongError, CannotStartError
from recon.ports import Command

PATIENCE_S = 30
GRACE_S = 0.5


@pytest.fixture
def processes():
    environment = {"PATH": os.environ["PATH"], "API_KEY": "canary-secret"}
    with ScraperProcesses(environment, secret_texts=("canary-secret",), grace_s=GRACE_S) as made:
        yield made


def command(*argv: str, cwd: Path | str = ".", timeout_s: float = 60, **changed) -> Command:
    return Command(argv=argv, cwd=str(cwd), env=changed.pop("env", {}), timeout_s=timeout_s, **changed)


def sh(script: str, *values: str, **settings) -> Command:
    return command("sh", "-c", script, "sh", *values, **settings)


def ended(processes, order, *, stop_when=None):
    told = SimpleQueue()
    process = processes.start(order, told.put)
    if stop_when is not None:
        wait_for(stop_when)
        process.stop()
    return told.get(timeout=PATIENCE_S)


def wait_for(what):
    give_up_at = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


def pid_in(file: Path) -> int:
    return int(file.read_text()) if file.exists() and file.read_text().strip() else 0


def test_a_scraper_gets_its_arguments_its_folder_and_its_environment(processes, tmp_path):
    script = 'printf "%s|" "$PWD" "$A" "$1" "$2" >&2'
    end = ended(processes, sh(script, "two words", "a;b", cwd=tmp_path, env={"A": "it's"}))
    assert (end.status, end.tail) == (0, f"{tmp_path}|it's|two words|a;b|")


def test_keys_and_results_go_through_files_that_are_removed(processes):
    keys, results = f"{processes.folder}/1.keys", f"{processes.folder}/1.results"
    order = sh('cat "$1" > "$2"', keys, results, keys_file=keys, keys=("a b", "ü"), result_file=results)
    assert ended(processes, order).results == "a b\nü\n"
    assert list(Path(processes.folder).iterdir()) == []


def test_a_failure_has_its_status_and_the_end_of_its_stderr(processes):
    end = ended(processes, sh("echo out; yes x | head -c 100000 >&2; echo 'it broke' >&2; exit 3"))
    assert (end.status, end.stopped, end.timed_out) == (3, False, False)
    assert end.tail.endswith("x\nit broke\n")
    assert len(end.tail) <= 4096


def test_without_stderr_the_end_of_stdout_is_told(processes):
    assert ended(processes, sh("echo only this; exit 1")).tail == "only this\n"


def test_no_secret_of_the_environment_is_told(processes):
    end = ended(processes, sh('echo "denied: $API_KEY at https://u:pw@host/?token=abc" >&2; exit 1'))
    assert end.tail == "denied: *** at https://***@host/?token=***\n"


def test_a_scraper_that_hangs_is_ended_after_its_time(processes):
    end = ended(processes, sh("sleep 600", timeout_s=0.3))
    assert end.timed_out
    assert end.words.startswith("timed out after 0.3 s")


def test_one_that_ignores_sigterm_is_killed_after_the_grace(processes, tmp_path):
    started = time.monotonic()
    script = f"trap '' TERM; touch {tmp_path}/ready; while :; do sleep 0.1; done"
    end = ended(processes, sh(script), stop_when=(tmp_path / "ready").exists)
    assert (end.status, end.stopped) == (-signal.SIGKILL, True)
    assert time.monotonic() - started >= GRACE_S


def test_one_that_obeys_sigterm_has_the_time_to_say_what_it_did(processes, tmp_path):
    results = f"{processes.folder}/1.results"
    script = (
        f"trap 'echo said > {results}; exit 0' TERM; touch {tmp_path}/ready; while :; do sleep 0.05; done"
    )
    end = ended(processes, sh(script, result_file=results), stop_when=(tmp_path / "ready").exists)
    assert (end.status, end.stopped, end.results) == (0, True, "said\n")


@pytest.mark.parametrize("leader", ["wait", "exit 0"], ids=["waits", "leaves-it-behind"])
def test_what_a_scraper_started_ends_with_it(processes, tmp_path, leader):
    child = tmp_path / "child"
    script = (
        f"(trap '' TERM; sh -c 'echo $PPID' > {child}; while :; do sleep 0.1; done) & sleep 0.2; {leader}"
    )
    stop_when = (lambda: pid_in(child)) if leader == "wait" else None
    ended(processes, sh(script), stop_when=stop_when)
    assert pid_in(child)
    assert not is_alive(pid_in(child))


def test_output_of_what_left_the_group_is_not_waited_for(processes):
    code = "import os, subprocess; p = subprocess.Popen(['sleep', '3'], start_new_session=True); os._exit(0)"
    started = time.monotonic()
    assert ended(processes, command(sys.executable, "-c", code)).status == 0
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (
            command("no-such-scraper"),
            "cannot start no-such-scraper: No such file or directory. Next: install",
        ),
        (command("true", cwd="/no/such/folder"), "its cwd /no/such/folder is no folder on this host"),
        (command("/etc/passwd"), "cannot start /etc/passwd: Permission denied"),
    ],
)
def test_one_that_cannot_be_started_says_why(processes, order, message):
    with pytest.raises(CannotStartError) as caught:
        processes.start(order, print)
    assert message in str(caught.value)


def test_arguments_that_are_too_long_are_told(processes):
    with pytest.raises(ArgumentsTooLongError, match="keys_file"):
        processes.start(command("true", "x" * 300_000), print)


def test_leaving_ends_what_still_runs_and_removes_the_folder(tmp_path):
    with ScraperProcesses({"PATH": os.environ["PATH"]}, grace_s=GRACE_S) as processes:
        folder = Path(processes.folder)
        processes.start(sh(f"trap '' TERM; echo $$ > {tmp_path}/pid; sleep 600"), lambda _: None)
        wait_for(lambda: pid_in(tmp_path / "pid"))
    wait_for(lambda: not is_alive(pid_in(tmp_path / "pid")))
    assert not folder.exists()


WORKER = """
import sys, time
from recon.adapters.scrapers import ScraperProcesses
from recon.ports import Command
with ScraperProcesses({{"PATH": {path!r}}}, grace_s=0.5) as processes:
    for script in sys.argv[1:]:
        processes.start(Command(("sh", "-c", script), ".", {{}}, 600), print)
    print(processes.folder, flush=True)
    time.sleep(600)
"""


def test_scrapers_do_not_outlive_a_worker_that_is_killed(tmp_path):
    stubborn = f"trap '' TERM; echo $$ > {tmp_path}/stubborn; while :; do sleep 0.1; done"
    escaped = f"setsid sh -c 'echo $$ > {tmp_path}/escaped; sleep 600'"
    code = WORKER.format(path=os.environ["PATH"])
    with subprocess.Popen([sys.executable, "-c", code, stubborn, escaped], stdout=subprocess.PIPE) as worker:
        pids = [tmp_path / "stubborn", tmp_path / "escaped"]
        wait_for(lambda: all(map(pid_in, pids)))
        folder = Path(worker.stdout.readline().decode().strip())
        worker.kill()
    wait_for(lambda: not any(is_alive(pid_in(file)) for file in pids))
    wait_for(lambda: not folder.exists())
