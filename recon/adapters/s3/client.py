"""Signed GET requests to one bucket over a pool of connections: retried, paced, and refused in plain words.

Outside names: credentials, region, profile and endpoint come by botocore's own chain (``AWS_*``, ~/.aws).
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import botocore.session
import urllib3
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError

from recon.adapters.s3.endpoint import Endpoint, resolve
from recon.adapters.s3.page import LISTING_END
from recon.adapters.s3.refusal import refusal
from recon.adapters.s3.retry import OUTAGE_S, Gate, Outage, PassingError, Patience
from recon.adapters.s3.signing import Signer
from recon.errors import AccessDeniedError, LakeError, LakeUnreachableError, ListingInvalidError

#: A page of 1,000 keys of 1,024 bytes, each byte escaped, is under 4 MiB; anything over this is no listing.
_LISTING_MAX_BYTES = 16 << 20
#: Objects are read whole (catalogs); larger ones are refused rather than held in memory.
_OBJECT_MAX_BYTES = 1 << 30
#: Bytes of an object that goes into a file that are held at once.
_PART_BYTES = 1 << 20
_ERROR_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: its body, the requests it took (retries included), and its headers.

    ``missing`` tells that there is no such object, or no such bucket: a HEAD's 404 does not say which.
    """

    body: bytes
    requests: int
    headers: Mapping[str, str]
    missing: bool = False


@dataclass(frozen=True, slots=True)
class _Question:
    """One thing to ask: ``target`` is path and query, ``action`` says what for in errors.

    A good answer goes into ``file`` where there is one; its body is then its MD5 in hex digits.
    """

    target: str
    action: str
    method: str = "GET"
    listing: bool = False
    file: Path | None = None

    @property
    def limit(self) -> int:
        """Return the bytes of an answer that are held at most."""
        return _LISTING_MAX_BYTES if self.listing else _OBJECT_MAX_BYTES


@dataclass(frozen=True, slots=True)
class _Line:
    """What a question is sent over."""

    endpoint: Endpoint
    credentials: Credentials
    signer: Signer
    pool: urllib3.HTTPConnectionPool


