from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest

from recon.cli import LATER
from recon.core.breaker import BreakerRule
from recon.errors import ConfigError
from recon.settings import Settings, load_settings, secrets_of, settings_schema
from recon.strict_yaml import parse_document, plain

SCHEMA_FILE = Path(__file__).parents[1] / "config" / "recon.schema.json"

#: Every key of the public contract, as its page shows them (addresses made consistent with each other).
CONTRACT = """
lake: s3://bucket/prefix
inventory: config/inventory.yaml
state: .recon
state_shared: false
broker: null
queues: {url: null, prefix: recon, visibility: 15m}
s3: {endpoint_url: null, region: null, profile: null, inventory_config_id: null, max_report_age: 48h,
     confirm_requests_max: 1000, hold_unconfirmed: false, full_scan_every: null, live_window: 3d,
     max_requests_per_cycle: null, sample_rate: null}
gap_detection: {max_attempts: 5}
task_queue: {unproven_max: 5, max_share_per_source: 0.5, mode: both}
reconciliation_loop: {interval_minutes: null, min_interval: 5m, health_check_host: 127.0.0.1}
brake: {enabled: true, min_keys: 10, fraction: 0.15, auto_release_after: 24h, head_max: 20}
integration:
  dims: {metrics_file: inventory/metrics.yaml, category: reconciliation, command: null, timeout: 30s}
history_days: 90
scrapers_defaults: {concurrency: 1, timeout: 15m, breaker: {refuted_in_row: 5, probe_after: 1h}}
scrapers:
  espn_web:
    command: [python, scripts/espn_web_scraper.py, --game-ids, "{items.game_id:join(,)}"]
    per: task
  nba_api_async_scraper:
    command: [python, scripts/nba_api.py, --season, "{season:start_year}", --endpoints, "{map.endpoint...}"]
    map: {endpoint: {boxscores_traditional: [boxscores]}}
    per: partition
  espn_incremental: {command: [python, scripts/incremental.py, --days, "{days_back}"], per: source,
     limits: {days_back: 14}, cwd: /srv/nba, env: {PYTHONPATH: .},
     rate: {items: 20/min, concurrent: 5, min_delay: 3s}}
"""
LAKE = "lake: s3://bucket/prefix\n"


