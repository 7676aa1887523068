"""One Redis address as its two clients spell it."""

from __future__ import annotations

import pytest

from recon import access
from recon.settings import Settings, load_settings


def settings(folder, address: str) -> Settings:
    text = f"lake: s3://lake\nstate_shared: true\nbroker: '{address}'\nqueues: {{url: '{address}'}}\n"
    (folder / "recon.yaml").write_text(text)
    return load_settings("recon.yaml", {}, cwd=folder)


@pytest.mark.parametrize(
    ("written", "redis", "celery"),
    [
        ("redis://:pw@host:6379/1", "redis://:pw@host:6379/1", "redis://:pw@host:6379/1"),
        ("unix:///run/r.sock", "unix:///run/r.sock", "redis+socket:///run/r.sock?virtual_host=0"),
        ("unix:///run/r.sock?db=2", "unix:///run/r.sock?db=2", "redis+socket:///run/r.sock?virtual_host=2"),
        (
            "redis+socket:///run/r.sock?virtual_host=3",
            "unix:///run/r.sock?db=3",
            "redis+socket:///run/r.sock?virtual_host=3",
        ),
        (
            "unix://:p%40w@/run/r.sock?db=2",
            "unix://:p%40w@/run/r.sock?db=2",
            "redis+socket://:p%40w@/run/r.sock?virtual_host=2",
        ),
        # Of parameters Celery knows those of TLS alone; of others it dies, and prints them.
        (
            "redis://host/0?username=me&password=p/w&db=2&health_check_interval=9",
            "redis://host/0?username=me&password=p/w&db=2&health_check_interval=9",
            "redis://me:p%2Fw@host/2",
        ),
        (
            "redis+socket:///run/r.sock?virtual_host=3&password=pw",
            "unix:///run/r.sock?db=3&password=pw",
            "redis+socket://:pw@/run/r.sock?virtual_host=3",
        ),
        # Celery takes no TLS address that does not say how the certificate is verified.
        ("rediss://host", "rediss://host", "rediss://host?ssl_cert_reqs=required"),
        (
            "rediss://host?ssl_ca_certs=/ca.pem",
            "rediss://host?ssl_ca_certs=/ca.pem",
            "rediss://host?ssl_ca_certs=/ca.pem&ssl_cert_reqs=required",
        ),
        (
            "rediss://:pw@host?ssl_cert_reqs=none",
            "rediss://:pw@host?ssl_cert_reqs=none",
            "rediss://:pw@host?ssl_cert_reqs=none",
        ),
    ],
)
def test_both_clients_get_the_address_in_their_own_spelling(tmp_path, written, redis, celery):
    chosen = settings(tmp_path, written)
    found = access.broker(chosen)
    assert (found.redis, found.celery) == (redis, celery)
    assert access.queues_address(chosen) == redis
