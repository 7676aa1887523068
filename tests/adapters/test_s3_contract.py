"""S3Lister keeps the lister's contract on two servers: moto, and the sorted-array server in its dialects."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator

import boto3
import pytest
from lister_contract import ODD, ODD_ON_S3, PLAIN, ListerContract
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer
from s3_server import S3Server, use_credentials

from recon.adapters.s3 import S3Lister

ROOT = "data lake/ü+"
SECRET = "a-secret-for-signatures"


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    use_credentials(monkeypatch, SECRET)


@pytest.fixture
def lake(lister_of):
    return lister_of(PLAIN)


def decoys(keys: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the lake's objects below its root, with its marker and neighbours that are not lake data."""
    root = ROOT.encode() + b"/"
    inside = {root + key: body for key, body in keys.items()}
    return inside | {root: b"", ROOT.encode() + b"-other/1": b"", b"0": b"", b"\xf4\x8f\xbf\xbf": b""}


class TestSortedArrayServer(ListerContract):
    odd = ODD + ODD_ON_S3

    @pytest.fixture
    def server(self) -> Iterator[S3Server]:
        with S3Server(secret=SECRET) as server:
            server.max_keys = 4
            yield server

    @pytest.fixture
    def lister_of(self, server):
        def make(keys):
            now = time.time_ns() // 1_000_000
            for key, body in decoys(keys).items():
                server.objects.put(key, body, now)
            return S3Lister("lake", ROOT, endpoint_url=server.url)

        return make


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "5")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


class TestMoto(ListerContract):
    odd = ODD + ODD_ON_S3

    @pytest.fixture
    def lister_of(self, moto, request):
        bucket = f"lake-{zlib.crc32(request.node.name.encode())}"
        client = boto3.client("s3", endpoint_url=moto, region_name="us-east-1")
        client.create_bucket(Bucket=bucket)
        client.close()

        def make(keys):
            # Its HTTP routing takes no newlines in keys, its store does.
            for key, body in decoys(keys).items():
                s3_backends["123456789012"]["aws"].put_object(bucket, key.decode(), body)
            return S3Lister(bucket, ROOT, endpoint_url=moto)

        return make
