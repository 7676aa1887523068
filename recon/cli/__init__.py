"""The command line: thin commands; results on stdout, progress and errors on stderr, JSON with ``--json``."""

from __future__ import annotations

import importlib
import signal
import sys
import traceback
from typing import NoReturn

import click

from recon.cli.failure import DEBUG, sentence
from recon.cli.pipe import closable
from recon.core.invalid import did_you_mean
from recon.errors import ReconError
from recon.masking import masked

#: Command -> the module that holds it; imported when it is called, so that ``recon --help`` stays fast.
COMMANDS = {
    "run": ("recon.cli.run", "Run one cycle: look at the lake, find the gaps, publish scraper tasks."),
    "plan": ("recon.cli.run", "Show what a run would do, and change nothing."),
    "validate": ("recon.cli.validate", "Check both files; say what each data type comes to."),
    "gaps": ("recon.cli.gaps", "List the gaps of the last finished cycle."),
    "coverage": ("recon.cli.coverage", "Show the coverage of the last finished cycle."),
    "explain": ("recon.cli.explain", "Say what is known of one key, and which rule ranked it."),
    "diff": ("recon.cli.diff", "Show what changed between two cycles."),
    "status": ("recon.cli.status", "Show the last finished cycle and the queues."),
    "doctor": ("recon.cli.doctor", "Check the set-up, with a next step for each problem."),
    "work": ("recon.cli.work", "Run the configured scrapers for the tasks in the queues."),
    "schema": ("recon.cli.schema", "Print the JSON Schema of inventory.yaml or recon.yaml."),
    "s3-inventory": (
        "recon.cli.s3_inventory",
        "Have AWS report what the lake's bucket holds, and check on it.",
    ),
    "queue": ("recon.cli.queue", "Look at the scrapers' queues, and set single tasks or scrapers right."),
    "absent": ("recon.cli.absent", "Say which keys their sources do not have, and look at who says so."),
    "alerts": ("recon.cli.alerts", "Show what is wrong now and who is told of it; send a test message."),
    "brake": ("recon.cli.brake", "Show the sudden losses that are held back, and release them."),
    "daemon": (
        "recon.cli.daemon",
        "Run the engine until stopped: broker, workers, beat and web.",
    ),
    "pause": ("recon.cli.pause", "Begin no cycles for a while, judge no claims, publish nothing."),
    "resume": ("recon.cli.pause", "End a pause; the next cycle begins when it is due."),
    "serve": ("recon.cli.serve", "Serve health, metrics and a page over HTTP, until stopped."),
    "down": ("recon.cli.down", "Stop the embedded broker."),
}
#: Commands of the public contract that a later release brings.
LATER = (
    "apply", "report", "init", "completion",
    "simulate",
)  # fmt: skip
#: Signals that end a run, besides Ctrl-C; the exit code is 128 and their number.
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


class _Group(click.Group):
    """Finds commands by name without importing the others, and turns every error into words."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in LATER:
            return _later(cmd_name)
        if cmd_name not in COMMANDS:
            if not cmd_name.startswith("-"):
                ctx.fail(f"no such command: {cmd_name}{did_you_mean(cmd_name, (*COMMANDS, *LATER))}")
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name.replace("-", "_"))
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        try:
            with closable():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - nobody may meet a traceback who did not ask for one
            if ctx.meta.get(DEBUG):
                click.echo(masked("".join(traceback.format_exception(error))), err=True, nl=False)
            click.echo(f"recon: {sentence(error)}", err=True)
            raise click.exceptions.Exit(error.exit_code if isinstance(error, ReconError) else 1) from None


def _later(name: str) -> click.Command:
    def command() -> None:
        click.echo(f"recon {name}: not yet available in this release", err=True)
        raise SystemExit(2)

    return click.Command(
        name,
        callback=command,
        help="Not yet available in this release.",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="recon", prog_name="recon")
@click.option("--debug", is_flag=True, help="Show the traceback of an error; every command takes it too.")
@click.pass_context
def recon(ctx: click.Context, *, debug: bool) -> None:
    """Keep a data lake complete: compare what it should hold with what it holds, and queue the difference."""
    ctx.meta[DEBUG] = debug


def main() -> None:
    """Run the command line; an error ends with words and its exit code, a traceback only with ``--debug``."""
    for number in _ENDINGS:
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP: let it
            signal.signal(number, _ended)
    try:
        code = recon.main(prog_name="recon", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        code = 128 + signal.SIGINT
    sys.exit(code if isinstance(code, int) else 0)


def _ended(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)
