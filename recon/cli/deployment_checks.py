"""The doctor's checks of a deployment: its workers, beat, and the ports that people open."""

from __future__ import annotations

import http.client
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from typing import Any

from recon import access
from recon.core.lake_clock import SKEW_MAX_S
from recon.diagnosis import Check, Status
from recon.errors import ReconError
from recon.settings import Settings, flower_users
from workers.census import consumers, roll_call
from workers.checkup import beat_is_silent
from workers.flower import ADDRESS, PORT

_QUEUES = ("recon.control", "recon.scan")
_START = (
    "start them (see Procfile): celery -A workers.app worker -Q recon.control -c 1, and "
    "celery -A workers.app worker -Q recon.scan -P threads -c 6"
)
_START_BEAT = "start one (see Procfile): celery -A workers.app beat; without it no cycle begins by itself"
_APART = (
    "all hosts need one state: s3://…, or a folder on a shared file system, mounted at the same place (and "
    "`state_shared: true`); check RECON_STATE there"
)
_ENGINES = (
    "give each engine its own database of Redis, and its own queues.prefix: see broker and RECON_REDIS_URL"
)
#: Seconds that a page may take to answer.
_PAGE_S = 3.0


def deployment(chosen: Settings) -> Iterator[Check]:
    """Yield the checks of what runs beside this process; asking the workers takes two seconds."""
    if chosen.broker is None:
        yield Check("workers", Status.OK, "the broker is embedded: `recon run` starts its own workers")
        return
    try:
        yield from _workers(chosen)
        yield _beat(chosen)
    except ReconError as error:
        yield Check("workers", Status.FAIL, str(error), _START)
    yield _web(chosen)
    yield from _flower()


def _workers(chosen: Settings) -> Iterator[Check]:
    found = consumers()
    for queue in _QUEUES:
        if queue in found:
            yield Check("workers", Status.OK, f"{queue}: {', '.join(found[queue])}")
        else:
            yield Check("workers", Status.FAIL, f"{queue}: no worker answers", _START)
    if found:
        yield from _called(chosen)


def _called(chosen: Settings) -> Iterator[Check]:
    """Yield what the workers say of their lake, their state, their version and their clock."""
    state, probe = access.state(chosen), f"doctor-{secrets.token_hex(4)}.txt"
    state.put(probe, b"seen?")
    try:
        asked_at = access.now().timestamp()
        said = roll_call(probe)
    finally:
        with suppress(ReconError):
            state.delete(probe)
    yield _engines(chosen, said)
    ours = {worker: one for worker, one in said.items() if _is_ours(chosen, one)}
    yield _shared(chosen, ours)
    yield from _versions(ours)
    yield _clocks(ours, asked_at)


def _is_ours(chosen: Settings, said: Mapping[str, Any]) -> bool:
    return (said.get("lake"), said.get("prefix")) == (chosen.lake, chosen.queues.prefix)


def _engines(chosen: Settings, said: Mapping[str, Mapping[str, Any]]) -> Check:
    """Tell whether a worker of another engine takes this one's tasks: Celery's queues have fixed names."""
    others = [
        f"{worker} works on {one.get('lake', one.get('problem'))} under {one.get('prefix')}"
        for worker, one in said.items()
        if not _is_ours(chosen, one)
    ]
    if others:
        return Check("engines", Status.FAIL, f"{'; '.join(others)}, over this broker", _ENGINES)
    return Check(
        "engines", Status.OK, f"{len(said)} workers, all on {chosen.lake} under {chosen.queues.prefix}"
    )


def _shared(chosen: Settings, said: Mapping[str, Mapping[str, Any]]) -> Check:
    blind = [
        f"{worker} ({one.get('problem') or one['state']})" for worker, one in said.items() if not one["sees"]
    ]
    if blind:
        return Check(
            "shared state", Status.FAIL, f"what is written here is not seen by {', '.join(blind)}", _APART
        )
    return Check(
        "shared state", Status.OK, f"what is written to {chosen.state} is seen by {len(said)} workers"
    )


def _versions(said: Mapping[str, Mapping[str, Any]]) -> Iterator[Check]:
    found = Counter(one["version"] for one in said.values())
    if len(found) > 1:
        words = ", ".join(f"{number} of {version}" for version, number in sorted(found.items()))
        yield Check(
            "versions", Status.WARN, f"workers: {words}", "end the upgrade: docs/operations.md, Upgrades"
        )


def _clocks(said: Mapping[str, Mapping[str, Any]], asked_at: float) -> Check:
    """Compare each worker's clock with this one; the answer itself took a part of the difference."""
    wrong = {worker: one["at"] - asked_at for worker, one in said.items()}
    wrong = {worker: skew_s for worker, skew_s in wrong.items() if abs(skew_s) > SKEW_MAX_S}
    if wrong:
        words = ", ".join(f"{worker} by {skew_s:+.0f} s" for worker, skew_s in wrong.items())
        return Check(
            "workers' clocks",
            Status.WARN,
            f"differ from this host's: {words}",
            "set every host's clock by NTP",
        )
    return Check("workers' clocks", Status.OK, f"are this host's within {SKEW_MAX_S:.0f} s")


def _beat(chosen: Settings) -> Check:
    ledger = access.lookout(chosen).ledger
    running = ledger.current()
    if running is not None:
        return Check("beat", Status.OK, f"cycle {running} is at work; ask again when it has ended")
    silent = beat_is_silent(ledger.consumed().get("control"), access.now())
    if silent is None:
        return Check("beat", Status.OK, "what it sends is taken up")
    return Check("beat", Status.FAIL if chosen.loop.enabled else Status.WARN, silent, _START_BEAT)


def _web(chosen: Settings) -> Check:
    loop = chosen.loop
    host = "127.0.0.1" if loop.health_check_host in {"0.0.0.0", "::"} else loop.health_check_host  # noqa: S104
    where = f"http://{host}:{loop.health_check_port}/healthz"
    status = _answer(host, loop.health_check_port, "/healthz")
    if status == 200:
        return Check("web", Status.OK, f"{where} answers")
    found = "nobody answers" if status is None else f"HTTP {status}"
    fix = (
        "start it where it is missed: recon serve (reconciliation_loop.health_check_host, health_check_port)"
    )
    return Check("web", Status.WARN, f"{where}: {found}", fix)


def _flower() -> Iterator[Check]:
    """Yield how Flower answers; without a password set, and nobody there, it is not wanted."""
    where, status = f"http://{ADDRESS}:{PORT}", _answer(ADDRESS, PORT, "/api/workers")
    if status is None:
        if flower_users() is not None:
            yield Check(
                "flower", Status.WARN, f"{where}: nobody answers", "start it: python -m workers.flower"
            )
    elif status == 401:
        yield Check("flower", Status.OK, f"{where} asks for a password")
    else:
        fix = "stop it, and start it by python -m workers.flower with RECON_FLOWER_AUTH=user:password"
        yield Check("flower", Status.FAIL, f"{where}/api/workers: HTTP {status} without a password", fix)


def _answer(host: str, port: int, path: str) -> int | None:
    """Return the status of a GET; None where nobody answers."""
    with closing(http.client.HTTPConnection(host, port, timeout=_PAGE_S)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
