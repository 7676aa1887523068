"""Requests are signed exactly as botocore signs them."""

from __future__ import annotations

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from recon.adapters.s3.signing import Signer

CREDENTIALS = ReadOnlyCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
SESSION = CREDENTIALS._replace(token="FwoGZXIvYXdzEBYaD+token/with=signs")
TARGETS = [
    "/lake?encoding-type=url&list-type=2",
    "/?continuation-token=1ueGcxLPRx1Tr%2FXYExHnhbYLgveDs2J%2Fwm36Hy4vbOwM%3D&list-type=2&prefix=a%2Fb%20c",
    "/lake/a//b/..%2F%2B%25/%C3%A9",
    "/base/lake?delimiter=%2F&list-type=2&start-after=%0A",
]


def botocores(credentials: ReadOnlyCredentials, host: str, target: str) -> dict[str, str]:
    request = AWSRequest("GET", f"https://{host}{target}", headers={"Host": host})
    S3SigV4Auth(credentials, "s3", "eu-north-1").add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("credentials", [CREDENTIALS, SESSION], ids=["key", "session"])
@pytest.mark.parametrize("host", ["lake.s3.eu-north-1.amazonaws.com", "127.0.0.1:9000"])
def test_every_header_is_the_one_botocore_sends(credentials, host, target):
    expected = botocores(credentials, host, target)
    path, _, query = target.partition("?")
    signer = Signer(host, "eu-north-1")
    assert signer.headers(credentials, "GET", f"{path}?{query}", expected["x-amz-date"]) == expected


def test_another_day_and_another_secret_have_keys_of_their_own():
    signer = Signer("h", "eu-north-1")
    others = (CREDENTIALS._replace(secret_key="other"), CREDENTIALS)
    asked = [(who, day) for who in others for day in ("20250101T000000Z", "20250102T000000Z")]
    once = [Signer("h", "eu-north-1").headers(who, "GET", "/", day) for who, day in asked]
    assert [signer.headers(who, "GET", "/", day) for who, day in asked] == once
    assert len({headers["authorization"] for headers in once}) == len(asked)
