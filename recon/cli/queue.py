"""``recon queue``: look at the scrapers' queues, and set single tasks or scrapers right."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recon.cli.common import common, print_json, print_outcomes
from recon.cli.tables import say, table
from recon.core.durations import duration_words
from recon.core.printable import printable
from recon.model import OutstandingTask, Priority, TaskState

if TYPE_CHECKING:
    from recon.ports import StateStore, TaskQueue
    from recon.settings import Settings

_LEVELS = [level.label for level in Priority]
_STATES = [state.value for state in TaskState]
_PEEKED = 20


@click.group()
def queue() -> None:
    """Look at the scrapers' queues, and set single tasks or scrapers right."""


@queue.command()
@common
def ls(config: Path | None, *, as_json: bool) -> None:
    """Count the tasks by level and state, and name the scrapers that are paused."""
    from recon.claim_books import load_claims
    from recon.queues import caps

    chosen, tasks, state = _reached(config)
    held = tasks.outstanding(chosen.lake)
    most = {level.label: number for level, number in caps(chosen).items()}
    counts = Counter((task.priority.label, _state(task)) for task in held)
    claims = load_claims(state)
    fill = claims.time_to_fill()
    paused = {name: claims.scrapers[name] for name in sorted(claims.paused())}
    document = {
        "redis": _address(chosen),
        "levels": {
            level: {**{name: counts[level, name] for name in _STATES}, "cap": most[level]}
            for level in _LEVELS
        },
        "dead": len(tasks.dead()),
        "results_waiting": len(tasks.results(10_000)),
        "quarantined_keys": len(claims.quarantined(_rules(chosen))),
        "time_to_fill": None if fill is None else asdict(fill),
        "scrapers": {
            name: {
                "filled": one.filled,
                "false_claims": one.false_claims,
                "failed": one.failed,
                "in_row": one.in_row,
            }
            for name, one in sorted(claims.scrapers.items())
        },
        "paused": {
            name: {"since": record.paused_at, "by": record.by, "reason": record.reason}
            for name, record in paused.items()
        },
    }
    if as_json:
        print_json(document)
        return
    rows = [
        [level, *(f"{counts[level, name]:,}" for name in _STATES), f"{most[level]:,}"] for level in _LEVELS
    ]
    table(["level", *_STATES, "cap"], rows, right=set(range(1, 7)), spare=["moot"])
    click.echo(f"at {document['redis'] or 'no Redis: task_queue.mode is file'}")
    click.echo(
        f"{document['dead']:,} dead, {document['quarantined_keys']:,} keys quarantined, "
        f"{document['results_waiting']:,} results to settle"
    )
    if fill is not None:
        click.echo(
            f"gaps closed within {duration_words(fill.median_s)} (half of the last {fill.tasks:,}), "
            f"{duration_words(fill.p95_s)} (95 %)"
        )
    for name, one in sorted(claims.scrapers.items()):
        wrong = f"{one.false_claims:,} false claims, {one.failed:,} failures"
        click.echo(f"{printable(name)}: {one.filled:,} filled, {wrong}")
    for name, record in paused.items():
        since = f"{record.paused_at:%Y-%m-%d %H:%M} UTC"
        say(f"paused: {printable(name)} since {since} by {record.by}: {printable(record.reason)}")
        click.echo(f"  next: mend it, then recon queue resume {printable(name)}")


@queue.command()
@common
@click.argument("level", required=False, type=click.Choice(_LEVELS))
@click.option("-n", "most", default=_PEEKED, show_default=True, help="So many tasks at most.")
@click.option("--state", "only", type=click.Choice(_STATES), help="Only tasks in this state.")
def peek(config: Path | None, level: str | None, *, as_json: bool, most: int, only: str | None) -> None:
    """Show tasks without taking them, most urgent first."""
    chosen, tasks, _ = _reached(config)
    shown = [
        task
        for task in sorted(tasks.outstanding(chosen.lake), key=lambda task: (task.priority, task.id))
        if level in {None, task.priority.label} and only in {None, _state(task)}
    ][:most]
    documents = [_document(task) for task in shown]
    if as_json:
        print_json(documents)
        return
    rows = [
        [
            item["priority"],
            item["state"],
            item["id"],
            printable(str(item["body"].get("scraper", "-"))),
            printable(f"{item['body'].get('source')}.{item['body'].get('data_type')}"),
            f"{len(item['body'].get('keys', ())):,}",
            str(item["deliveries"]),
        ]
        for item in documents
    ]
    headings = ["level", "state", "id", "scraper", "data type", "keys", "deliveries"]
    table(headings, rows, right={5, 6}, spare=["deliveries", "scraper"])


