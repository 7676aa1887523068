"""The metrics: the name, meaning and labels of each, one table; docs/monitoring.md shows it to people."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from recon.core.measures import (
    STEPS,
    Metric,
    Observed,
    Sample,
    broker_up,
    condition_states,
    consumed,
    coverage,
    depths,
    each_of_report,
    fill,
    is_ready,
    known,
    limits_exceeded,
    of_report,
    one,
    open_gaps,
    operations,
    queues_up,
    run_outcomes,
    scraper_counts,
    scraper_pauses,
    scraper_tasks,
    seconds,
    shard_durations,
    source_states,
    task_states,
    verdicts,
)


def _gauge(name: str, meaning: str, samples: Callable[[Observed], Iterable[Sample]], *labels: str) -> Metric:
    return Metric(f"recon_{name}", "gauge", meaning, labels, samples)


def _counter(
    name: str, meaning: str, samples: Callable[[Observed], Iterable[Sample]], *labels: str
) -> Metric:
    return Metric(f"recon_{name}_total", "counter", meaning, labels, samples)


METRICS: tuple[Metric, ...] = (
    _gauge("ready", "1 when every check of /readyz holds.", one(is_ready)),
    _gauge(
        "condition_active",
        "1 while this is wrong; docs/monitoring.md lists the conditions.",
        condition_states,
        "condition",
    ),
    _gauge("source_up", "1 when these facts could be read at the last look.", source_states, "source"),
    _gauge("broker_up", "1 when the broker answered at the last look.", one(broker_up)),
    _gauge("queues_up", "1 when the scrapers' queues could be read at the last look.", one(queues_up)),
    _gauge(
        "facts_timestamp_seconds",
        "When these facts were gathered, in Unix time.",
        one(lambda seen: seen.standing.at.timestamp()),
    ),
    _gauge(
        "worker_last_consumed_timestamp_seconds",
        "When a worker of this kind (control, scan) last took up a task, in Unix time.",
        consumed,
        "worker",
    ),
    _gauge(
        "cycle_running",
        "1 while a cycle holds the lock.",
        known("ledger", lambda seen: seen.standing.running is not None),
    ),
    _gauge(
        "paused",
        "1 while the engine is paused (recon pause): no cycle is late then.",
        known("pause", lambda seen: seen.standing.pause is not None),
    ),
    _gauge(
        "cycle_interval_seconds",
        "Seconds between scheduled cycles; none where the schedule is off.",
        one(lambda seen: seen.standing.interval_s),
    ),
    _gauge(
        "last_cycle_timestamp_seconds",
        "When the last finished cycle ended, in Unix time.",
        one(lambda seen: seconds(seen.standing.finished_at)),
    ),
    _gauge("last_cycle_duration_seconds", "What the last finished cycle took.", of_report("duration_s")),
    _gauge(
        "last_cycle_step_duration_seconds",
        "What each step (plan, scan, compare, publish) of the last finished cycle took.",
        each_of_report("timings_s", names=STEPS),
        "step",
    ),
    _gauge(
        "runs", "Runs that the history remembers, dry ones left out, by outcome.", run_outcomes, "outcome"
    ),
    _counter(
        "cycle_overlaps",
        "Scheduled cycles that were skipped because one was still running.",
        known("ledger", lambda seen: seen.standing.skipped_overlap),
    ),
    _gauge(
        "performance_limit_exceeded",
        "1 when the last finished cycle exceeded this limit of `performance`; none where not set.",
        limits_exceeded,
        "limit",
    ),
    _gauge(
        "observed_timestamp_seconds",
        "The instant that the last observation of the lake (listing or report) shows, in Unix time.",
        one(lambda seen: seconds(seen.standing.as_of)),
    ),
    _gauge(
        "observed_age_seconds",
        "How old the last observation of the lake is.",
        one(lambda seen: seen.standing.observed_age_s),
    ),
    _gauge("objects", "Objects in the scanned scope of the lake.", of_report("observed", "objects")),
    _gauge("objects_bytes", "Bytes of these objects.", of_report("observed", "bytes")),
    _gauge("unexpected_objects", "Objects that no expectation claims.", of_report("unexpected")),
    _gauge("expected_keys", "Keys that are expected one by one.", of_report("expected", "exact_keys")),
    _gauge(
        "last_cycle_requests",
        "Requests to the lake that the last finished cycle made, by kind (list, get).",
        each_of_report("observed", "requests_by_kind"),
        "kind",
    ),
    _gauge(
        "last_cycle_cost_usd",
        "What these requests cost, by the prices of the settings.",
        of_report("observed", "estimated_cost_usd"),
    ),
    _gauge(
        "monthly_cost_usd",
        "What a month of such cycles costs.",
        of_report("observed", "estimated_monthly_usd"),
    ),
    _gauge(
        "shards",
        "Shards of the last finished cycle, by how they ended (complete, failed), and planned.",
        each_of_report("observed", "shards"),
        "state",
    ),
    _gauge(
        "shard_duration_seconds",
        "What shards of the last finished cycle took: the median, the 95th percentile, the slowest.",
        shard_durations,
        "quantile",
    ),
    _gauge(
        "aws_reports_refused",
        "AWS reports that are remembered as unusable.",
        known("aws_reports", lambda seen: seen.standing.refused_reports),
    ),
    _gauge("verdicts", "Expected keys by verdict.", verdicts, "source", "data_type", "verdict"),
    _gauge(
        "coverage_ratio",
        "Share of the due keys (or of the expected number) that is there; none where nothing is due.",
        coverage,
        "source",
        "data_type",
    ),
    _gauge(
        "gaps",
        "Open gaps (data type x partition x reason), by level and by how long they are open.",
        open_gaps,
        "priority",
        "age",
    ),
    _gauge("gap_keys", "Keys in these gaps.", of_report("gaps", "keys")),
    _gauge(
        "last_cycle_tasks",
        "What the last publication did to scrape tasks, by outcome.",
        each_of_report("tasks"),
        "outcome",
    ),
    _gauge("tasks", "Outstanding scrape tasks by level and state.", task_states, "priority", "state"),
    _gauge(
        "scraper_tasks", "Outstanding scrape tasks by scraper and state.", scraper_tasks, "scraper", "state"
    ),
    _gauge("queue_depth", "Length of each queue list, what others pushed included.", depths, "priority"),
    _counter(
        "queue_operations",
        "What became of scrape tasks since the queues were made: published, leased, done and so on.",
        operations,
        "operation",
    ),
    _gauge(
        "dead_letters", "Tasks that were given up.", known("queues", lambda seen: len(seen.standing.dead))
    ),
    _gauge(
        "quarantined_keys",
        "Keys that are not asked for any longer: too many claims of them were not borne out.",
        known("claims", lambda seen: seen.standing.quarantined),
    ),
    _counter(
        "scraper_filled_keys",
        "Keys that a scraper filled, as a look bore out.",
        scraper_counts("filled"),
        "scraper",
    ),
    _counter(
        "scraper_false_claims",
        "Claims of a scraper that were not borne out.",
        scraper_counts("false_claims"),
        "scraper",
    ),
    _counter("scraper_failures", "Tasks that a scraper failed at.", scraper_counts("failed"), "scraper"),
    _gauge("scraper_paused", "1 while a scraper is given no tasks.", scraper_pauses, "scraper"),
    _gauge(
        "time_to_fill_seconds",
        "From a gap's first sighting to its end, over the last 1,000 tasks closed, by quantile.",
        fill,
        "quantile",
    ),
    _gauge(
        "brake_holds",
        "Scopes whose sudden loss is held back.",
        known("brake", lambda seen: len(seen.standing.holds)),
    ),
    _gauge(
        "brake_held_keys",
        "Keys that vanished in these scopes.",
        known("brake", lambda seen: sum(held.vanished for held in seen.standing.holds)),
    ),
)
