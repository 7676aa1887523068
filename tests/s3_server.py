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
import random
import signal
import threading
import time
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Self
from urllib.parse import unquote_to_bytes

import numpy as np
from s3_pages import REFUSALS, STATUSES, error, is_signed, listing

#: What can be injected, by name, with a probability and, if wanted, a number of times.
FAULTS = {
    "slow_down": "503 SlowDown",
    "internal": "500 InternalError",
    "bad_gateway": "502 BadGateway",
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


def use_credentials(monkeypatch, secret: str = "a-secret-for-signatures") -> None:
    """Give this test AWS credentials of its own, and nothing of this machine's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


def synthetic_keys(count: int, prefixes: int = 300) -> list[bytes]:
    """Return ``count`` keys spread over ``prefixes`` folders, with a column in the path as lakes have it."""
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
        #: Seconds that its clock is ahead of this host's.
        self.ahead_s = 0.0
        self.secret = secret
        self.faults: dict[str, Fault] = {}
        self.denied: list[bytes] = []
        #: Listings of a prefix, and of wider ones, leave out its keys: legal answers, and wrong.
        self.unlisted: list[bytes] = []
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
        self.unlisted.clear()

    def strikes(self, *names: str) -> str | None:
        """Return the first of ``names`` that is injected into this request."""
        for name in names:
            fault = self.faults.get(name)
            if fault and fault.times != 0 and self.random.random() < fault.p:
                if fault.times:
                    fault.times -= 1
                return name
        return None

    def __enter__(self) -> Self:
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
        kind = "get" if rest or "inventory" in arguments else "list"
        self.requests[kind] += 1
        asked = rest[0] if rest else arguments.get("prefix", b"")
        if self.secret and not is_signed(method, path, query_string, headers, self.secret):
            refused = "SignatureDoesNotMatch"
        elif bucket.decode() != self.bucket:
            refused = "NoSuchBucket"
        elif any(asked.startswith(prefix) for prefix in self.denied):
            refused = "AccessDenied"
        else:
            refused = REFUSALS.get(self.strikes(*REFUSALS), "")
        if refused:
            return STATUSES[refused], error(refused), {"x-amz-bucket-region": "eu-central-1"}
        if "inventory" in arguments:
            return 404, error("NoSuchConfiguration"), {}
        return self._object(rest[0]) if rest else (200, self._listing(arguments), {})

    def _object(self, key: bytes) -> tuple[int, bytes, dict[str, str]]:
        at = bisect_left(self.objects.keys, key)
        if self.objects.keys[at : at + 1] != [key]:
            return 404, error("NoSuchKey"), {}
        body = self.objects.bodies.get(key)
        modified = {"Last-Modified": formatdate(self.objects.mtimes[at] / 1000, usegmt=True), "ETag": '"0"'}
        return 200, bytes(self.objects.sizes[at]) if body is None else body, modified

    def _listing(self, query: dict[str, bytes]) -> bytes:
        match self.strikes("error_200", "denied_200", "html_200"):
            case "error_200":
                return error("InternalError")
            case "denied_200":
                return error("AccessDenied")
            case "html_200":
                return b"<html><body>Sign in to the network</body></html>"
        prefix = b"" if self.strikes("ignore_prefix") else query.get("prefix", b"")
        url = query.get("encoding-type") == b"url" and not self.strikes("ignore_encoding")
        wanted = min(int(query.get("max-keys", b"1000")), self.max_keys)
        start = b"" if self.strikes("ignore_start_after") else query.get("start-after", b"")
        if "continuation-token" in query:
            start = base64.urlsafe_b64decode(query["continuation-token"])
        if self.strikes("folder_order"):
            return listing(self, *self._by_folder(prefix, start, wanted), url=url, query=query)
        rows, prefixes, token = self._cut(prefix, start, query.get("delimiter", b""), wanted)
        for hidden in self.unlisted:
            if hidden.startswith(prefix):
                rows = [at for at in rows if not self.objects.keys[at].startswith(hidden)]
        return listing(self, rows, prefixes, token, url=url, query=query)

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
            "Date": formatdate(time.time() + self.server.ahead_s, usegmt=True),
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
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
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

    with server:
        print(server.url, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
