"""Every expected key has exactly one verdict, and it is the one that plain Python would give."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from declared import NOW, bound_type, dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.core.coverage import counted, counted_rows, exact_rows
from recon.core.domain import Domain
from recon.core.inventory import Waiver
from recon.core.shards import observed
from recon.core.sketch import ShardFacts, ShardSketch, Sketch
from recon.core.sketcher import Sketcher
from recon.core.verdicts import facts_of, unobserved, verdicts
from recon.model import KeyRange, Verdict

DIMENSIONS = {
    "team": {"values": ["ATL", "BOS"]},
    "day": {"every": "day", "start": "2025-10-27", "end": "2025-11-03"},
}
RANGES = (KeyRange(b"a/"), KeyRange(b"b/", b"", b"b/x"), KeyRange(b"b/", b"b/x", None), KeyRange(b"c/"))
DAY_MS = 86_400_000
NOW_MS = int(NOW.astype("datetime64[ms]").astype(np.int64))

settled = settings(max_examples=60, deadline=None)


def domains() -> list[Domain]:
    exact = dataset(
        "a/{day}/{team}.json", "b/{team}/{day}.gz", name="s.exact", min_size_bytes=100, freshness_s=86400.0
    )
    many = dataset("c/{day}/{part}.bin", name="s.many", min_size_bytes=100, expected_per=("day", 2))
    bound = [bound_type(exact, dimensions=DIMENSIONS), bound_type(many, dimensions=DIMENSIONS)]
    return [Domain(item, expectation) for item in bound for expectation in item.expectations]


DOMAINS = domains()
EXACT, MANY = DOMAINS
KEYS = EXACT.decode(np.arange(EXACT.size)).to_list()
EXTRA = [f"c/2025-10-{day}/{part}.bin" for day in (27, 28) for part in "xyz"] + ["a/stray", "b/y/z/q", "zz"]

objects = st.dictionaries(
    st.sampled_from(KEYS + EXTRA), st.tuples(st.sampled_from([0, 99, 100, 5000]), st.integers(0, 3))
)


def batch(lake: dict[str, tuple[int, int]]) -> pa.RecordBatch:
    rows = sorted((key.encode(), size, NOW_MS - age * DAY_MS) for key, (size, age) in lake.items())
    keys, sizes, mtimes = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.record_batch(
        {
            "key": pa.array(keys, pa.large_binary()),
            "size": pa.array(sizes, pa.int64()),
            "mtime": pa.array(mtimes, pa.timestamp("ms", "UTC")),
        }
    )


def sketched(name: str, lake: dict[str, tuple[int, int]], failure: str | None = None) -> ShardSketch:
    sketcher = Sketcher(DOMAINS, NOW)
    sketcher.add(batch(lake), ascending=True)
    facts = ShardFacts(name, "2025-11-01T12:00:00Z", "2025-11-01T12:00:01Z", failure, objects=len(lake))
    return ShardSketch(facts, sketcher.domains())


def inside(key: str, span: KeyRange) -> bool:
    raw = key.encode()
    return raw.startswith(span.prefix) and span.start_after < raw and (span.end is None or raw <= span.end)


def oracle(lake: dict[str, tuple[int, int]], seen: list[KeyRange], waived: set[str]) -> dict[str, Verdict]:
    found = {}
    for ordinal, key in enumerate(KEYS):
        day = next(part for part in key.replace(".gz", "").split("/") if part.startswith("2025"))
        live = day == "2025-11-01"
        if key in lake:
            size, age = lake[key]
            if size < 100:
                found[key] = Verdict.SMALL
            elif live and age > 1:
                found[key] = Verdict.STALE
            else:
                found[key] = Verdict.OK
        elif not any(inside(key, span) for span in seen):
            found[key] = Verdict.UNKNOWN
        elif day >= "2025-11-01":
            found[key] = Verdict.NOT_DUE
        elif key in waived:
            found[key] = Verdict.KNOWN_ABSENT
        else:
            found[key] = Verdict.MISSING
        assert ordinal < EXACT.size
    return found


@settled
@given(lake=objects, lost=st.sets(st.integers(0, 3)), waived=st.sets(st.sampled_from(KEYS), max_size=4))
def test_verdicts_equal_the_oracle_over_random_lakes_and_lost_shards(lake, lost, waived):
    seen = [span for place, span in enumerate(RANGES) if place not in lost]
    visible = {key: value for key, value in lake.items() if any(inside(key, span) for span in seen)}
    sight = Sketch({"one": sketched("one", visible)}).domain(0, len(EXACT.partitions.labels))
    waivers = [Waiver("", "", key=key) for key in waived]
    unseen = unobserved(EXACT, observed(seen), EXACT.expected - sight.present)
    found = verdicts(facts_of(EXACT, sight, unseen, waivers, NOW))
    by_key = {KEYS[ordinal]: verdict for verdict, bits in found.items() for ordinal in bits}
    assert by_key == oracle(visible, seen, waived)
    assert sum(len(bits) for bits in found.values()) == len(KEYS)


@settled
@given(lake=objects)
def test_coverage_rows_add_up_to_the_verdicts(lake):
    seen = Sketch({"one": sketched("one", lake)}).domain(0, len(EXACT.partitions.labels))
    unseen = unobserved(EXACT, observed(RANGES), EXACT.expected - seen.present)
    found = verdicts(facts_of(EXACT, seen, unseen, (), NOW))
    rows = exact_rows(EXACT, found)
    for verdict, bits in found.items():
        assert sum(getattr(row, verdict.value) for row in rows) == len(bits)
    assert sum(row.expected for row in rows) == EXACT.size


@settled
@given(lake=objects, lost=st.sets(st.integers(0, 3)))
def test_a_counted_shortfall_counts_only_where_it_is_due_and_was_looked_at(lake, lost):
    seen = [span for place, span in enumerate(RANGES) if place not in lost]
    visible = {key: value for key, value in lake.items() if any(inside(key, span) for span in seen)}
    tally = Sketch({"one": sketched("one", visible)}).domain(1, len(MANY.partitions.labels)).tally
    every = MANY.expected
    judged = counted(MANY, tally, unobserved(MANY, observed(seen), every), MANY.not_due(NOW))
    have = Counter(
        key.split("/")[1] for key, (size, _) in visible.items() if key.startswith("c/") and size >= 100
    )
    for row, short in zip(counted_rows(MANY, judged), judged.short, strict=True):
        day = dict(row.partition)["day"]
        assert row.have == have[day]
        assert short == (3 not in lost and day < "2025-11-01" and have[day] < 2)
        assert (row.coverage is None) == (3 in lost and have[day] < 2)


parts = st.lists(st.tuples(st.sampled_from("pqr"), objects, st.sampled_from([None, "broke"])), max_size=4)


def merged(items: list[tuple[str, dict, str | None]]) -> Sketch:
    sketch = Sketch()
    for name, lake, failure in items:
        sketch = sketch.merged(Sketch({name: sketched(name, lake, failure)}))
    return sketch


def facts(sketch: Sketch) -> dict[str, tuple[object, ...]]:
    return {
        name: (result.facts, sorted((number, item.present) for number, item in result.domains.items()))
        for name, result in sketch.shards.items()
    }


@settled
@given(left=parts, right=parts)
def test_merging_is_commutative_and_idempotent(left, right):
    one, two = merged(left), merged(right)
    joined = one.merged(two)
    assert {name: item.facts for name, item in joined.shards.items()} == {
        name: item.facts for name, item in two.merged(one).shards.items()
    }
    assert facts(joined.merged(two)) == facts(joined)
    assert facts(joined.merged(joined)) == facts(joined)


@settled
@given(one=parts, two=parts, three=parts)
def test_merging_is_associative(one, two, three):
    first, second, third = merged(one), merged(two), merged(three)
    assert facts(first.merged(second).merged(third)) == facts(first.merged(second.merged(third)))


@settled
@given(lake=objects)
def test_an_object_that_no_pattern_claims_is_unexpected_once(lake):
    sketcher = Sketcher(DOMAINS, NOW)
    sketcher.add(batch(lake), ascending=True)
    strangers = [key for key in lake if key in {"a/stray", "b/y/z/q", "zz"}]
    assert sketcher.unexpected == len(strangers)
    assert sorted(sketcher.unexpected_sample) == sorted(strangers)


def test_keys_that_are_no_text_do_not_hide_their_neighbours():
    bound = bound_type(dataset("\U00010000/{team}"), dimensions=DIMENSIONS)
    sketcher = Sketcher([Domain(bound, bound.expectations[0])], NOW)
    # Ascending as bytes; as text, what cannot be read (U+FFFD) stands below the first.
    raw = ["\U00010000/ATL".encode(), b"\xff", b"\xff\xff"]
    columns = {"key": pa.array(raw, pa.large_binary()), "size": [1] * 3, "mtime": [NOW_MS] * 3}
    sketcher.add(pa.table(columns), ascending=True)
    assert list(sketcher.domains()[0].present) == [0]
    assert sketcher.unexpected == 2
