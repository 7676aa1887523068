"""What ``recon validate`` prints of a data type."""

from declared import bound_type, catalog, dataset

from recon.core.description import described_domain
from recon.core.domain import Domain

DIMENSIONS = {
    "season": {"seasons": "2023-24..2025-26"},
    "team": {"values": ["ATL", "BOS"]},
    "hour": {"every": "hour", "start": "2025-10-31", "end": "2025-10-31"},
}


def described(*patterns, **settings):
    place = {"dimensions": DIMENSIONS, "catalogs": settings.pop("catalogs", ())}
    bound = bound_type(dataset(*patterns, **settings), **place)
    return described_domain(Domain(bound, bound.expectations[0]))


def test_an_exact_type_is_told_by_its_ranges_count_and_first_key():
    assert described("x/{season}/{team}.json") == {
        "name": "src.kind",
        "kind": "exact",
        "range": "season 2023-24 … 2025-26 (3); team ATL … BOS (2)",
        "count": 6,
        "partition": ["season"],
        "example": "x/2023-24/ATL.json",
        "where": "inventory.yaml:1:1",
    }


def test_the_example_of_a_counted_type_keeps_its_wildcards():
    found = described("s/{hour:%Y/%m/%d/%-H}/{season}/part-{n}.bin", expected_per=("season", 4))
    assert found["example"] == "s/2025/10/31/0/2023-24/part-{n}.bin"
    assert (found["kind"], found["count"]) == ("counted", 12)


def test_a_type_of_which_only_presence_is_known_has_no_count():
    found = described("a/{x}_{y}/{x}.json")
    assert (found["kind"], found["count"], found["range"], found["example"]) == (
        "any", None, "-", "a/{x}_{y}/{x}.json",
    )  # fmt: skip


def test_a_type_without_keys_shows_its_pattern():
    games = catalog("games", {"id": []})
    found = described("g/{id}.json", for_each="games", catalogs=[games])
    assert (found["count"], found["example"]) == (0, "g/{id}.json")
