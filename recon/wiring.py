"""Settings -> ports: the only place that knows which adapter stands behind which port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recon import cycle
from recon.access import make_sample, now, sample_is_wanted, state
from recon.adapters.catalogs import load_catalog
from recon.adapters.counted_pages import CountedLister, CountedReportFiles
from recon.adapters.dims import DimsCommand, DimsFile
from recon.adapters.inventory_file import load_inventory
from recon.adapters.ledger import RedisLedger
from recon.adapters.local_lister import LocalLister
from recon.adapters.output_files import OutputFiles
from recon.adapters.progress_board import RedisProgressBoard
from recon.adapters.redis_client import RedisBroker
from recon.aftermath import Aftermath
from recon.alarm import alarm
from recon.aws_reports import ReportPlace
from recon.catalog_copies import choice
from recon.core.binding import Catalog
from recon.core.brake import BrakeLimits
from recon.core.description import described_domain
from recon.core.inventory import Inventory
from recon.core.inventory_setup import PREFIX
from recon.core.limits import QueueLimits
from recon.core.performance import PerformanceLimits
from recon.core.rank import Policy
from recon.core.scraper_check import scraper_notices, scraper_problems, served_type
from recon.core.selection import parse_selection
from recon.core.shards import cover
from recon.cycle import Ports
from recon.errors import BrokerError, CatalogError, ConfigError, LakeError
from recon.inventory_copy import chosen_inventory
from recon.model import Notice
from recon.outlook import claim_rules
from recon.plan import Judgement, Options, Plan, advised, judgement
from recon.ports import (
    InventoryAdmin,
    Ledger,
    Lister,
    MetricsRegistry,
    ProgressBoard,
    ReportFiles,
    StateStore,
)
from recon.queues import caps, queues_on, servers
from recon.report_delivery import Wish
from recon.settings import Settings, below, scraper_environment
from recon.shapes import in_file_order
from recon.trouble_book import TroubleBook

if TYPE_CHECKING:
    from recon.adapters.s3 import S3Lister

#: A shard that has not reported after this long is sent out again.
SHARD_DEADLINE_S = 300.0
#: Celery shards of one cycle at most: each costs 2-3.5 ms of CPU, whatever it lists.
SHARDS_MAX = 200


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything a process of the engine works with."""

    settings: Settings
    ports: Ports
    ledger: Ledger
    board: ProgressBoard
    servers: Mapping[str, RedisBroker]
    aftermath: Aftermath


def engine(chosen: Settings) -> Engine:
    """Return the ports, the ledger, the progress board and the servers of this process."""
    redis = servers(chosen)
    prefix = chosen.queues.prefix
    queue = queues_on(chosen, redis)
    files = cache(partial(report_files, chosen, filtered=True))
    ports = Ports(lister(chosen), state(chosen), OutputFiles(Path.cwd()), queue, now, files)
    board = RedisProgressBoard(redis["broker"], prefix=prefix)
    ledger = RedisLedger(redis["broker"], prefix=prefix)
    return Engine(chosen, ports, ledger, board, redis, aftermath(chosen, ports.state))


def aftermath(chosen: Settings, state: StateStore) -> Aftermath:
    """Return what follows a cycle's end."""
    dims = chosen.integration.dims
    registry = metrics_registry(chosen) if dims.triggers else None
    return Aftermath(state, now, TroubleBook(state), chosen.history_days, registry, dims.triggers)


def metrics_registry(chosen: Settings) -> MetricsRegistry:
    """Return what takes the DIMS metrics."""
    dims = chosen.integration.dims
    if dims.command is not None:
        return DimsCommand(dims.command, dims.timeout_s, scraper_environment())
    return DimsFile(chosen.metrics_file, dims.category)


def lister(chosen: Settings) -> Lister:
    """Return what looks at the lake."""
    root = chosen.lake_folder
    if root is not None:
        return LocalLister(root)
    return _s3_lister(chosen, *_bucket_and_folder(chosen.lake))


