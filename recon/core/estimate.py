"""Totals over all shards, estimated from a sample of whole shards, with their 95 % intervals.

Shards are clusters of unequal size, drawn without replacement with equal chances. A total is estimated by its
ratio to a size that is known for every shard; its error by the residuals from that ratio, with the finite
population correction (Cochran, Sampling Techniques, 3rd ed., 1977, chapters 6 and 9A) and Student's t. Where
few shards hold most of the size, they count as fewer (Kish, Survey Sampling, 1965: sum squared over the sum
of squares). What the sample shows no trace of may still be rare: an interval cannot tell of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, pi, sqrt, tan
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A total; ``low`` and ``high`` are None where the sample cannot tell how far off it may be."""

    value: float
    low: float | None = None
    high: float | None = None

    def within(self, least: float, most: float = float("inf")) -> Estimate:
        """Return the estimate where it is known to lie from ``least`` to ``most``."""
        low, high = (None if end is None else min(max(end, least), most) for end in (self.low, self.high))
        return Estimate(min(max(self.value, least), most), low, high)

    def complement(self, total: float) -> Estimate:
        """Return what remains of ``total``."""
        low, high = (None if end is None else total - end for end in (self.high, self.low))
        return Estimate(total - self.value, low, high)

    def document(self) -> dict[str, int | None]:
        """Return whole numbers; the interval is rounded outwards."""
        return {
            "value": round(self.value),
            "low": None if self.low is None else floor(self.low + 1e-6),
            "high": None if self.high is None else ceil(self.high - 1e-6),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """What the sampled shards hold (``found``), their sizes in any unit, and the same of all shards."""

    found: Numbers
    sizes: Numbers
    total_size: float
    shards: int

    @property
    def size(self) -> float:
        """Return the sizes' sum."""
        return float(self.sizes.sum())

    @property
    def ratio(self) -> float:
        """Return what is found per unit of size; there must be some size."""
        return float(self.found.sum()) / self.size

    def spread(self, least: float = 0.0) -> float:
        """Return the standard error of ``ratio``, scaled by the sample's own mean size (Rao 1968).

        ``least`` is what the variance of a shard's residual is at least.
        """
        sampled = len(self.found)
        variance = float(np.square(self.found - self.ratio * self.sizes).sum()) / (sampled - 1)
        return sqrt(sampled * (1 - sampled / self.shards) * max(variance, least)) / self.size


def total(sampled: Sampled) -> Estimate | None:
    """Return the total of what ``found`` counts over all shards.

    None where the sample has no size; no interval from a single shard, unless it is all there is. Shards that
    were cut to one size agree by that alone; their counts are taken to vary by chance (Poisson) at least, for
    what may have changed elsewhere since.
    """
    if not sampled.size:
        return None
    value = sampled.ratio * sampled.total_size
    if len(sampled.found) >= sampled.shards:
        return Estimate(value, value, value)
    if len(sampled.found) < 2:
        return Estimate(value)
    chance = max(1.0, float(sampled.found.mean()))
    freedom = max(1, floor(_effective(sampled.found) - 1))
    reach = t_quantile(freedom) * sampled.spread(chance) * sampled.total_size
    return Estimate(value, value - reach, value + reach)


def share(sampled: Sampled) -> Estimate | None:
    """Return the total, as ``total`` does, where ``found`` counts keys among ``sizes`` keys.

    The interval is Wilson's (JASA 22, 1927, 209-212) for as many independent keys as would show the
    sample's error (Dean and Pagano, J. Survey Statistics and Methodology 3, 2015, 484-503, find it sound for
    rare events in clusters); where all shards agree, each of them counts as one key.
    """
    estimate = total(sampled)
    if estimate is None:
        return None
    found = float(sampled.found.sum())
    if len(sampled.found) > 1 and len(sampled.found) < sampled.shards:
        clusters = _effective(sampled.sizes)
        low, high = _wilson(sampled.ratio, sampled.spread(), clusters)
        estimate = Estimate(estimate.value, low * sampled.total_size, high * sampled.total_size)
    return estimate.within(found, found + max(0.0, sampled.total_size - sampled.size))


def t_quantile(freedom: int) -> float:
    """Return the two-sided 95 % quantile of Student's t for ``freedom`` >= 1 degrees of freedom.

    Exact for 1 and 2, else the expansion of Abramowitz and Stegun 26.7.5 (off by 0.1 % at 3, less above).
    """
    p = (1 + CONFIDENCE) / 2
    if freedom == 1:
        return tan(pi * (p - 0.5))
    if freedom == 2:
        return (2 * p - 1) * sqrt(2 / (4 * p * (1 - p)))
    z = NormalDist().inv_cdf(p)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / float(freedom) ** power for power, term in enumerate(terms))


def _wilson(ratio: float, spread: float, clusters: float) -> tuple[float, float]:
    t = t_quantile(max(1, floor(clusters - 1)))
    keys = ratio * (1 - ratio) / spread**2 if spread > 0 else clusters
    scale = 1 + t * t / keys
    middle = (ratio + t * t / (2 * keys)) / scale
    reach = t / scale * sqrt(ratio * (1 - ratio) / keys + t * t / (4 * keys * keys))
    return middle - reach, middle + reach


def _effective(sizes: Numbers) -> float:
    """Return how many shards of one size say as much as these."""
    exact = sizes.astype(np.float64)
    squares = float(np.square(exact).sum())
    return float(exact.sum()) ** 2 / squares if squares else 1.0
