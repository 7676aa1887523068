from __future__ import annotations

import pytest

from recon.errors import ConfigError, LakeError
from recon.masking import is_secret, masked, masked_address, masked_values


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://KEY:SECRET@bucket/x", "s3://***@bucket/x"),
        ("s3://KEY:SEC/RET+@bucket", "s3://***@bucket"),
        ("https://user:pw@host:9000/x", "https://***@host:9000/x"),
        ("https://token@host", "https://***@host"),
        ("cannot reach 'redis://:p@ss@host:6379/0' now", "cannot reach 'redis://***@host:6379/0' now"),
        ("redis://host?db=1&password=pw", "redis://host?db=1&password=***"),
        ("https://b.s3/x?X-Amz-Signature=abc&y=1", "https://b.s3/x?X-Amz-Signature=***&y=1"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
        ("http://host:9000/x", "http://host:9000/x"),
        ("mail a@b", "mail a@b"),
    ],
)
def test_a_message_shows_addresses_without_their_secrets(text, shown):
    assert masked(text) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("s3://KEY:a secret/with@signs@bucket", "s3://***@bucket"),
        ("s3://KEY:SECRET", "s3://***"),
        ("gs://bucket", "gs://bucket"),
        ("http://host:9000", "http://host:9000"),
    ],
)
def test_an_address_that_cannot_be_used_shows_no_secret_either(address, shown):
    assert masked_address(address) == shown


def test_no_error_of_ours_holds_a_secret_whoever_prints_it():
    library = ValueError("Failed to parse: https://KEY:SECRET@[x")
    assert str(LakeError(f"cannot reach it: {library}")) == "cannot reach it: Failed to parse: https://***@[x"
    error = ConfigError(["a", "got redis://:SECRET@h"])
    assert (error.problems, str(error)) == (["a", "got redis://***@h"], "a\ngot redis://***@h")


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("API_KEY", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("aws_session_token", True),
        ("DB_PASSWORD", True),
        ("DATABASE_URL", True),
        ("SENTRY_DSN", True),
        ("PYTHONPATH", False),
        ("TZ", False),
        ("KEYBOARD", False),
    ],
)
def test_a_variable_is_a_secret_by_its_name(name, secret):
    assert is_secret(name) is secret


def test_values_are_masked_wherever_they_stand_the_longest_first():
    assert masked_values("a s3cret-long b s3cret c", ["s3cret", "s3cret-long", ""]) == "a *** b *** c"
