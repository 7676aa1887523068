"""What a daemon starts is a process of its own, even where it begins as a copy of the daemon."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

#: What the children run; each notes what it finds.
CHILD = """
import json, os, signal, sys, threading, time
from pathlib import Path
from workers.child import end_with_parent

def main():
    files = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    found = {
        "words": sys.argv[1:], "told": os.environ.get("TOLD"), "pid": os.getpid(), "group": os.getpgid(0),
        "files": [one for one in files if os.path.exists(f"/proc/self/fd/{one}")],
        "term": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        "shown": Path("/proc/self/cmdline").read_text().split(chr(0))[0],
    }
    aside = Path(sys.argv[1] + ".new")
    aside.write_text(json.dumps(found))
    aside.rename(sys.argv[1])
    if sys.argv[2] == "end":
        return 7
    if sys.argv[2] == "raise":
        raise ValueError("what went wrong")
    end_with_parent(lambda: os._exit(0))
    time.sleep(60)
"""
#: The daemon: it has a lock, a handler and children; then it does what it is told.
PARENT = """
import os, signal, sys, time
sys.path.insert(0, {folder!r})
from workers import nursery
nursery._SHARED = ()
signal.signal(signal.SIGTERM, lambda *_: None)
lock = os.open({folder!r} + "/lock", os.O_RDWR | os.O_CREAT)
def born(name, how):
    return nursery.born(["-m", "child", {folder!r} + "/" + name, how], {{**os.environ, "TOLD": "anew"}})
{then}
"""


@pytest.fixture
def daemon(tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    made: list[subprocess.Popen[str]] = []

    def start(then: str) -> subprocess.Popen[str]:
        code = PARENT.format(folder=str(tmp_path), then=then)
        made.append(
            subprocess.Popen(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return made[-1]

    yield start
    for one in made:
        one.kill()
        one.communicate()


def note(path: Path) -> dict:
    give_up_at = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    return json.loads(path.read_text())


def is_gone(pid: int, patience_s: float = 10) -> bool:
    give_up_at = time.monotonic() + patience_s
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.skipif(platform.system() != "Linux", reason="only Linux forks here, and has /proc")
def test_a_child_has_its_own_words_environment_group_signals_and_name_and_no_file_of_the_daemon(
    daemon, tmp_path
):
    daemon("first, second = born('first', 'stay'), born('second', 'stay'); time.sleep(60)")
    for name in ("first", "second"):
        found = note(tmp_path / name)
        assert found["words"] == [str(tmp_path / name), "stay"]
        assert found["told"] == "anew"
        assert found["group"] == found["pid"]
        assert found["term"]
        assert found["files"] == [0, 1, 2]
        assert found["shown"].endswith(f"-m child {tmp_path / name} stay")


def test_a_child_ends_with_its_exit_code_and_says_what_it_raised(daemon):
    then = "one, other = born('a', 'end'), born('b', 'raise')\n"
    then += "assert one.await_end(20) and other.await_end(20)\nprint(one.exit_code, other.exit_code)"
    said, errors = daemon(then).communicate(timeout=40)
    assert said.split() == ["7", "1"]
    assert "ValueError: what went wrong" in errors


def test_no_child_outlives_a_daemon_that_is_killed_also_where_they_began_one_after_the_other(
    daemon, tmp_path
):
    process = daemon("kept = [born(str(n), 'stay') for n in range(3)]; time.sleep(60)")
    pids = [note(tmp_path / str(number))["pid"] for number in range(3)]
    os.kill(process.pid, signal.SIGKILL)
    assert all(is_gone(pid) for pid in pids)


def test_a_buried_child_is_gone_and_its_exit_code_is_the_signal(daemon, tmp_path):
    then = "one = born('one', 'stay')\nwhile not os.path.exists({!r}): time.sleep(0.02)\n".format(
        str(tmp_path / "one")
    )
    said, _ = daemon(then + "one.bury(); print(one.exit_code, one.await_end(0))").communicate(timeout=40)
    assert said.split() == ["-9", "True"]
    assert is_gone(note(tmp_path / "one")["pid"], 0)