def load(folder: Path, text: str | bytes = LAKE, environ=None, **flags) -> Settings:
    (folder / "recon.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    return load_settings("recon.yaml", environ or {}, cwd=folder, **flags)


def problems(folder: Path, text: str | bytes, environ=None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, environ)
    return caught.value.problems


def test_the_contracts_example_shows_the_defaults(tmp_path):
    shown, bare = load(tmp_path, CONTRACT), load(tmp_path)
    for section in ("queues", "s3", "gap_detection", "task_queue", "loop", "brake", "scrapers_defaults"):
        assert getattr(shown, section) == getattr(bare, section), section
    assert (shown.history_days, shown.broker, shown.state) == (bare.history_days, bare.broker, bare.state)


def test_scrapers_are_read_as_declared(tmp_path):
    scrapers = load(tmp_path, CONTRACT).scrapers
    assert scrapers["espn_web"].per == "task"
    assert scrapers["nba_api_async_scraper"].map == {"endpoint": {"boxscores_traditional": ("boxscores",)}}
    incremental = scrapers["espn_incremental"]
    assert (incremental.days_back_max, incremental.env, incremental.cwd) == (
        14,
        {"PYTHONPATH": "."},
        "/srv/nba",
    )
    assert (incremental.items_per_minute, incremental.items_at_once, incremental.min_delay_s) == (
        20.0,
        5,
        3.0,
    )


def test_scrapers_take_the_defaults_and_know_their_places(tmp_path):
    defaults = "scrapers_defaults: {concurrency: 3, timeout: 5m, breaker: {refuted_in_row: 2}}\n"
    one = load(tmp_path, LAKE + defaults + "scrapers:\n  x: {command: [a, b], cwd: sub}\n").scrapers["x"]
    assert (one.concurrency, one.timeout_s) == (3, 300.0)
    assert one.breaker == BreakerRule(2, timedelta(hours=1))
    assert (one.where, one.places) == ("recon.yaml:4:3", ("recon.yaml:4:17", "recon.yaml:4:20"))
    assert one.cwd == str(tmp_path / "sub")


def test_a_scraper_may_ask_a_spider_instead_of_running_a_command(tmp_path):
    text = "scrapers:\n  x: {scrapy: {spider: '{s}', url: 'https://s/{g}'}, per: source}\n"
    one = load(tmp_path, LAKE + text).scrapers["x"]
    assert (one.feed.spider, one.feed.place) == ("{s}", "recon.yaml:3:36")
    words = ["".join(part if isinstance(part, str) else str(part) for part in one) for one in one.command]
    assert words[1:] == ["-m", "recon.adapters.spider_feed", "{s}", "{keys_file}", "{result_file}"]


@pytest.mark.parametrize(
    ("scraper", "problem"),
    [
        ("{cwd: a}", "2:15: expected a command, or scrapy"),
        ("{command: [a], scrapy: {spider: s, url: 'http://a'}}", "2:15: command and scrapy are two ways to"),
        ("{scrapy: {spider: s}}", "2:24: the key 'url' is missing here"),
        (
            "{scrapy: {spider: s, url: 'ftp://a'}}",
            "2:41: expected a URL that begins with http:// or https://",
        ),
        (
            "{scrapy: {spider: s, url: '{g}://a'}}",
            "2:41: expected a URL that begins with http:// or https://",
        ),
        ("{scrapy: {spider: s, url: 'http://{keys...}'}}", "2:41: {keys} cannot be spread over a URL; write"),
        ("{scrapy: {spider: s, url: 'http://{result_file}'}}", "2:41: {result_file} is a file of this host"),
        ("{scrapy: {spider: s, url: 'http://{g'}}", "2:41: a lone '{'"),
        (
            "{scrapy: {spider: s, url: 'http://{map.e:join(,)}'}}",
            "2:41: {map.e} names no map of this scraper",
        ),
    ],
)
def test_a_spider_that_cannot_be_asked_is_refused_where_it_stands(tmp_path, scraper, problem):
    (found,) = problems(tmp_path, f"{LAKE}scrapers: {{x: {scraper}}}\n")
    assert problem in found


def test_an_empty_section_is_an_error_and_not_a_default(tmp_path):
    assert problems(tmp_path, LAKE + "brake:\n") == [
        "recon.yaml:2:7: expected a mapping (lines of `key: value`), got nothing",
    ]


def test_the_lake_comes_from_the_bucket_unless_it_is_named(tmp_path):
    assert load(tmp_path, "s3: {bucket: data-lake}\n").lake == "s3://data-lake"
    assert load(tmp_path, "lake: s3://other/x/\ns3: {bucket: data-lake}\n").lake == "s3://other/x"
    assert load(tmp_path, "lake: file:///srv/lake/\n").lake == "file:///srv/lake"
    assert load(tmp_path, "lake: sample-lake\n").lake == f"file://{tmp_path.resolve()}/sample-lake"


def test_the_environment_wins_over_the_file(tmp_path):
    environ = {
        "RECON_LAKE": "file:///elsewhere",
        "RECON_STATE": "s3://state/x",
        "RECON_REDIS_URL": "redis://:secret@redis:6379/1",
        "RECON_ALERT_URLS": "slack://a/b, mailto://c ,",
    }
    found = load(tmp_path, LAKE + "broker: redis://localhost\nqueues: {url: 'redis://localhost'}\n", environ)
    assert (found.lake, found.state) == ("file:///elsewhere", "s3://state/x")
    assert found.broker == found.queues_url == "redis://:secret@redis:6379/1"
    assert found.alert_urls == ("slack://a/b", "mailto://c")


def test_an_empty_variable_says_nothing(tmp_path):
    environ = {"RECON_LAKE": "", "RECON_STATE": " ", "RECON_REDIS_URL": "", "RECON_ALERT_URLS": ""}
    assert load(tmp_path, LAKE, environ) == load(tmp_path, LAKE)


def test_the_configuration_is_named_by_flag_then_variable_then_habit(tmp_path):
    (tmp_path / "config").mkdir()
    for name in ("config/recon.yaml", "env.yaml", "flag.yaml"):
        (tmp_path / name).write_text(f"lake: s3://{Path(name).stem}-lake\n")
    environ = {"RECON_CONFIG": "env.yaml"}
    assert load_settings(None, {}, cwd=tmp_path).lake == "s3://recon-lake"
    assert load_settings(None, environ, cwd=tmp_path).lake == "s3://env-lake"
    assert load_settings("flag.yaml", environ, cwd=tmp_path).lake == "s3://flag-lake"


def test_without_any_configuration_the_next_step_is_said(tmp_path):
    with pytest.raises(
        ConfigError,
        match=r"config/recon\.yaml: no such file; pass --config, set RECON_CONFIG.*`recon schema recon`",
    ):
        load_settings(None, {}, cwd=tmp_path)


def test_what_is_said_to_be_enough_for_a_configuration_is_enough(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {}, cwd=tmp_path)
    lines = str(caught.value).split("`")[1:4:2]
    assert load(tmp_path, "\n".join(lines)).lake == "s3://bucket/prefix"


def test_no_next_step_names_a_command_that_is_not_yet_available(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {}, cwd=tmp_path)
    assert not any(f"recon {name}" in str(caught.value) for name in LATER)


def test_the_process_environment_is_read_when_none_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("RECON_LAKE", "s3://from-environ")
    monkeypatch.chdir(tmp_path)
    Path("recon.yaml").write_text(LAKE)
    found = load_settings("recon.yaml")
    assert (found.lake, found.state) == ("s3://from-environ", f"file://{tmp_path.resolve()}/.recon")


def test_the_inventory_is_relative_to_the_configuration_and_outputs_to_the_working_directory(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "recon.yaml").write_text(
        LAKE + "inventory: declared/inv.yaml\nstate: kept\ntask_queue: {output_file: out/gaps.json}\n"
        "logging: {output_dir: logs}\n",
    )
    found = load_settings("conf/recon.yaml", {}, cwd=tmp_path)
    here = tmp_path.resolve()
    assert found.inventory == here / "conf/declared/inv.yaml"
    assert (found.output_file, found.log_dir, found.metrics_file) == (
        here / "out/gaps.json",
        here / "logs",
        here / "inventory/metrics.yaml",
    )
    assert (found.state, found.state_folder) == (f"file://{here}/kept", here / "kept")


def test_an_unnamed_inventory_is_looked_for_beside_the_configuration_too(tmp_path):
    assert load(tmp_path).inventory == tmp_path.resolve() / "config/inventory.yaml"
    (tmp_path / "inventory.yaml").write_text("")
    assert load(tmp_path).inventory == tmp_path.resolve() / "inventory.yaml"


@pytest.mark.parametrize(
    ("text", "flag", "seconds"),
    [
        ("", None, 3600.0),
        ("reconciliation_loop: {interval_hours: 2}", None, 7200.0),
        ("reconciliation_loop: {interval_hours: 2, interval_minutes: 10}", None, 600.0),
        ("reconciliation_loop: {interval_hours: 2, interval_minutes: 10}", 90.0, 90.0),
    ],
)
def test_flags_win_over_minutes_and_minutes_over_hours(tmp_path, text, flag, seconds):
    assert load(tmp_path, LAKE + text, interval_s=flag).interval_s == seconds


@pytest.mark.parametrize(
    ("written", "flag", "dry"), [(True, None, True), (True, False, False), (False, True, True)]
)
def test_the_dry_run_flag_wins_over_the_file(tmp_path, written, flag, dry):
    text = LAKE + f"dry_run: {{enabled: {str(written).lower()}}}\n"
    assert load(tmp_path, text, dry_run=flag).dry_run.enabled is dry


@pytest.mark.parametrize(("written", "rate"), [("null", None), ("1", None), ("1.0", None), ("0.1", 0.1)])
def test_a_sample_rate_of_one_or_null_is_a_full_scan(tmp_path, written, rate):
    assert load(tmp_path, LAKE + f"s3: {{sample_rate: {written}}}\n").s3.sample_rate == rate


def test_a_remote_broker_with_a_state_of_this_host_is_refused(tmp_path):
    (problem,) = problems(tmp_path, LAKE + "broker: redis://:pw@redis.internal:6379/0\n")
    assert problem.startswith("recon.yaml:2:9: a remote broker lets other hosts work on this state")
    (problem,) = problems(tmp_path, LAKE, {"RECON_REDIS_URL": "redis://:pw@redis.internal"})
    assert problem.startswith("RECON_REDIS_URL: a remote broker")


@pytest.mark.parametrize(
    "text",
    [
        "broker: redis://:pw@redis.internal\nstate_shared: true\n",
        "broker: redis://:pw@redis.internal\nstate: s3://state\n",
        "broker: redis://localhost:6379/0\n",
        "broker: redis://127.0.0.1\n",
        "broker: rediss://[::1]:6380\n",
        "broker: unix:///run/redis.sock\n",
        "broker: redis+socket:///run/redis.sock?virtual_host=0\n",
    ],
)
def test_a_broker_that_reaches_the_state_is_accepted(tmp_path, text):
    assert load(tmp_path, LAKE + text).broker is not None


SHARED = LAKE + "state_shared: true\n"


@pytest.mark.parametrize(
    "address",
    [
        "redis://redis.internal:6379/0",
        "redis://10.0.0.7",
        "redis://user:@redis.internal",
        "redis://[2001:db8::1]:6379",
        "rediss://redis.internal?ssl_cert_reqs=none",
    ],
)
def test_a_redis_on_another_host_with_neither_password_nor_tls_is_refused(tmp_path, address):
    (problem,) = problems(tmp_path, SHARED + f"broker: '{address}'\n")
    assert problem.startswith("recon.yaml:3:9: the Redis at ")
    assert "queues: {allow_insecure: true}" in problem
    (problem,) = problems(tmp_path, SHARED + f"queues: {{url: '{address}'}}\n")
    assert problem.startswith("recon.yaml:3:15: the Redis at ")
    (problem,) = problems(tmp_path, SHARED, {"RECON_REDIS_URL": address})
    assert problem.startswith("RECON_REDIS_URL: the Redis at ")


@pytest.mark.parametrize(
    "address",
    [
        "redis://:pw@redis.internal:6379/0",
        "redis://redis.internal?password=pw",
        "rediss://redis.internal",
        "rediss://:pw@redis.internal?ssl_cert_reqs=none",
        "redis://localhost",
        "redis://127.0.0.2:6379",
        "redis://[::1]",
        "unix:///run/redis.sock",
    ],
)
def test_a_redis_with_a_password_or_tls_or_on_this_host_is_accepted(tmp_path, address):
    found = load(tmp_path, SHARED + f"broker: '{address}'\nqueues: {{url: '{address}'}}\n")
    assert (found.broker, found.queues_url) == (address, address)


def test_an_insecure_redis_is_accepted_where_the_configuration_says_so(tmp_path):
    text = SHARED + "broker: redis://a.internal\nqueues: {url: 'redis://b.internal', allow_insecure: true}\n"
    assert load(tmp_path, text).queues.allow_insecure
    both = text.replace(", allow_insecure: true", "")
    assert [line.partition(" is on")[0].rpartition(" ")[2] for line in problems(tmp_path, both)] == [
        "a.internal",
        "b.internal",
    ]


def test_an_embedded_broker_with_a_state_on_s3_is_refused(tmp_path):
    (problem,) = problems(tmp_path, LAKE + "state: s3://state/x\n")
    assert problem.startswith("recon.yaml:2:8: the embedded broker lives under the state folder")


@pytest.mark.parametrize(
    "text",
    [
        "lake: s3://b/x/\nstate: s3://b/x\n",
        "lake: s3://b\nstate: s3://b//\n",
        "lake: file:///srv/lake\nstate: file:///srv/lake/\n",
        "lake: file:///srv/lake\nstate: /srv/elsewhere/../lake\n",
        "lake: data\nstate: ./data/\n",
        "lake: data\nstate: link\n",
        "lake: .recon/cycles/x\n",
    ],
)
def test_a_state_that_is_the_lake_itself_is_refused(tmp_path, text):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    (problem,) = problems(tmp_path, text + "broker: redis://localhost\n")
    where = "2:8" if "state" in text else "1:1"
    assert problem.startswith(f"recon.yaml:{where}: the ")
    assert "expected a place of its own" in problem


def test_the_variable_that_makes_the_state_the_lake_is_named(tmp_path):
    (problem,) = problems(tmp_path, "lake: data\n", {"RECON_STATE": "data"})
    assert problem.startswith("RECON_STATE: the state is the lake itself")


@pytest.mark.parametrize(
    "text",
    [
        "lake: s3://b/x\nstate: s3://b/x/state\n",
        "lake: s3://b/x\nstate: s3://b\n",
        "lake: s3://b/x\nstate: s3://b/xy\n",
        "lake: data\nstate: data/.recon\n",
        "lake: .recon/sample\n",
    ],
)
def test_a_state_beside_inside_or_around_the_lake_is_accepted(tmp_path, text):
    assert load(tmp_path, text + "broker: redis://localhost\n").lake


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", "1:1", "the file is empty"),
        ("version: 1\n", "1:1", "no lake; set `lake: s3://bucket/prefix` or file:///path"),
        ("lake: file://relative\n", "1:7", "expected s3://bucket/prefix, file:///path or a folder"),
        ("lake: s3://\n", "1:7", "expected s3://bucket/prefix, file:///path or a folder"),
        (
            LAKE + "state: gs://x\n",
            "2:8",
            "expected s3://bucket/prefix, file:///path or a folder, got 'gs://x'",
        ),
        (LAKE + "broker: amqp://host\n", "2:9", "got a amqp:// address"),
        (LAKE + "broker: redis://\n", "2:9", "has no host"),
        (LAKE + "broker: redis://h:port\n", "2:9", "no readable host and port"),
        (LAKE + "s3: {sample_rate: 0}\n", "2:19", "expected a number above 0, got 0"),
        (LAKE + "s3: {sample_rate: 10}\n", "2:19", "expected a number of at most 1, got 10"),
        (LAKE + "s3: {buckett: x}\n", "2:6", "unknown key 'buckett'; did you mean 'bucket'?"),
        (
            LAKE + "s3: {max_report_age: 48}\n",
            "2:22",
            "expected a duration such as 90s, 15m, 6h or 14d, got 48",
        ),
        (LAKE + "queues: {visibility: 0s}\n", "2:22", "above zero"),
        (LAKE + "task_queue: {mode: files}\n", "2:20", "did you mean 'file'?"),
        (LAKE + "task_queue: {max_tasks_per_priority: {hgih: 1}}\n", "2:39", "did you mean 'high'?"),
        (
            LAKE + "gap_detection: {completeness_thresholds: {low: 99}}\n",
            "2:48",
            "expected a number of at most 1",
        ),
        (LAKE + "gap_detection: {critical_threshold_days: .nan}\n", "2:42", 'expected a number, got ".nan"'),
        (LAKE + "gap_detection: {espn_specific: {enabled: 1}}\n", "2:42", "expected true or false, got 1"),
        (LAKE + "gap_detection: {espn_specifc: {enabled: true}}\n", "2:17", "did you mean '*_specific'?"),
        (LAKE + "reconciliation_loop: {interval_hours: 0}\n", "2:39", "expected a number above 0, got 0"),
        (LAKE + "reconciliation_loop: {health_check_port: 70000}\n", "2:42", "at most 65535"),
        (LAKE + "scrapers: {x: {per: task}}\n", "2:15", "expected a command, or scrapy"),
        (
            LAKE + "scrapers: {x: {command: [a], rate: {items: fast}}}\n",
            "2:44",
            "expected a rate such as 20/min",
        ),
        (LAKE + "scrapers: {x: {command: [a, '{season']}}\n", "2:29", "a lone '{'; write {{"),
        (LAKE + "scrapers: {x: {command: ['{a}']}}\n", "2:26", "a command begins with the program to run"),
        (LAKE + "scrapers: {x: {command: [a, '{items.b}']}}\n", "2:29", "{items.b} is a list; write"),
        (
            LAKE + "scrapers: {x: {command: [a, '{map.b...}'], map: {c: {t: [u]}}}}\n",
            "2:29",
            "{map.b} names no map of this scraper; expected one of: c",
        ),
        (
            LAKE + "scrapers: {x: {command: [a], map: {c: {t: []}}}}\n",
            "2:43",
            "expected at least 1 item, got an empty",
        ),
        (
            LAKE + "scrapers: {x: {command: [a], map: {c: {t: ['']}}}}\n",
            "2:44",
            "expected at least 1 item(s), got",
        ),
        (
            LAKE + "scrapers: {x: {command: [a], limits: {day_back: 3}}}\n",
            "2:39",
            "did you mean 'days_back'?",
        ),
        (LAKE + "scrapers: {x: {command: [a], per: game}}\n", "2:35", "expected one of 'task', 'item'"),
        (LAKE + "logging: {level: info}\n", "2:18", "did you mean 'INFO'?"),
        (LAKE + "brake: &b {enabled: true}\nbrake: *b\n", "3:1", "duplicate key 'brake'"),
    ],
)
def test_a_bad_setting_is_said_in_plain_words_at_its_place(tmp_path, text, position, message):
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(f"recon.yaml:{position}: ")
    assert message in problem


