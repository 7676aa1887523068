"""``Settings``: how it runs, with every path and address resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recon.core.overrides import SourceOverride
from recon.core.scraper import Scraper
from recon.model import Notice
from recon.settings.sections import (
    BrakeSection,
    DryRunSection,
    GapSection,
    IntegrationSection,
    LoggingSection,
    LoopSection,
    NotificationsSection,
    PerformanceSection,
    QueuesSection,
    S3Section,
    ScraperDefaultsSection,
    TaskQueueSection,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that decides how a cycle runs; built by ``load_settings`` only.

    ``lake`` is ``s3://bucket[/prefix]`` or ``file:///path``, ``state`` likewise, both without a trailing
    ``/`` and not percent-encoded. Paths are absolute. ``broker`` None means the embedded one; ``queues_url``
    None means the broker's, whichever it is. ``without_effect`` lists accepted keys that change nothing.
    Addresses that may hold passwords stay out of ``repr``.
    """

    config_path: Path
    lake: str
    inventory: Path
    state: str
    state_shared: bool
    broker: str | None = field(repr=False)
    queues_url: str | None = field(repr=False)
    queues: QueuesSection
    s3: S3Section
    gap_detection: GapSection
    source_overrides: tuple[SourceOverride, ...]
    task_queue: TaskQueueSection
    output_file: Path
    loop: LoopSection
    interval_s: float
    performance: PerformanceSection
    integration: IntegrationSection
    metrics_file: Path
    dry_run: DryRunSection
    logging: LoggingSection
    log_dir: Path | None
    notifications: NotificationsSection
    alert_urls: tuple[str, ...] = field(repr=False)
    brake: BrakeSection
    history_days: int
    max_expected_keys: int
    scrapers_defaults: ScraperDefaultsSection
    scrapers: Mapping[str, Scraper]
    notices: tuple[Notice, ...]
    #: Those of ``notices`` that say why alerts reach nobody.
    alert_notices: tuple[Notice, ...]
    without_effect: tuple[str, ...]

    @property
    def lake_folder(self) -> Path | None:
        """Return the lake's folder, or None when the lake is not on a file system."""
        return Path(self.lake.removeprefix("file://")) if self.lake.startswith("file://") else None

    @property
    def state_folder(self) -> Path | None:
        """Return the state's folder, or None when the state is not on a file system."""
        return Path(self.state.removeprefix("file://")) if self.state.startswith("file://") else None
