"""A small, fast S3 for tests and benchmarks: ListObjectsV2, GetObject and HeadObject over sorted arrays.

It keeps a million keys as one sorted list beside two arrays, answers a page in about a millisecond, checks
SigV4 signatures when told to, and misbehaves on demand (``FAULTS``). Use it as a context manager (its own
thread), or from the command line (its own process)::

    with S3Server([b"a/1", b"a/2"]) as server: ...        # server.url, server.bucket
    python tests/s3_server.py --keys 1000000 --prefixes 300 --latency-ms 100 --fault slow_down=0.1
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import random
import re
import signal
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import quote_from_bytes, unquote_to_bytes
from xml.sax.saxutils import escape

import numpy as np

#: What can be injected, by name, with a probability and, if wanted, a number of times.
FAULTS = {
    "slow_down": "503 SlowDown",
    "internal": "500 InternalError",
    "bad_gateway": "502 from something before S3, with HTML",
    "hang": "no answer for hang_s seconds, then the connection closes",
    "drop": "the connection closes before a byte of the answer",
    "reset": "the connection is reset (RST) in the middle of the body",
    "short": "Content-Length promises more than comes",
    "truncate": "the body is cut in the middle, and Content-Length agrees",
    "error_200": "200 with an <Error> of InternalError for a body",
    "denied_200": "200 with an <Error> of AccessDenied for a body",
    "html_200": "200 with a web page for a body",
    "broken_xml": "well-ended but not well-formed",
    "lie_count": "KeyCount is one too high",
    "no_count": "no KeyCount",
    "lose_entry": "an entry is left out, KeyCount is not changed",
    "repeat_token": "every answer names the first answer's token",
    "no_token": "IsTruncated without a token",
    "unordered": "the page's keys come shuffled",
    "ignore_start_after": "listings begin at the prefix",
    "ignore_prefix": "listings hold the whole bucket",
    "ignore_encoding": "keys come as XML text, not URL-encoded",
    "folder_order": "keys come in the order of a walk through folders, and StartAfter loses some",
    "expired": "400 ExpiredToken",
    "skewed": "403 RequestTimeTooSkewed",
    "wrong_region": "301 PermanentRedirect with x-amz-bucket-region: eu-central-1",
    "no_bucket": "404 NoSuchBucket",
    "doctype": "the listing declares a document type with entities",
}
_SAFE = re.compile(rb"[A-Za-z0-9/_.~-]*\Z")
_MS = 1_700_000_000_000


@dataclass
class Fault:
    """How often a fault is injected: a probability per request, and how many times at most."""

    p: float = 1.0
    times: int | None = None


@dataclass
class Objects:
    """The bucket's content: sorted keys, sizes and mtimes (ms), and the bodies that were put."""

    keys: list[bytes]
    sizes: array = field(default_factory=lambda: array("q"))
    mtimes: array = field(default_factory=lambda: array("q"))
    bodies: dict[bytes, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: Iterable[bytes]) -> Objects:
        ordered = sorted(keys)
        count = len(ordered)
        # Sizes and times are functions of the position, so that a test can tell what it should see.
        sizes = array("q", np.arange(count, dtype=np.int64).tobytes())
        mtimes = array("q", (np.arange(count, dtype=np.int64) * 1000 + _MS).tobytes())
        return cls(ordered, sizes, mtimes)

    def put(self, key: bytes, body: bytes, mtime_ms: int = _MS) -> None:
        self.delete(key)
        at = bisect_left(self.keys, key)
        self.keys.insert(at, key)
        self.sizes.insert(at, len(body))
        self.mtimes.insert(at, mtime_ms)
        self.bodies[key] = body

    def delete(self, key: bytes) -> None:
        at = bisect_left(self.keys, key)
        if self.keys[at : at + 1] == [key]:
            del self.keys[at], self.sizes[at], self.mtimes[at]
            self.bodies.pop(key, None)


