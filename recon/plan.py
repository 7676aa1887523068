"""The plan of one cycle, frozen in the state: what is expected, when, and which shards are looked at.

State names: ``cycles/<cycle_id>/plan.json`` and ``cycles/<cycle_id>/catalogs/<name>.arrow``.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import PlainSerializer, PlainValidator, TypeAdapter

from recon.core.aws_manifest import Manifest
from recon.core.binding import bind
from recon.core.bound import BoundType
from recon.core.brake import BrakeLimits
from recon.core.catalog import Catalog
from recon.core.claims import SCRAPERS, ClaimRules
from recon.core.cost import Prices
from recon.core.dimensions import SeasonsDimension
from recon.core.domain import MAX_EXPECTED_KEYS, Domain
from recon.core.ignore import ignored
from recon.core.inventory import Inventory
from recon.core.layout import Layout
from recon.core.limits import QueueLimits
from recon.core.performance import PerformanceLimits
from recon.core.rank import Policy, stale_pins
from recon.core.season_years import DEFAULT_STARTS
from recon.core.sketcher import Sketcher
from recon.core.waivers import idle_waivers
from recon.errors import StateError
from recon.model import KeyRange, Notice, Shard
from recon.ports import StateStore

#: AWS's price of one LIST request (https://aws.amazon.com/s3/pricing/, us-east-1).
USD_PER_LIST = 0.005 / 1000
#: The same of one GET or HEAD request.
USD_PER_GET = 0.0004 / 1000
#: Keys between two boundaries, for cutting the next cycle: one page of a listing, unless the lake is huge.
KEYS_APART = 1000

#: Raw key bytes travel through JSON as hexadecimal digits.
Key = Annotated[
    bytes,
    PlainSerializer(lambda key: key.hex(), return_type=str),
    PlainValidator(lambda key: key if isinstance(key, bytes) else bytes.fromhex(key)),
]


@dataclass(frozen=True, slots=True)
class PlannedRange:
    """A ``KeyRange`` as the plan stores it."""

    prefix: Key
    start_after: Key
    end: Key | None


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """A ``Shard`` as the plan stores it; ``scan`` is False for a shard that a sample leaves out.

    ``weight`` is its size as far as the hints tell, in any unit. A shard of a report has a ``file`` and no
    ranges.
    """

    id: str
    ranges: tuple[PlannedRange, ...]
    scan: bool = True
    weight: int = 1
    file: str = ""


@dataclass(frozen=True, slots=True)
class PlannedReport:
    """The AWS S3 Inventory report that stands in for a listing: its manifest's key, and what that says.

    ``cover`` are the prefixes of the lake that it is read for; ``root`` is the lake's folder in the bucket.
    """

    key: str
    manifest: Manifest
    cover: tuple[Key, ...]
    root: Key


@dataclass(frozen=True, slots=True)
class KeptLook:
    """The complete observation of an earlier cycle that stands in for a look at everything.

    ``live`` tells that what is likely to have changed since is looked at again.
    """

    cycle_id: str
    as_of: datetime
    live: bool


@dataclass(frozen=True, slots=True)
class Options:
    """How the cycle is run: every setting that a worker must not read from its own files.

    ``select`` holds (field, value) terms; ``scope`` string prefixes that narrow the listing; ``own`` prefixes
    inside the lake that hold recon's own files. Without a ``gaps_file`` no list of tasks is written. A dry
    run becomes the latest cycle if ``dry_run_kept``, and plans tasks if ``dry_run_plans_tasks``. Prices are
    in USD a request; ``interval_s`` is the distance of scheduled cycles, which a month's price depends on.
    """

    lake: str
    dry_run: bool = False
    select: tuple[tuple[tuple[str, str], ...], ...] = ()
    scope: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    sample_rate: float | None = None
    connections: int = 8
    shards: int = 64
    shard_deadline_s: float = 300.0
    max_expected_keys: int = MAX_EXPECTED_KEYS
    policy: Policy = field(default_factory=Policy)
    limits: QueueLimits = field(default_factory=QueueLimits)
    performance: PerformanceLimits = field(default_factory=PerformanceLimits)
    gaps_file: str | None = None
    dry_run_kept: bool = True
    dry_run_plans_tasks: bool = True
    list_usd: float = USD_PER_LIST
    get_usd: float = USD_PER_GET
    use_cache: bool = False
    cache_ttl_s: float = 86400.0
    full_scan_every_s: float | None = None
    live_window_s: float = 3 * 86400.0
    requests_max: int | None = None
    interval_s: float = 3600.0
    confirm_requests_max: int = 1000
    hold_unconfirmed: bool = False
    claim_rules: ClaimRules = field(default_factory=ClaimRules)
    brake: BrakeLimits = field(default_factory=BrakeLimits)

    @property
    def prices(self) -> Prices:
        """Return what requests cost; looking at a folder costs none."""
        return Prices(self.list_usd, self.get_usd) if self.lake.startswith("s3://") else Prices()


@dataclass(frozen=True, slots=True)
class Plan:
    """One cycle's frozen plan. ``ordered`` is False for a backend whose order cannot be trusted.

    ``apart`` is the distance of the boundaries it looks for, in keys; ``requests`` is what planning cost in
    LISTs, ``gets`` in GETs.
    """

    cycle_id: str
    started_at: datetime
    inventory: Inventory
    options: Options
    shards: tuple[PlannedShard, ...]
    catalogs: tuple[str, ...] = ()
    ordered: bool = True
    apart: int = KEYS_APART
    requests: int = 0
    notices: tuple[Notice, ...] = ()
    report: PlannedReport | None = None
    gets: int = 0
    kept: KeptLook | None = None

    @property
    def as_of(self) -> datetime:
        """Return the instant that the cycle's observation shows: a listing's start, a report's own."""
        if self.kept is not None:
            return self.kept.as_of
        return self.started_at if self.report is None else self.report.manifest.as_of

    @property
    def looks_again(self) -> bool:
        """Tell whether a live look follows the observation, because that is older than the cycle."""
        return self.report is not None or (self.kept is not None and self.kept.live)

    @property
    def now(self) -> np.datetime64:
        """Return the cycle's instant as datetime64[s] in UTC."""
        return instant(self.started_at)


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """A plan with its inventory bound: the domains that sketches are numbered by."""

    plan: Plan
    domains: tuple[Domain, ...]
    skipped: tuple[BoundType, ...]
    notices: tuple[Notice, ...]

    @property
    def planned(self) -> tuple[Shard, ...]:
        """Return every shard of the key space, those that a sample leaves out included."""
        return tuple(_shard(shard) for shard in self.plan.shards)

    @property
    def scanned(self) -> tuple[Shard, ...]:
        """Return the shards that are to be looked at."""
        return tuple(_shard(shard) for shard in self.plan.shards if shard.scan)

    @property
    def ignored(self) -> str | None:
        """Return the regex of keys that are no lake data."""
        return ignored(self.plan.inventory.ignore_patterns)

    def sketcher(self) -> Sketcher:
        """Return what sketches objects of the lake: recon's own files and ignored ones are no lake data."""
        own = tuple(prefix.encode() for prefix in self.plan.options.own)
        return Sketcher(self.domains, self.plan.now, self.ignored, own)

    @property
    def told(self) -> tuple[Notice, ...]:
        """Return everything a person should know of the plan, each once."""
        return tuple(dict.fromkeys((*self.plan.notices, *self.notices)))


