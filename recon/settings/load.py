"""Reads recon.yaml, lays the environment and flags over it, and resolves what they name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recon.core.invalid import InvalidValueError
from recon.core.overrides import SourceOverride
from recon.errors import ConfigError
from recon.model import Notice
from recon.settings.address import (
    broker_address,
    endpoint_address,
    insecurity,
    overlaps,
    refusals,
    storage_address,
)
from recon.settings.alert_channels import alert_notices
from recon.settings.flower import FLOWER_AUTH
from recon.settings.idle import without_effect
from recon.settings.scrapers import scrapers
from recon.settings.sections import SettingsShape
from recon.settings.values import Settings
from recon.shapes import in_file_order, json_schema, shaped
from recon.strict_yaml import Document, KeyPath, read_document

#: Where the configuration is looked for when neither --config nor RECON_CONFIG names one.
DEFAULT_CONFIG = "config/recon.yaml"
#: Set for processes that another one started for itself.
SUPERVISED = "RECON_SUPERVISED"
#: Flags of the process that started this one: seconds between cycles, and 1 or 0.
INTERVAL, DRY_RUN = "RECON_INTERVAL_S", "RECON_DRY_RUN"
#: A copy of the configuration that is read in its place; what it names stays relative to the original.
COPY = "RECON_CONFIG_COPY"
#: Variables that may hold secrets of the engine, and that no scraper needs.
_OURS = ("RECON_REDIS_URL", "RECON_ALERT_URLS", FLOWER_AUTH)
_BEFORE_ADDRESS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_DAY_S = 86400.0
_HOUR_S = 3600.0


@dataclass(slots=True)
class _Origin:
    """The file, the environment over it, and the problems found on the way."""

    document: Document
    environ: Mapping[str, str]
    cwd: Path
    problems: list[str] = field(default_factory=list)

    def pick(self, path: KeyPath, written: str | None, variable: str = "") -> tuple[str | None, str]:
        """Return the value that counts, and where it stands; the environment wins over the file."""
        value = self.environ.get(variable, "").strip() if variable else ""
        return (value, variable) if value else (written, self.document.where(path))

    def resolved(self, value: str | None, where: str, read: Callable[[str], str]) -> str | None:
        """Return what ``read`` makes of the value, or None after noting why it cannot."""
        if value is None:
            return None
        try:
            return read(value)
        except InvalidValueError as error:
            self.problems.append(f"{where}: {error.message}")
            return None


def load_settings(
    path: Path | str | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    cwd: Path | None = None,
    dry_run: bool | None = None,
    interval_s: float | None = None,
    copy: Path | None = None,
) -> Settings:
    """Read the settings: ``path``, else ``RECON_CONFIG``, else config/recon.yaml under ``cwd``.

    Args:
        path: The configuration file (``--config``); relative to ``cwd``.
        environ: The environment; default the process's own.
        cwd: The working directory, which state and outputs are relative to; default the process's own.
        dry_run: The flag; None leaves ``dry_run.enabled`` to the file.
        interval_s: The flag, which puts the schedule on; None leaves both to the file.
        copy: Where the file's text is read from, in its place.

    Raises:
        ConfigError: With every problem at once, one ``file:line:column: message`` each.
    """
    # The one place that reads the process's environment; everything else gets values.
    environ = os.environ if environ is None else environ  # noqa: TID251 - settings are its only reader
    cwd = Path.cwd() if cwd is None else cwd
    shown = str(path) if path is not None else environ.get("RECON_CONFIG", "").strip() or DEFAULT_CONFIG
    config_path = (cwd / shown).resolve()
    if shown == DEFAULT_CONFIG and not config_path.exists():
        raise ConfigError(
            f"{shown}: no such file; pass --config, set RECON_CONFIG, or write it: `lake: s3://bucket/prefix`"
            " (or a folder) and `inventory: inventory.yaml` are enough; every key is in `recon schema recon`"
        )
    if copy is None and path is None and environ.get(COPY):
        copy = Path(environ[COPY])
    document = read_document(copy or config_path, shown)
    shape = shaped(SettingsShape, document)
    origin = _Origin(document, environ, cwd)
    addresses = _addresses(shape, origin)
    if origin.problems:
        raise ConfigError(in_file_order(origin.problems))
    if dry_run is None and environ.get(DRY_RUN):
        dry_run = environ[DRY_RUN] == "1"
    interval_s = interval_s or float(environ.get(INTERVAL, 0.0)) or None
    return _settings(shape, origin, config_path, addresses, dry_run=dry_run, interval_s=interval_s)


def child_environment(settings: Settings, *, copy: Path | None = None) -> dict[str, str]:
    """Return the environment for processes that work by these settings, flags included.

    They read the configuration from ``copy``, where one is given.
    """
    told = {"RECON_CONFIG": str(settings.config_path), DRY_RUN: str(int(settings.dry_run.enabled))}
    if settings.loop.enabled:
        told[INTERVAL] = repr(settings.interval_s)
    if copy is not None:
        told[COPY] = str(copy)
    return {**os.environ, **told}  # noqa: TID251 - settings are its only reader


def scraper_environment() -> dict[str, str]:
    """Return the environment that scrapers begin with: this process', without the engine's own addresses."""
    return {name: text for name, text in os.environ.items() if name not in _OURS}  # noqa: TID251 - settings are its only reader


def adopt(settings: Settings) -> None:
    """Make these the settings that this process' Celery app reads, whichever file ``--config`` named."""
    os.environ["RECON_CONFIG"] = str(settings.config_path)  # noqa: TID251 - settings alone touch it