def synthetic_keys(count: int, prefixes: int = 300) -> list[bytes]:
    """Return ``count`` keys spread over ``prefixes`` folders, as a lake with a column in its path has them."""
    per = -(-count // prefixes)
    return [
        b"events/source=%03d/part-%08d.parquet" % (folder, number)
        for folder in range(prefixes)
        for number in range(min(per, max(0, count - folder * per)))
    ]


class S3Server:
    """Serves one bucket on a loopback port; ``requests`` counts what was asked, by kind."""

    def __init__(
        self,
        keys: Iterable[bytes] = (),
        *,
        bucket: str = "lake",
        port: int = 0,
        latency_s: float = 0.0,
        seed: int = 0,
        secret: str | None = None,
    ) -> None:
        self.objects = Objects.of(keys)
        self.bucket = bucket
        self.port = port
        self.latency_s = latency_s
        self.hang_s = 30.0
        self.secret = secret
        self.faults: dict[str, Fault] = {}
        self.denied: list[bytes] = []
        self.shape = "aws"
        self.max_keys = 1000
        self.requests: Counter[str] = Counter()
        self.random = random.Random(seed)
        self.in_flight = self.most_in_flight = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def inject(self, name: str, p: float = 1.0, times: int | None = None) -> None:
        if name not in FAULTS:
            raise ValueError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
        self.faults[name] = Fault(p, times)

    def heal(self) -> None:
        self.faults.clear()
        self.denied.clear()

    def strikes(self, *names: str) -> str | None:
        """Return the first of ``names`` that is injected into this request."""
        for name in names:
            fault = self.faults.get(name)
            if fault and fault.times != 0 and self.random.random() < fault.p:
                if fault.times:
                    fault.times -= 1
                return name
        return None

    def __enter__(self) -> S3Server:
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._open: set[_Connection] = set()
        server = await self._loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self.port, backlog=1024
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for connection in list(self._open):
            connection.transport.abort()
        await asyncio.sleep(0)

    def answer(self, method: str, target: str, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers; faults of the transport are the connection's."""
        path, _, query_string = target.partition("?")
        _, bucket, *rest = unquote_to_bytes(path).split(b"/", 2)
        query = dict(part.partition("=")[::2] for part in query_string.split("&") if part)
        arguments = {name: unquote_to_bytes(value) for name, value in query.items()}
        kind = "list" if not rest else "get"
        self.requests[kind] += 1
        region = {"x-amz-bucket-region": "eu-central-1"}
        if self.secret and not _signed(method, path, query_string, headers, self.secret):
            return 403, _error("SignatureDoesNotMatch"), {}
        if bucket.decode() != self.bucket or self.strikes("no_bucket"):
            return 404, _error("NoSuchBucket"), {}
        match self.strikes("slow_down", "internal", "bad_gateway", "expired", "skewed", "wrong_region"):
            case "slow_down":
                return 503, _error("SlowDown"), {}
            case "internal":
                return 500, _error("InternalError"), {}
            case "bad_gateway":
                return 502, b"<html>Bad Gateway</html>", {}
            case "expired":
                return 400, _error("ExpiredToken"), {}
            case "skewed":
                return 403, _error("RequestTimeTooSkewed"), {}
            case "wrong_region":
                return 301, _error("PermanentRedirect"), region
        asked = rest[0] if rest else arguments.get("prefix", b"")
        if any(asked.startswith(prefix) for prefix in self.denied):
            return 403, _error("AccessDenied"), {}
        return self._object(rest[0]) if rest else (200, self._listing(arguments), {})

    def _object(self, key: bytes) -> tuple[int, bytes, dict[str, str]]:
        at = bisect_left(self.objects.keys, key)
        if self.objects.keys[at : at + 1] != [key]:
            return 404, _error("NoSuchKey"), {}
        body = self.objects.bodies.get(key)
        modified = {"Last-Modified": formatdate(self.objects.mtimes[at] / 1000, usegmt=True), "ETag": '"0"'}
        return 200, bytes(self.objects.sizes[at]) if body is None else body, modified

    def _listing(self, query: dict[str, bytes]) -> bytes:
        match self.strikes("error_200", "denied_200", "html_200"):
            case "error_200":
                return _error("InternalError")
            case "denied_200":
                return _error("AccessDenied")
            case "html_200":
                return b"<html><body>Sign in to the network</body></html>"
        prefix = b"" if self.strikes("ignore_prefix") else query.get("prefix", b"")
        url = query.get("encoding-type") == b"url" and not self.strikes("ignore_encoding")
        wanted = min(int(query.get("max-keys", b"1000")), self.max_keys)
        start = b"" if self.strikes("ignore_start_after") else query.get("start-after", b"")
        if "continuation-token" in query:
            start = base64.urlsafe_b64decode(query["continuation-token"])
        if self.strikes("folder_order"):
            return _page(self, *self._by_folder(prefix, start, wanted), url=url, query=query)
        rows, prefixes, token = self._cut(prefix, start, query.get("delimiter", b""), wanted)
        return _page(self, rows, prefixes, token, url=url, query=query)

    def _cut(
        self, prefix: bytes, start: bytes, delimiter: bytes, wanted: int
    ) -> tuple[list[int], list[bytes], bytes | None]:
        """Return positions of keys, common prefixes, and where the next page starts (None: no more)."""
        keys = self.objects.keys
        low = max(bisect_left(keys, prefix), bisect_right(keys, start) if start else 0)
        high = bisect_left(keys, _after(prefix)) if prefix else len(keys)
        if not delimiter:
            stop = min(low + wanted, high)
            return list(range(low, stop)), [], keys[stop - 1] if stop < high and stop > low else None
        rows: list[int] = []
        prefixes: list[bytes] = []
        while low < high and len(rows) + len(prefixes) < wanted:
            found = keys[low].find(delimiter, len(prefix))
            if found < 0:
                rows.append(low)
                low += 1
                continue
            folder = keys[low][: found + len(delimiter)]
            low = bisect_left(keys, _after(folder))
            if folder > start:
                prefixes.append(folder)
        return rows, prefixes, keys[low - 1] if low < high else None

    def _by_folder(
        self, prefix: bytes, start: bytes, wanted: int
    ) -> tuple[list[int], list[bytes], bytes | None]:
        """Return a page as a server over a file system gives it: sorted by path components, not by bytes."""
        chosen = [at for at, key in enumerate(self.objects.keys) if key.startswith(prefix)]
        chosen.sort(key=lambda at: self.objects.keys[at].split(b"/"))
        names = [self.objects.keys[at] for at in chosen]
        low = 0
        if start:
            low = names.index(start) + 1 if start in names else len(names)
        rows = chosen[low : low + wanted]
        return rows, [], names[low + wanted - 1] if low + wanted < len(names) else None


def _after(prefix: bytes) -> bytes:
    """Return the least byte string above everything that starts with ``prefix``."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else b"\xff" * 1100


def _text(key: bytes, url: bool) -> bytes:
    if not url:
        return escape(key.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if _SAFE.match(key):
        return key
    return quote_from_bytes(key, safe="/-_.~ ").replace(" ", "+").encode()


_SHAPES = {
    "aws": b"<Contents><Key>%s</Key><LastModified>%sZ</LastModified>"
    b"<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass>"
    b"</Contents>",
    "aws_checksum": b"<Contents><Key>%s</Key><LastModified>%sZ</LastModified><ETag>&quot;0&quot;</ETag>"
    b"<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>%d</Size>"
    b"<StorageClass>GLACIER</StorageClass><RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>"
    b"<RestoreExpiryDate>2030-01-01T00:00:00.000Z</RestoreExpiryDate></RestoreStatus></Contents>",
    "minio": b"<Contents><Key>%s</Key><LastModified>%sZ</LastModified><ETag>&#34;0&#34;</ETag><Size>%d</Size>"
    b"<Owner><ID>02d6176d</ID><DisplayName>minio</DisplayName></Owner><StorageClass>STANDARD</StorageClass>"
    b"</Contents>",
    "indented": b"\n  <Contents>\n    <Key>%s</Key>\n    <LastModified>%sZ</LastModified>\n    <Size>%d</Size>\n"
    b"  </Contents>\n",
    "attributes": b'<Contents><Key xml:space="preserve">%s</Key><LastModified>%sZ</LastModified>'
    b"<Size>%d</Size></Contents>",
}


def _page(
    server: S3Server,
    rows: list[int],
    prefixes: list[bytes],
    token: bytes | None,
    *,
    url: bool,
    query: dict[str, bytes],
) -> bytes:
    """Return a listing as XML, with the faults of a listing that are on."""
    objects = server.objects
    if server.strikes("unordered"):
        rows = server.random.sample(rows, len(rows))
    mtimes = np.array([objects.mtimes[at] for at in rows], "datetime64[ms]")
    times = np.datetime_as_string(mtimes, unit="ms").astype("S").tolist() if rows else []
    shape = _SHAPES[server.shape]
    keys = objects.keys
    entries = [
        shape % (_text(keys[at], url), time, objects.sizes[at]) for at, time in zip(rows, times, strict=True)
    ]
    count = len(entries) + len(prefixes) + bool(server.strikes("lie_count"))
    if entries and server.strikes("lose_entry"):
        entries.pop(server.random.randrange(len(entries)))
    name = None if token is None else base64.urlsafe_b64encode(token)
    if name and server.strikes("repeat_token"):
        name = base64.urlsafe_b64encode(keys[bisect_left(keys, query.get("prefix", b""))])
    parts = [
        b'<?xml version="1.0" encoding="UTF-8"?>\n',
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' if server.strikes("doctype") else b"",
        b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
        b"<Name>%s</Name><Prefix>%s</Prefix>"
        % (server.bucket.encode(), _text(query.get("prefix", b""), url)),
        b"<NextContinuationToken>%s</NextContinuationToken>" % name
        if name and not server.strikes("no_token")
        else b"",
        b"" if server.strikes("no_count") else b"<KeyCount>%d</KeyCount>" % count,
        b"<MaxKeys>1000</MaxKeys><IsTruncated>%s</IsTruncated>" % (b"true" if name else b"false"),
        b"<EncodingType>url</EncodingType>" if url else b"",
        *entries,
        *(b"<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>" % _text(item, url) for item in prefixes),
        b"<Contents></ListBucketResult>" if server.strikes("broken_xml") else b"</ListBucketResult>",
    ]
    return b"".join(parts)


def _error(code: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>canary-message</Message>'
        "<AWSAccessKeyId>canary-access-key</AWSAccessKeyId><StringToSign>canary</StringToSign></Error>"
    ).encode()


def _signed(method: str, path: str, query: str, headers: dict[str, str], secret: str) -> bool:
    """Return whether the SigV4 signature is right, computed anew from the request as it came."""
    found = re.match(
        r"AWS4-HMAC-SHA256 Credential=[^/]+/(\d+)/([^/]+)/s3/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)",
        headers.get("authorization", ""),
    )
    if not found:
        return False
    day, region, names, signature = found.groups()
    ordered = "&".join(sorted(query.split("&")))
    signed = "".join(f"{name}:{headers.get(name, '')}\n" for name in names.split(";"))
    canonical = "\n".join([method, path, ordered, signed, names, headers["x-amz-content-sha256"]])
    scope = f"{day}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{digest}"
    return hmac.new(key, text.encode(), "sha256").hexdigest() == signature


class _Connection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection: requests without bodies, one answer each."""

    def __init__(self, server: S3Server) -> None:
        self.server = server
        self.pending = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.server._open.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self.server._open.discard(self)

    def data_received(self, data: bytes) -> None:
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            head, self.pending = self.pending[:end].decode("latin-1"), self.pending[end + 4 :]
            self.server.in_flight += 1
            self.server.most_in_flight = max(self.server.most_in_flight, self.server.in_flight)
            if self.server.latency_s:
                self.server._loop.call_later(self.server.latency_s, self.respond, head)
            else:
                self.respond(head)

    def respond(self, head: str) -> None:
        self.server.in_flight -= 1
        if self.transport.is_closing():
            return
        fault = self.server.strikes("hang", "drop", "reset", "short", "truncate")
        if fault == "hang":
            self.server._loop.call_later(self.server.hang_s, self.transport.abort)
            return
        if fault == "drop":
            self.transport.close()
            return
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status, body, extra = self.server.answer(method, target, headers)
        if fault == "truncate":
            body = body[: len(body) // 2]
        length = len(body) + (1000 if fault in {"short", "reset"} else 0)
        fields = {
            "Content-Length": str(length),
            "Date": formatdate(usegmt=True),
            "Server": "sorted-array",
            **extra,
        }
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        self.transport.write("\r\n".join(lines).encode() + (b"" if method == "HEAD" else body))
        if fault == "reset":
            # A closing socket that lingers for no time sends RST.
            self.transport.get_extra_info("socket").setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
            self.server._loop.call_later(0.02, self.transport.abort)
        elif fault == "short":
            self.transport.close()


def main() -> None:
    """Serve until SIGTERM; the first line on stdout is the URL."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--prefixes", type=int, default=300)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--bucket", default="lake")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fault", action="append", default=[], metavar="NAME=P", help=", ".join(FAULTS))
    options = parser.parse_args()
    server = S3Server(
        synthetic_keys(options.keys, options.prefixes),
        bucket=options.bucket,
        port=options.port,
        latency_s=options.latency_ms / 1000,
        seed=options.seed,
    )
    for item in options.fault:
        name, _, p = item.partition("=")
        server.inject(name, float(p or 1))

    async def run() -> None:
        serving = asyncio.create_task(server.serve())
        while not server._ready.is_set():
            await asyncio.sleep(0.01)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server._stop.set)
        print(server.url, flush=True)
        await serving

    asyncio.run(run())


if __name__ == "__main__":
    main()
