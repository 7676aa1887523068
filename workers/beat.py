"""Celery beat as a process of the daemon: ``python -m workers.beat``."""

from __future__ import annotations

from workers import logs
from workers.app import app


def main() -> None:
    """Send what is due until told to stop.

    The tasks are sent by name: importing them, as Celery's own command does, takes 100 MB.
    """
    logs.start("beat")
    app.finalize()
    app.Beat(loglevel="WARNING", quiet=True).start_scheduler()


if __name__ == "__main__":
    main()