def report_files(chosen: Settings, *, filtered: bool = False) -> ReportFiles:
    """Return what reads AWS's reports where they are delivered, and asks for their filter if ``filtered``."""
    from recon.adapters.aws_report import AwsReportFiles  # noqa: PLC0415 - its readers take 0.1 s, and few need it

    destination = _destination(chosen)
    if destination.startswith("file://"):
        return AwsReportFiles(LocalLister(destination.removeprefix("file://")))
    lister = _s3_lister(chosen, destination.removeprefix("s3://"), "")
    if not filtered or chosen.lake_folder is not None:
        return AwsReportFiles(lister)
    source, _ = _bucket_and_folder(chosen.lake)
    return AwsReportFiles(lister, _s3_lister(chosen, source, "").report_filter)


def report_place(chosen: Settings) -> ReportPlace:
    """Return whose reports to look for, and where below the destination; a copy has its bucket's name."""
    lake = chosen.lake_folder
    source = (chosen.s3.bucket or lake.name) if lake else _bucket_and_folder(chosen.lake)[0]
    prefix = PREFIX if chosen.s3.inventory_prefix is None else chosen.s3.inventory_prefix
    oldest = timedelta(seconds=chosen.s3.max_report_age_s)
    return ReportPlace(
        source,
        prefix,
        chosen.s3.inventory_config_id,
        oldest,
        root=report_root(chosen),
        sample_instead=chosen.s3.fallback_to_sample,
    )


def report_root(chosen: Settings) -> bytes:
    """Return the lake's folder in its bucket, with a slash at its end, as reports' keys begin; or b""."""
    folder = "" if chosen.lake_folder else _bucket_and_folder(chosen.lake)[1]
    return f"{folder}/".encode() if folder else b""


def report_wish(chosen: Settings, account: str | None = None) -> Wish:
    """Return which reports AWS is to deliver; raise ``ConfigError`` where a folder is no bucket."""
    told = chosen.s3.inventory_bucket
    if chosen.lake_folder is not None or (told is not None and told.startswith("file://")):
        raise ConfigError(
            f"AWS delivers inventory reports of S3 buckets into S3 buckets, and {told or chosen.lake} is a "
            "folder. Set `lake` and s3.inventory_bucket to buckets; a folder is listed in full at no cost"
        )
    place = report_place(chosen)
    bucket, root = told or place.bucket, report_root(chosen).decode()
    return Wish(place.bucket, root, place.config_id, bucket, place.prefix.strip("/"), account)


def inventory_admin(chosen: Settings) -> InventoryAdmin:
    """Return what reads and changes how AWS delivers reports."""
    from recon.adapters.s3_inventory_setup import S3InventorySetup  # noqa: PLC0415 - boto3 takes 0.2 s

    s3 = chosen.s3
    return S3InventorySetup(endpoint_url=s3.endpoint_url, region=s3.region, profile=s3.profile)


def _destination(chosen: Settings) -> str:
    """Return the bucket that reports go to, or the folder that stands for one, as an address."""
    told, lake = chosen.s3.inventory_bucket, chosen.lake_folder
    if told is not None and told.startswith("file://"):
        return told.rstrip("/")
    if lake is None:
        return f"s3://{told or _bucket_and_folder(chosen.lake)[0]}"
    # Folders beside each other stand for buckets, as copies of buckets do.
    beside = lake.parent / told if told else lake
    return f"file://{beside if beside.is_dir() else lake}"


def _bucket_and_folder(lake: str) -> tuple[str, str]:
    bucket, _, folder = lake.removeprefix("s3://").partition("/")
    return bucket, folder.strip("/")


def _s3_lister(chosen: Settings, bucket: str, prefix: str) -> S3Lister:
    from recon.adapters.s3 import S3Lister  # noqa: PLC0415 - botocore takes 0.1 s, and a lake may be a folder

    return S3Lister(
        bucket,
        prefix,
        endpoint_url=chosen.s3.endpoint_url,
        region=chosen.s3.region,
        profile=chosen.s3.profile,
    )


def counted(ports: Ports, tell: Callable[[int, int], None]) -> Ports:
    """Return the ports with a lister, and reports, that tell (objects, requests) of every page."""

    def reports() -> ReportFiles:
        return CountedReportFiles(ports.reports(), tell)

    return replace(ports, lister=CountedLister(ports.lister, tell), reports=reports)


