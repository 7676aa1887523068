"""What a line of the logs says beside its message."""

from __future__ import annotations

import pytest

from recon.core.invalid import InvalidValueError
from recon.core.log_line import checked_format, context_words, of_task, with_context

OWNERS = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"


@pytest.mark.parametrize("text", ["json", OWNERS, "%(levelname)-8s %(lineno)d %(shard_id)s %(message)s"])
def test_formats_of_logging_and_json_are_taken(text):
    assert checked_format(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("%(asctime)s %(mesage)s", "no field mesage.*message"),
        ("%(asctime)s", "not hold their message"),
        ("{message}", "not hold their message"),
        ("%(message)s %(lineno)q", "no %-format"),
        ("%(message)s 100%", "no %-format"),
    ],
)
def test_a_format_that_could_not_be_written_is_refused_in_words(text, why):
    with pytest.raises(InvalidValueError, match=why):
        checked_format(text)


def test_a_format_that_names_no_context_gets_it_after_the_message():
    assert with_context(OWNERS) == f"{OWNERS}%(context)s"
    assert with_context("%(cycle_id)s %(message)s") == "%(cycle_id)s %(message)s"


def test_context_is_told_as_far_as_it_is_known():
    assert context_words({}) == ""
    assert context_words({"cycle_id": "c", "task": "recon.begin"}) == " [cycle=c]"
    assert (
        context_words({"task_id": "c:s", "shard_id": "s", "cycle_id": "c"}) == " [cycle=c shard=s task=c:s]"
    )


def test_a_task_tells_its_cycle_and_shard_by_its_id():
    assert of_task("recon.scan_shard", "c:s") == {
        "task": "recon.scan_shard",
        "task_id": "c:s",
        "cycle_id": "c",
        "shard_id": "s",
    }
    assert "shard_id" not in of_task("recon.finish", "c:finish:1a")
    assert of_task("recon.tend", "5f0c") == {"task": "recon.tend", "task_id": "5f0c"}
