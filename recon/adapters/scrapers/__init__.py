"""Scrapers as processes of this host."""

from __future__ import annotations

from recon.adapters.scrapers.processes import ScraperProcesses

__all__ = ["ScraperProcesses"]
