"""Settings -> where the facts of a standing come from, and from when on something is wrong.

Its clients wait a second or two for a server, and try once: who watches must hear soon that one is silent.
"""

from __future__ import annotations

from datetime import timedelta

from recon import access
from recon.adapters.ledger import RedisLedger
from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisTaskQueue
from recon.adapters.state_queue import StateTaskQueue
from recon.core.claims import ClaimRules
from recon.core.conditions import Limits
from recon.core.performance import PerformanceLimits
from recon.settings import Settings
from recon.standing import Sources

#: Seconds that a server has to answer one call of a look.
REPLY_TIMEOUT_S = 1.5


def sources(chosen: Settings) -> Sources:
    """Return where the facts come from; connects at the first look, and starts no server.

    Raises:
        BrokerError: An address cannot be used at all.
    """
    prefix, state = chosen.queues.prefix, access.state(chosen)
    address = access.broker_address(chosen)
    brokers = {"broker": _connected(address)}
    by_file, apart = chosen.task_queue.mode == "file", access.queues_address(chosen)
    if not by_file and apart not in {None, address}:
        brokers["queues.url"] = _connected(apart or address)
    queue_server = "" if by_file else next(reversed(brokers))
    if by_file:
        queue: StateTaskQueue | RedisTaskQueue = StateTaskQueue(state, lake=chosen.lake)
    else:
        queue = RedisTaskQueue(brokers[queue_server], lake=chosen.lake, prefix=prefix)
    return Sources(
        state=state,
        ledger=RedisLedger(brokers["broker"], prefix=prefix),
        queue=queue,
        servers={name: server.check for name, server in brokers.items()},
        queue_server=queue_server,
        lake=chosen.lake,
        interval_s=access.interval_s(chosen),
        claim_rules=claim_rules(chosen),
    )


def limits(chosen: Settings) -> Limits:
    """Return from when on something is wrong."""
    return Limits(
        critical_gaps=chosen.notifications.critical_gaps_threshold,
        observed_age_s=chosen.s3.max_report_age_s,
        performance=PerformanceLimits(**chosen.performance.model_dump()),
    )


def claim_rules(chosen: Settings) -> ClaimRules:
    """Return when a key is given up, and when a scraper is paused."""
    common = chosen.scrapers_defaults.breaker
    return ClaimRules(
        chosen.gap_detection.max_attempts,
        common.refuted_in_row,
        timedelta(seconds=common.probe_after_s),
        {name: scraper.breaker for name, scraper in chosen.scrapers.items()},
    )


def _connected(address: str) -> RedisBroker:
    return RedisBroker.connect(address, reply_timeout_s=REPLY_TIMEOUT_S, retries=0)
