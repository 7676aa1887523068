"""The last good copy of each catalog: what a cycle goes by when one cannot be read, or shrinks suddenly.

State names: ``catalogs/<name>.arrow``, and ``catalogs/<name>.hold.json`` while a catalog that shrank is held
back. Deleting the first accepts whatever the catalog holds now.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa

from recon.core.brake import BrakeLimits, Hold, releases, trips
from recon.core.catalog import Catalog
from recon.core.inventory import CatalogSpec
from recon.errors import CatalogError
from recon.model import Notice
from recon.ports import StateStore

_HEADER = b"recon.catalog"
_HOLD = ".hold.json"


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """A catalog as it was last read well, and when that was first so."""

    catalog: Catalog
    at: datetime

    @property
    def rows(self) -> int:
        """Return how many rows it has."""
        return self.catalog.frame.height


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What a cycle goes by for one catalog (None: nothing), what to tell of it, and what to remember."""

    spec: CatalogSpec
    catalog: Catalog | None
    notice: Notice | None = None
    fresh: Copy | None = None
    hold: Hold | None = None

    def remember(self, state: StateStore) -> None:
        """Keep a fresh catalog as the last good copy; note, or forget, that one is held back."""
        if self.fresh is not None:
            state.put(_copy_name(self.spec.name), _encoded(self.fresh))
        hold_name = f"catalogs/{self.spec.name}{_HOLD}"
        if self.hold is not None:
            state.put(hold_name, _hold_bytes(self.hold))
        elif state.get(hold_name) is not None:
            state.delete(hold_name)


def choice(
    state: StateStore,
    spec: CatalogSpec,
    read: Callable[[], Catalog],
    limits: BrakeLimits,
    cycle: tuple[str, datetime],
) -> Choice:
    """Return what the ``cycle`` (its id and instant) goes by for one catalog. Nothing is written.

    ``read`` reads the catalog, or raises ``CatalogError``: then its last good copy stands in, however old.
    One that shrank beyond the brake's limits is held back until it is back, or has stood long enough.
    """
    cycle_id, now = cycle
    copy = _copy(state, spec)
    try:
        found = read()
    except CatalogError as error:
        reason = str(error).removeprefix(f"{spec.where}: ")
        if copy is None:
            return Choice(spec, None, Notice(reason, spec.where))
        stands_in = f"{reason}. Until it can be read, {_described(copy)} stands in"
        return Choice(spec, copy.catalog, Notice(stands_in, spec.where))
    lost = 0 if copy is None else copy.rows - found.frame.height
    if copy is None or not trips(copy.rows, lost, limits):
        unchanged = copy is not None and copy.catalog.frame.equals(found.frame)
        return Choice(spec, found, fresh=None if unchanged else Copy(found, now))
    hold = _hold(state, spec.name) or Hold(now, cycle_id)
    if releases(copy.rows, lost, hold, now, limits):
        told = Notice(f"{_title(spec)} lost {lost:,} rows, and that has stood: it is believed", spec.where)
        return Choice(spec, found, told, fresh=Copy(found, now))
    return Choice(spec, copy.catalog, Notice(_held(spec, copy, lost, limits), spec.where), hold=hold)


def count_complete_cycle(state: StateStore, cycle_id: str) -> None:
    """Note that a complete cycle saw what is held back: once, and not the cycle that held it first."""
    for name in state.names("catalogs/"):
        catalog = name.removeprefix("catalogs/").removesuffix(_HOLD)
        hold = _hold(state, catalog) if name.endswith(_HOLD) else None
        if hold is not None and hold.cycle_id != cycle_id:
            state.put(name, _hold_bytes(Hold(hold.since, cycle_id, hold.complete_cycles + 1)))


def _held(spec: CatalogSpec, copy: Copy, lost: int, limits: BrakeLimits) -> str:
    hours = limits.auto_release_after.total_seconds() / 3600
    until = (
        "it stays so until the rows are back: more than half is gone"
        if 2 * lost > copy.rows
        else f"until the rows are back, or have been gone for {hours:g} h and two more complete cycles"
    )
    return (
        f"{_title(spec)} has {copy.rows - lost:,} rows, {lost:,} fewer than before: {_described(copy)} "
        f"stands in; {until}. To accept the loss now, delete {_copy_name(spec.name)} in the state"
    )


def _described(copy: Copy) -> str:
    at = copy.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f"its last good copy ({copy.rows:,} rows, as read at {at})"


def _title(spec: CatalogSpec) -> str:
    return f"catalog '{spec.name}' ({spec.file or spec.lake})"


def _copy(state: StateStore, spec: CatalogSpec) -> Copy | None:
    """Return the last good copy; None where there is none, or it was read under another declaration."""
    content = state.get(_copy_name(spec.name))
    if content is None:
        return None
    try:
        with pa.ipc.open_stream(content) as reader:
            table = reader.read_all()
        header = json.loads((table.schema.metadata or {})[_HEADER])
        frame, at = pl.DataFrame(table), datetime.fromisoformat(header["at"])
    except (pa.ArrowException, KeyError, ValueError, OSError):
        return None
    return Copy(Catalog(spec, frame), at) if header["declared"] == _declared(spec) else None


def _encoded(copy: Copy) -> bytes:
    header = {"declared": _declared(copy.catalog.spec), "at": copy.at.isoformat()}
    table = copy.catalog.frame.to_arrow().replace_schema_metadata({_HEADER: json.dumps(header).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _declared(spec: CatalogSpec) -> dict[str, str | None]:
    """Return what of a declaration decides its rows and columns."""
    return {name: value for name, value in asdict(spec).items() if name not in {"name", "where"}}


def _hold(state: StateStore, catalog: str) -> Hold | None:
    try:
        document = json.loads(state.get(f"catalogs/{catalog}{_HOLD}") or b"")
        since = datetime.fromisoformat(document["since"])
        return Hold(since, str(document["cycle_id"]), int(document["complete_cycles"]))
    except (ValueError, KeyError, TypeError):
        return None


def _hold_bytes(hold: Hold) -> bytes:
    return json.dumps({**asdict(hold), "since": hold.since.isoformat()}).encode()


def _copy_name(catalog: str) -> str:
    return f"catalogs/{catalog}.arrow"
