"""The command line: thin commands; results on stdout, progress and errors on stderr, JSON with ``--json``."""

from __future__ import annotations

import importlib

import click

from recon.errors import ReconError

#: Command -> the module that holds it; imported when it is called, so that ``recon --help`` stays fast.
COMMANDS = {
    "run": ("recon.cli.run", "Run one cycle: look at the lake, find the gaps, publish scraper tasks."),
    "plan": ("recon.cli.run", "Show what a run would do, and change nothing."),
    "validate": ("recon.cli.validate", "Check both files; say what each data type comes to."),
    "gaps": ("recon.cli.gaps", "List the gaps of the last finished cycle."),
    "coverage": ("recon.cli.coverage", "Show the coverage of the last finished cycle."),
    "explain": ("recon.cli.explain", "Say what is known of one key, and which rule ranked it."),
    "status": ("recon.cli.status", "Show the last finished cycle and the queues."),
    "doctor": ("recon.cli.doctor", "Check the set-up, with a next step for each problem."),
    "schema": ("recon.cli.schema", "Print the JSON Schema of the two YAML files."),
    "down": ("recon.cli.down", "Stop the embedded broker."),
}
#: Commands of the public contract that a later release brings.
LATER = (
    "daemon", "apply", "diff", "report", "init", "completion", "queue", "absent", "work", "serve", "brake",
    "s3-inventory", "simulate",
)  # fmt: skip


class _Group(click.Group):
    """Finds commands by name without importing the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name in LATER:
            return click.Command(
                cmd_name,
                callback=_not_yet(cmd_name),
                context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
            )
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


def _not_yet(name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a click callback
    def command() -> None:
        click.echo(f"recon {name}: not yet available in this release", err=True)
        raise SystemExit(2)

    return command


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="recon", prog_name="recon")
def recon() -> None:
    """Keep a data lake complete: compare what it should hold with what it holds, and queue the difference."""


def main() -> None:
    """Run the command line; a known error ends with its message and exit code, never a traceback."""
    try:
        recon.main(standalone_mode=False)
    except click.exceptions.Exit as error:
        raise SystemExit(error.exit_code) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(2) from None
    except (click.Abort, KeyboardInterrupt):
        raise SystemExit(130) from None
    except ReconError as error:
        click.echo(f"recon: {error}", err=True)
        raise SystemExit(error.exit_code) from None
