"""A shard says how far it is: at its start, now and then, at its end; and never gets in its own way."""

from __future__ import annotations

from redis_servers import SERVERS, running

from recon.adapters.progress_board import RedisProgressBoard
from recon.adapters.redis_client import RedisBroker
from recon.model import KeyRange, Shard, ShardProgress
from workers.shard_report import ShardReport

SHARD = Shard("s1", (KeyRange(b"nba/"),))


class Words:
    """A ``ProgressBoard`` that keeps every word."""

    def __init__(self):
        self.said = []

    def put(self, cycle_id, shard_id, progress):
        self.said.append((cycle_id, shard_id, progress))

    def read(self, cycle_id):
        return {shard: progress for own, shard, progress in self.said if own == cycle_id}


def test_the_start_and_the_end_are_always_told_and_pages_between_only_now_and_then():
    board = Words()
    with ShardReport(board, "c1", SHARD) as report:
        for _ in range(1000):
            report.add(10, 1)
    assert board.said[0] == ("c1", "s1", ShardProgress("nba/"))
    assert board.said[-1] == ("c1", "s1", ShardProgress("nba/", 10_000, 1000, ended=True))
    assert len(board.said) < 10


def test_a_board_that_fails_stops_no_scan_and_is_not_asked_again():
    with running(SERVERS["valkey-9"]) as server:
        broker = RedisBroker.connect(server.url)
        report = ShardReport(RedisProgressBoard(broker), "c1", SHARD)
        with report:
            server.kill()
            report._next_s = 0.0
            report.add(10, 1)
            assert report._board is None
            report.add(10, 1)
        broker.close()
