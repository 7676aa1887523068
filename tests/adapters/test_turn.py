"""One process at a time has the turn, and then nobody for a while."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from redis_servers import binary_of, running

from recon.adapters.redis_client import RedisBroker
from recon.adapters.turn import FolderTurn, RedisTurn

HOLD = """
import sys, time
from pathlib import Path
from recon.adapters.turn import FolderTurn
with FolderTurn(Path(sys.argv[1]), "alerts", 0).take() as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["folder", "redis"])
def turns(request, tmp_path):
    if request.param == "folder":
        yield lambda rest_s: FolderTurn(tmp_path / "state", "alerts", rest_s)
        return
    with running(binary_of("valkey-9")) as server:
        broker = RedisBroker.connect(server.url)
        yield lambda rest_s: RedisTurn(broker, "recon", "alerts", 30.0, rest_s)
        broker.close()


def test_one_has_the_turn_and_the_next_after_it(turns):
    with turns(0.0).take() as one, turns(0.0).take() as other:
        assert (one, other) == (True, False)
    with turns(0.0).take() as again:
        assert again


def test_after_a_turn_nobody_has_it_for_a_while(turns):
    with turns(0.5).take() as one:
        assert one
    with turns(0.5).take() as early:
        assert not early
    time.sleep(0.55)
    with turns(0.5).take() as later:
        assert later


def test_a_holder_that_is_killed_leaves_the_turn_free(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout
    assert holder.stdout.readline() == b"True\n"
    with FolderTurn(tmp_path, "alerts", 0.0).take() as mine:
        assert not mine
    holder.kill()
    holder.communicate()
    with FolderTurn(tmp_path, "alerts", 0.0).take() as mine:
        assert mine


def test_without_a_server_or_a_folder_everybody_has_the_turn(tmp_path):
    (tmp_path / "file").write_text("")
    broker = RedisBroker.connect("redis://127.0.0.1:1", retries=0)
    for turn in (
        FolderTurn(tmp_path / "file", "alerts", 9.0),
        RedisTurn(broker, "recon", "alerts", 9.0, 9.0),
    ):
        with turn.take() as mine:
            assert mine