def planned(wired: Engine, cycle_id: str, flags: Mapping[str, Any]) -> Judgement:
    """Check the Redis servers, read the inventory and its catalogs, and freeze the plan of one cycle.

    A scheduled cycle, whose flags count attempts, goes on by the last good inventory where the file is wrong.
    """
    chosen, ports = wired.settings, wired.ports
    risks = _risks(wired.servers)
    make_sample(chosen)
    declared = chosen_inventory(
        ports.state,
        chosen.inventory,
        lambda text: load_inventory(chosen.inventory, chosen.source_overrides, text=text),
        may_fall_back="attempt" in flags,
    )
    inventory = declared.inventory
    choices = [
        choice(
            ports.state,
            spec,
            partial(load_catalog, spec, chosen.inventory.parent, ports.lister.read),
            _brake_limits(chosen),
            (cycle_id, ports.clock()),
        )
        for spec in inventory.catalogs
    ]
    notices = [item.notice for item in choices if item.notice is not None]
    inventory = replace(inventory, notices=(*inventory.notices, *chosen.notices, *notices, *risks))
    catalogs = {item.spec.name: item.catalog for item in choices if item.catalog is not None}
    reports = report_place(chosen) if chosen.s3.use_aws_inventory else None
    judged = cycle.plan(ports, cycle_id, inventory, catalogs, options(chosen, flags), reports=reports)
    if not judged.plan.options.dry_run:
        # Only now: what no plan could be made of is no good copy.
        declared.remember(ports.state)
        for item in choices:
            item.remember(ports.state)
    return judged


def _risks(servers: Mapping[str, RedisBroker]) -> list[Notice]:
    """Return how the servers may lose tasks; raise ``BrokerError`` where one must not be used at all."""
    checked = {name: server.check() for name, server in servers.items()}
    refused = [f"{name}: {problem}" for name, found in checked.items() for problem in found.refused]
    if refused:
        raise BrokerError("; ".join(refused))
    return [Notice(problem, name) for name, found in checked.items() for problem in found.warned]


def options(chosen: Settings, flags: Mapping[str, Any]) -> Options:
    """Return how one cycle runs: the settings, with the flags ``dry_run`` and ``select`` over them."""
    gaps = chosen.gap_detection
    thresholds = gaps.completeness_thresholds
    return Options(
        lake=chosen.lake,
        dry_run=bool(flags.get("dry_run", chosen.dry_run.enabled)),
        select=tuple(parse_selection(text) for text in flags.get("select", ())),
        scope=chosen.s3.prefixes,
        own=_own_prefixes(chosen),
        sample_rate=chosen.s3.sample_rate if chosen.lake.startswith("s3://") else None,
        connections=max(chosen.s3.parallel_workers, 4),
        shards=SHARDS_MAX,
        # A late shard says so before it is sent out again.
        shard_deadline_s=0.8 * SHARD_DEADLINE_S,
        max_expected_keys=chosen.max_expected_keys,
        policy=Policy(
            critical_threshold_s=gaps.critical_threshold_days * 86400.0,
            high_seasons=gaps.high_priority_seasons or (),
            medium_seasons=gaps.medium_priority_seasons or (),
            below_critical=thresholds.critical,
            below_high=thresholds.high,
            below_medium=thresholds.medium,
            below_low=thresholds.low,
        ),
        limits=_limits(chosen),
        performance=PerformanceLimits(**chosen.performance.model_dump()),
        gaps_file=_gaps_file(chosen) if chosen.task_queue.mode != "redis" else None,
        dry_run_kept=chosen.dry_run.save_results,
        dry_run_plans_tasks=not chosen.dry_run.skip_task_generation,
        list_usd=chosen.s3.prices.list_per_1000 / 1000,
        get_usd=chosen.s3.prices.get_per_1000 / 1000,
        use_cache=bool(flags.get("use_cache")),
        cache_ttl_s=chosen.s3.cache_ttl_hours * 3600,
        full_scan_every_s=chosen.s3.full_scan_every_s,
        live_window_s=chosen.s3.live_window_s,
        requests_max=chosen.s3.max_requests_per_cycle,
        interval_s=chosen.interval_s,
        confirm_requests_max=chosen.s3.confirm_requests_max,
        hold_unconfirmed=chosen.s3.hold_unconfirmed,
        claim_rules=claim_rules(chosen),
        brake=_brake_limits(chosen),
    )


