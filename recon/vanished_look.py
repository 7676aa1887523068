"""A look, live, at a few of what vanished: one that is there means that the cycle saw wrongly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from recon.comparison import Comparison
from recon.core.block import Ordinals, ordinals_of
from recon.core.braking import Scope, TypeName, type_name
from recon.core.losses import Loss
from recon.core.sketch import DomainSketch
from recon.live_look import LiveLook
from recon.model import Kind
from recon.ports import Lister
from recon.threads import Threads

_LANES = 20


@dataclass(eq=False)
class VanishedLook:
    """Asks for ``most`` of what each scope lost: keys, or below the prefixes of counted partitions.

    A look that fails finds nothing: ``failures`` says why.
    """

    lister: Lister
    found: Comparison
    losses: Mapping[int, Loss]
    most: int
    lists: int = 0
    gets: int = 0
    failures: set[str] = field(default_factory=set)
    _asked: dict[int, int] = field(default_factory=dict)

    def is_there(self, scope: Scope, names: Collection[TypeName]) -> bool:
        """Tell whether something that these types of a scope lost is there after all.

        Nothing is asked where as much was on behalf of narrower scopes: none of it was there.
        """
        del scope
        domains = self.found.judged.domains
        numbers = [
            n for n, loss in self.losses.items() if loss.gone and type_name(domains[n].dataset) in names
        ]
        if not numbers or sum(self._asked.get(number, 0) for number in numbers) >= self.most:
            return False
        chosen = self._chosen(numbers)
        objects = self._looked_at(chosen)
        if objects is None:
            return False
        sketcher = self.found.judged.sketcher()
        sketcher.add(objects, ascending=False)
        seen = sketcher.domains()
        return any(self._is_more(number, seen[number]) for number in chosen if number in seen)

    def _chosen(self, numbers: list[int]) -> dict[int, Ordinals]:
        """Return a few ordinals of what vanished, spread evenly over all of it, by domain number."""
        ends = np.cumsum([len(self.losses[number].gone) for number in numbers])
        count = min(self.most, int(ends[-1]))
        places = np.linspace(0, ends[-1] - 1, count).astype(np.int64)
        owners = np.searchsorted(ends, places, side="right")
        chosen = {}
        for at, number in enumerate(numbers):
            own = places[owners == at] - (ends[at - 1] if at else 0)
            if len(own):
                chosen[number] = ordinals_of(self.losses[number].gone)[own]
        return chosen

    def _looked_at(self, chosen: Mapping[int, Ordinals]) -> pa.Table | None:
        judged = self.found.judged
        with Threads(_LANES, thread_name_prefix="brake") as lanes:
            live = LiveLook(self.lister, self.most, judged.plan.ordered, lanes)
            for number, ordinals in chosen.items():
                domain = judged.domains[number]
                if domain.kind is Kind.EXACT:
                    keys = map(str.encode, domain.decode(ordinals).to_list())
                    list(lanes.map(live.asked, ([(raw, raw + b"\0")] for raw in keys)))
                else:
                    list(lanes.map(live.below, domain.prefixes(ordinals).unique().to_list()))
                self._asked[number] = self._asked.get(number, 0) + len(ordinals)
        self.lists += live.lists
        self.gets += live.gets
        self.failures |= live.failures
        return live.found()

    def _is_more(self, number: int, seen: DomainSketch) -> bool:
        """Tell whether a live look at a domain shows what the cycle does not."""
        counted = self.found.counted.get(number)
        if counted is None:
            return bool(seen.present & self.losses[number].gone)
        return bool((seen.tally.objects > counted.tally.objects).any())
