"""The checks of ``recon doctor``: what was found of each part of the set-up, and how to mend it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from recon import access, queues, wiring
from recon.adapters.redis_client import RedisBroker
from recon.adapters.s3 import S3Lister
from recon.adapters.s3.probe import Probe
from recon.aws_reports import refused
from recon.core.lake_clock import SKEW_MAX_S
from recon.errors import BrokerError, ListingOrderError, ReconError, StateError
from recon.last_cycle import latest, report
from recon.memory import Hints
from recon.ports import Lister, StateStore
from recon.report_standing import reports_standing
from recon.settings import Settings, alert_channels

#: Where the warnings of a report speak of a type none of whose patterns matched an object.
_UNMATCHED = ": pattern matched 0 of "


class Status(StrEnum):
    """How a check ended; ``warn`` costs speed or safety, ``fail`` keeps recon from its work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was looked at, what was found, and what to do unless it is well."""

    name: str
    status: Status
    found: str
    fix: str = ""


def diagnosis(chosen: Settings) -> Iterator[Check]:
    """Yield the checks of everything but the workers, one after the other."""
    yield _inventory(chosen)
    state = _state(chosen)
    yield state
    usable = state.status is Status.OK
    if usable:
        yield from _patterns(access.state(chosen))
    yield from _lake(chosen, access.state(chosen) if usable else None)
    if chosen.s3.use_aws_inventory:
        yield _reports(chosen, access.state(chosen) if usable else None)
    yield from _redis(chosen)
    yield from _alerts(chosen)


def _inventory(chosen: Settings) -> Check:
    name, fix = "inventory", "correct what is named; `recon validate` shows every data type"
    try:
        found = wiring.validated(chosen)
    except ReconError as error:
        return Check(name, Status.FAIL, str(error), fix)
    types = {item["name"] for item in found["types"]}
    if found["skipped"] and not access.sample_is_wanted(chosen):
        skipped = "; ".join(f"{name} is skipped: {reason}" for name, reason in found["skipped"].items())
        return Check(name, Status.FAIL, skipped, fix)
    return Check(name, Status.OK, f"{len(types)} data types")


def _state(chosen: Settings) -> Check:
    name, probe = "state", f"doctor-{secrets.token_hex(4)}.txt"
    try:
        store = access.state(chosen)
        for content in (b"one", b"another"):
            store.put(probe, content)
            if store.get(probe) != content:
                raise StateError(f"{chosen.state} does not give back what was just written")
        store.delete(probe)
    except ReconError as error:
        return Check(
            name, Status.FAIL, str(error), "make it writable, or name another one: `state`, RECON_STATE"
        )
    return Check(name, Status.OK, f"{chosen.state} can be written and read")


def _patterns(state: StateStore) -> Iterator[Check]:
    name = "patterns"
    try:
        document = report(state, latest(state))
    except StateError:
        yield Check(name, Status.OK, "no cycle has finished yet, so nothing is known of them")
        return
    lines: list[str] = [line for line in document["warnings"] if _UNMATCHED in line]  # type: ignore[attr-defined]
    for line in lines:
        fix = "correct the pattern by what the lake has; until an object matches, few of its tasks are queued"
        yield Check(name, Status.WARN, line, fix)
    if not lines:
        yield Check(name, Status.OK, f"each one matched an object in cycle {document['cycle_id']}")


def _lake(chosen: Settings, state: StateStore | None) -> Iterator[Check]:
    name = "lake"
    if access.sample_is_wanted(chosen):
        yield Check(name, Status.WARN, "the sample lake is not there yet", "recon run makes it")
        return
    try:
        lister = wiring.lister(chosen)
        seen = _top(lister)
    except ReconError as error:
        fix = "check `lake` (RECON_LAKE), s3.endpoint_url, s3.region, s3.profile, and the credentials' rights"
        yield Check(name, Status.FAIL, str(error), fix)
        return
    yield Check(name, Status.OK, f"{chosen.lake} {seen}")
    yield from _backend(chosen, lister, state)


def _top(lister: Lister) -> str:
    try:
        top = lister.folders(b"")
    except ListingOrderError:  # it answers, in an order of its own: the check of the backend says more
        return "can be listed"
    return f"has {len(top.prefixes)} prefixes and {top.keys} keys at its top"


def _backend(chosen: Settings, lister: Lister, state: StateStore | None) -> Iterator[Check]:
    """Yield what a backend that speaks S3 does with listings; its next cycle heeds it."""
    if not isinstance(lister, S3Lister):
        return
    try:
        found = lister.probe()
    except ReconError as error:
        yield Check("key order", Status.FAIL, str(error), "see the check of the lake")
        return
    if not found.may_split and state is not None:
        Hints.distrust(state, chosen.lake)
    yield _order(found, trusted=state is None or Hints.load(state, chosen.lake).ordered)
    if found.skew_s is not None:
        yield _clock(found.skew_s)


def _order(found: Probe, *, trusted: bool) -> Check:
    name = "key order"
    seen = f"{found.server or 'the server'}: {found.keys} keys looked at in {found.requests} requests"
    if not found.may_split:
        fix = "this backend does not keep key order: recon lists it by whole prefixes"
        return Check(name, Status.WARN, f"{seen}; {found.detail}", fix)
    if not trusted:
        fix = "it is listed by whole prefixes; delete hints.json in the state to try range splits again"
        return Check(name, Status.WARN, f"{seen}, in key order; an earlier cycle saw it out of order", fix)
    return Check(name, Status.OK, f"{seen}, in key order, StartAfter is honoured")


def _clock(skew_s: float) -> Check:
    name, way = "clock", "ahead of" if skew_s > 0 else "behind"
    found = f"this host's clock is {abs(skew_s):.0f} s {way} the lake's"
    if abs(skew_s) > SKEW_MAX_S:
        return Check(name, Status.WARN, found, "set it by NTP: freshness and due times are judged by it")
    return Check(name, Status.OK, found)


def _reports(chosen: Settings, state: StateStore | None) -> Check:
    """Return how it stands with AWS's newest report, by its manifest; where none holds, a cycle lists."""
    name, now = "reports", access.now()
    try:
        known = {} if state is None else refused(state, now)
        found = reports_standing(wiring.report_files(chosen), wiring.report_place(chosen), known, now)
    except ReconError as error:
        return Check(name, Status.WARN, str(error), "recon s3-inventory status")
    if found.problems:
        wrong = found.problems[0]
        return Check(name, Status.WARN, wrong.problem, f"{wrong.next}; see recon s3-inventory status")
    hours = 0.0 if found.newest is None else (now - found.newest.as_of).total_seconds() / 3600
    return Check(name, Status.OK, f"the newest, {found.used}, is {hours:.1f} h old, and its manifest holds")


