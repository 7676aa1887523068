"""The sections of recon.yaml: their keys, types and defaults.

Durations are attributes in seconds that end in ``_s``; the key in the file is the alias without it.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from recon.core.command_template import Argument, holes, parse_command, parse_url
from recon.core.dims import COMPLETE, command_problem
from recon.core.invalid import InvalidValueError, did_you_mean
from recon.core.log_line import checked_format
from recon.shapes import (
    Count,
    Duration,
    Flag,
    Fraction,
    Name,
    NoEffect,
    Number,
    Percent,
    Port,
    Positive,
    PositiveDuration,
    Shape,
    Text,
    described,
    problem,
    problems,
)

#: The fraction of shards a live listing looks at; None (and 1 in the file) means all of them.
SampleRate = Annotated[
    Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)] | None,
    AfterValidator(lambda rate: None if rate == 1 else rate),
]


def _per_minute(value: Any) -> Any:
    """Return items per minute from ``20/min`` (also ``/s`` and ``/h``)."""
    count, _, unit = value.partition("/") if isinstance(value, str) else ("", "", "")
    per_minute = {"s": 60.0, "min": 1.0, "h": 1 / 60}.get(unit.strip())
    if per_minute is None or not count.strip().isdigit() or int(count) == 0:
        raise problem(f"expected a rate such as 20/min, 2/s or 500/h, got {described(value)}")
    return int(count) * per_minute


Rate = Annotated[
    float,
    BeforeValidator(_per_minute),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]+/(s|min|h)$"}),
]


class PricesSection(Shape):
    """What a thousand requests cost, in USD."""

    list_per_1000: Number = 0.005
    get_per_1000: Number = 0.0004


class S3Section(Shape):
    """How the lake is looked at."""

    bucket: Name | None = Field(None, description="The lake is s3://<bucket> unless `lake` says otherwise.")
    sample_rate: SampleRate = Field(None, description="null or 1: full; samples whole shards.")
    cache_ttl_hours: Number = 24.0
    parallel_workers: Positive = 4
    prefixes: tuple[Text, ...] = Field((), description="Plain string prefixes that narrow listings.")
    use_aws_inventory: Flag = False
    inventory_bucket: Name | None = None
    inventory_prefix: Text | None = None
    inventory_config_id: Name | None = None
    fallback_to_sample: Flag = True
    endpoint_url: Name | None = None
    region: Name | None = None
    profile: Name | None = None
    max_report_age_s: PositiveDuration = Field(48 * 3600.0, alias="max_report_age")
    confirm_requests_max: Count = 1000
    hold_unconfirmed: Flag = False
    full_scan_every_s: PositiveDuration | None = Field(None, alias="full_scan_every")
    live_window_s: PositiveDuration = Field(3 * 86400.0, alias="live_window")
    max_requests_per_cycle: Positive | None = None
    prices: PricesSection = Field(default_factory=PricesSection)


class ThresholdsSection(Shape):
    """Coverage below which a counted partition takes each level; fractions."""

    critical: Fraction = 0.50
    high: Fraction = 0.80
    medium: Fraction = 0.95
    low: Fraction = 0.99


class SourceSection(Shape):
    """What ``gap_detection.<source>_specific`` says of one source."""

    enabled: Flag = True
    required_data_types: tuple[Name, ...] = ()
    freshness_threshold_hours: Number | None = None
    completeness_target_pct: Percent | None = None
    critical_gap_days: Number | None = None
    scraper_name: Name | None = None
    scraper_args: tuple[Text, ...] = ()


class GapSection(Shape):
    """How gaps are ranked and retried."""

    family: ClassVar[str] = "*_specific"

    critical_threshold_days: Number = 7.0
    high_priority_seasons: tuple[Name, ...] | None = Field(None, description="Default: the current season.")
    medium_priority_seasons: tuple[Name, ...] | None = Field(None, description="Default: the two before.")
    completeness_thresholds: ThresholdsSection = Field(default_factory=ThresholdsSection)
    max_attempts: Positive = 5
    sources: dict[Name, SourceSection] = Field(default_factory=dict, alias="*_specific")


class LevelCapsSection(Shape):
    """How many tasks of each level may be outstanding."""

    critical: Count = 100
    high: Count = 300
    medium: Count = 400
    low: Count = 200


class TaskQueueSection(Shape):
    """What is published, and where."""

    max_tasks_per_run: Count = 1000
    max_tasks_per_priority: LevelCapsSection = Field(default_factory=LevelCapsSection)
    task_ttl_days: Number = Field(
        7.0, description="How long tasks given up are kept; none is published anew."
    )
    output_file: Name = "inventory/gaps.json"
    unproven_max: Count = 5
    max_share_per_source: Fraction = 0.5
    mode: Literal["both", "redis", "file"] = "both"


class QueuesSection(Shape):
    """The Redis that scrapers consume from."""

    url: Name | None = Field(None, repr=False, description="Default: the broker's.")
    prefix: Name = "recon"
    visibility_s: PositiveDuration = Field(900.0, alias="visibility")
    allow_insecure: Flag = Field(
        default=False,
        description="true: a Redis on another host (`broker` or `url`) may have neither password nor TLS.",
    )


class LoopSection(Shape):
    """When cycles run."""

    enabled: Flag = True
    interval_hours: Annotated[Number, Field(gt=0)] = 1.0
    interval_minutes: Annotated[Number, Field(gt=0)] | None = Field(
        None, description="Wins over interval_hours."
    )
    min_interval_s: Duration = Field(300.0, alias="min_interval")
    daemon_mode: NoEffect = None
    max_retries: Count = 3
    alert_on_failure: Flag = True
    alert_channels: tuple[Name, ...] = ()
    health_check_port: Port = 8050
    health_check_host: Name = "127.0.0.1"


class PerformanceSection(Shape):
    """Limits that warn and count when exceeded; null: no limit."""

    s3_scan_max_minutes: Number | None = None
    coverage_analysis_max_seconds: Number | None = None
    gap_detection_max_seconds: Number | None = None
    task_generation_max_seconds: Number | None = None
    full_cycle_max_minutes: Number | None = None


class DimsSection(Shape):
    """DIMS metrics, written to its YAML file."""

    enabled: Flag = True
    update_on_complete: Flag = True
    event_triggers: tuple[Literal["reconciliation_complete", "gaps_detected"], ...] = ()
    metrics_file: Name = "inventory/metrics.yaml"
    category: Name = "reconciliation"
    command: tuple[Text, ...] | None = Field(
        None, repr=False, description="Called for each {metric} with its {value}, instead of the file."
    )
    timeout_s: PositiveDuration = Field(30.0, alias="timeout")

    @model_validator(mode="after")
    def _has_a_usable_command(self) -> DimsSection:
        wrong = None if self.command is None else command_problem(self.command)
        if wrong is not None:
            raise problem(wrong, ("command",))
        return self

    @property
    def triggers(self) -> frozenset[str]:
        """Return the events that update the metrics; none where it is off."""
        on_complete = (COMPLETE,) if self.update_on_complete else ()
        return frozenset((*self.event_triggers, *on_complete)) if self.enabled else frozenset()


class IntegrationSection(Shape):
    """Systems beside this one."""

    dims: DimsSection = Field(default_factory=DimsSection)
    existing_tools: NoEffect = None


class DryRunSection(Shape):
    """What a dry run does."""

    enabled: Flag = False
    save_results: Flag = True
    skip_task_generation: Flag = False


def _checked_log_format(text: str) -> str:
    try:
        return checked_format(text)
    except InvalidValueError as error:
        raise problem(error.message) from error


class LoggingSection(Shape):
    """Where logs go (docs/logs.md)."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    format: Annotated[Text, AfterValidator(_checked_log_format)] = Field(
        "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
        description="A %-format of Python's logging, or json: one JSON object a line.",
    )
    output_dir: Name | None = Field(
        None, description="<role>.log files here; null: standard error, workers.log for a run's own workers."
    )
    max_file_size_mb: Positive = 100
    backup_count: Count = 5


