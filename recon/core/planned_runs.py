"""What ``recon work`` would run for the tasks in the queues, and which tasks each run settles."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from recon.core.command_template import FILES
from recon.core.runs import Held, Run, runs
from recon.core.scraper import Scraper
from recon.core.task_body import TaskBody, body_read
from recon.masking import MASK, is_secret, masked

#: Files of a run have no path before it runs.
_FILES = {name: f"{{{name}}}" for name in FILES}


def planned_runs(bodies: Iterable[bytes], scrapers: Mapping[str, Scraper], now: datetime) -> dict[str, Any]:
    """Return the runs for ``bodies`` (most urgent first), the tasks held, and those that no scraper has."""
    tasks = [body_read(body) for body in bodies]
    by_scraper: dict[str, list[TaskBody]] = {}
    for task in tasks:
        if task is not None:
            by_scraper.setdefault(str(task.document.get("scraper", "")), []).append(task)
    order = {task.id: place for place, task in enumerate(tasks) if task is not None}
    planned: list[Run] = []
    held: list[Held] = []
    for name in by_scraper.keys() & scrapers.keys():
        found = runs(scrapers[name], by_scraper[name], now)
        planned += found.runs
        held += found.held
    planned.sort(key=lambda run: order[run.task_ids[0]])
    held.sort(key=lambda one: order[one.task.id])
    return {
        "schema": "recon.work.plan/1",
        "runs": [_run(run, now) for run in planned],
        "held": [
            {"id": one.task.id, "scraper": one.task.document["scraper"], "why": one.why} for one in held
        ],
        "unserved": {name: len(tasks) for name, tasks in sorted(by_scraper.items()) if name not in scrapers},
        "unreadable": Counter(task is None for task in tasks)[True],
    }


def _run(run: Run, now: datetime) -> dict[str, Any]:
    scraper = run.scraper
    levels = [str(work.task.document.get("priority", "")) for work in run.works]
    asked = [json.loads(line)["url"] for line in run.lines(now)] if scraper.feed else None
    return {
        "scraper": scraper.name,
        "priority": levels[0],
        "argv": [masked(word) for word in run.words(now, _FILES)],
        "cwd": scraper.cwd,
        "env": {name: MASK if is_secret(name) else masked(text) for name, text in scraper.env.items()},
        "timeout_s": scraper.timeout_s,
        "items": run.size,
        "tasks": list(run.task_ids),
        "keys": list(run.keys),
        **({} if asked is None else {"urls": [masked(url) for url in asked]}),
    }