def _redis(chosen: Settings) -> Iterator[Check]:
    try:
        servers = queues.servers(chosen)
    except ReconError as error:
        yield Check("broker", Status.FAIL, str(error), "start a Redis and name it: `broker`, RECON_REDIS_URL")
        return
    checks = [check for name, server in servers.items() for check in _server(name, server)]
    yield from checks
    if chosen.task_queue.mode != "file" and not any(check.status is Status.FAIL for check in checks):
        yield _owner(chosen, servers)
    for server in servers.values():
        server.close()


def _server(name: str, server: RedisBroker) -> Iterator[Check]:
    try:
        found = server.check()
    except BrokerError as error:
        problem, _, fix = str(error).partition(" Next: ")
        yield Check(name, Status.FAIL, problem, fix or f"start it, or correct `{name}` (RECON_REDIS_URL)")
        return
    said = [(Status.FAIL, line) for line in found.refused] + [(Status.WARN, line) for line in found.warned]
    for status, line in said:
        problem, _, fix = line.partition(". ")
        yield Check(name, status, problem, fix)
    if not said:
        yield Check(name, Status.OK, "answers, keeps an append-only file, and evicts nothing")
    yield from _server_clock(name, server)


def _server_clock(name: str, server: RedisBroker) -> Iterator[Check]:
    """Yield how far a server's clock is from this host's; leases go by the server's, cycles by this one's."""
    seconds, microseconds = map(int, server.command("TIME"))
    skew_s = access.now().timestamp() - seconds - microseconds / 1e6
    if abs(skew_s) > SKEW_MAX_S:
        found = (
            f"the server's clock is {abs(skew_s):.0f} s {'behind' if skew_s > 0 else 'ahead of'} this host's"
        )
        yield Check(name, Status.WARN, found, "set both by NTP: times of tasks and of cycles are compared")


def _owner(chosen: Settings, servers: Mapping[str, RedisBroker]) -> Check:
    name, prefix = "queues", chosen.queues.prefix
    try:
        owner = queues.task_queue(chosen, servers).owner()
    except ReconError as error:
        return Check(name, Status.FAIL, str(error), "see the check of the broker")
    if owner not in {None, chosen.lake}:
        fix = f"set another queues.prefix; if that lake is gone, delete {prefix}:q:* and {prefix}:queue:*"
        return Check(name, Status.FAIL, f"{prefix}:* belong to another lake, {owner}", fix)
    return Check(
        name, Status.OK, f"{prefix}:queue:* are this lake's" if owner else f"{prefix}:queue:* are free"
    )


def _alerts(chosen: Settings) -> Iterator[Check]:
    """Yield whom alerts reach, as far as addresses tell: nothing is sent."""
    name, told = "alerts", "then recon alerts test sends a message to each channel"
    problems = chosen.alert_notices
    for notice in problems:
        found, _, fix = notice.message.partition(" Next: ")
        yield Check(name, Status.WARN, found, f"{fix or 'correct it (docs/alerts.md)'}; {told}")
    unusable = wiring.unusable_channels(chosen)
    for notice in unusable:
        found, _, form = notice.message.partition("; ")
        yield Check(
            name,
            Status.WARN,
            found,
            f"correct {notice.where}: {form}, https://appriseit.com/services; {told}",
        )
    if problems or unusable:
        return
    names = ", ".join(channel.name for channel in alert_channels(chosen))
    words = (
        f"go to {names}; recon alerts test sends a message to each" if names else "no channel is configured"
    )
    yield Check(name, Status.OK, words)