def _shard(shard: PlannedShard) -> Shard:
    spans = (KeyRange(span.prefix, span.start_after, span.end) for span in shard.ranges)
    return Shard(shard.id, tuple(spans), shard.file)


def instant(moment: datetime) -> np.datetime64:
    """Return an aware datetime as datetime64[s] in UTC."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "s")


def judgement(plan: Plan, catalogs: Mapping[str, Catalog]) -> Judgement:
    """Return the plan's domains; the same plan and catalogs give the same ordinals everywhere."""
    binding = bind(plan.inventory, catalogs, plan.now)
    domains = tuple(
        Domain(bound, expectation, max_expected_keys=plan.options.max_expected_keys)
        for bound in binding.types
        for expectation in bound.expectations
    )
    skipped = tuple(bound for bound in binding.types if bound.skipped)
    told = [notice for domain in domains for notice in domain.notices]
    return Judgement(plan, domains, skipped, (*binding.notices, *told))


def advised(judged: Judgement) -> Judgement:
    """Return the judgement with the notices that take its domains or its clock: idle waivers, stale pins."""
    plan = judged.plan
    season = next((item for item in plan.inventory.dimensions if item.name == "season"), None)
    starts = season.starts if isinstance(season, SeasonsDimension) else DEFAULT_STARTS
    declared = [waiver for waiver in plan.inventory.waivers if waiver.by != SCRAPERS]
    told = [
        *stale_pins(plan.options.policy, plan.now, starts),
        *idle_waivers(declared, judged.domains, judged.skipped),
    ]
    return replace(judged, notices=(*judged.notices, *told))