def _read_catalogs(
    inventory: Inventory, folder: Path, read_lake: Callable[[bytes], bytes]
) -> tuple[dict[str, Catalog], list[Notice]]:
    """Return the catalogs that can be read; the others are told, and their data types are skipped."""
    loaded: dict[str, Catalog] = {}
    notices: list[Notice] = []
    for spec in inventory.catalogs:
        try:
            loaded[spec.name] = load_catalog(spec, folder, read_lake)
        except (CatalogError, LakeError) as error:
            notices.append(Notice(str(error).removeprefix(f"{spec.where}: "), spec.where))
    return loaded, notices


def _brake_limits(chosen: Settings) -> BrakeLimits:
    """Return how sudden a loss must be to be held back, and for how long."""
    brake = chosen.brake
    lasts = timedelta(seconds=brake.auto_release_after_s)
    return BrakeLimits(brake.enabled, brake.min_keys, brake.fraction, lasts, brake.head_max)


def _limits(chosen: Settings) -> QueueLimits:
    queue = chosen.task_queue
    return QueueLimits(caps(chosen), queue.max_tasks_per_run, queue.max_share_per_source, queue.unproven_max)


def _gaps_file(chosen: Settings) -> str:
    """Return the file's name for ``OutputFiles``: relative where it lies below the working directory."""
    here = Path.cwd()
    file = chosen.output_file
    return str(file.relative_to(here) if file.is_relative_to(here) else file)


def _own_prefixes(chosen: Settings) -> tuple[str, ...]:
    """Return where files lie inside the lake that are no lake data: the state, our output, AWS's reports."""
    dims = chosen.metrics_file
    places = {chosen.state: "/", f"file://{chosen.output_file}": ""}
    if chosen.integration.dims.triggers and chosen.integration.dims.command is None:
        places |= {f"file://{dims}": "", f"file://{dims.parent / 'historical'}": "/"}
    if chosen.s3.use_aws_inventory or chosen.s3.inventory_bucket or chosen.s3.inventory_prefix:
        place = report_place(chosen)
        places[f"{_destination(chosen)}/{place.prefix.strip('/') or place.bucket}"] = "/"
    found = [(below(place, chosen.lake), ending) for place, ending in places.items()]
    return tuple(f"{path}{ending}" for path, ending in found if path)


def unusable_channels(chosen: Settings) -> list[Notice]:
    """Return what is to be told of the addresses that no alert can reach; nothing is sent."""
    bell = alarm(chosen)
    unusable = set(bell.services().unusable()) if bell.channels else set()
    return [
        Notice(
            f"{one.name}: apprise does not understand this address, so no alert reaches it; its "
            "documentation shows the form of each service's",
            "RECON_ALERT_URLS",
        )
        for one in bell.channels
        if one.id in unusable
    ]


def validated(chosen: Settings) -> dict[str, Any]:
    """Return what each data type comes to, with every warning, from the files alone (and local catalogs)."""
    inventory = load_inventory(chosen.inventory, chosen.source_overrides)
    catalogs, notices = _read_catalogs(inventory, chosen.inventory.parent, lister(chosen).read)
    plan = Plan("validate", now(), inventory, options(chosen, {}), (), tuple(catalogs))
    judged = advised(judgement(plan, catalogs))
    if sample_is_wanted(chosen):
        notices.insert(
            0, Notice("the sample lake is not there yet, nor the catalog in it: recon run makes it")
        )
    told = [*inventory.notices, *chosen.notices, *notices, *judged.notices, *unusable_channels(chosen)]
    scope = [text.encode() for text in chosen.s3.prefixes]
    outside = [
        Notice(f"{domain.name} lies outside s3.prefixes: its keys are unknown", domain.dataset.where)
        for domain in judged.domains
        if scope and not cover([block.literal_prefix for block in domain.blocks], scope)
    ]
    wrong = scraper_problems(chosen.scrapers, [served_type(domain) for domain in judged.domains])
    if wrong:
        raise ConfigError(in_file_order(wrong))
    told += scraper_notices(chosen.scrapers, {dataset.scraper for dataset in inventory.datasets})
    return {
        "types": [described_domain(domain) for domain in judged.domains],
        "skipped": {bound.dataset.name: bound.skipped for bound in judged.skipped},
        "warnings": [": ".join(filter(None, (item.where, item.message))) for item in [*told, *outside]],
        "without_effect": [*chosen.without_effect, *inventory.without_effect],
    }
