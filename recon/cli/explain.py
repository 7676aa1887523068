"""``recon explain``: what the last finished cycle knows of one key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from recon.cli.common import common, print_json
from recon.core.printable import printable
from recon.errors import BrokerError


@click.command()
@common
@click.argument("key")
def explain(config: Path | None, key: str, *, as_json: bool) -> None:
    """Say what is known of one key, and which rule ranked it."""
    from recon import access
    from recon.claim_books import load_claims
    from recon.explanation import explained, worked_on
    from recon.findings import last_findings
    from recon.queues import queues

    chosen = access.settings(config)
    state = access.state(chosen)
    document = explained(last_findings(state), key)
    try:
        outstanding = queues(chosen).outstanding(chosen.lake)
    except BrokerError as error:
        document["task"] = f"not known: {error}"
        outstanding = []
    document |= worked_on(key, outstanding, load_claims(state))
    if as_json:
        print_json(document)
        return
    for name, value in document.items():
        click.echo(f"{name}: {_words(value)}")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={printable(inner)}" for name, inner in value.items()) or "-"
    return "-" if value is None else printable(str(value))
