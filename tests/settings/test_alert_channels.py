"""Where alerts go, by the environment and by the owner's keys; and what is said where they reach nobody."""

from __future__ import annotations

import re

import pytest

from recon.settings import alert_channels, load_settings

SLACK = "slack: {webhook_url: 'https://hooks.slack.com/services/T1/B1/x1', channel: '#alerts'}"
BOTH_FAIL = "reconciliation_loop: {alert_on_failure: true, alert_channels: [email, slack]}\n"
ONLY_EMAIL = "\nreconciliation_loop: {alert_channels: [email]}"
EMAIL = "email: {to: [a@lake.org, b@lake.org], server: 'smtp://mail.lake.org:25'}"


def load(folder, text="", urls=""):
    (folder / "recon.yaml").write_text(f"lake: data\n{text}")
    return load_settings("recon.yaml", {"RECON_ALERT_URLS": urls}, cwd=folder)


def hears(settings):
    return {one.name: (one.told_of_failures, one.told_of_the_rest) for one in alert_channels(settings)}


def test_addresses_of_the_environment_hear_everything_and_are_shown_without_secrets(tmp_path):
    urls = "json://u:secret@host:8080/tok?a=b,c, slack://T/B/secret ,json://u:secret@host:8080/tok?a=b,c"
    found = load(tmp_path, urls=urls)
    assert hears(found) == {"json://host:8080": (True, True), "slack://***": (True, True)}
    assert "secret" not in repr(alert_channels(found))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"notifications: {{enabled: true, {SLACK}, {EMAIL}}}",
            {"email": (True, True), "slack #alerts": (True, True)},
        ),
        (f"notifications: {{enabled: false, {SLACK}}}", {"slack #alerts": (True, False)}),
        (
            f"notifications: {{enabled: true, {SLACK}, {EMAIL}}}{ONLY_EMAIL}",
            {"email": (True, True), "slack #alerts": (False, True)},
        ),
        (f"notifications: {{{SLACK}}}\nreconciliation_loop: {{alert_on_failure: false}}", {}),
    ],
)
def test_the_owners_keys_say_who_hears_what(tmp_path, text, expected):
    settings = load(tmp_path, text)
    assert hears(settings) == expected
    assert settings.notices == ()


def test_slack_and_mail_get_the_addresses_that_apprise_knows(tmp_path):
    found = {
        one.name: one.address
        for one in alert_channels(load(tmp_path, f"notifications: {{{SLACK}, {EMAIL}}}"))
    }
    assert found["slack #alerts"] == "slack://T1/B1/x1/%23alerts"
    assert found["email"] == "mailto://mail.lake.org:25?from=recon@lake.org&to=a@lake.org,b@lake.org"


def test_mail_goes_through_the_server_of_the_environment_and_no_second_time(tmp_path):
    settings = load(
        tmp_path, "notifications: {email: {to: [a@lake.org]}}", "mailtos://me:secret@mail.org?to=me@x.org"
    )
    (one,) = alert_channels(settings)
    assert one.address == "mailtos://me:secret@mail.org?to=a@lake.org"


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("reconciliation_loop: {alert_on_failure: true}", "2:23", "told to nobody.*set RECON_ALERT_URLS"),
        ("notifications: {enabled: true}", "2:17", "reach nobody.*Next: set RECON_ALERT_URLS"),
        (f"notifications: {{{SLACK}}}{ONLY_EMAIL}", "3:23", "email cannot be used"),
        (f"notifications: {{enabled: true, {SLACK}, email: {{to: [a@b.org]}}}}", "", "has no server"),
        (
            f"notifications: {{enabled: true, {EMAIL}, slack: {{webhook_url: 'https://x.org/h'}}}}",
            "",
            "as Slack shows",
        ),
        ("reconciliation_loop: {alert_channels: [emall]}", "2:23", "'emall' is no channel.*email"),
    ],
)
def test_alerts_that_would_reach_nobody_are_told_with_the_fix(tmp_path, text, where, said):
    notices = load(tmp_path, text).notices
    assert len(notices) == 1
    assert where in notices[0].where
    assert re.search(said, notices[0].message)


def test_the_owners_file_is_told_that_its_failures_reach_nobody(tmp_path):
    text = f"{BOTH_FAIL}notifications: {{enabled: false}}"
    (notice,) = load(tmp_path, text).notices
    assert "alert_on_failure has no usable channel" in notice.message
    assert load(tmp_path, text, "json://127.0.0.1").notices != (notice,)