def supervised(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker that stops when its standard input closes."""
    return {**environment, SUPERVISED: "1"}


def become(environment: Mapping[str, str]) -> None:
    """Make this the environment of this process, which was forked from one with another."""
    os.environ.clear()  # noqa: TID251 - settings alone touch it
    os.environ.update(environment)  # noqa: TID251 - as above


def is_supervised() -> bool:
    """Tell whether this process was started with ``supervised``."""
    return os.environ.get(SUPERVISED) == "1"  # noqa: TID251 - settings are its only reader


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema of recon.yaml."""
    return json_schema(SettingsShape, "recon settings: how it runs")


@dataclass(frozen=True, slots=True)
class _Addresses:
    lake: str
    state: str
    broker: str | None
    queues: str | None


def _addresses(shape: SettingsShape, origin: _Origin) -> _Addresses:
    """Return every address, checked alone and against the others; problems go to ``origin``."""
    redis_url = origin.environ.get("RECON_REDIS_URL", "").strip() or None
    bucket = f"s3://{shape.s3.bucket}" if shape.s3.bucket else None
    lake_path = ("lake",) if shape.lake else ("s3", "bucket")
    lake, lake_at = origin.pick(lake_path, shape.lake or bucket, "RECON_LAKE")
    state, state_at = origin.pick(("state",), shape.state, "RECON_STATE")
    broker, broker_at = origin.pick(("broker",), shape.broker, "RECON_REDIS_URL")
    queues, queues_at = origin.pick(("queues", "url"), redis_url or shape.queues.url)
    if lake is None:
        origin.problems.append(
            f"{lake_at}: no lake; set `lake: s3://bucket/prefix` or file:///path, `s3.bucket`, or RECON_LAKE",
        )
    found = _Addresses(
        lake=origin.resolved(lake, lake_at, lambda text: storage_address(text, origin.cwd)) or "",
        state=origin.resolved(state, state_at, lambda text: storage_address(text, origin.cwd)) or "",
        broker=origin.resolved(broker, broker_at, broker_address),
        queues=origin.resolved(queues, "RECON_REDIS_URL" if redis_url else queues_at, broker_address),
    )
    if not origin.problems:
        refused = refusals(found.broker, found.state, state_shared=shape.state_shared)
        origin.problems += [f"{broker_at if found.broker else state_at}: {text}" for text in refused]
        origin.problems += [f"{state_at}: {text}" for text in overlaps(found.lake, found.state)]
    if not shape.queues.allow_insecure:
        reached = {found.queues: "RECON_REDIS_URL" if redis_url else queues_at, found.broker: broker_at}
        origin.problems += [f"{at}: {text}" for url, at in reached.items() for text in insecurity(url)]
    return found


def _settings(
    shape: SettingsShape,
    origin: _Origin,
    config_path: Path,
    addresses: _Addresses,
    *,
    dry_run: bool | None,
    interval_s: float | None,
) -> Settings:
    loop, log_dir = shape.reconciliation_loop, shape.logging.output_dir
    if interval_s is not None:
        loop = loop.model_copy(update={"enabled": True})
    minutes = loop.interval_minutes
    endpoint = None if shape.s3.endpoint_url is None else endpoint_address(shape.s3.endpoint_url)
    alert_urls = _addresses_in(origin.environ.get("RECON_ALERT_URLS", ""))
    alerts = tuple(alert_notices(shape.notifications, loop, alert_urls, origin.document))
    return Settings(
        config_path=config_path,
        lake=addresses.lake,
        inventory=_inventory_path(shape.inventory, config_path.parent),
        state=addresses.state,
        state_shared=shape.state_shared,
        broker=addresses.broker,
        queues_url=addresses.queues,
        queues=shape.queues,
        s3=shape.s3.model_copy(update={"endpoint_url": endpoint}),
        gap_detection=shape.gap_detection,
        source_overrides=_source_overrides(shape, origin.document),
        task_queue=shape.task_queue,
        output_file=(origin.cwd / shape.task_queue.output_file).resolve(),
        loop=loop,
        interval_s=interval_s or (minutes * 60.0 if minutes else loop.interval_hours * _HOUR_S),
        performance=shape.performance,
        integration=shape.integration,
        metrics_file=(origin.cwd / shape.integration.dims.metrics_file).resolve(),
        dry_run=shape.dry_run if dry_run is None else shape.dry_run.model_copy(update={"enabled": dry_run}),
        logging=shape.logging,
        log_dir=None if log_dir is None else (origin.cwd / log_dir).resolve(),
        notifications=shape.notifications,
        alert_urls=alert_urls,
        brake=shape.brake,
        history_days=shape.history_days,
        max_expected_keys=shape.max_expected_keys,
        scrapers_defaults=shape.scrapers_defaults,
        scrapers=scrapers(shape, origin.document, origin.cwd),
        notices=(
            *_unsent(shape, endpoint, origin.document),
            *alerts,
        ),
        alert_notices=alerts,
        without_effect=without_effect(origin.document),
    )


def _unsent(shape: SettingsShape, endpoint: str | None, document: Document) -> Iterator[Notice]:
    if endpoint != shape.s3.endpoint_url:
        yield Notice(
            "the user and password in s3.endpoint_url are not sent: S3 requests are signed; name the keys by "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or by s3.profile, and take them out of the address",
            document.where(("s3", "endpoint_url")),
        )


def _inventory_path(written: str | None, folder: Path) -> Path:
    """Return the inventory's path, relative to the configuration's ``folder``.

    Unnamed, it is config/inventory.yaml there, or beside the configuration (inventory.yaml, then the older
    engine's data_inventory.yaml) when only that exists.
    """
    if written is not None:
        return (folder / written).resolve()
    places = [folder / "config" / "inventory.yaml", folder / "inventory.yaml", folder / "data_inventory.yaml"]
    return next((place for place in places if place.exists()), places[0]).resolve()


def _addresses_in(text: str) -> tuple[str, ...]:
    """Return comma-separated addresses; a comma that no address follows belongs to the one before it."""
    return tuple(found for piece in _BEFORE_ADDRESS.split(text) if (found := piece.strip(" ,\t\n")))


def _source_overrides(shape: SettingsShape, document: Document) -> tuple[SourceOverride, ...]:
    return tuple(
        SourceOverride(
            source=source,
            where=document.where(("gap_detection", f"{source}_specific"), key=True),
            scraper=section.scraper_name,
            scraper_args=section.scraper_args,
            critical_threshold_s=_scaled(section.critical_gap_days, _DAY_S),
            freshness_s=_scaled(section.freshness_threshold_hours, _HOUR_S),
            completeness=_scaled(section.completeness_target_pct, 0.01),
            required_types=section.required_data_types,
        )
        for source, section in shape.gap_detection.sources.items()
        if section.enabled
    )


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else round(value * factor, 9)
