"""What a person is told of sudden losses: each wide scope once, with what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from recon.core.brake import BrakeLimits
from recon.core.braking import Decision, Held, Scope


def words(decided: Decision, limits: BrakeLimits, failures: Sequence[str]) -> tuple[str, ...]:
    """Return a line for each scope that is held, believed or doubted, and for looks that failed."""
    held = [one for one in decided.held if not _is_inside(one.scope, decided.held)]
    return (
        *(_held(one, decided.held, limits) for one in held),
        *(f"{_lost(one)}, and that has stood: it is believed" for one in decided.believed),
        *(
            f"{'.'.join(name)}: objects that this cycle did not see are there when asked for, so what is "
            "absent of it is unknown, not missing; nothing is published or withdrawn for it"
            for name in sorted(decided.doubted)
        ),
        *(f"asking for some of what vanished failed: {reason}" for reason in failures),
    )


def title(scope: Scope) -> str:
    """Return a scope's name in a sentence."""
    if not scope.source:
        return "the lake"
    return f"{scope.source}.{scope.data_type}" if scope.data_type else f"source {scope.source}"


def until(one: Held, limits: BrakeLimits) -> str:
    """Return what ends a hold, besides a release."""
    if not one.ends_by_itself:
        return "until they are back: more than half is gone"
    hours = limits.auto_release_after.total_seconds() / 3600
    return f"until they are back, or have been gone for {hours:g} h and two more complete cycles"


def _held(one: Held, every: Sequence[Held], limits: BrakeLimits) -> str:
    inside = [
        other.scope.text for other in every if other.scope != one.scope and one.scope.covers(other.scope)
    ]
    among = f" (also held on its own: {', '.join(inside[:3])}{' …' * (len(inside) > 3)})" if inside else ""
    return (
        f"{_lost(one)}, too suddenly to be believed{among}: they are not published, and nothing of it is "
        f"withdrawn or revised, {until(one, limits)}. If the loss is real: recon brake release "
        f"{one.scope.text}"
    )


def _lost(one: Held) -> str:
    return f"{title(one.scope)} lost {one.vanished:,} of {one.before:,} objects"


def _is_inside(scope: Scope, every: Sequence[Held]) -> bool:
    return any(other.scope != scope and other.scope.covers(scope) for other in every)
