"""Whether one process of a deployment makes progress, for container health checks: exit 0 or 1.

``python -m workers.checkup control|scan``: this host's worker answers over the broker and consumes its queue.
``python -m workers.checkup beat``: what beat sends was taken up within a minute.
"""

from __future__ import annotations

import socket
from datetime import datetime

import click

from recon import access
from recon.errors import ReconError
from workers.census import queues_of

#: Seconds that a worker has to answer; most take some milliseconds.
_ANSWER_S = 8.0
#: Beat sends something every 10 s; after this long without, no control worker took anything of it.
BEAT_SILENT_S = 60.0


@click.command()
@click.argument("kind", type=click.Choice(["control", "scan", "beat"]))
@click.option("--host", default=socket.gethostname, help="The worker's host, as its name ends.")
def checkup(kind: str, host: str) -> None:
    """Say whether it makes progress, and exit 0 when it does."""
    try:
        wrong = _beat() if kind == "beat" else _worker(kind, host)
    except ReconError as error:
        wrong = str(error)
    click.echo(wrong or "ok")
    raise SystemExit(1 if wrong else 0)


def _worker(kind: str, host: str) -> str | None:
    worker, queue = f"{kind}@{host}", f"recon.{kind}"
    found = queues_of(worker, _ANSWER_S)
    return (
        None if queue in found else f"{worker} does not answer" if not found else f"{worker} has left {queue}"
    )


def _beat() -> str | None:
    ledger = access.lookout(access.settings()).ledger
    if ledger.current() is not None:
        return None  # its one child is at work on a cycle, whose lock only the living renew
    return beat_is_silent(ledger.consumed().get("control"), access.now())


def beat_is_silent(taken_at: datetime | None, now: datetime) -> str | None:
    """Return why beat seems gone, by when a control worker last took up a task; None where it is there."""
    if taken_at is None:
        return "nothing that beat sends was ever taken up"
    silent_s = (now - taken_at).total_seconds()
    return None if silent_s <= BEAT_SILENT_S else f"nothing that beat sends was taken up for {silent_s:.0f} s"


if __name__ == "__main__":
    checkup.main(prog_name="python -m workers.checkup")
