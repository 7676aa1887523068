from __future__ import annotations

import json

import pytest

from recon.core.printable import escaped, printable

ODD = ["\n", "\t", "\x1b", "\x7f", "\x80", "\x85", "\x9b", "\x9f", "\u2028", "\u2029", "\udcff", "\ud800"]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_a_character_that_breaks_a_line_or_steers_a_terminal_makes_a_json_string(odd):
    text = f"a{odd}b"
    shown = printable(text)
    assert shown.isascii()
    assert len(shown.splitlines()) == 1
    assert json.loads(shown) == text


@pytest.mark.parametrize("text", ["a/b.json", "é日本", "a b", "a\xa0b", "{'x'}", 'a"b', "\u202eb"])
def test_other_text_is_printed_as_it_is(text):
    assert printable(text) == text


def test_what_looks_like_a_json_string_becomes_one():
    assert printable('"a"') == '"\\"a\\""'


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_a_json_document_can_be_printed_and_means_the_same(odd):
    document = {"key": f"a{odd}é"}
    shown = escaped(json.dumps(document, indent=2, ensure_ascii=False))
    assert json.loads(shown) == document
    assert shown.encode()
    assert len(shown.splitlines()) == 3
