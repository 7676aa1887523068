"""recon.yaml, the environment and flags -> frozen ``Settings``; the only reader of the environment."""

from __future__ import annotations

from recon.settings.load import load_settings, settings_schema
from recon.settings.values import Settings

__all__ = ["Settings", "load_settings", "settings_schema"]
