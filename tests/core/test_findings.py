import pytest

from recon.core.findings import Findings
from recon.errors import ConfigError
from recon.model import Notice


def test_every_problem_is_told_at_once_and_each_once():
    findings = Findings()
    findings.error("i.yaml:3:5", "bad")
    findings.error("", "worse")
    findings.error("i.yaml:3:5", "bad")
    with pytest.raises(ConfigError) as caught:
        findings.check()
    assert caught.value.problems == ["i.yaml:3:5: bad", "worse"]


def test_notices_stop_nothing():
    findings = Findings()
    findings.notice("i.yaml:1:1", "hm")
    findings.notice("i.yaml:1:1", "hm")
    findings.check()
    assert findings.notices == [Notice("hm", "i.yaml:1:1")]
