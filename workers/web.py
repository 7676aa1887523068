"""Health, metrics and the page, over HTTP: ``/healthz``, ``/readyz``, ``/metrics``, ``/`` and ``/page.json``.

Nothing here changes anything, and nobody is asked who they are: it listens on loopback unless told otherwise.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from recon.core.conditions import Limits
from recon.core.durations import duration_words
from recon.core.measures import Observed
from recon.core.overview import overview
from recon.core.readiness import ReadyCheck, readiness
from workers.exposition import exposition
from workers.page import page
from workers.watch import Seen, Watch

#: Facts older than this, in seconds, tell nothing about now: the engine does not count as ready.
STALE_S = 30.0
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Site:
    """What the endpoints answer from; ``flower`` is the address of a Flower to link, "" for none."""

    watch: Watch
    limits: Limits
    flower: str = ""
    began: float = 0.0

    async def healthz(self, _: Request) -> Response:
        """Answer 200 for as long as this process lives."""
        found = f"this process has served for {duration_words(time.monotonic() - self.began)}"
        return _health([ReadyCheck("serving", ok=True, found=found)])

    async def readyz(self, _: Request) -> Response:
        """Answer 200 where the engine makes progress, else 503; the checks say why."""
        seen = await self.watch.seen()
        if seen is None:
            return _health([ReadyCheck("facts", ok=False, found="no look at the engine has ended yet")])
        return _health([_freshness(seen), *readiness(seen.standing, self.limits)])

    async def metrics(self, _: Request) -> Response:
        """Answer with the metrics in Prometheus' text format."""
        return Response(exposition(await self._observed()), media_type=_TEXT, headers=_HEADERS)

    async def page_json(self, _: Request) -> Response:
        """Answer with what the page shows; 503 before anything is known."""
        observed = await self._observed()
        if observed is None:
            return JSONResponse({"schema": "recon.page/1", "state": "nothing is known yet"}, 503, _HEADERS)
        return JSONResponse(overview(observed), headers=_HEADERS)

    async def page(self, _: Request) -> Response:
        """Answer with the page."""
        seen = await self.watch.seen()
        shown: dict[str, Any] | None = None
        if seen is not None:
            shown = overview(Observed(seen.standing, self.limits))
        nonce = secrets.token_urlsafe(16)
        text = page(shown, nonce, self.flower, stale_s=0.0 if seen is None else seen.age_s)
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {**_HEADERS, "Content-Security-Policy": policy}
        return Response(text, media_type="text/html; charset=utf-8", headers=headers)

    async def _observed(self) -> Observed | None:
        seen = await self.watch.seen()
        return None if seen is None else Observed(seen.standing, self.limits)


def site_app(site: Site) -> Starlette:
    """Return the ASGI application."""
    endpoints: dict[str, Endpoint] = {
        "/": site.page,
        "/page.json": site.page_json,
        "/healthz": site.healthz,
        "/readyz": site.readyz,
        "/metrics": site.metrics,
    }
    return Starlette(routes=[Route(path, endpoint, methods=["GET"]) for path, endpoint in endpoints.items()])


def _health(checks: list[ReadyCheck]) -> Response:
    ok = all(check.ok for check in checks)
    document = {
        "status": "ok" if ok else "unavailable",
        "checks": {check.name: {"ok": check.ok, "found": check.found} for check in checks},
    }
    return JSONResponse(document, 200 if ok else 503, _HEADERS)


def _freshness(seen: Seen) -> ReadyCheck:
    fresh = seen.age_s <= STALE_S
    found = f"gathered {duration_words(seen.age_s)} ago" + ("" if fresh else "; a source hangs")
    return ReadyCheck("facts", fresh, found)
