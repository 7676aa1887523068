"""Where a bucket answers: endpoint, region, path, and the pool of connections to it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import botocore.session
import urllib3
from botocore.httpsession import get_cert_path
from botocore.utils import check_dns_name, get_environ_proxies
from urllib3.util import make_headers, parse_url

from recon.adapters.s3.retry import Patience


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of one bucket: ``origin`` (scheme://host[:port]), ``path`` before ``/key``, ``region``.

    ``origin`` holds no name and no password: it may be shown.
    """

    origin: str
    path: str
    region: str

    def pool(self, ca_bundle: str | None, connections: int, patience: Patience) -> urllib3.HTTPConnectionPool:
        """Return up to ``connections`` kept-alive connections; https goes through HTTPS_PROXY where set."""
        timeout = urllib3.Timeout(connect=patience.connect_s, read=patience.read_s)
        if self.origin.startswith("http:"):
            return urllib3.PoolManager(maxsize=connections, block=True, timeout=timeout).connection_from_url(
                self.origin
            )
        certificates = ca_bundle or get_cert_path(verify=True)
        proxy = get_environ_proxies(self.origin).get("https")
        if not proxy:
            return urllib3.PoolManager(
                maxsize=connections, block=True, timeout=timeout, ca_certs=certificates
            ).connection_from_url(self.origin)
        userinfo = parse_url(proxy).auth
        return urllib3.ProxyManager(
            proxy,
            proxy_headers=make_headers(proxy_basic_auth=userinfo) if userinfo else None,
            maxsize=connections,
            block=True,
            timeout=timeout,
            ca_certs=certificates,
        ).connection_from_url(self.origin)


def resolve(
    session: botocore.session.Session, bucket: str, *, endpoint_url: str | None, region: str | None
) -> Endpoint:
    """Return the bucket's address by botocore's own rules (arguments, environment, ~/.aws, partitions).

    AWS answers at ``bucket.s3.region…``; other servers, and buckets whose name does not fit a host name or
    its certificate, at ``/bucket``. Raise botocore's errors, or ValueError, where the settings are unusable.
    """
    region = region or session.get_config_variable("region") or "us-east-1"
    if endpoint_url is None:
        # Only botocore's client knows its rules; it reads 15 MB of service descriptions for that.
        endpoint_url = session.create_client("s3", region_name=region).meta.endpoint_url
    url = parse_url(endpoint_url)
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"the endpoint {url.host or ''!r} is not http://host or https://host")
    port = f":{url.port}" if url.port else ""
    path = (url.path or "").rstrip("/")
    named = url.host.endswith((".amazonaws.com", ".amazonaws.com.cn")) and not path
    if named and check_dns_name(bucket) and "." not in bucket:
        return Endpoint(f"{url.scheme}://{bucket}.{url.host}{port}", "", region)
    return Endpoint(f"{url.scheme}://{url.host}{port}", f"{path}/{quote(bucket)}", region)