def test_every_problem_is_said_at_once(tmp_path):
    assert len(problems(tmp_path, "lake: 5\ns3: {region: [x], profil: y}\nhistory_days: 0\n")) == 3
    assert len(problems(tmp_path, "lake: gs://x\nstate: ftp://x\nbroker: nowhere\n")) == 3


def test_a_bad_variable_is_named(tmp_path):
    (problem,) = problems(tmp_path, LAKE, {"RECON_LAKE": "gs://x"})
    assert problem.startswith(
        "RECON_LAKE: expected s3://bucket/prefix, file:///path or a folder, got 'gs://x'"
    )


def test_no_message_and_no_repr_shows_a_password(tmp_path):
    for text in (
        "broker: redis://:hunter2@\n",
        "broker: http://:hunter2@host\n",
        "broker: redis://:hunter2@host\n",
        "broker: redis://host?passwort=hunter2\n",
        "queues: {url: 'redis://:hunter2@'}\n",
        "state: s3://KEY:hunter2@bucket\n",
        "state: s3://KEY:hun/hunter2@bucket/x\n",
        "state: s3://KEY:hunter2\n",
        "state: gs://KEY:hunter2@bucket\n",
        "state_shared: redis://:hunter2@host\n",
    ):
        assert "hunter2" not in "\n".join(problems(tmp_path, LAKE + text))
    assert "hunter2" not in "".join(problems(tmp_path, "lake: s3://KEY:hunter2@bucket\n"))
    assert problems(tmp_path, LAKE, {"RECON_LAKE": "s3://KEY:hunter2@b/x"})[0].endswith("'s3://***@b/x'")
    environ = {"RECON_ALERT_URLS": "slack://hunter2", "RECON_REDIS_URL": "redis://:hunter2@localhost"}
    text = (
        LAKE
        + "notifications: {slack: {webhook_url: 'https://hunter2'}}\nqueues: {url: 'redis://:hunter2@localhost'}\n"
    )
    assert "hunter2" not in repr(load(tmp_path, text, environ))


