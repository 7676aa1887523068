"""DIMS metrics in a file that others write too, and by a command that may fail in every way."""

from __future__ import annotations

import os
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from recon.adapters import dims
from recon.adapters.dims import DimsCommand, DimsFile
from recon.errors import MetricsError

AT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
VALUES = {"reconciliation_last_run": "2026-03-01T23:29:59.000Z", "reconciliation_total_gaps": 12}
OTHERS = """\
# Metrics of the project: written by several programs.
metadata:
  version: 1.10   # not a float to round
  last_updated: '2025-10-21T20:28:53'
  owner: {team: data, "on": yes}
s3_storage:
    # counted each night
    total_objects:
        value: 172719
        cached: false
        cache_expires: null
    folders:
      - a
      - b  # the larger
    text: |
      kept
      as it is
reconciliation:
  of_somebody_else: {value: 1}
  reconciliation_total_gaps: {value: 99}
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "inventory" / "metrics.yaml"


def entry(value):
    return {
        "value": value,
        "last_verified": "2026-03-01T23:30:00.000Z",
        "verification_method": "automated",
        "cached": False,
        "cache_expires": None,
    }


def test_a_new_file_holds_the_metrics_in_their_shape_and_a_daily_copy(file):
    DimsFile(file, "reconciliation").update(VALUES, AT)
    assert yaml.safe_load(file.read_text()) == {
        "reconciliation": {name: entry(value) for name, value in VALUES.items()},
        "metadata": {"last_updated": "2026-03-01T23:30:00.000Z"},
    }
    copy = file.parent / "historical" / "2026-03-01.yaml"
    assert copy.read_bytes() == file.read_bytes()
    assert sorted(path.name for path in file.parent.iterdir()) == ["historical", "metrics.yaml"]


def test_all_other_sections_their_comments_and_the_permissions_stay(file):
    file.parent.mkdir()
    file.write_text(OTHERS)
    file.chmod(0o640)
    for _ in range(2):
        DimsFile(file, "reconciliation").update(VALUES, AT)
    before, after = yaml.safe_load(OTHERS), yaml.safe_load(file.read_text())
    own = after.pop("reconciliation")
    assert own == {"of_somebody_else": {"value": 1}} | {name: entry(value) for name, value in VALUES.items()}
    del before["reconciliation"]
    before["metadata"]["last_updated"] = "2026-03-01T23:30:00.000Z"
    assert after == before
    text = file.read_text()
    for kept in (
        "# Metrics of the project",
        "# not a float to round",
        "# counted each night",
        "# the larger",
    ):
        assert kept in text
    assert ("version: 1.10" in text, '"on": yes' in text) == (True, True)
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\ufeffa: 1\n"])
def test_an_empty_file_is_filled(file, text):
    file.parent.mkdir()
    file.write_text(text)
    DimsFile(file, "x").update(VALUES, AT)
    assert yaml.safe_load(file.read_text())["x"]["reconciliation_total_gaps"]["value"] == 12
    assert text.startswith("#") == file.read_text().startswith("# only a comment\n")


def test_a_link_to_the_file_stays_a_link(file, tmp_path):
    file.parent.mkdir()
    real = tmp_path / "real.yaml"
    real.write_text("a: 1\n")
    file.symlink_to(real)
    DimsFile(file, "x").update(VALUES, AT)
    assert file.is_symlink()
    assert yaml.safe_load(real.read_text())["a"] == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [1\n", "cannot be read"),
        ("a: 1\na: 2\n", "cannot be read"),
        ("a: 1\n---\nb: 2\n", "cannot be read"),
        ("- a\n", "holds no sections"),
        ("reconciliation: 5\n", "`reconciliation` is no section"),
        ("metadata: x\n", "`metadata` is no section"),
    ],
)
def test_a_file_that_is_not_understood_is_left_as_it_is_and_told(file, text, why):
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(MetricsError, match=why):
        DimsFile(file, "reconciliation").update(VALUES, AT)
    assert file.read_text() == text
    assert [path.name for path in file.parent.iterdir()] == ["metrics.yaml"]


def test_a_folder_that_cannot_be_written_is_told(file):
    file.parent.write_text("no folder")
    with pytest.raises(MetricsError, match="metrics_file"):
        DimsFile(file, "x").update(VALUES, AT)


def test_what_another_program_writes_meanwhile_is_not_lost(file, monkeypatch):
    file.parent.mkdir()
    file.write_text("theirs: 1\n")
    real, reads = dims._read, []

    def read(path):
        content = real(path)
        reads.append(path)
        if len(reads) == 1:
            aside = path.with_name("theirs.tmp")
            aside.write_text("theirs: 2\n")
            aside.replace(path)
        return content

    monkeypatch.setattr(dims, "_read", read)
    DimsFile(file, "x").update(VALUES, AT)
    found = yaml.safe_load(file.read_text())
    assert (found["theirs"], "x" in found, len(reads)) == (2, True, 2)


def test_a_file_that_is_written_all_the_time_is_told_and_left_whole(file, monkeypatch):
    file.parent.mkdir()
    file.write_text("theirs: 0\n")
    real = dims._read

    def read(path):
        content = real(path)
        path.write_text(f"theirs: {time.monotonic_ns()}\n")
        return content

    monkeypatch.setattr(dims, "_read", read)
    with pytest.raises(MetricsError, match="another program wrote"):
        DimsFile(file, "x").update(VALUES, AT)
    assert list(yaml.safe_load(file.read_text())) == ["theirs"]


def test_writers_of_ours_wait_for_each_other(file):
    names = [f"category{n}" for n in range(6)]
    writers = [threading.Thread(target=DimsFile(file, name).update, args=(VALUES, AT)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert set(yaml.safe_load(file.read_text())) == {*names, "metadata"}


# ---- the command


def command(script: str, *more: str, timeout_s: float = 30.0) -> DimsCommand:
    words = [sys.executable, "-c", script, "{metric}", "{value}", *more]
    return DimsCommand(words, timeout_s, {"PATH": os.environ["PATH"], "GIVEN": "yes"})


def test_a_command_is_called_for_each_metric_with_its_value_and_no_shell(tmp_path):
    told = tmp_path / "told"
    script = (
        f"import os, sys; told = open({str(told)!r}, 'a'); "
        "told.write(repr((sys.argv[1:], os.environ.get('GIVEN'))) + chr(10))"
    )
    command(script, "$HOME; exit 1").update(VALUES, AT)
    assert told.read_text().splitlines() == [
        str(([name, str(value), "$HOME; exit 1"], "yes")) for name, value in VALUES.items()
    ]


def test_a_command_that_fails_says_so_with_its_last_words_and_without_secrets():
    script = "import sys; print('bad token', sys.argv[-1], 'redis://u:p@h'); sys.exit(3)"
    with pytest.raises(MetricsError, match=r"reconciliation_last_run: exit status 3, bad token") as caught:
        command(script, "--api-token", "hunter2").update(VALUES, AT)
    assert "hunter2" not in str(caught.value)
    assert "u:p@" not in str(caught.value)


def test_a_command_that_is_not_there_says_so():
    with pytest.raises(MetricsError, match="no-such-program: No such file"):
        DimsCommand(["no-such-program", "{metric}", "{value}"], 1.0, {}).update(VALUES, AT)


def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path):
    pids = tmp_path / "pids"
    script = (
        "import os, subprocess, time; inner = subprocess.Popen(['sleep', '60']); "
        f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}} {{inner.pid}} '); time.sleep(60)"
    )
    began = time.monotonic()
    with pytest.raises(MetricsError, match=r"longer than integration\.dims\.timeout"):
        command(script, timeout_s=1.0).update(VALUES, AT)
    assert time.monotonic() - began < 10
    found = pids.read_text().split()
    assert len(found) == 2, "it was called again after a timeout"
    give_up = time.monotonic() + 5
    while any(is_running(int(pid)) for pid in found):
        assert time.monotonic() < give_up
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
