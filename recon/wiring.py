"""Settings -> ports: the only place that knows which adapter stands behind which port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from recon import cycle
from recon.access import broker, make_sample, now, queues_address, sample_is_wanted, state
from recon.adapters.catalogs import load_catalog
from recon.adapters.counted_lister import CountedLister
from recon.adapters.inventory_file import load_inventory
from recon.adapters.ledger import RedisLedger
from recon.adapters.local_lister import LocalLister
from recon.adapters.output_files import OutputFiles
from recon.adapters.progress_board import RedisProgressBoard
from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisTaskQueue
from recon.adapters.state_queue import StateTaskQueue
from recon.catalog_copies import choice
from recon.core.binding import Catalog
from recon.core.brake import BrakeLimits
from recon.core.description import described_domain
from recon.core.inventory import Inventory
from recon.core.limits import QueueLimits
from recon.core.performance import PerformanceLimits
from recon.core.rank import Policy
from recon.core.selection import parse_selection
from recon.core.shards import cover
from recon.cycle import Ports
from recon.errors import BrokerError, CatalogError, LakeError
from recon.model import Notice, Priority
from recon.plan import Judgement, Options, Plan, advised, judgement
from recon.ports import Ledger, Lister, ProgressBoard
from recon.settings import Settings, below

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


def engine(chosen: Settings) -> Engine:
    """Return the ports, the ledger, the progress board and the servers of this process."""
    redis = servers(chosen)
    prefix = chosen.queues.prefix
    queue = StateTaskQueue(state(chosen), lake=chosen.lake) if _by_file(chosen) else task_queue(chosen, redis)
    ports = Ports(lister(chosen), state(chosen), OutputFiles(Path.cwd()), queue, now)
    board = RedisProgressBoard(redis["broker"], prefix=prefix)
    return Engine(chosen, ports, RedisLedger(redis["broker"], prefix=prefix), board, redis)


def servers(chosen: Settings) -> dict[str, RedisBroker]:
    """Return the Redis servers by the key that names them; the queues' where it is another, and used."""
    address = broker(chosen).redis
    found = {"broker": RedisBroker.connect(address)}
    queues = None if _by_file(chosen) else queues_address(chosen)
    if queues is not None and queues != address:
        found["queues.url"] = RedisBroker.connect(queues)
    return found


def _by_file(chosen: Settings) -> bool:
    return chosen.task_queue.mode == "file"


def task_queue(chosen: Settings, redis: Mapping[str, RedisBroker]) -> RedisTaskQueue:
    """Return the scrapers' queues on the server that holds them."""
    limits = _limits(chosen)
    return RedisTaskQueue(
        redis["queues.url"] if "queues.url" in redis else redis["broker"],
        prefix=chosen.queues.prefix,
        lake=chosen.lake,
        caps=limits.per_level,
        max_per_run=limits.in_all,
        visibility_s=chosen.queues.visibility_s,
    )


def lister(chosen: Settings) -> Lister:
    """Return what looks at the lake."""
    root = chosen.lake_folder
    if root is not None:
        return LocalLister(root)
    from recon.adapters.s3 import S3Lister  # noqa: PLC0415 - botocore takes 0.1 s, and a lake may be a folder

    bucket, _, prefix = chosen.lake.removeprefix("s3://").partition("/")
    return S3Lister(
        bucket,
        prefix,
        endpoint_url=chosen.s3.endpoint_url,
        region=chosen.s3.region,
        profile=chosen.s3.profile,
    )


def counted(ports: Ports, tell: Callable[[int, int], None]) -> Ports:
    """Return the ports with a lister that tells (objects, requests) of every page."""
    return replace(ports, lister=CountedLister(ports.lister, tell))


def planned(wired: Engine, cycle_id: str, flags: Mapping[str, Any]) -> Judgement:
    """Check the Redis servers, read the inventory and its catalogs, and freeze the plan of one cycle."""
    chosen, ports = wired.settings, wired.ports
    risks = _risks(wired.servers)
    make_sample(chosen)
    inventory = load_inventory(chosen.inventory, chosen.source_overrides)
    limits = BrakeLimits(
        chosen.brake.enabled,
        chosen.brake.min_keys,
        chosen.brake.fraction,
        timedelta(seconds=chosen.brake.auto_release_after_s),
    )
    choices = [
        choice(
            ports.state,
            spec,
            partial(load_catalog, spec, chosen.inventory.parent, ports.lister.read),
            limits,
            (cycle_id, ports.clock()),
        )
        for spec in inventory.catalogs
    ]
    notices = [item.notice for item in choices if item.notice is not None]
    inventory = replace(inventory, notices=(*inventory.notices, *chosen.notices, *notices, *risks))
    catalogs = {item.spec.name: item.catalog for item in choices if item.catalog is not None}
    judged = cycle.plan(ports, cycle_id, inventory, catalogs, options(chosen, flags))
    if not judged.plan.options.dry_run:
        # Only now: a catalog that no plan could be made of is no good copy.
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
        visibility_s=chosen.queues.visibility_s,
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


def _limits(chosen: Settings) -> QueueLimits:
    queue = chosen.task_queue
    caps = queue.max_tasks_per_priority
    return QueueLimits(
        per_level={level: getattr(caps, level.label) for level in Priority},
        in_all=queue.max_tasks_per_run,
        max_share_per_source=queue.max_share_per_source,
        unproven_max=queue.unproven_max,
    )


def _gaps_file(chosen: Settings) -> str:
    """Return the file's name for ``OutputFiles``: relative where it lies below the working directory."""
    here = Path.cwd()
    file = chosen.output_file
    return str(file.relative_to(here) if file.is_relative_to(here) else file)


def _own_prefixes(chosen: Settings) -> tuple[str, ...]:
    """Return where files lie inside the lake that are no lake data: the state, our output, AWS's reports."""
    places = {chosen.state: "/", f"file://{chosen.output_file}": ""}
    if chosen.s3.inventory_bucket and chosen.s3.inventory_prefix:
        places[f"s3://{chosen.s3.inventory_bucket}/{chosen.s3.inventory_prefix.strip('/')}"] = "/"
    found = [(below(place, chosen.lake), ending) for place, ending in places.items()]
    return tuple(f"{path}{ending}" for path, ending in found if path)


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
    told = [*inventory.notices, *chosen.notices, *notices, *judged.notices]
    scope = [text.encode() for text in chosen.s3.prefixes]
    outside = [
        Notice(f"{domain.name} lies outside s3.prefixes: its keys are unknown", domain.dataset.where)
        for domain in judged.domains
        if scope and not cover([block.literal_prefix for block in domain.blocks], scope)
    ]
    return {
        "types": [described_domain(domain) for domain in judged.domains],
        "skipped": {bound.dataset.name: bound.skipped for bound in judged.skipped},
        "warnings": [": ".join(filter(None, (item.where, item.message))) for item in [*told, *outside]],
        "without_effect": [*chosen.without_effect, *inventory.without_effect],
    }
