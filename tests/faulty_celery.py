"""Celery with shortened times, that dies once where ``FAULT`` says: ``faulty_celery.py worker|beat …``.

``FAULT`` is ``module:function:before|after``; the marker file ``FAULT_MARK`` makes it happen once. The whole
worker is killed, the parent of the pool's child too, as by the kernel or a power cut.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path

from celery.__main__ import main

from recon import wiring
from recon.adapters.ledger import RedisLedger
from workers import retrying, schedule, steps

WATCHDOG_EVERY_S = 1.0


def shorten() -> None:
    """Make every waiting short."""
    schedule.WATCHDOG_EVERY_S = WATCHDOG_EVERY_S
    wiring.SHARD_DEADLINE_S = 6.0
    steps.FINISH_LEASE_S, steps.SEND_DEADLINE_S, steps.DUE_AGAIN_S = 2.0, 2.0, 5.0
    retrying.FIRST_WAIT_S = retrying.LONGEST_WAIT_S = 1.0
    RedisLedger.__init__.__kwdefaults__["ttl_s"] = 4.0


def die_once() -> None:
    """Kill this worker, unless one has died before."""
    try:
        Path(os.environ["FAULT_MARK"]).touch(exist_ok=False)
    except FileExistsError:
        return
    parent = os.getppid()
    shown = Path(f"/proc/{parent}/cmdline").read_bytes()
    if b"faulty_celery" in shown or b"celeryd" in shown:  # as started, and as Celery titles its processes
        os.kill(parent, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def plant(module: str, name: str, when: str) -> None:
    """Make a function die before or after its work."""
    owner = importlib.import_module(module)
    *path, last = name.split(".")
    for step in path:
        owner = getattr(owner, step)
    real = getattr(owner, last)

    def faulty(*args: object, **options: object) -> object:
        if when == "before":
            die_once()
        result = real(*args, **options)
        die_once()
        return result

    setattr(owner, last, faulty)


if __name__ == "__main__":
    shorten()
    if os.environ.get("FAULT"):
        plant(*os.environ["FAULT"].split(":"))
    sys.argv = ["celery", "-A", "workers.app", *sys.argv[1:]]
    main()