@queue.command()
@common
def dead(config: Path | None, *, as_json: bool) -> None:
    """List the tasks and the keys that were given up, with the reason."""
    from recon.claim_books import load_claims

    chosen, tasks, state = _reached(config)
    claims = load_claims(state)
    given_up = sorted(claims.quarantined(_rules(chosen)))
    found = tasks.dead()
    if as_json:
        print_json(
            {
                "tasks": [
                    {"id": task.id, "at": task.at, "reason": task.reason, "body": _body(task.body)}
                    for task in found
                ],
                "keys": [
                    {
                        "key": key,
                        "refuted_claims": claims.keys[key].attempts,
                        "last_at": claims.keys[key].last_at,
                        "scraper": claims.keys[key].scraper,
                        "reason": claims.keys[key].error,
                    }
                    for key in given_up
                ],
            }
        )
        return
    for task in found:
        click.echo(f"task {printable(task.id)}  {task.at:%Y-%m-%d %H:%M} UTC  {printable(task.reason)}")
    for key in given_up:
        record = claims.keys[key]
        who, why = printable(record.scraper), printable(record.error)
        click.echo(f"key {printable(key)}  {record.attempts} claims of {who}: {why}")
    if found or given_up:
        click.echo("next: mend the cause, then recon queue requeue TASK-OR-KEY… (or --all)")


@queue.command()
@common
@click.argument("names", nargs=-1, metavar="TASK-OR-KEY…")
@click.option("--all", "every", is_flag=True, help="Every dead task and quarantined key.")
def requeue(config: Path | None, names: tuple[str, ...], *, as_json: bool, every: bool) -> None:
    """Let tasks and keys begin anew that were given up, cool down, or were claimed."""
    from recon.claim_books import open_claims
    from recon.core.task_body import read_body
    from recon.core.verification import names_of

    if not names and not every:
        raise click.UsageError("name tasks or keys, or pass --all; recon queue dead lists them")
    chosen, tasks, state = _reached(config)
    given_up = tasks.dead()
    with open_claims(tasks, state) as claims:
        wanted = [task.id for task in given_up] if every else list(names)
        keys = sorted(claims.quarantined(_rules(chosen))) if every else list(names)
        for task in given_up:
            body = read_body(task)
            if body is not None and task.id in wanted:
                keys += names_of(body)
        outcomes = tasks.requeue(wanted)
        freed = claims.free(keys)
    told = dict.fromkeys(freed, "freed: the next cycle asks for it")
    told |= {name: word for name, word in outcomes.items() if word != "unknown"}
    told |= {name: "unknown" for name in names if name not in told}
    print_outcomes(told, as_json=as_json)


@queue.command()
@common
@click.argument("ids", nargs=-1, required=True)
def withdraw(config: Path | None, ids: tuple[str, ...], *, as_json: bool) -> None:
    """Take tasks out of the queues; a cycle that still wants their keys publishes them again."""
    _, tasks, _ = _reached(config)
    print_outcomes(tasks.withdraw(ids, fence=None), as_json=as_json)


@queue.command()
@common
@click.argument("scraper")
@click.option("--reason", default="", help="Why, for the others.")
def pause(config: Path | None, scraper: str, *, as_json: bool, reason: str) -> None:
    """Give a scraper no tasks until it is resumed; those that wait for it leave the queues."""
    from recon import access, cycle, wiring
    from recon.claim_books import open_claims
    from recon.settlement import settle

    chosen = access.settings(config)
    wired = wiring.engine(chosen)
    with open_claims(wired.ports.queue, wired.ports.state) as claims:
        claims.pause(scraper, "a person", reason or "by hand", wired.ports.clock())
    settle(cycle.settling(wired.ports, wiring.options(chosen, {})))
    print_outcomes({scraper: "paused"}, as_json=as_json)


@queue.command()
@common
@click.argument("scraper")
def resume(config: Path | None, scraper: str, *, as_json: bool) -> None:
    """Give a paused scraper tasks again, from the next cycle on."""
    from recon.claim_books import open_claims

    _, tasks, state = _reached(config)
    with open_claims(tasks, state) as claims:
        was_paused = claims.resume(scraper)
    print_outcomes({scraper: "resumed" if was_paused else "it was not paused"}, as_json=as_json)


def _reached(config: Path | None) -> tuple[Settings, TaskQueue, StateStore]:
    from recon import access
    from recon.queues import queues

    chosen = access.settings(config)
    return chosen, queues(chosen), access.state(chosen)


def _address(chosen: Settings) -> str | None:
    """Return where scrapers find the queues, without a password."""
    from recon import access
    from recon.masking import masked

    if chosen.task_queue.mode == "file":
        return None
    return masked(access.queues_address(chosen) or access.broker(chosen).redis)


def _rules(chosen: Settings) -> Any:
    from recon import outlook

    return outlook.claim_rules(chosen)


def _state(task: OutstandingTask) -> str:
    if task.state is TaskState.READY and not task.in_list:
        return TaskState.LEASED.value  # a plain consumer popped it, and no tick has noticed yet
    return task.state.value


def _document(task: OutstandingTask) -> dict[str, Any]:
    return {
        "id": task.id,
        "priority": task.priority.label,
        "state": _state(task),
        "deliveries": task.attempts,
        "at": task.at,
        "body": _body(task.body),
    }


def _body(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