def _checked_server(text: str) -> str:
    if not text.startswith(("smtp://", "smtps://")) or not text.partition("://")[2].strip("/"):
        raise problem("expected a mail server: smtp://host:25 or smtps://host")
    return text


class EmailSection(Shape):
    """Mail for alerts."""

    to: tuple[Name, ...] = ()
    server: Annotated[Name, AfterValidator(_checked_server)] | None = Field(
        None,
        repr=False,
        description="smtp://host:25 or smtps://host; default: a mailto(s):// address in RECON_ALERT_URLS.",
    )
    subject_prefix: Text = "[recon]"


class SlackSection(Shape):
    """A Slack channel for alerts."""

    webhook_url: Text = Field("", repr=False)
    channel: Text = ""


class NotificationsSection(Shape):
    """Who is told of what is wrong (docs/alerts.md)."""

    enabled: Flag = False
    critical_gaps_threshold: Count = 10
    digest_s: PositiveDuration | None = Field(
        None,
        alias="digest",
        description="All but critical alerts wait so long, and are told together.",
    )
    email: EmailSection = Field(default_factory=EmailSection)
    slack: SlackSection = Field(default_factory=SlackSection)


class BrakeSection(Shape):
    """When a sudden loss is held back instead of published."""

    enabled: Flag = True
    min_keys: Count = 10
    fraction: Fraction = 0.15
    auto_release_after_s: PositiveDuration = Field(86400.0, alias="auto_release_after")
    head_max: Count = 20


class BreakerSection(Shape):
    """When a scraper whose claims are refuted is paused."""

    refuted_in_row: Positive = 5
    probe_after_s: PositiveDuration = Field(3600.0, alias="probe_after")


class ScraperDefaultsSection(Shape):
    """Defaults for every scraper that ``recon work`` runs."""

    concurrency: Positive = 1
    timeout_s: PositiveDuration = Field(900.0, alias="timeout")
    breaker: BreakerSection = Field(default_factory=BreakerSection)


