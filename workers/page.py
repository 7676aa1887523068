"""The page as HTML: one template, its own styles and script, nothing fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from recon.core.durations import duration_words

#: Seconds between two refreshes of the page.
REFRESH_S = 10


def page(shown: Mapping[str, Any] | None, nonce: str, flower: str, *, stale_s: float = 0.0) -> str:
    """Return the page; ``shown`` is an ``overview``, None before anything is known.

    ``nonce`` is the one that the response's Content-Security-Policy allows, ``stale_s`` the facts' age.
    """
    told = {"nonce": nonce, "flower": flower, "stale_s": stale_s, "refresh_s": REFRESH_S}
    return _template().render(shown=shown, **told)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=lambda value: "–" if value is None else f"{value:,}",
        percent=lambda share: "–" if share is None else _percent(share),
        duration=duration_words,
        instant=_instant,
        size=_size,
    )
    return environment.get_template("page.html")


def _percent(share: float) -> str:
    """Return a share in words; what is short of everything never reads as 100 %."""
    return f"{int(share * 1000) / 10:g} %"


def _instant(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024:
            return f"{count:.3g} {unit}" if unit != "bytes" else f"{count:,.0f} bytes"
        count /= 1024
    return f"{count:,.3g} PiB"