def test_an_endpoint_is_kept_without_its_password_and_says_so(tmp_path):
    text = "s3: {endpoint_url: 'https://KEY:hunter2/x@s3.internal:9000/path'}\n"
    found = load(tmp_path, LAKE + text)
    assert found.s3.endpoint_url == "https://s3.internal:9000/path"
    (notice,) = found.notices
    assert (notice.where, "AWS_ACCESS_KEY_ID" in notice.message) == ("recon.yaml:2:20", True)
    assert "hunter2" not in notice.message
    plain_text = "s3: {endpoint_url: 'https://s3.internal:9000/path'}\n"
    assert load(tmp_path, LAKE + plain_text).notices == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3: {use_aws_inventory: false, full_scan_every: null}",
        "s3: {cache_ttl_hours: 0, fallback_to_sample: false, hold_unconfirmed: false}",
        "s3: {confirm_requests_max: 0}",
        "s3: {prices: {list_per_1000: 0.004}}",
        "reconciliation_loop: {alert_on_failure: false}",
        "brake: {fraction: 0.2}",
        "scrapers_defaults: {concurrency: 2, timeout: 1m, breaker: {probe_after: 2h}}",
        "scrapers: {x: {command: [a]}}",
        "integration: {dims: {enabled: false}}",
        "notifications: {enabled: false, critical_gaps_threshold: 3}",
    ],
)
def test_a_key_that_is_off_or_left_to_its_default_says_nothing(tmp_path, text):
    assert load(tmp_path, LAKE + text).notices == ()


