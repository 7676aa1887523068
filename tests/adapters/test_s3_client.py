"""Requests are signed as AWS checks them, sent where they belong, and errors tell no secrets."""

from __future__ import annotations

import botocore.session
import pytest
from lister_contract import keys_of
from s3_server import S3Server, use_credentials

from recon.adapters.s3 import Patience, S3Lister
from recon.adapters.s3.endpoint import resolve
from recon.errors import AccessDeniedError, LakeError, LakeUnreachableError

SECRET = "canary-secret-key"
QUICK = Patience(attempts=2, first_wait_s=0.001, read_s=0.2)


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    use_credentials(monkeypatch, SECRET)


@pytest.fixture
def server():
    with S3Server([b"a"], secret=SECRET) as server:
        yield server


def test_a_wrong_secret_is_refused_and_says_where_to_look(server, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(AccessDeniedError, match="access key"):
        keys_of(S3Lister("lake", endpoint_url=server.url))


def test_a_session_token_travels_with_its_key(server, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "canary-session-token")
    assert keys_of(S3Lister("lake", endpoint_url=server.url)) == [b"a"]


def test_missing_credentials_say_how_to_give_them(server, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(AccessDeniedError, match="AWS_ACCESS_KEY_ID"):
        keys_of(S3Lister("lake", endpoint_url=server.url))


def test_an_unknown_profile_is_named(server):
    with pytest.raises(LakeUnreachableError, match="nobody"):
        keys_of(S3Lister("lake", endpoint_url=server.url, profile="nobody"))


def test_a_profile_brings_its_credentials_and_region(server, monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text(
        f"[profile p]\nregion = eu-north-1\naws_access_key_id = AK\naws_secret_access_key = {SECRET}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert keys_of(S3Lister("lake", endpoint_url=server.url, profile="p")) == [b"a"]
    found = resolve(botocore.session.Session(profile="p"), "lake", endpoint_url=None, region=None)
    assert (found.origin, found.region) == ("https://lake.s3.eu-north-1.amazonaws.com", "eu-north-1")


def test_an_endpoint_from_the_environment_is_used(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    assert keys_of(S3Lister("lake")) == [b"a"]


def test_expired_credentials_are_renewed_between_requests(server, monkeypatch, tmp_path):
    # A credential process whose first answer is about to expire: botocore must be asked for each request.
    counter, script = tmp_path / "count", tmp_path / "credentials.sh"
    script.write_text(
        f"echo x >> {counter}\n"
        f'echo \'{{"Version": 1, "AccessKeyId": "AK", "SecretAccessKey": "{SECRET}", '
        '"SessionToken": "t", "Expiration": "\'$(date -u -d "+1 min" +%Y-%m-%dT%H:%M:%SZ)\'"}\'\n'
    )
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = sh {script}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    lister = S3Lister("lake", endpoint_url=server.url)
    assert keys_of(lister) == keys_of(lister) == [b"a"]
    assert len(counter.read_text().split()) >= 2


@pytest.mark.parametrize(
    ("bucket", "endpoint_url", "region", "origin", "path"),
    [
        ("lake", None, "eu-west-1", "https://lake.s3.eu-west-1.amazonaws.com", ""),
        ("dotted.lake", None, "eu-west-1", "https://s3.eu-west-1.amazonaws.com", "/dotted.lake"),
        ("Old_Lake", None, "us-east-1", "https://s3.amazonaws.com", "/Old_Lake"),
        ("lake", None, "cn-north-1", "https://lake.s3.cn-north-1.amazonaws.com.cn", ""),
        ("lake", "http://127.0.0.1:9000", None, "http://127.0.0.1:9000", "/lake"),
        ("lake", "https://minio.example/base/", None, "https://minio.example", "/base/lake"),
        ("lake", "https://name:canary@minio.example", None, "https://minio.example", "/lake"),
    ],
)
def test_a_bucket_is_asked_where_it_answers(bucket, endpoint_url, region, origin, path):
    session = botocore.session.Session()
    found = resolve(session, bucket, endpoint_url=endpoint_url, region=region)
    assert (found.origin, found.path) == (origin, path)
    assert "canary" not in found.origin


@pytest.mark.parametrize("endpoint_url", ["ftp://x", "nonsense", "http://"])
def test_an_unusable_endpoint_is_a_setting_to_check(endpoint_url):
    with pytest.raises(LakeUnreachableError, match=r"s3\.endpoint_url"):
        keys_of(S3Lister("lake", endpoint_url=endpoint_url))


@pytest.mark.parametrize(
    "fault",
    ["slow_down", "expired", "skewed", "wrong_region", "no_bucket", "denied_200", "hang", "drop", "truncate"],
)
def test_errors_hold_no_secret_and_one_line(server, monkeypatch, fault):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "canary-session-token")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary-access-key")
    server.inject(fault)
    with pytest.raises(LakeError) as caught:
        keys_of(S3Lister("lake", "a\nb", endpoint_url=server.url, patience=QUICK))
    chain, error = [], caught.value
    while error is not None:
        chain.append(str(error))
        error = error.__cause__ or error.__context__
    assert not any("canary" in text or "Signature=" in text for text in chain)
    assert "\n" not in chain[0]