class S3Client:
    """Asks one bucket; safe to call from many threads. Nothing is looked up or sent before the first call."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint_url: str | None,
        region: str | None,
        profile: str | None,
        connections: int,
        patience: Patience,
    ) -> None:
        self._bucket = bucket
        self._asked = (endpoint_url, region, profile)
        self._connections = connections
        self._patience = patience
        self._gate = Gate(connections)
        self._outage = Outage()
        self._lock = threading.Lock()
        self._line: _Line | None = None

    def list_objects(self, query: dict[str, bytes], place: str) -> Answer:
        """Return a whole ListObjectsV2 answer; ``place`` names what is listed in errors."""
        # Sorted and percent-quoted: the form that SigV4 signs.
        pairs = sorted({"list-type": b"2", "encoding-type": b"url", **query}.items())
        target = "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
        return self._get(_Question(target, f"list {place}", listing=True))

    def get_object(self, key: bytes, place: str) -> Answer:
        """Return an object's content; ``place`` names it in errors."""
        return self._get(_Question("/" + quote(key, safe="/"), f"read {place}"))

    def head_object(self, key: bytes, place: str) -> Answer:
        """Return an object's headers; ``place`` names it in errors."""
        return self._get(_Question("/" + quote(key, safe="/"), f"look at {place}", method="HEAD"))

    def download(self, key: bytes, place: str, file: Path) -> Answer:
        """Write an object's content to ``file``; the answer's body is its MD5 in hex digits."""
        return self._get(_Question("/" + quote(key, safe="/"), f"read {place}", file=file))

    def inventory_configuration(self, config_id: str) -> Answer:
        """Return a configuration of the bucket's inventory reports, as XML."""
        target = f"?id={quote(config_id, safe='')}&inventory="
        return self._get(
            _Question(target, f"read the inventory configuration {config_id} of s3://{self._bucket}")
        )

    @property
    def is_aws(self) -> bool:
        """Return whether AWS itself answers."""
        host = self.where.partition("://")[2].partition(":")[0]
        return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))

    @property
    def where(self) -> str:
        """Return the endpoint as it may be shown."""
        return self._open().endpoint.origin

    def _open(self) -> _Line:
        with self._lock:
            if self._line is None:
                self._line = self._opened()
            return self._line

    def _opened(self) -> _Line:
        endpoint_url, region, profile = self._asked
        session = botocore.session.Session(profile=profile)
        try:
            endpoint = resolve(session, self._bucket, endpoint_url=endpoint_url, region=region)
            bundle = session.get_config_variable("ca_bundle")
            credentials = session.get_credentials()
        except (BotoCoreError, ValueError) as error:
            raise LakeUnreachableError(
                f"cannot find out how to reach s3://{self._bucket}: {error}. "
                "Check s3.profile, s3.region and s3.endpoint_url."
            ) from error
        if credentials is None:
            raise AccessDeniedError(
                f"no AWS credentials found for s3://{self._bucket}. Set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or s3.profile, or give this host a role."
            )
        signer = Signer(endpoint.origin.partition("://")[2], endpoint.region)
        return _Line(endpoint, credentials, signer, endpoint.pool(bundle, self._connections, self._patience))

    def _get(self, question: _Question) -> Answer:
        line, patience = self._open(), self._patience
        deadline = time.monotonic() + patience.deadline_s
        attempt = 1
        while True:
            tries = self._outage.tries(patience, time.monotonic())
            if not tries:
                raise LakeUnreachableError(
                    f"cannot {question.action} at {line.endpoint.origin}: the server has answered nobody for "
                    f"{OUTAGE_S:g} s. Nothing is concluded about its keys; check the server, run again."
                )
            try:
                answer = self._paced(line, question, attempt, deadline)
            except PassingError as error:
                wait_s = patience.wait_s(attempt)
                if attempt >= tries or time.monotonic() + wait_s > deadline:
                    self._outage.silent(time.monotonic())
                    final = error.last(
                        f"cannot {question.action} at {line.endpoint.origin}: {error}, {attempt} times. "
                        "Nothing is concluded about its keys; check the server and the network, run again."
                    )
                    final.requests = attempt
                    raise final from error
            except LakeError as error:
                self._outage.answered()
                error.requests = attempt
                raise
            else:
                self._outage.answered()
                return answer
            time.sleep(wait_s)
            attempt += 1

    def _paced(self, line: _Line, question: _Question, attempt: int, deadline: float) -> Answer:
        entered = self._gate.enter(deadline - time.monotonic())
        if entered is None:
            raise PassingError("the server's slowness left no place to ask in time", LakeUnreachableError)
        throttled = False
        try:
            return self._once(line, question, attempt)
        except PassingError as error:
            throttled = error.throttled
            raise
        finally:
            self._gate.leave(entered, throttled=throttled)

    def _once(self, line: _Line, question: _Question, attempt: int) -> Answer:
        path = line.endpoint.path + question.target
        if path[0] == "?":  # a virtual host's bucket has no path of its own, and a request needs one
            path = "/" + path
        cannot = f"cannot {question.action} at {line.endpoint.origin}"
        try:
            response = line.pool.urlopen(
                question.method,
                path,
                headers=self._signed(line, question.method, path),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            body = _body(response, question)
            response.release_conn()
        except urllib3.exceptions.SSLError as error:
            raise LakeUnreachableError(
                f"{cannot}: TLS failed. Check s3.endpoint_url's scheme and certificate, and AWS_CA_BUNDLE."
            ) from error
        except urllib3.exceptions.HTTPError as error:
            raise PassingError(
                f"got no whole answer ({type(error).__name__})", LakeUnreachableError
            ) from error
        if len(body) > question.limit:
            response.close()
            raise LakeError(
                f"{cannot}: the answer exceeds {question.limit} bytes, more than is read at once."
            )
        headers = response.headers
        if response.status == 404 and question.method == "HEAD":
            return Answer(b"", attempt, headers, missing=True)
        if response.status != 200:
            raise _refused(response.status, body, headers.get("x-amz-bucket-region", ""), cannot)
        if question.listing and not body.rstrip().endswith(LISTING_END):
            # A 200 may carry an error, or a part of a listing.
            if b"<Error>" in body[:1000]:
                raise _refused(200, body, "", cannot)
            raise PassingError("the answer does not end as a listing does", ListingInvalidError)
        return Answer(body, attempt, headers)

    def _signed(self, line: _Line, method: str, target: str) -> dict[str, str]:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        try:
            # Frozen for each request: botocore renews what expires, and key and token stay a pair.
            return line.signer.headers(line.credentials.get_frozen_credentials(), method, target, stamp)
        except BotoCoreError as error:
            raise AccessDeniedError(
                f"AWS credentials for s3://{self._bucket} cannot be renewed ({type(error).__name__}). "
                "Check s3.profile, or sign in again."
            ) from error


def _body(response: urllib3.BaseHTTPResponse, question: _Question) -> bytes:
    """Return what an answer holds; of a good one that goes into a file, its MD5."""
    if question.file is not None and response.status == 200:
        try:
            return _kept(response, question.file)
        except OSError:  # of the disk; the network's are urllib3's own
            response.close()
            raise
    # Unbounded reads are faster, and safe where the server says how much is coming.
    known = (response.length_remaining or question.limit) < question.limit
    return response.read(None if known else question.limit + 1, decode_content=False)


def _kept(response: urllib3.BaseHTTPResponse, path: Path) -> bytes:
    """Write an answer to a file; return its MD5 in hex digits."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("wb") as file:
        for part in response.stream(_PART_BYTES, decode_content=False):
            digest.update(part)
            file.write(part)
    return digest.hexdigest().encode()


def _refused(status: int, body: bytes, region: str, cannot: str) -> Exception:
    # Only an error's code is shown: its message may hold access keys and signatures.
    code = _ERROR_CODE.search(body[:10_000])
    return refusal(status, code[1].decode() if code else "", region, cannot)