def test_keys_without_effect_are_listed(tmp_path):
    text = (
        LAKE + "version: 1.0\nlast_updated: x\nmetadata: {a: 1}\nreconciliation_loop: {daemon_mode: true}\n"
        "integration: {existing_tools: {enabled: true}}\n"
    )
    assert load(tmp_path, text).without_effect == (
        "version",
        "last_updated",
        "metadata",
        "reconciliation_loop.daemon_mode",
        "integration.existing_tools",
    )


def test_an_enabled_section_of_a_source_becomes_its_override(tmp_path):
    text = LAKE + (
        "gap_detection:\n  espn_specific: {critical_gap_days: 3, freshness_threshold_hours: 24,\n"
        "    completeness_target_pct: 95.0, scraper_name: s, scraper_args: [--days, 7],\n"
        "    required_data_types: [a]}\n  off_specific: {enabled: false, scraper_name: x}\n"
    )
    (override,) = load(tmp_path, text).source_overrides
    assert (override.source, override.where, override.scraper) == ("espn", "recon.yaml:3:3", "s")
    assert override.scraper_args == ("--days", "7")
    assert (override.critical_threshold_s, override.freshness_s, override.completeness) == (
        259200.0,
        86400.0,
        0.95,
    )
    assert override.required_types == ("a",)


