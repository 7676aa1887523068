"""What looking at a lake costs: requests by kind, priced for one cycle and for a month of them.

Prices are AWS's (https://aws.amazon.com/s3/pricing/) unless the settings say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: Seconds of a month, as AWS's own examples count one: 30 days.
MONTH_S = 30 * 86400.0
#: Keys of one page of a listing.
PAGE_KEYS = 1000
#: What AWS charges for writing a report, in USD per object in it.
REPORT_USD_PER_OBJECT = 0.0025 / 1e6
#: Reports are written daily.
_REPORTS_A_MONTH = 30
#: A report costs two LIST to find, and three GET for its configuration, manifest and checksum.
_FIND_LISTS, _MANIFEST_GETS = 2, 3
#: Data files of a report that nobody has seen yet: about so many, and one more for each million objects.
_FILES_LEAST, _OBJECTS_PER_FILE = 8, 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """What one request costs, in USD, by kind; HEAD is priced as GET."""

    list_usd: float = 0.0
    get_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of one cycle, by kind."""

    lists: int = 0
    gets: int = 0

    def usd(self, prices: Prices) -> float:
        """Return what they cost."""
        return self.lists * prices.list_usd + self.gets * prices.get_usd


def by_listing(objects: int, ranges: int = 1) -> Requests:
    """Return the requests that list ``objects`` in so many ranges: each ends in a page of its own."""
    return Requests(lists=max(1, ranges, -(-objects // PAGE_KEYS)))


def by_report(files: int) -> Requests:
    """Return the requests that find a report and read its data files."""
    return Requests(_FIND_LISTS, files + _MANIFEST_GETS)


def files_assumed(objects: int) -> int:
    """Return how many data files a report of ``objects`` is assumed to have."""
    return max(_FILES_LEAST, -(-objects // _OBJECTS_PER_FILE))


def monthly_usd(usd: float, interval_s: float) -> float:
    """Return what a month costs where one cycle costs ``usd`` and begins every ``interval_s`` seconds."""
    return usd * MONTH_S / interval_s


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is known of a lake before it is looked at; None where nothing is.

    ``listing`` is what a listing in full takes, ``files`` how many data files the report has;
    ``look_again_max`` is how many requests may follow a report to look again, live, at what it cannot tell.
    """

    objects: int | None = None
    listing: Requests | None = None
    files: int | None = None
    look_again_max: int = 0

    def document(self, prices: Prices, interval_s: float) -> dict[str, Any]:
        """Return the cost both ways, per cycle and per month, as ``recon plan --json`` prints it."""
        listing = None if self.listing is None else _priced(self.listing, prices, interval_s)
        report = self._report(prices, interval_s)
        return {"interval_s": interval_s, "objects": self.objects, "listing": listing, "report": report}

    def _report(self, prices: Prices, interval_s: float) -> dict[str, Any] | None:
        """Return a report's cost; the live looks that may follow are priced as LIST, the dearer kind."""
        files = files_assumed(self.objects) if self.files is None and self.objects is not None else self.files
        if files is None:
            return None
        delivered = 0 if prices == Prices() else self.objects or 0
        return {
            **_priced(by_report(files), prices, interval_s),
            "files": files,
            "files_known": self.files is not None,
            "delivery_monthly_usd": round(delivered * REPORT_USD_PER_OBJECT * _REPORTS_A_MONTH, 6),
            "look_again_max": {
                "requests": self.look_again_max,
                "usd": round(self.look_again_max * prices.list_usd, 6),
            },
        }


def _priced(requests: Requests, prices: Prices, interval_s: float) -> dict[str, Any]:
    usd = requests.usd(prices)
    return {
        "requests_by_kind": {"list": requests.lists, "get": requests.gets},
        "usd": round(usd, 6),
        "monthly_usd": round(monthly_usd(usd, interval_s), 6),
    }
