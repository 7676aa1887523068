"""recon.yaml, the environment and flags -> frozen ``Settings``; the only reader of the environment."""

from __future__ import annotations

from recon.settings.alert_channels import AlertChannel, alert_channels, alerts_failures
from recon.settings.flower import flower_users, tell_flower
from recon.settings.load import (
    adopt,
    become,
    child_environment,
    is_supervised,
    load_settings,
    scraper_environment,
    settings_schema,
    supervised,
)
from recon.settings.places import below
from recon.settings.secrets import secrets_of
from recon.settings.values import Settings

__all__ = [
    "AlertChannel",
    "Settings",
    "adopt",
    "alert_channels",
    "alerts_failures",
    "become",
    "below",
    "child_environment",
    "flower_users",
    "is_supervised",
    "load_settings",
    "scraper_environment",
    "secrets_of",
    "settings_schema",
    "supervised",
    "tell_flower",
]
