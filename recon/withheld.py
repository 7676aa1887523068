"""What is wanted and not asked for: keys given up, seen to be there since, or of a scraper that is paused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from pyroaring import BitMap

from recon.comparison import Comparison
from recon.core.block import Ordinals, bitmap, ordinals_of
from recon.core.claims import ClaimRules, Claims
from recon.core.gaps import DomainKeys
from recon.core.task_body import TaskBody, WantedGroup, counted_name
from recon.core.verification import scraper_of


class Withheld:
    """Answers for one cycle's findings, by the books of claims.

    ``now`` decides which paused scrapers are given one task to try.
    """

    def __init__(self, found: Comparison, claims: Claims, rules: ClaimRules, now: datetime) -> None:
        as_of = found.judged.plan.as_of
        self._names = claims.quarantined(rules) | claims.filled_since(as_of) | claims.known_absent(now)
        self._probed = claims.to_probe(now, rules)
        self._paused = claims.paused() - self._probed
        self._found = found
        self._ordinals: dict[int, BitMap] = {}

    def leaves(self, body: TaskBody) -> bool:
        """Tell whether a task that is out belongs to a scraper that is paused: it may still end well."""
        return scraper_of(body) in self._paused

    def without(self, groups: Iterable[WantedGroup]) -> list[WantedGroup]:
        """Return the groups without what is withheld; of a scraper on probation, one task's worth."""
        left: list[WantedGroup] = []
        probed: set[str] = set()
        for group in groups:
            if group.scraper in self._paused or group.scraper in probed:
                continue
            free = self._free(group)
            if free is None:
                continue
            if group.scraper in self._probed:
                probed.add(group.scraper)
                free = _first(free)
            left.append(free)
        return left

    def _free(self, group: WantedGroup) -> WantedGroup | None:
        if not self._names:
            return group
        if not isinstance(group.keys, DomainKeys):
            return (
                None if counted_name(group.source, group.data_type, group.partition) in self._names else group
            )
        number = self._found.judged.domains.index(group.keys.numbering.domain)
        return without_ordinals(group, group.keys, self._of(number))

    def _of(self, number: int) -> BitMap:
        if number not in self._ordinals:
            ordinals = self._found.numberings[number].of(sorted(self._names))
            self._ordinals[number] = bitmap(ordinals[ordinals >= 0])
        return self._ordinals[number]


def without_ordinals(group: WantedGroup, keys: DomainKeys, held: BitMap) -> WantedGroup | None:
    """Return a group without some ordinals of its domain; None where none are left."""
    free = ~np.isin(keys.ordinals, ordinals_of(held))
    if free.all():
        return group
    return _where(group, keys, free.nonzero()[0])


def _first(group: WantedGroup) -> WantedGroup:
    """Return the most urgent keys of a group, as many as one task takes."""
    if not isinstance(group.keys, DomainKeys):
        return group
    return _where(group, group.keys, np.arange(min(group.batch_size, len(group.keys.ordinals)))) or group


def _where(group: WantedGroup, keys: DomainKeys, places: Ordinals | Sequence[int]) -> WantedGroup | None:
    if not len(places):
        return None
    kept = DomainKeys(keys.numbering, keys.ordinals[places])
    return replace(group, priorities=group.priorities[places], due=group.due[places], keys=kept)
