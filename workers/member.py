"""One worker of a run's own crew: ``python -m workers.member QUEUE``.

A Celery worker, started without Celery's command line, whose import takes 0.2 s.
"""

from __future__ import annotations

import sys
from typing import Any

from celery.utils.nodenames import default_nodename, host_format

from workers.app import app
from workers.messages import CONTROL, SCAN

#: Threads of the scan worker: they wait on the network most of the time.
SCAN_THREADS = 6
ROLES: dict[str, dict[str, Any]] = {
    CONTROL: {"pool_cls": "prefork", "concurrency": 1},
    SCAN: {"pool_cls": "threads", "concurrency": SCAN_THREADS},
}


def main() -> int:
    """Work on one queue until told to stop; return the exit code."""
    queue = sys.argv[1]
    worker = app.Worker(
        hostname=host_format(default_nodename(f"{queue.rpartition('.')[2]}@%h")),
        queues=[queue],
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        **ROLES[queue],
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
