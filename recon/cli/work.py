"""``recon work``: runs the configured scrapers for the tasks in the queues."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from recon.cli.common import common, print_json
from recon.cli.pipe import closable
from recon.cli.tables import say, table
from recon.core.printable import printable

if TYPE_CHECKING:
    from recon.core.tally import Tally
    from recon.settings import Settings
    from recon.work import ShiftOptions
    from recon.workplace import Workplace

_COUNTS = ("runs", "done", "failed", "absent", "released", "held", "gone", "poison", "keys")
#: URLs of a run that are shown of those that a spider is asked for.
_URLS = 3
#: Signals that end a shift: the first one lets it finish its words, the second does not.
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command()
@common
@click.option("--print", "only_print", is_flag=True, help="Show what would run now; lease and run nothing.")
@click.option("--once", is_flag=True, help="Stop when the queues are empty.")
@click.option("--max-tasks", type=click.IntRange(min=1), help="Stop after so many tasks.")
@click.option("--jobs", type=click.IntRange(min=1), default=4, show_default=True, help="Runs at once.")
@click.option("--weighted", is_flag=True, help="Serve low levels too, 8:4:2:1, while urgent tasks wait.")
@click.option("--scraper", "scrapers", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
def work(
    config: Path | None,
    *,
    as_json: bool,
    only_print: bool,
    once: bool,
    max_tasks: int | None,
    jobs: int,
    weighted: bool,
    scrapers: tuple[str, ...],
) -> None:
    """Run the configured scrapers for the tasks in the queues, until stopped.

    The first SIGINT or SIGTERM stops what runs and gives back what is unfinished; the second ends it at once.
    """
    from recon import access

    chosen = access.settings(config)
    if only_print:
        _print_plan(chosen, scrapers, as_json=as_json)
        return
    from recon.adapters.logs import Stderr
    from recon.work import ShiftOptions

    access.start_logging(chosen, "work", Stderr.PEOPLE)
    options = ShiftOptions(
        chosen.queues.visibility_s, jobs=jobs, weighted=weighted, once=once, max_tasks=max_tasks
    )
    tally = _worked(chosen, scrapers, options)
    with closable():
        if as_json:
            print_json(tally.document())
        else:
            _print_tally(tally)
    if once and tally.unable:
        raise SystemExit(1)


def _worked(chosen: Settings, scrapers: tuple[str, ...], options: ShiftOptions) -> Tally:
    from recon.cli.work_board import WorkBoard
    from recon.workplace import workplace

    with (
        WorkBoard() as board,
        workplace(chosen, scrapers, options, say=board.say, show=board.show) as place,
    ):
        _obey(place)
        return place.shift.work()


def _obey(place: Workplace) -> None:
    """Stop the shift on the first signal, and end everything on the second."""
    told: list[int] = []

    def signalled(number: int, _: object) -> None:
        if told:
            _end_now(place, number)
        told.append(number)
        place.shift.stop()

    for number in _ENDINGS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP: let it
            signal.signal(number, signalled)


def _end_now(place: Workplace, number: int) -> NoReturn:
    place.kill()
    raise SystemExit(128 + number)


def _print_tally(tally: Tally) -> None:
    if not tally.scrapers:
        say("no task was ready")
        return
    rows = [[name, *(str(getattr(one, count)) for count in _COUNTS)] for name, one in tally.scrapers.items()]
    table(["scraper", *_COUNTS], rows, right=set(range(1, len(_COUNTS) + 1)), spare=_COUNTS[3:])


def _print_plan(chosen: Settings, scrapers: tuple[str, ...], *, as_json: bool) -> None:
    from recon.workplace import planned

    plan = planned(chosen, scrapers)
    with closable():
        if as_json:
            print_json(plan)
            return
        for run in plan["runs"]:
            _print_run(run)
        for one in plan["held"]:
            say(f"held: {one['scraper']}: task {one['id']}: {printable(one['why'])}")
        for name, tasks in plan["unserved"].items():
            say(f"not ours: {tasks} tasks of '{printable(name)}', which is not configured, or not chosen")
        if plan["unreadable"]:
            say(f"unreadable: {plan['unreadable']} texts in the queues are no tasks of version 1")
        if not any(plan[name] for name in ("runs", "held", "unserved", "unreadable")):
            say("no task is ready")


def _print_run(run: dict[str, Any]) -> None:
    tasks = len(run["tasks"])
    click.echo(
        f"{run['scraper']}: {run['priority']}, {tasks} task{'s' if tasks > 1 else ''}, "
        f"{run['items']} item{'s' if run['items'] > 1 else ''}"
    )
    click.echo(f"  {printable(shlex.join(run['argv']))}")
    for url in run.get("urls", ())[:_URLS]:
        click.echo(f"  asks for {printable(url)}")
    if len(run.get("urls", ())) > _URLS:
        click.echo(f"  and for {len(run['urls']) - _URLS} more")
    names = " ".join(f"{name}={printable(text)}" for name, text in run["env"].items())
    click.echo(f"  in {run['cwd']}{f', with {names}' if names else ''}")
    click.echo(f"  settles {' '.join(run['tasks'])}")
