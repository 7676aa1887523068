"""The progress board on every server: the last word of each shard, for a while."""

from __future__ import annotations

from recon.adapters.progress_board import KEEP_S, RedisProgressBoard
from recon.model import ShardProgress


def test_the_last_word_of_each_shard_counts(broker):
    board = RedisProgressBoard(broker)
    board.put("c1", "a", ShardProgress("nba/ü", 1, 2))
    board.put("c1", "a", ShardProgress("nba/ü", 3, 4, ended=True))
    board.put("c1", "b", ShardProgress("odds/"))
    board.put("c2", "a", ShardProgress("other"))
    assert board.read("c1") == {
        "a": ShardProgress("nba/ü", 3, 4, ended=True),
        "b": ShardProgress("odds/"),
    }


def test_an_unknown_cycle_has_said_nothing(broker):
    assert RedisProgressBoard(broker).read("c9") == {}


def test_words_do_not_outlive_their_use(broker):
    RedisProgressBoard(broker, prefix="p").put("c1", "a", ShardProgress("nba/"))
    assert 0 < broker.command("TTL", "p:cycle:c1:seen") <= KEEP_S
