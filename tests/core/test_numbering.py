"""Keys are read once, whoever asks for them."""

from __future__ import annotations

from declared import bound_type, dataset

from recon.core.domain import Domain
from recon.core.numbering import Numbering

KEYS = ["a/2.json", "a/9.json", "a/0.json", "a/2.json"]


class CountedDomain(Domain):
    """A domain that says how many keys it was asked to read."""

    read = ()

    def encode(self, keys):
        self.read = (*self.read, len(keys))
        return super().encode(keys)


def domain() -> CountedDomain:
    bound = bound_type(dataset("a/{n}.json"), dimensions={"n": {"integers": "0..4"}})
    return CountedDomain(bound, bound.expectations[0])


def test_keys_have_the_ordinals_that_the_domain_gives_them_in_the_order_asked():
    numbering = Numbering(domain())
    assert numbering.of(KEYS).tolist() == [2, -1, 0, 2]
    assert numbering.of([]).tolist() == []
    assert numbering.of(["a/1.json", "a/9.json"]).tolist() == [1, -1]


def test_a_key_is_read_once_and_what_was_learned_is_not_read_again():
    counted = domain()
    numbering = Numbering(counted)
    numbering.learn(KEYS)
    numbering.of(KEYS)
    numbering.of(["a/9.json", "a/3.json"])
    assert counted.read == (3, 1)
