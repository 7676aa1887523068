"""A cycle's report in words: what was seen, what is wrong, what was queued, what to do next."""

from __future__ import annotations

import sys
from typing import Any

import click

from recon.cli.cost_words import cost_lines, source_words, spent_words
from recon.cli.tables import BOUND, percent, say, table

_COUNTS = ("have", "stale", "small", "missing", "unknown")
#: Warnings that a terminal is shown.
_WARNINGS_SHOWN = 8
#: What a narrow terminal may leave out, the least needed first.
_SPARE = ("partitions", "unknown", "stale", "kind", "small")


def print_summary(document: dict[str, Any]) -> None:
    """Print a finished cycle for people."""
    observed, verdicts, gaps, tasks = (document[name] for name in ("observed", "verdicts", "gaps", "tasks"))
    shards = observed["shards"]
    say(
        f"cycle {document['cycle_id']} of {document['lake']}: {observed['objects']:,} objects "
        f"{source_words(document)}, {shards['complete']} of {shards['planned']} shards complete, "
        f"{document['duration_s']:.1f} s" + (" (dry run)" if document["dry_run"] else ""),
    )
    say(f"requests: {spent_words(observed)}")
    for line in cost_lines(document.get("cost", {})):
        say(line)
    say("  ".join(f"{name}{BOUND}{count:,}" for name, count in verdicts.items()))
    click.echo()
    headings = ["data type", "kind", "partitions", "expected", *_COUNTS, "coverage"]
    table(headings, _by_type(document["coverage"]), right=set(range(2, len(headings))), spare=_SPARE)
    click.echo()
    levels = ", ".join(f"{count} {level}" for level, count in gaps["by_priority"].items())
    say(
        f"gaps: {gaps['total']} ({levels}), {gaps['keys']:,} keys; "
        f"{document['unexpected']:,} unexpected objects",
    )
    say(
        f"tasks: {tasks['published']} published, {tasks['withdrawn']} withdrawn, {tasks['moved']} moved, "
        f"{tasks['duplicate']} already out, {tasks['deferred']} deferred, {tasks['unproven']} unproven"
        f"{_held(tasks['held'])}; "
        f"{tasks['outstanding']} outstanding",
    )
    _print_warnings(document["warnings"])
    say("next: recon gaps --keys, recon coverage; a second run queues nothing twice")


def _held(gaps: int) -> str:
    return f", {gaps:,} gaps held back" if gaps else ""


def _print_warnings(warnings: list[str]) -> None:
    """Print the warnings on stderr; a terminal gets the first few, and where the others are."""
    shown = warnings[:_WARNINGS_SHOWN] if sys.stderr.isatty() else warnings
    for line in shown:
        say(f"warning: {line}", err=True)
    if len(shown) < len(warnings):
        say(f"and {len(warnings) - len(shown)} warnings more: recon run --json, recon validate", err=True)


def _by_type(rows: list[dict[str, Any]]) -> list[list[str]]:
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((f"{row['source']}.{row['data_type']}", row["kind"]), []).append(row)
    return [_line(name, kind, own) for (name, kind), own in grouped.items()]


def _line(name: str, kind: str, rows: list[dict[str, Any]]) -> list[str]:
    def total(column: str) -> int:
        return sum(row[column] or 0 for row in rows)

    judged = total("ok") + total("stale") + total("small") + total("missing")
    share = "-"
    if kind == "any":
        share = "unquantified"
    elif kind == "counted" and all(row["coverage"] is not None for row in rows):
        wanted = total("expected")
        share = percent(sum(min(row["have"], row["expected"]) for row in rows) / wanted) if wanted else "-"
    elif kind == "exact" and judged:
        share = percent(total("ok") / judged)
    expected = "-" if kind == "any" else f"{total('expected'):,}"
    counts = [f"{total(column):,}" for column in _COUNTS]
    return [name, kind, f"{len(rows):,}", expected, *counts, share]
