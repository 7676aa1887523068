"""Entries that are all alike are read by the first one's tags, and only when each is proven to be alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.adapters.s3.page import _parsed, read_page
from recon.adapters.s3.run import run
from recon.adapters.s3.tags import places
from recon.adapters.s3.xml import parse
from recon.core.texts import TextError

TIME = "<LastModified>2024-05-06T07:08:09.000Z</LastModified>"
AWS = f"<Contents><Key>{{key}}</Key>{TIME}<ETag>{{etag}}</ETag><Size>{{size}}</Size></Contents>"
SHAPES = [
    AWS,
    f"\n <Contents>\n  <Key>{{key}}</Key>\n  {TIME}\n  <Size>{{size}}</Size>\n </Contents>\n",
    f"<Contents><Key>{{key}}</Key>{TIME}<Size>{{size}}</Size><Owner><ID>{{etag}}</ID></Owner></Contents>",
    f"<Contents><Size>{{size}}</Size><Key>{{key}}</Key><Type/>{TIME}</Contents>",
]
#: Changes that a plain page does not survive; each is of some entry's bytes.
CHANGES = [
    ("</Size>", "</Size><Key>z</Key>"),
    ("<Key>", '<Key lang="en">'),
    ("<Key>", "<Key><![CDATA[x]]>"),
    ("</Key>", "</Key><!-- -->"),
    ("</Size>", ""),
    ("</Contents>", "</Contents><CommonPrefixes><Prefix>f/</Prefix></CommonPrefixes>"),
    ("<Contents>", "<Contents><Contents>"),
    ("</Contents>", ""),
    ("</Contents>", "<ETag/></Contents>"),
    ("<Size>", "<Size/><Size>"),
]


def page(*entries: str, count: int | None = None, tail: str = "") -> bytes:
    count = len(entries) if count is None else count
    head = f"<KeyCount>{count}</KeyCount><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>"
    return f"<ListBucketResult>{head}{''.join(entries)}{tail}</ListBucketResult>".encode()


def entries(*keys: str, shape: str = AWS) -> list[str]:
    return [shape.format(key=key, size=number * 7, etag=f"e{number}") for number, key in enumerate(keys)]


def found(body: bytes):
    return run(body, places(body))


@pytest.mark.parametrize("shape", SHAPES)
def test_texts_of_entries_alike_are_where_they_stand(shape):
    body = page(*entries("a", "bb", "ccc", shape=shape))
    alike = found(body)
    starts, stops = alike.texts(b"Key")
    assert [body[start:stop] for start, stop in zip(starts, stops, strict=True)] == [b"a", b"bb", b"ccc"]
    assert (alike.count, alike.text(b"IsTruncated")) == (3, b"false")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_page_with_one_entry_unlike_the_others_is_not_read_this_way(change, which):
    listed = entries("a", "b", "c")
    listed[which] = listed[which].replace(*change)
    assert found(page(*listed)) is None


@pytest.mark.parametrize("count", [0, 1, 2, 4, 999_999_999])
def test_a_page_of_more_or_fewer_entries_than_it_says_is_not_read_this_way(count):
    assert found(page(*entries("a", "b", "c"), count=count)) is None


@pytest.mark.parametrize("keys", [(), ("a",)])
def test_too_few_entries_are_not_read_this_way(keys):
    assert found(page(*entries(*keys))) is None


def test_an_element_that_stands_outside_twice_has_no_one_text():
    body = page(*entries("a", "b"), tail="<IsTruncated>true</IsTruncated>")
    assert found(body).text(b"IsTruncated") is None


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_is_read_fast_is_what_the_xml_parser_reads(data):
    texts = st.text("ab/%3D+", max_size=6)
    keys = data.draw(st.lists(texts, min_size=2, max_size=5))
    shape = data.draw(st.sampled_from(SHAPES))
    listed = [
        data.draw(st.sampled_from([shape, shape, shape, *SHAPES])).format(key=key, size=number, etag="e")
        for number, key in enumerate(keys)
    ]
    for change in data.draw(st.lists(st.sampled_from(CHANGES), max_size=1)):
        at = data.draw(st.integers(0, len(listed) - 1))
        listed[at] = listed[at].replace(*change)
    body = page(*listed, count=len(keys) + data.draw(st.sampled_from([0, 0, 0, 1, -1])))
    expected = _said(lambda text: _parsed(parse(text)), body)
    assert expected is None or _said(read_page, body) == expected


def _said(reader, body: bytes):
    """Return what a reader makes of a page; all refusals are one."""
    try:
        read = reader(body)
    except TextError:
        return None
    return read.keys.to_pylist(), read.sizes.to_pylist(), read.mtimes.to_pylist(), read.prefixes, read.token


def test_places_are_those_of_every_opening_bracket():
    assert np.array_equal(places(b"<a>x</a>"), [0, 4])
