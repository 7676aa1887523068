from __future__ import annotations

from declared import dataset, inventory

from recon.core.overrides import SourceOverride, overridden

BLANK = {"src.kind": frozenset({"freshness_s", "completeness_threshold"})}


def applied(override: SourceOverride, blanks=None):
    changed, notices = overridden(inventory(dataset("x/{n}")), [override], blanks or {})
    return changed.datasets[0], [notice.message for notice in notices]


def test_an_override_that_says_nothing_changes_nothing():
    assert applied(SourceOverride("src", ""), BLANK) == (dataset("x/{n}"), [])


def test_scraper_arguments_and_critical_days_override():
    changed, _ = applied(
        SourceOverride("src", "", scraper="s", scraper_args=("-d", "7"), critical_threshold_s=0.0)
    )
    assert (changed.scraper, changed.scraper_args, changed.critical_threshold_s) == ("s", ("-d", "7"), 0.0)


def test_freshness_and_completeness_fill_blanks_only():
    override = SourceOverride("src", "", freshness_s=5.0, completeness=0.9)
    filled, _ = applied(override, BLANK)
    kept, _ = applied(override)
    assert (filled.freshness_s, filled.completeness_threshold) == (5.0, 0.9)
    assert (kept.freshness_s, kept.completeness_threshold) == (None, 1.0)


def test_other_sources_are_left_alone():
    changed, _ = overridden(
        inventory(dataset("x/{n}"), dataset("y/{n}", name="other.kind")),
        [SourceOverride("src", "", scraper="s")],
        {},
    )
    assert [found.scraper for found in changed.datasets] == ["s", "other"]


def test_an_unknown_source_warns():
    _, (message,) = applied(SourceOverride("scr", "recon.yaml:1:1"))
    assert message == "scr_specific has no effect: the inventory has no source 'scr'; did you mean 'src'?"


def test_required_types_that_the_inventory_does_not_declare_warn():
    _, (message,) = applied(SourceOverride("src", "", required_types=("kind", "games")))
    assert message.startswith(
        "src_specific requires games, but the inventory declares no such data type of 'src'"
    )
