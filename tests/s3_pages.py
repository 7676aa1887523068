"""What the test server answers with: listings in the dialects of several servers, errors, signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from bisect import bisect_left
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import numpy as np

if TYPE_CHECKING:
    from s3_server import S3Server

#: The error code of each fault that is one, and the status of each code.
REFUSALS = {
    "slow_down": "SlowDown",
    "internal": "InternalError",
    "bad_gateway": "BadGateway",
    "expired": "ExpiredToken",
    "skewed": "RequestTimeTooSkewed",
    "wrong_region": "PermanentRedirect",
    "no_bucket": "NoSuchBucket",
}
STATUSES = {
    "SlowDown": 503,
    "InternalError": 500,
    "BadGateway": 502,
    "ExpiredToken": 400,
    "RequestTimeTooSkewed": 403,
    "PermanentRedirect": 301,
    "NoSuchBucket": 404,
    "AccessDenied": 403,
    "SignatureDoesNotMatch": 403,
}
_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_.~-"


def _texts(keys: list[bytes], url: bool) -> list[bytes]:
    """Return keys as they stand in a listing: URL-encoded as AWS does (a space is a plus), or XML-escaped."""
    if not url:
        return [
            escape(key.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape") for key in keys
        ]
    # All at once, each byte that needs it replaced everywhere; 0xFF is in no UTF-8 and parts the keys.
    blob = b"\xff".join(keys)
    others = set(blob.translate(None, _SAFE)) - {0xFF}
    for byte in sorted(others, key=lambda byte: -1 if byte == ord("%") else byte == ord(" ")):
        blob = blob.replace(bytes([byte]), b"+" if byte == ord(" ") else b"%%%02X" % byte)
    return blob.split(b"\xff") if keys else []


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
    "indented": b"\n  <Contents>\n    <Key>%s</Key>\n    <LastModified>%sZ</LastModified>\n"
    b"    <Size>%d</Size>\n  </Contents>\n",
    "attributes": b'<Contents><Key xml:space="preserve">%s</Key><LastModified>%sZ</LastModified>'
    b"<Size>%d</Size></Contents>",
}


def listing(
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
    keys = [objects.keys[at] for at in rows]
    entries = [
        shape % (text, time, objects.sizes[at])
        for text, time, at in zip(_texts(keys, url), times, rows, strict=True)
    ]
    count = len(entries) + len(prefixes) + bool(server.strikes("lie_count"))
    if entries and server.strikes("lose_entry"):
        entries.pop(server.random.randrange(len(entries)))
    name = None if token is None else base64.urlsafe_b64encode(token)
    if name and server.strikes("repeat_token"):
        name = base64.urlsafe_b64encode(objects.keys[bisect_left(objects.keys, query.get("prefix", b""))])
    parts = [
        b'<?xml version="1.0" encoding="UTF-8"?>\n',
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' if server.strikes("doctype") else b"",
        b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
        b"<Name>%s</Name><Prefix>%s</Prefix>"
        % (server.bucket.encode(), _texts([query.get("prefix", b"")], url)[0]),
        b"<NextContinuationToken>%s</NextContinuationToken>" % name
        if name and not server.strikes("no_token")
        else b"",
        b"" if server.strikes("no_count") else b"<KeyCount>%d</KeyCount>" % count,
        b"<MaxKeys>1000</MaxKeys><IsTruncated>%s</IsTruncated>" % (b"true" if name else b"false"),
        b"<EncodingType>url</EncodingType>" if url else b"",
        *entries,
        *(b"<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>" % item for item in _texts(prefixes, url)),
        b"<Contents></ListBucketResult>" if server.strikes("broken_xml") else b"</ListBucketResult>",
    ]
    return b"".join(parts)


def error(code: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>canary-message</Message>'
        "<AWSAccessKeyId>canary-access-key</AWSAccessKeyId><StringToSign>canary</StringToSign></Error>"
    ).encode()


def is_signed(method: str, path: str, query: str, headers: dict[str, str], secret: str) -> bool:
    """Return whether the SigV4 signature is right, computed anew from the request as it came."""
    found = re.match(
        r"AWS4-HMAC-SHA256 Credential=[^/]+/(\d+)/([^/]+)/s3/aws4_request, ?"
        r"SignedHeaders=([^,]+), ?Signature=(\w+)",
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