def test_settings_cannot_be_changed(tmp_path):
    found = load(tmp_path)
    with pytest.raises(AttributeError):
        found.lake = "s3://other"
    with pytest.raises(ValueError, match="frozen"):
        found.s3.region = "x"


def test_the_schema_file_is_the_generated_one():
    assert json.loads(SCHEMA_FILE.read_text()) == settings_schema()


def test_the_schema_accepts_the_contract_and_refuses_a_misspelled_key():
    schema = settings_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    document = plain(parse_document(CONTRACT.encode(), "f").value)
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "s4": {}}, schema)


@pytest.mark.parametrize("text", ["%(nonsense)s %(message)s", "{message}", "%(asctime)s"])
def test_a_log_format_that_could_not_be_written_is_refused_where_it_stands(tmp_path, text):
    with pytest.raises(ConfigError, match=r"recon\.yaml:\d+:\d+: .*expected "):
        load(tmp_path, f"{LAKE}logging: {{format: '{text}'}}")


def test_secrets_are_the_texts_that_nothing_may_show(tmp_path):
    settings = load(
        tmp_path,
        f"{LAKE}broker: redis://me:hunter-22@localhost/0\n"
        "scrapers: {a: {command: [x], env: {API_TOKEN: token-33, MODE: careful}}}\n"
        "notifications: {slack: {webhook_url: 'https://hooks.slack.com/services/T1234567/B1234567/x9x9x9x9'}}",
        {"RECON_ALERT_URLS": "json://u:pw%40pw-44@host/path-55"},
    )
    found = set(secrets_of(settings, {"AWS_SECRET_ACCESS_KEY": "key-666", "HOME": "/home/me", "X_KEY": "ab"}))
    assert {"hunter-22", "token-33", "x9x9x9x9", "pw%40pw-44", "pw@pw-44", "path-55", "key-666"} <= found
    assert not {"careful", "/home/me", "ab", "hooks.slack.com", "localhost"} & found