def save(store: StateStore, plan: Plan, catalogs: Mapping[str, Catalog]) -> None:
    """Write the catalogs, then the plan: a plan that can be read is whole."""
    for name, catalog in catalogs.items():
        sink = io.BytesIO()
        catalog.frame.write_ipc(sink)
        store.put(_catalog_name(plan.cycle_id, name), sink.getvalue())
    store.put(f"cycles/{plan.cycle_id}/plan.json", _codec().dump_json(plan))


def load(store: StateStore, cycle_id: str) -> Judgement:
    """Return the saved plan of a cycle with its domains; raise ``StateError`` where there is none."""
    plan = saved(store, cycle_id)
    return judgement(plan, _catalogs(store, plan, plan.catalogs))


def saved(store: StateStore, cycle_id: str) -> Plan:
    """Return the saved plan of a cycle; raise ``StateError`` where there is none."""
    content = store.get(f"cycles/{cycle_id}/plan.json")
    if content is None:
        raise StateError(
            f"the state holds no plan for cycle {cycle_id}. Check that `state` is shared by all hosts.",
        )
    return _codec().validate_json(content)


def load_again(
    store: StateStore, cycle_id: str, layouts: Sequence[Layout], known: Mapping[Layout, Domain]
) -> Judgement:
    """Return the saved plan of a cycle with its domains, those of ``known`` layouts as they are.

    ``layouts`` are those of its domains, by number. Binding takes the time: only types of which a layout is
    not known are bound, so what the judgement says of skipped types, and its notices, is not whole.
    """
    plan = saved(store, cycle_id)
    names = {layout.name for layout in layouts if layout not in known}
    datasets = tuple(item for item in plan.inventory.datasets if item.name in names)
    few = replace(plan, inventory=replace(plan.inventory, datasets=datasets))
    bound = judgement(few, _catalogs(store, plan, {item.for_each for item in datasets}))
    if len(bound.domains) != sum(layout.name in names for layout in layouts):
        return load(store, cycle_id)
    fresh = iter(bound.domains)
    domains = tuple(next(fresh) if layout.name in names else known[layout] for layout in layouts)
    return replace(bound, plan=plan, domains=domains)


def _catalogs(store: StateStore, plan: Plan, names: Collection[str | None]) -> dict[str, Catalog]:
    specs = {spec.name: spec for spec in plan.inventory.catalogs}
    catalogs = {}
    for name in plan.catalogs:
        if name not in names:
            continue
        frame = store.get(_catalog_name(plan.cycle_id, name))
        if frame is None:
            raise StateError(f"the state lost catalog '{name}' of cycle {plan.cycle_id}. Run a new cycle.")
        catalogs[name] = Catalog(specs[name], pl.read_ipc(io.BytesIO(frame)))
    return catalogs


@cache
def _codec() -> TypeAdapter[Plan]:
    return TypeAdapter(Plan)


def _catalog_name(cycle_id: str, name: str) -> str:
    return f"cycles/{cycle_id}/catalogs/{name}.arrow"
