"""Which expected keys ``--select`` keeps: terms such as ``source:nba_api+season:2023-24``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pyroaring import BitMap

from recon.core.block import ordinals_of
from recon.core.domain import Domain
from recon.errors import ConfigError

#: One ``--select``: all of its (field, value) terms must hold. Several selections are joined by "or".
Selection = tuple[tuple[str, str], ...]


def parse_selection(text: str) -> Selection:
    """Return the terms of ``field:value+field:value``; raise ``ConfigError`` on anything else."""
    terms = []
    for part in text.split("+"):
        field, colon, value = part.partition(":")
        if not (field and colon and value):
            raise ConfigError(
                f"--select {text!r}: {part!r} is no term; expected field:value joined by '+', such as "
                "source:nba_api+type:boxscores+season:2023-24",
            )
        terms.append((field, value))
    return tuple(terms)


def is_selected(row: Mapping[str, Any], selections: Sequence[Selection]) -> bool:
    """Tell whether at least one selection keeps a row of a report (source, data_type, partition)."""
    known = {"source": row["source"], "type": row["data_type"], **row["partition"]}
    return not selections or any(
        all(known.get(name) == value for name, value in terms) for terms in selections
    )


def selected(domain: Domain, selections: Sequence[Selection]) -> BitMap:
    """Return the ordinals that at least one selection keeps (all of them without a selection)."""
    if not selections:
        return BitMap(range(domain.size))
    kept = BitMap()
    for terms in selections:
        fields = dict(terms)
        source, data_type = fields.pop("source", None), fields.pop("type", None)
        if source not in {None, domain.dataset.source} or data_type not in {None, domain.dataset.data_type}:
            continue
        kept |= domain.having(tuple(fields.items()))
    return kept


def selected_prefixes(domain: Domain, kept: BitMap) -> list[bytes]:
    """Return prefixes under which all objects of the kept ordinals lie."""
    if len(kept) == domain.size:
        return [block.literal_prefix for block in domain.blocks]
    if not kept:
        return []
    folders = domain.prefixes(ordinals_of(kept)).str.extract(r"^(.*/)?").fill_null("")
    return [folder.encode() for folder in np.unique(folders.to_numpy())]
