"""A listing read by a real XML parser: the second opinion on pages the fast reader does not vouch for.

The parser is expat without document types: a DOCTYPE, and with it every entity declaration, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from recon.core.texts import TextError


class PageError(TextError):
    """Raised when an answer is no listing, or one that contradicts itself; the message says how."""


@dataclass(slots=True)
class Document:
    """The elements of a listing that matter here, as texts in the order of the page."""

    keys: list[bytes] = field(default_factory=list)
    sizes: list[bytes] = field(default_factory=list)
    mtimes: list[bytes] = field(default_factory=list)
    prefixes: list[bytes] = field(default_factory=list)
    key_count: int | None = None
    truncated: bool = False
    token: bytes | None = None
    url_encoded: bool = False


def parse(body: bytes) -> Document:
    """Return what ``body`` says; raise ``PageError`` unless it is well-formed and complete."""
    if b"\r" in body and b"<EncodingType>url</EncodingType>" not in body:
        # XML turns a raw carriage return into a newline: which of them the key holds cannot be known.
        raise PageError("it holds a raw carriage return and is not URL-encoded")
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(body, True)  # noqa: FBT003 - expat takes it by position only
    except expat.ExpatError as error:
        raise PageError(f"it is not well-formed XML ({error})") from error
    return reader.document()


def _refuse_doctype(*_: object) -> None:
    raise PageError("it declares a document type, which no S3 listing does")


class _Reader:
    """Collects leaf texts by their path below the root."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._text: list[str] = []
        self._entry: dict[str, list[str]] = {}
        self._entries: list[dict[str, list[str]]] = []
        self._prefixes: list[dict[str, list[str]]] = []
        self._head: dict[str, list[str]] = {}

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._path.append(name.rpartition(" ")[2])
        self._text.clear()
        if len(self._path) == 2:
            self._entry = {}

    def text(self, data: str) -> None:
        self._text.append(data)

    def end(self, _name: str) -> None:
        text = "".join(self._text)
        self._text.clear()
        match self._path:
            case [_, "Contents" | "CommonPrefixes" as kind]:
                (self._entries if kind == "Contents" else self._prefixes).append(self._entry)
            case [_, name]:
                self._head.setdefault(name, []).append(text)
            case [_, _, name]:
                self._entry.setdefault(name, []).append(text)
            case _:
                pass  # the root, and what is nested in an Owner or a RestoreStatus
        self._path.pop()
        if not self._path and _name.rpartition(" ")[2] != "ListBucketResult":
            raise PageError(f"its root element is <{_name.rpartition(' ')[2]}>, not <ListBucketResult>")

    def document(self) -> Document:
        """Return the collected listing; raise ``PageError`` where an element is missing or there twice."""
        truncated, count = _only(self._head, "IsTruncated"), self._head.get("KeyCount")
        if truncated not in {"true", "false"}:
            raise PageError(f"its IsTruncated is {truncated!r}, neither true nor false")
        if count is not None and not _only(self._head, "KeyCount").isdigit():
            raise PageError(f"its KeyCount is {count!r}, not a number")
        token = _only(self._head, "NextContinuationToken") if "NextContinuationToken" in self._head else ""
        return Document(
            keys=[_only(entry, "Key").encode() for entry in self._entries],
            sizes=[_only(entry, "Size").encode() for entry in self._entries],
            mtimes=[_only(entry, "LastModified").encode() for entry in self._entries],
            prefixes=[_only(entry, "Prefix").encode() for entry in self._prefixes],
            key_count=int(count[0]) if count else None,
            truncated=truncated == "true",
            token=token.encode() or None,
            url_encoded=self._head.get("EncodingType") == ["url"],
        )


def _only(texts: dict[str, list[str]], name: str) -> str:
    found = texts.get(name, [])
    if len(found) != 1:
        raise PageError(f"it holds an element with {len(found)} <{name}> where one is expected")
    return found[0]
