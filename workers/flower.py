"""Flower, Celery's own page, behind a password: ``python -m workers.flower``.

Users and passwords come from ``RECON_FLOWER_AUTH`` and go nowhere near the command line, which every user of
the host can read. Without any, Flower is refused, but for a read-only one that only this host reaches.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from recon import access
from recon.core.hosts import is_loopback
from recon.errors import ConfigError, ReconError
from recon.settings import Settings, adopt, flower_users, tell_flower

ADDRESS = "127.0.0.1"
PORT = 5555
#: What its list of tasks shows: ids of cycle and shard are the task's own.
_COLUMNS = "name,uuid,routing_key,state,received,runtime,worker"
OPEN = (
    "Flower shows every task and can stop every worker, and nobody is asked for a password. Next: set "
    "RECON_FLOWER_AUTH=user:password, or start it with python -m workers.flower --unsafe-local, for this "
    "host alone"
)
_OPEN_AFAR = (
    "--unsafe-local is for 127.0.0.1 alone, and {address} is reached from elsewhere. "
    "Next: set RECON_FLOWER_AUTH=user:password"
)


def refusal(address: str, users: str | None, *, unsafe_local: bool) -> str | None:
    """Return why Flower may not be started like this; None where it may."""
    if users is not None:
        return None
    if not unsafe_local:
        return OPEN
    return None if is_loopback(address) else _OPEN_AFAR.format(address=address or "every address")


def arguments(chosen: Settings, address: str, port: int, *, has_users: bool, persistent: bool) -> list[str]:
    """Return Flower's command line; it holds no secret.

    Flower reads no file of its own: one in the working directory could switch the passwords off.
    """
    words = [f"--address={address}", f"--port={port}", "--conf=/dev/null", f"--tasks_columns={_COLUMNS}"]
    if not has_users:
        words.append("--read_only=true")
    if persistent:
        folder = chosen.state_folder or Path.cwd() / ".recon"
        folder.mkdir(parents=True, exist_ok=True)
        words += ["--persistent=true", f"--db={folder / 'flower'}"]
    return words


@click.command()
@click.option("--address", default=ADDRESS, show_default=True, help="Where it listens.")
@click.option("--port", default=PORT, show_default=True, help="On which port.")
@click.option("--persistent", is_flag=True, help="Keep what it saw in the state folder, over restarts.")
@click.option(
    "--unsafe-local", is_flag=True, help="Ask nobody for a password; read-only, on 127.0.0.1 alone."
)
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="recon.yaml.")
def flower(address: str, port: int, config: Path | None, *, persistent: bool, unsafe_local: bool) -> None:
    """Run Flower until SIGTERM."""
    users = flower_users()
    why_not = refusal(address, users, unsafe_local=unsafe_local)
    if why_not is not None:
        raise ConfigError(why_not)
    chosen = access.settings(config)
    adopt(chosen)
    tell_flower(users)
    from workers.app import app, stop_with_the_supervisor  # noqa: PLC0415 - reads the settings adopted above

    stop_with_the_supervisor()
    words = arguments(chosen, address, port, has_users=users is not None, persistent=persistent)
    app.start(["flower", *words])


def main() -> None:
    """Run it; an error is one line and its exit code."""
    try:
        flower.main(prog_name="python -m workers.flower")
    except ReconError as error:
        click.echo(f"flower: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
