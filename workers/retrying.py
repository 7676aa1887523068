"""Which failed cycles are tried again, when, and under which name: ``reconciliation_loop.max_retries``."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from recon.core.backoff import wait_s
from recon.errors import BrokerError, LedgerLostError, ReconError

#: Seconds before the first further attempt of a scheduled cycle, and before any later one at most. They wait
#: in the ledger, not as Celery ETAs: those must stay below the broker's visibility timeout.
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 300.0
#: The same for a run that somebody waits for, and how long after its start no attempt begins any more.
RUN_FIRST_WAIT_S, RUN_LONGEST_WAIT_S, RUN_PATIENCE_S = 1.0, 4.0, 20.0
#: Attempts that may fail and at once go another way, for each that counts.
OTHER_WAYS_MAX = 16
#: How long a worker's step waits for a Redis that went away before the cycle fails, and between two looks.
BROKER_PATIENCE_S, BROKER_WAIT_S = 15.0, 0.5
#: Flags of a scheduled cycle's first attempt; a cycle without them is not tried again by the workers.
FIRST: Mapping[str, int] = MappingProxyType({"attempt": 0})

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A further attempt: the cycle that makes it, its flags, and how long it waits."""

    cycle_id: str
    flags: dict[str, Any]
    wait_s: float


def may_pass(error: BaseException) -> bool:
    """Tell whether trying again may help; what is not one of recon's own errors is tried again too."""
    return bool(getattr(error, "may_pass", True))


def next_attempt(
    cycle_id: str, flags: Mapping[str, Any], most: int, *, at_once: bool = False
) -> Attempt | None:
    """Return the attempt after this failed one; None after ``most`` of them, or when nobody scheduled it.

    One that is made ``at_once`` takes another way than the failed one, and is made after any number of them.

    Its name follows from the failed one's, so that a failure noted twice is tried again once.
    """
    made = flags.get("attempt")
    if made is None or (made >= most and not at_once):
        return None
    first = cycle_id.removesuffix(f"-r{made}")
    pause_s = 0.0 if at_once else wait_s(made + 1, FIRST_WAIT_S, LONGEST_WAIT_S, random.uniform(0, 1))
    return Attempt(f"{first}-r{made + 1}", {**flags, "attempt": made + 1}, pause_s)


def run_attempts(run: Callable[[], _T], most: int, say: Callable[[str], None]) -> _T:
    """Return what ``run`` returns, tried again up to ``most`` times while its errors may pass.

    Somebody waits for this one: the waits are short, and nothing is begun after ``RUN_PATIENCE_S`` seconds.
    """

    def attempt() -> _T:
        for _ in range(OTHER_WAYS_MAX):
            try:
                return run()
            except ReconError as error:
                if not error.at_once:
                    raise
                say(str(error))
        return run()

    give_up_at = time.monotonic() + RUN_PATIENCE_S
    for failures in range(1, most + 1):
        try:
            return attempt()
        except ReconError as error:
            pause_s = wait_s(failures, RUN_FIRST_WAIT_S, RUN_LONGEST_WAIT_S, random.uniform(0, 1))
            if not may_pass(error) or time.monotonic() + pause_s > give_up_at:
                raise
            say(f"{error}\ntrying again in {pause_s:.1f} s ({failures} of {most})")
        time.sleep(pause_s)
    return attempt()


def through_outages(do: Callable[[], _T]) -> _T:
    """Return what ``do`` returns, done again while Redis is away; it must be safe to repeat."""
    give_up_at = time.monotonic() + BROKER_PATIENCE_S
    while True:
        try:
            return do()
        except BrokerError as error:
            lasting = isinstance(error, LedgerLostError) or not may_pass(error)
            if lasting or time.monotonic() > give_up_at:
                raise
        time.sleep(wait_s(1, BROKER_WAIT_S, BROKER_WAIT_S, random.uniform(0, 1)))
