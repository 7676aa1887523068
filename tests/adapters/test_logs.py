"""The log of one process: context, formats, files that several processes rotate, and no secrets."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from recon.adapters.logs import LogChoice, Stderr, keep_small, start_logging, within
from recon.threads import Threads

OWNERS = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
CANARY = "c4nary+c4nary"
log = logging.getLogger("some.library")
#: Two writers fill one log, each with a forked child beside it.
WRITER = """
import logging, os, sys
from pathlib import Path
from recon.adapters.logs import LogChoice, Stderr, start_logging, within
name, folder = sys.argv[1:]
start_logging("scan", LogChoice("INFO", "json", Path(folder), 20_000, 50, ()), Stderr.SERVICE)
child = os.fork()
with within(cycle_id=f"{name}{'p' if child else 'c'}"):
    for number in range(300):
        logging.getLogger("w").info("line %d", number)
if child:
    os.waitpid(child, 0)
else:
    os._exit(0)
"""


def refuse():
    raise ValueError(f"refused: {CANARY}") from ConnectionError(f"redis://me:other-{CANARY}@host/0")


@pytest.fixture
def choice(tmp_path):
    root = logging.getLogger()
    before = [*root.handlers], root.level, sys.excepthook, threading.excepthook
    yield LogChoice("INFO", "json", tmp_path / "logs", 1_000_000, 3, (CANARY,))
    logging.captureWarnings(capture=False)
    for handler in [one for one in root.handlers if one not in before[0]]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(before[1])
    sys.excepthook, threading.excepthook = before[2:]


def written(choice, role="scan"):
    return (choice.folder / f"{role}.log").read_text().splitlines()


def test_every_line_carries_the_ids_also_from_threads_that_the_work_starts(choice):
    start_logging("scan", choice, Stderr.SERVICE)
    with within(cycle_id="c1", task_id="c1:s1"), within(shard_id="s1"), Threads(2) as pool:
        pool.submit(log.info, "in a pool").result()
        list(pool.map(log.info, ["mapped"]))
        log.info("here")
    log.info("elsewhere")
    lines = [json.loads(line) for line in written(choice)]
    assert [(one["cycle_id"], one["shard_id"], one["task_id"]) for one in lines] == [
        *[("c1", "s1", "c1:s1")] * 3,
        (None, None, None),
    ]
    assert {one["role"] for one in lines} == {"scan"}
    assert {one["pid"] for one in lines} == {os.getpid()}


def test_celerys_own_lines_about_a_task_tell_its_cycle_and_shard(choice):
    start_logging("scan", choice, Stderr.SERVICE)
    data = {"id": "c1:s1", "name": "recon.scan_shard"}
    logging.getLogger("celery.worker.strategy").info("received", extra={"data": data})
    line = json.loads(written(choice)[0])
    assert (line["cycle_id"], line["shard_id"], line["task"]) == ("c1", "s1", "recon.scan_shard")


def test_the_owners_format_writes_text_with_the_ids_at_its_end(choice):
    start_logging("control", replace(choice, format=OWNERS), Stderr.SERVICE)
    with within(cycle_id="c1"):
        log.warning("key %s is odd", "a\nb")
    line = written(choice, "control")[0]
    assert line.endswith(' - some.library - WARNING - "key a\\nb is odd" [cycle=c1]')
    assert line[23] == "Z"


@pytest.mark.parametrize("text", [OWNERS, "json"])
def test_no_line_shows_a_secret_in_message_argument_or_exception(choice, text, capfd):
    start_logging("scan", replace(choice, format=text), Stderr.SERVICE)
    try:
        refuse()
    except ValueError:
        log.exception("sent %s to %s", CANARY, f"https://a:pw-{CANARY[:6]}@host?token=x{CANARY[:6]}")
    shown = "\n".join(written(choice)) + capfd.readouterr().err
    assert "ValueError: refused: ***" in shown
    assert "c4nary" not in shown


def test_processes_and_their_children_share_a_file_and_lose_no_line_to_its_rotation(tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, name, str(tmp_path)], stderr=subprocess.PIPE)
        for name in "ab"
    ]
    assert [writer.communicate(timeout=60)[1] for writer in writers] == [b"", b""]
    files = sorted(tmp_path.glob("scan.log*"))
    assert len(files) > 3
    assert max(file.stat().st_size for file in files) <= 20_400
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    seen = {(one["cycle_id"], one["message"]) for one in lines}
    assert len(lines) == len(seen) == 4 * 300


def test_a_rotated_log_keeps_as_many_files_as_it_is_told(choice):
    start_logging("scan", replace(choice, size_bytes=2000), Stderr.SERVICE)
    for number in range(100):
        log.info("line %d", number)
    assert sorted(file.name for file in choice.folder.glob("scan*")) == [
        *("scan.log", "scan.log.1", "scan.log.2", "scan.log.3")
    ]


def test_with_files_standard_error_shows_warnings_alone(choice, capfd):
    start_logging("scan", choice, Stderr.SERVICE)
    log.info("to the file")
    log.warning("to both")
    assert "to the file" not in (shown := capfd.readouterr().err)
    assert "to both" in shown


def test_without_files_a_service_shows_everything_from_its_level_on(choice, capfd):
    start_logging("scan", replace(choice, folder=None, level="WARNING"), Stderr.SERVICE)
    log.info("too fine")
    log.warning("shown")
    (line,) = capfd.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "shown"


def test_a_command_for_people_shows_warnings_as_bare_words(choice, capfd):
    start_logging("run", replace(choice, folder=None), Stderr.PEOPLE)
    log.info("not for people")
    log.warning("what they should know")
    assert capfd.readouterr().err == "what they should know\n"


def test_a_folder_that_cannot_be_used_is_a_warning_and_lines_go_to_standard_error(choice, capfd):
    choice.folder.write_text("a file")
    start_logging("scan", choice, Stderr.SERVICE)
    log.info("still told")
    shown = capfd.readouterr().err
    assert "Next: check logging.output_dir" in shown
    assert "still told" in shown


def test_fine_words_of_libraries_that_tell_requests_are_never_logged(choice):
    start_logging("scan", replace(choice, level="DEBUG"), Stderr.SERVICE)
    log.debug("ours")
    logging.getLogger("botocore.auth").debug("a signature")
    assert [json.loads(line)["message"] for line in written(choice)] == ["ours"]


def test_a_file_that_grew_too_long_is_moved_aside_before_anybody_writes_to_it(tmp_path):
    file = tmp_path / "workers.log"
    for number in range(4):
        file.write_text(f"{number}" * 10)
        keep_small(file, 10, 2)
    assert not file.exists()
    assert [(tmp_path / f"workers.log.{n}").read_text()[0] for n in (1, 2)] == ["3", "2"]
    assert not (tmp_path / "workers.log.3").exists()