class RateSection(Shape):
    """How fast one scraper may go; ``items`` is per minute."""

    items_per_minute: Rate | None = Field(None, alias="items")
    concurrent: Positive | None = Field(None, description="Items in work at once, over all runs.")
    min_delay_s: Duration | None = Field(None, alias="min_delay")


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise problem("expected at least 1 item, got an empty list")
    return names


#: A list that is not empty, of texts that are not.
SomeNames = Annotated[
    tuple[Name, ...],
    AfterValidator(_some),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"type": ["string", "number"]}}),
]


class ScraperLimitsSection(Shape):
    """What one run may be asked for at most."""

    days_back: Positive | None = Field(
        None, description="Above it, a task is held; the value of no-day tasks."
    )
    items: Positive | None = Field(None, description="Siblings are folded up to so many items.")


def _checked_command(command: tuple[str, ...]) -> tuple[str, ...]:
    try:
        parse_command(command)
    except InvalidValueError as error:
        raise problems([error]) from error
    return command


def _checked_url(url: str) -> str:
    try:
        parse_url(url)
    except InvalidValueError as error:
        raise problems([error]) from error
    return url


class ScrapySection(Shape):
    """A Scrapy spider that takes its requests from Redis by scrapy-redis; the URL is a template."""

    spider: Name
    url: Annotated[Text, AfterValidator(_checked_url)]


class ScraperSection(Shape):
    """A command or a spider that fills gaps; both are templates over a task (docs/scrapers.md)."""

    command: Annotated[tuple[Text, ...], Field(min_length=1), AfterValidator(_checked_command)] | None = None
    scrapy: ScrapySection | None = None
    per: Literal["task", "item", "partition", "source"] = "task"
    map: dict[Name, dict[Name, SomeNames]] = Field(
        default_factory=dict, description="Name: data type (or source.type): values."
    )
    limits: ScraperLimitsSection = Field(default_factory=ScraperLimitsSection)
    cwd: Name | None = Field(None, description="Relative to the working directory, which is the default.")
    env: dict[Name, Text] = Field(default_factory=dict, repr=False)
    rate: RateSection = Field(default_factory=RateSection)
    concurrency: Positive | None = None
    timeout_s: PositiveDuration | None = Field(None, alias="timeout")
    breaker: BreakerSection | None = None

    @model_validator(mode="after")
    def _has_one_way(self) -> ScraperSection:
        if (self.command is None) == (self.scrapy is None):
            both = "command and scrapy are two ways to run it; expected one of them"
            raise problem("expected a command, or scrapy" if self.command is None else both)
        return self

    @model_validator(mode="after")
    def _knows_its_maps(self) -> ScraperSection:
        commands = parse_command(self.command) if self.command else ()
        templates: list[tuple[tuple[str | int, ...], Argument]] = [
            (("command", number), argument) for number, argument in enumerate(commands)
        ]
        if self.scrapy is not None:
            templates.append((("scrapy", "url"), parse_url(self.scrapy.url)))
        unknown = [
            InvalidValueError(
                f"{hole} names no map of this scraper{did_you_mean(hole.member, self.map)}", path
            )
            for path, template in templates
            for hole in holes([template])
            if hole.family == "map" and hole.member not in self.map
        ]
        if unknown:
            raise problems(unknown)
        return self


class SettingsShape(Shape):
    """The whole file."""

    lake: Name | None = Field(
        None, description="s3://bucket/prefix, file:///path or a folder; default s3://<s3.bucket>."
    )
    inventory: Name | None = Field(None, description="Relative to this file.")
    state: Name = Field(".recon", description="A folder, file:///… or s3://…; shared by all hosts.")
    state_shared: Flag = Field(
        default=False, description="true: this file:// state is on a shared file system."
    )
    broker: Name | None = Field(
        None, repr=False, description="redis://…; null: embedded under the state folder."
    )
    queues: QueuesSection = Field(default_factory=QueuesSection)
    s3: S3Section = Field(default_factory=S3Section)
    gap_detection: GapSection = Field(default_factory=GapSection)
    task_queue: TaskQueueSection = Field(default_factory=TaskQueueSection)
    reconciliation_loop: LoopSection = Field(default_factory=LoopSection)
    performance: PerformanceSection = Field(default_factory=PerformanceSection)
    integration: IntegrationSection = Field(default_factory=IntegrationSection)
    dry_run: DryRunSection = Field(default_factory=DryRunSection)
    logging: LoggingSection = Field(default_factory=LoggingSection)
    notifications: NotificationsSection = Field(default_factory=NotificationsSection)
    brake: BrakeSection = Field(default_factory=BrakeSection)
    history_days: Positive = 90
    max_expected_keys: Positive = Field(500_000_000, description="A larger data type is refused.")
    scrapers_defaults: ScraperDefaultsSection = Field(default_factory=ScraperDefaultsSection)
    scrapers: dict[Name, ScraperSection] = Field(default_factory=dict)
    version: NoEffect = None
    last_updated: NoEffect = None
    metadata: NoEffect = None
