"""Many pages are waited for at once; few are worked on at once; a place that was taken is given back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pyarrow as pa
import pytest

from recon.errors import LakeError
from recon.pace import Pace
from recon.ports import LISTING_SCHEMA, Page

PAGE = Page(pa.RecordBatch.from_pylist([], schema=LISTING_SCHEMA), 1)


def answered_after(wait_s: float, pages: int) -> Iterator[Page]:
    for _ in range(pages):
        time.sleep(wait_s)
        yield PAGE


def worked_on(pace: Pace, wait_s: float, work_s: float, *, ranges: int = 8, pages: int = 8) -> None:
    """List ranges side by side, each page with a wait and some work of the processor."""

    def look(_: int) -> None:
        with closing(pace.paced(answered_after(wait_s, pages))) as listed:
            for _page in listed:
                began = time.thread_time()
                while time.thread_time() - began < work_s:
                    pass

    with ThreadPoolExecutor(ranges) as pool:
        list(pool.map(look, range(ranges)))


def test_a_lake_that_answers_slowly_is_asked_for_as_many_pages_as_may_be():
    pace = Pace(most=16)
    worked_on(pace, wait_s=0.05, work_s=0.0005)
    assert pace.bound == 16


def test_pages_that_are_all_work_are_worked_on_a_few_at_a_time():
    pace = Pace(most=16)
    worked_on(pace, wait_s=0.0, work_s=0.002)
    # One, where this machine has nothing else to do: what is kept waiting by others counts as waiting.
    assert pace.bound <= 12


def test_the_pace_rises_again_when_answers_become_slow():
    pace = Pace(most=16)
    worked_on(pace, wait_s=0.0, work_s=0.002)
    worked_on(pace, wait_s=0.05, work_s=0.0005, pages=16)
    assert pace.bound > 8


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_pages_are_at_work_than_the_bound(most):
    pace, inside, highest, lock = Pace(most), 0, 0, threading.Lock()

    def look(_: int) -> None:
        nonlocal inside, highest
        with closing(pace.paced(answered_after(0.001, 5))) as listed:
            for _page in listed:
                with lock:
                    inside += 1
                    highest = max(highest, inside)
                time.sleep(0.001)
                with lock:
                    inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(8)))
    assert highest <= most


def test_a_place_is_given_back_by_a_failed_look_and_by_one_that_stops_early():
    pace = Pace(most=1)

    def failing() -> Iterator[Page]:
        yield PAGE
        raise LakeError("gone")

    for _ in range(3):
        with pytest.raises(LakeError), closing(pace.paced(failing())) as listed:
            list(listed)
        with closing(pace.paced(answered_after(0, 5))) as listed:
            next(listed)
    with closing(pace.paced(answered_after(0, 5))) as listed:
        assert len(list(listed)) == 5
