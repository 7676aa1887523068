"""Sends out again what open cycles still wait for: ``-m workers.resumption``.

A daemon has it done when it starts, when its broker had died, and when its scan worker had.
"""

from __future__ import annotations

from contextlib import suppress

import click

from recon import access
from recon.errors import BrokerError
from workers.messages import send_again


def main() -> None:
    """Send it; a broker that is away leaves it to the watchdog."""
    look = access.lookout(access.settings())
    with suppress(BrokerError):
        for cycle_id in look.ledger.open_cycles():
            remaining = look.ledger.remaining(cycle_id)
            if remaining or look.ledger.refs(cycle_id):
                waits = f"{len(remaining)} shards are still to be looked at"
                click.echo(f"cycle {cycle_id} goes on: {waits}", err=True)
                send_again(cycle_id, remaining)
                look.ledger.dispatched(cycle_id, remaining)


if __name__ == "__main__":
    main()
