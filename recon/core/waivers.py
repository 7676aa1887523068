"""Declared absences: which expected keys they name today, and which of them name nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from pyroaring import BitMap

from recon.core.block import bitmap
from recon.core.bound import BoundType
from recon.core.domain import Domain
from recon.core.invalid import did_you_mean
from recon.core.inventory import Waiver
from recon.model import Kind, Notice


def known_absent(domain: Domain, waivers: Iterable[Waiver], now: np.datetime64) -> BitMap:
    """Return the ordinals that a standing waiver names (``until`` is a UTC date, inclusive).

    Where objects are only counted, one key cannot be told from the others: waivers by key name nothing there.
    """
    found = BitMap()
    keys: list[str] = []
    for waiver in waivers:
        if not _stands(waiver, now):
            continue
        if waiver.key is not None:
            keys.append(waiver.key)
        elif _speaks_of(waiver, domain):
            found |= domain.having(waiver.fields)
    if keys and domain.kind is Kind.EXACT:
        ordinals = domain.encode(pl.Series(keys, dtype=pl.String))
        found |= bitmap(ordinals[ordinals >= 0])
    return found


def waiver_of(domain: Domain, key: str, waivers: Iterable[Waiver], now: np.datetime64) -> Waiver | None:
    """Return the first standing waiver that names ``key``, an expected key of ``domain``."""
    (ordinal,) = domain.encode(pl.Series([key], dtype=pl.String)).tolist()
    for waiver in waivers:
        if not _stands(waiver, now):
            continue
        by_fields = waiver.key is None and _speaks_of(waiver, domain)
        if waiver.key == key or (by_fields and ordinal in domain.having(waiver.fields)):
            return waiver
    return None


def idle_waivers(
    waivers: Sequence[Waiver], domains: Sequence[Domain], skipped: Iterable[BoundType]
) -> list[Notice]:
    """Return a notice for each waiver that names no expected key.

    One that may speak of a ``skipped`` data type is left alone: what that expects is not known.
    """
    unread = {(bound.dataset.source, bound.dataset.data_type) for bound in skipped}
    found = [] if unread else _idle_keys([waiver for waiver in waivers if waiver.key is not None], domains)
    for waiver in waivers:
        if waiver.key is not None or (waiver.source, waiver.data_type) in unread:
            continue
        own = [domain for domain in domains if _speaks_of(waiver, domain)]
        if not any(domain.has(waiver.fields) for domain in own):
            found.append(Notice(f"this waiver matches nothing: {_why_idle(waiver, own)}", waiver.where))
    return found


def _stands(waiver: Waiver, now: np.datetime64) -> bool:
    return waiver.until is None or np.datetime64(waiver.until) >= now.astype("datetime64[D]")


def _speaks_of(waiver: Waiver, domain: Domain) -> bool:
    return (waiver.source, waiver.data_type) == (domain.dataset.source, domain.dataset.data_type)


def _idle_keys(waivers: Sequence[Waiver], domains: Sequence[Domain]) -> list[Notice]:
    keys = pl.Series([waiver.key for waiver in waivers], dtype=pl.String)
    exact = np.zeros(len(keys), dtype=np.bool_)
    counted: dict[int, str] = {}
    for domain in domains if len(keys) else ():
        claimed = domain.encode(keys) >= 0
        if domain.kind is Kind.EXACT:
            exact |= claimed
        else:
            counted.update(dict.fromkeys(np.flatnonzero(claimed).tolist(), domain.name))
    found = []
    for place in np.flatnonzero(~exact).tolist():
        why = f"this waiver matches nothing: no data type expects the key {waivers[place].key!r}"
        if place in counted:
            why = (
                f"this waiver has no effect: {counted[place]} counts its objects and expects no single key; "
                "waive a partition of it by source, data_type and where"
            )
        found.append(Notice(why, waivers[place].where))
    return found


def _why_idle(waiver: Waiver, own: Sequence[Domain]) -> str:
    name = f"{waiver.source}.{waiver.data_type}"
    known = dict.fromkeys(
        field for domain in own for block in domain.blocks for axis in block.axes for field in axis.fields
    )
    for field, _ in waiver.fields:
        if field not in known:
            return f"{name} does not enumerate {field!r}{did_you_mean(field, known)}"
    values = ", ".join(f"{field}={value}" for field, value in waiver.fields)
    return f"{name} expects no key of {values}" if values else f"{name} expects no key"
