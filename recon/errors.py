"""Every error recon raises on purpose: one root, and each class says when it is raised."""

from __future__ import annotations

from recon.masking import masked


class ReconError(Exception):
    """The root: a message for people (what, where, expected, next step) and an exit code.

    ``may_pass`` tells whether the same cycle, tried again a little later, may succeed; ``at_once``, that the
    next attempt takes another way, so that it is made at once and does not count. The message shows no secret
    of an address, whichever library's words it repeats.
    """

    exit_code = 1
    may_pass = True
    at_once = False

    def __init__(self, message: str = "") -> None:
        super().__init__(masked(message))


class ConfigError(ReconError):
    """Raised when the inventory, recon.yaml, the environment or a flag cannot be used as it stands.

    ``problems`` holds every problem found, one line each (``file:line:column: message``).
    """

    exit_code = 2
    may_pass = False

    def __init__(self, problems: list[str] | str) -> None:
        self.problems = [masked(line) for line in ([problems] if isinstance(problems, str) else problems)]
        super().__init__("\n".join(self.problems))


class LakeError(ReconError):
    """Raised when the lake could not be looked at. It proves nothing about any key.

    ``requests`` is what the look has cost since its last good answer (retries included).
    """

    requests: int = 0


class LakeUnreachableError(LakeError):
    """Raised when the lake's server or folder does not answer, or answers for another bucket."""


class AccessDeniedError(LakeError):
    """Raised when the lake refuses a listing (403) or an object; retrying cannot help."""

    may_pass = False


class ListingInvalidError(LakeError):
    """Raised when a listing contradicts itself: truncated, miscounted, or with a repeated token."""


class ListingOrderError(ListingInvalidError):
    """Raised when keys do not ascend or leave the asked range: the backend must not be range-split."""


class ReportError(ReconError):
    """Raised when an AWS S3 Inventory report fails a check; the message names the file and the check.

    It is refused whole: nothing is concluded from any part of it.
    """

    at_once = True


class TooManyRequestsError(ReconError):
    """Raised when a cycle would cost more requests than it may, and has nothing to fall back upon."""

    may_pass = False


class CatalogError(ReconError):
    """Raised when a catalog cannot be read, or lacks what a pattern needs from it."""


class StateError(ReconError):
    """Raised when the state store cannot be read or written, or holds something unreadable."""


class MetricsError(ReconError):
    """Raised when a metrics registry does not take its values; it never fails a cycle."""


class BrokerError(ReconError):
    """Raised when Redis does not answer, refuses a write, or is configured to lose data."""


class BrokerUnreachableError(BrokerError):
    """Raised when Redis does not answer just now: the same call may succeed a little later."""


class LedgerLostError(BrokerError):
    """Raised when a cycle's ledger is gone: it expired, or Redis lost its data."""


class QueuesTakenError(BrokerError):
    """Raised when the queues of this prefix belong to another lake: a matter of configuration."""

    exit_code = 2
    may_pass = False


class CycleLockedError(ReconError):
    """Raised when another cycle holds the lock of this lake."""

    exit_code = 5
    may_pass = False


class CycleFencedError(ReconError):
    """Raised when a cycle that lost its lock tries to publish; a newer cycle owns the queues."""

    may_pass = False


class CannotStartError(ReconError):
    """Raised when a scraper's program cannot be started: a matter of this host, never of its tasks."""


class ArgumentsTooLongError(ReconError):
    """Raised when the system refuses arguments of a run for their length."""


class DomainTooLargeError(ConfigError):
    """Raised when a data type would enumerate more keys than ``max_expected_keys``."""
