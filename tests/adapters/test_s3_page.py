"""Pages are read exactly, in every dialect, or refused; the fast reader and the XML parser agree."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.adapters.s3 import page as page_module
from recon.adapters.s3.page import read_page
from recon.core.texts import TextError

ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>2024-05-06T07:08:09.000Z</LastModified>"
    "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>{size}</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)
HEAD = "<KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>{truncated}</IsTruncated>{more}"


def listing(
    *parts: str, count: int | None = None, truncated: str = "false", more: str = "", start: str = ""
) -> bytes:
    count = (
        sum(part.startswith(("<Contents", "<CommonPrefixes")) for part in parts) if count is None else count
    )
    head = HEAD.format(count=count, truncated=truncated, more=more)
    return (
        f'{start}<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Prefix>p</Prefix>'
        f"{head}{''.join(parts)}</ListBucketResult>"
    ).encode()


URL = "<EncodingType>url</EncodingType>"


def entries(*keys: str) -> list[str]:
    return [ENTRY.format(key=key, size=number) for number, key in enumerate(keys)]


def keys(body: bytes) -> list[bytes]:
    return read_page(body).keys.to_pylist()


@pytest.fixture
def no_xml_parser(monkeypatch):
    """Fail when the slow reader is asked: what this test reads must be read fast."""

    def refuse(body):
        raise AssertionError("the XML parser was needed")

    monkeypatch.setattr(page_module, "parse", refuse)


@pytest.fixture(params=["fast", "xml"])
def reader(request, monkeypatch):
    """Read with and without the fast reader."""
    if request.param == "xml":
        monkeypatch.setattr(page_module, "_scanned", lambda _: None)
    return read_page


def test_a_page_gives_keys_sizes_times_and_token(reader):
    more = "<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>"
    page = reader(listing(*entries("a", "b"), truncated="true", more=more))
    assert page.keys.to_pylist() == [b"a", b"b"]
    assert page.sizes.to_pylist() == [0, 1]
    assert page.mtimes.to_pylist() == [datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)] * 2
    assert page.token == b"1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="


def test_an_empty_page_is_empty(reader):
    page = reader(listing())
    assert (len(page.keys), page.prefixes, page.token) == (0, (), None)


def test_common_prefixes_stand_beside_contents(reader):
    folder = "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>"
    page = reader(listing(*entries("a"), folder.format("b%3D1/"), folder.format("c+d/"), more=URL))
    assert (page.keys.to_pylist(), page.prefixes) == ([b"a"], (b"b=1/", b"c d/"))


@pytest.mark.parametrize(
    "entry",
    [
        "<Contents><Key>k</Key><LastModified>{t}</LastModified><ETag>e</ETag><Size>7</Size></Contents>",
        "<Contents><Size>7</Size><Key>k</Key><LastModified>{t}</LastModified></Contents>",
        (
            "<Contents><ETag/><Key>k</Key><Owner><ID>1</ID><DisplayName>x</DisplayName></Owner><Size>7</Size>"
            "<LastModified>{t}</LastModified></Contents>"
        ),
        (
            "<Contents>\n\t<Key>k</Key>\n\t<LastModified>{t}</LastModified>\n\t<ChecksumAlgorithm>A</ChecksumAlgorithm>"
            "<ChecksumAlgorithm>B</ChecksumAlgorithm><ChecksumType>C</ChecksumType><Size>7</Size>\n</Contents>"
        ),
        (
            "<Contents><Key>k</Key><LastModified>{t}</LastModified><Size>7</Size><RestoreStatus>"
            "<IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus></Contents>"
        ),
    ],
)
def test_entries_in_any_order_with_any_extras_are_read_fast(entry, no_xml_parser):
    plain = entries("j")[0]
    page = read_page(listing(plain, entry.format(t="2024-05-06T07:08:09.000Z")))
    assert (page.keys.to_pylist(), page.sizes.to_pylist()) == ([b"j", b"k"], [0, 7])


@pytest.mark.parametrize(
    "body",
    [
        listing(
            '<Contents><Key x="1">k</Key><LastModified>2024-05-06T07:08:09Z</LastModified><Size>7</Size>'
            "</Contents>"
        ),
        listing(
            "<Contents><Key><![CDATA[k]]></Key><LastModified>2024-05-06T07:08:09Z</LastModified><Size>7</Size>"
            "</Contents>"
        ),
        listing(*entries("k")).replace(b"<Size>0</Size>", b"<!-- <Size>9</Size> --><Size>7</Size>"),
        listing(*entries("k"))
        .replace(b"<", b"<s3:")
        .replace(b"<s3:/", b"</s3:")
        .replace(b"xmlns=", b"xmlns:s3=")
        .replace(b">0<", b">7<"),
        listing(*entries("k")).replace(b"<KeyCount>1</KeyCount>", b"").replace(b">0<", b">7<"),
    ],
    ids=["attribute", "cdata", "comment", "namespace prefix", "no KeyCount"],
)
def test_other_xml_is_read_by_the_parser(body):
    page = read_page(body)
    assert (page.keys.to_pylist(), page.sizes.to_pylist()) == ([b"k"], [7])


def test_a_listing_in_another_encoding_is_read_by_the_parser():
    body = listing(*entries("\u00e9"), start='<?xml version="1.0" encoding="ISO-8859-1"?>')
    assert keys(body.decode().encode("latin-1")) == ["\u00e9".encode()]


def test_keys_that_are_not_url_encoded_are_xml_text(reader):
    body = listing(*entries("a&amp;b", "c&lt;d", "e&#10;f", "g+h", "i%2Fj"))
    assert reader(body).keys.to_pylist() == [b"a&b", b"c<d", b"e\nf", b"g+h", b"i%2Fj"]


def test_a_raw_carriage_return_in_a_key_is_refused_rather_than_guessed(reader):
    with pytest.raises(TextError, match="carriage return"):
        reader(listing(*entries("a\rb")))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT, max_size=8))
def test_url_encoded_keys_come_back_as_they_were(texts):
    body = listing(*entries(*(quote_plus(text, safe="/") for text in texts)), more=URL)
    assert keys(body) == [text.encode() for text in texts]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("abc&<>\"'+% é🏀", max_size=12), max_size=8))
def test_xml_escaped_keys_come_back_as_they_were(texts):
    assert keys(listing(*entries(*map(escape, texts)))) == [text.encode() for text in texts]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_page_is_read_right_or_refused(data):
    body = bytearray(listing(*entries("a", "b%3Dc", "d"), more=URL, truncated="false"))
    whole = keys(bytes(body))
    start = data.draw(st.integers(body.index(b"<KeyCount>"), len(body) - 20))
    stop = data.draw(st.integers(start + 1, min(len(body), start + 400)))
    del body[start:stop]
    try:
        found = keys(bytes(body))
    except TextError:
        return
    # A cut inside a key's own text cannot be seen; a cut anywhere else must not change what is listed.
    assert len(found) == len(whole)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (listing(*entries("a", "b"), count=3), "KeyCount 3"),
        (listing(*entries("a", "b"), count=1), "KeyCount 1"),
        (listing(*entries("a"), truncated="true"), "NextContinuationToken"),
        (listing(*entries("a"), truncated="perhaps"), "IsTruncated"),
        (listing(*entries("a"))[:-30] + b"</ListBucketResult>", "well-formed"),
        (listing(*entries("a")).replace(b"<Size>0</Size>", b""), "<Size>"),
        (listing(*entries("a")).replace(b"<Size>0</Size>", b"<Size>1</Size><Size>2</Size>"), "<Size>"),
        (listing(*entries("a")).replace(b"<Size>0</Size>", b"<Size>x</Size>"), "Size"),
        (listing(*entries("a")).replace(b"<Size>0</Size>", b"<Size>-1</Size>"), "Size"),
        (listing(*entries("a")).replace(b"2024-05-06T", b"yesterday "), "LastModified"),
        (listing(*entries("a%2"), more=URL), "escape"),
        (listing(*entries("a%zz"), more=URL), "escape"),
        (listing(*entries("a%2", "Fb"), more=URL), "escape"),
        (listing(start="<!DOCTYPE x [<!ENTITY a 'b'>]>"), "document type"),
        (b"<html></html>", "ListBucketResult"),
        (b"<ListBucketResult></ListBucketResult>", "IsTruncated"),
        (b"</ListBucketResult>", "well-formed"),
        (b"", "well-formed"),
    ],
)
def test_a_page_that_contradicts_itself_is_refused(body, why):
    with pytest.raises(TextError, match=why):
        read_page(body)


def test_an_entity_bomb_is_refused_before_it_grows():
    bomb = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
        f"<!ENTITY {after} '&{name};&{name};&{name};&{name};'>"
        for name, after in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(TextError, match="document type"):
        read_page(listing(*entries("&i;"), start=bomb + "]>"))


@pytest.mark.parametrize(
    ("text", "ms"),
    [("09Z", 0), ("09.123Z", 123), ("09.123456Z", 123), ("09.123456789Z", 123), ("09.5+00:00", 500)],
)
def test_times_are_utc_milliseconds_at_any_precision(text, ms, reader):
    body = listing(*entries("a")).replace(b"09.000Z", text.encode())
    assert reader(body).mtimes.cast("int64").to_pylist() == [1_714_979_289_000 + ms]


def test_sizes_reach_five_tebibytes(reader):
    assert reader(listing(ENTRY.format(key="a", size=5 << 40))).sizes.to_pylist() == [5 << 40]
