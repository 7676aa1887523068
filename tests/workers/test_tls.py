"""A whole cycle over a Redis that is reached by TLS alone, messages, results, books and queues."""

from __future__ import annotations

import pytest
from installation import CONTROL, GONE, SCAN, site_in
from tls import behind_tls, certificate


@pytest.fixture
def site(tmp_path):
    file = certificate(tmp_path)
    with site_in(tmp_path) as made, behind_tls(made.server, file) as port:
        config = tmp_path / "recon.yaml"
        plain = f"broker: {made.server.url}"
        assert plain in config.read_text()
        secured = f"broker: rediss://127.0.0.1:{port}/0?ssl_ca_certs={file}"
        config.write_text(config.read_text().replace(plain, secured))
        yield made


def test_a_cycle_of_a_schedule_over_tls_queues_what_is_missing(site):
    site.start(*CONTROL)
    site.start(*SCAN)
    site.scheduled_cycle()
    site.wait_for(lambda: site.reports() and site.settled())
    (report,) = site.reports()
    assert report["verdicts"]["missing"] == len(GONE)
    assert site.queued() == GONE
    assert "Traceback" not in (site.folder / "log.txt").read_text()
