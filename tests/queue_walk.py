"""A quick walk through the queues' operations, drawn from a seed: many steps, and no search."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from queue_machine import SOURCES, QueueMachine, QueueParts, scraper_of, task

from recon.model import Settlement


def recent(random: Random) -> int:
    """Return which lease to speak of: mostly one of the last."""
    return random.choice([-1, -1, -2, -2, -3, random.randrange(8)])


#: Operation -> how often it is taken, and its words.
Words = Callable[[Random], dict[str, object]]
_STEPS: dict[str, tuple[int, Words]] = {
    "publish": (
        6,
        lambda r: {
            "wanted": [
                task(r.randrange(6), r.randrange(4), r.randrange(2)) for _ in range(r.randrange(1, 6))
            ],
            "stale": r.random() < 0.3,
        },
    ),
    "revise": (1, lambda r: {"number": r.randrange(6), "note": r.randrange(2)}),
    "withdraw": (3, lambda r: {"chosen": [r.randrange(6)]}),
    "close": (3, lambda r: {"chosen": [r.randrange(6)]}),
    "reopen": (2, lambda r: {"one": task(r.randrange(6), r.randrange(4), r.randrange(2))}),
    "requeue": (2, lambda r: {"number": r.randrange(6)}),
    "limit": (1, lambda r: {"source": r.choice(SOURCES), "most": r.randrange(3)}),
    "collect": (1, lambda _: {"most": 2}),
    "tick": (3, lambda _: {}),
    "let_pass": (3, lambda r: {"seconds": r.choice([40, 1000, 4000])}),
    "lease": (
        6,
        lambda r: {
            "count": r.randrange(1, 4),
            "scrapers": r.choice([(), (), (scraper_of(SOURCES[0]),), ("none",)]),
            "first": r.choice([None, None, 0, 1, 2, 3]),
        },
    ),
    "heartbeat": (4, lambda r: {"pick": recent(r), "right": r.random() < 0.7}),
    "release": (3, lambda r: {"pick": recent(r), "right": r.random() < 0.8}),
    "settle": (
        5,
        lambda r: {"pick": recent(r), "status": r.choice(list(Settlement)), "right": r.random() < 0.8},
    ),
    "pop": (4, lambda r: {"level": r.randrange(4), "mover": r.random() < 0.2}),
    "settle_plain": (2, lambda r: {"number": r.randrange(6), "status": r.choice(list(Settlement))}),
    "push_back": (3, lambda r: {"pick": r.randrange(8), "elsewhere": None, "and_tick": True}),
    "lose": (
        4,
        lambda r: {
            "number": r.randrange(6),
            "what": r.choice(["meta", "body", "end", "list", "twice"]),
        },
    ),
}
_NEEDS = {"heartbeat": "held", "release": "held", "settle": "held", "push_back": "popped"}


def walk(parts: QueueParts, seed: int, steps: int, *, losing: bool) -> None:
    """Take so many steps and look at the books after each; raise ``AssertionError`` where they are wrong."""
    random, machine = Random(seed), QueueMachine(parts)
    names = [name for name in _STEPS if losing or name != "lose"]
    weights = [_STEPS[name][0] for name in names]
    machine.begin()
    for name in random.choices(names, weights, k=steps):
        if name in _NEEDS and not getattr(machine, _NEEDS[name]):
            continue
        getattr(machine, name)(**_STEPS[name][1](random))
        machine.the_books_are_the_models()
    machine.teardown()
