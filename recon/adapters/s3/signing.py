"""Signature Version 4 of requests without a body, as botocore signs them, with the day's key derived once.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. botocore's own signer
takes four times as long, which at 1,000 keys a request is a tenth of what listing costs.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from botocore.credentials import ReadOnlyCredentials

_EMPTY_BODY = sha256(b"").hexdigest()


class Signer:
    """Signs requests to one host in one region; safe to call from many threads."""

    def __init__(self, host: str, region: str) -> None:
        self._host = host
        self._region = region
        self._derived = ("", "", b"")

    def headers(
        self, credentials: ReadOnlyCredentials, method: str, target: str, stamp: str
    ) -> dict[str, str]:
        """Return the headers of one request.

        Args:
            credentials: The key pair, and the session token where there is one.
            method: GET or HEAD.
            target: Path and query as they are sent: percent-encoded, the query sorted by name.
            stamp: The time of the request in UTC, as 20130524T000000Z.
        """
        signed = {"host": self._host, "x-amz-content-sha256": _EMPTY_BODY, "x-amz-date": stamp}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        lines, names = "".join(f"{name}:{value}\n" for name, value in signed.items()), ";".join(signed)
        path, _, query = target.partition("?")
        request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{_EMPTY_BODY}"
        scope = f"{stamp[:8]}/{self._region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        key = self._key(credentials.secret_key or "", stamp[:8])
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return signed

    def _key(self, secret: str, day: str) -> bytes:
        """Return the key of a day; the last one is remembered, whole, so that threads see no mixture."""
        known_secret, known_day, key = self._derived
        if (known_secret, known_day) != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, "s3", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = (secret, day, key)
        return key
