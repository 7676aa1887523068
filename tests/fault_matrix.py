"""The faults that recon must stand, what must come out, and the tests that show it; run it to run those.

::

    python tests/fault_matrix.py                      # every test of every row, and a table
    python tests/fault_matrix.py --row 3 --row 6      # these rows
    python tests/fault_matrix.py --representatives    # one test of each row: those of `make test`
    python tests/fault_matrix.py --markdown           # the table of docs/faults.md, without running anything

A test is named by its file below tests/ and its function. Files below tests/faults take long, or need what
not every machine has; only this program and `make faults` run them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

TESTS = Path(__file__).parent
SIDE_BY_SIDE = 2
LIMIT_S = 900


@dataclass(frozen=True)
class Row:
    """One fault: ``test`` shows its outcome within `make test`, ``more`` are all others that do."""

    number: int
    fault: str
    outcome: str
    test: str
    more: tuple[str, ...] = ()

    @property
    def tests(self) -> tuple[str, ...]:
        return (self.test, *self.more)


def of(file: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{file}::test_{name}" for name in names)


ROWS = (
    Row(
        1,
        "a scan worker is killed before, in or after a prefix",
        "the shard is delivered again and counts once; the answer is that of an undisturbed cycle",
        "workers/test_faults.py::test_a_scan_worker_killed_and_replaced_changes_no_answer",
        (
            *of("workers/test_driver.py", "a_scan_worker_killed_in_the_middle_changes_no_answer"),
            *of("faults/test_hosts.py", "two_hosts_run_a_cycle_together_and_survive_the_loss_of_either"),
            *of("workers/test_steps.py", "every_step_delivered_twice_changes_nothing"),
            *of("workers/test_steps.py", "a_shard_that_has_reported_is_not_looked_at_again"),
            *of(
                "workers/test_steps.py",
                "shards_that_no_worker_reports_though_sent_twice_are_given_up_and_their_keys_unknown",
            ),
            *of("test_cycle.py", "shards_that_report_twice_and_out_of_order_change_nothing"),
            *of("adapters/test_ledger.py", "any_order_and_repetition_of_steps_counts_every_shard_once"),
            *of("e2e/test_report_run.py", "a_scan_worker_killed_while_it_reads_a_report_changes_no_answer"),
        ),
    ),
    Row(
        2,
        "the worker that plans, compares or publishes is killed at any step",
        "its successor publishes what was not published, once; the lock is free; never two cycles at once",
        "workers/test_steps.py::test_a_finisher_that_died_around_a_step_leaves_one_publication",
        (
            *of(
                "workers/test_faults.py",
                "a_control_worker_killed_between_steps_leaves_one_publication_and_a_free_lock",
            ),
            *of(
                "workers/test_steps.py",
                "a_planner_that_died_before_its_shards_were_sent_is_replaced_by_a_redelivery",
                "a_planner_that_died_before_its_shards_were_sent_is_replaced_by_the_watchdog",
                "a_planner_that_died_while_planning_ends_its_cycle_and_tells_who_waits",
                "a_finisher_that_died_is_succeeded_and_publishes_once",
                "a_cycle_begun_while_another_runs_is_refused_and_does_not_come_back",
            ),
            *of(
                "adapters/test_ledger.py",
                "of_many_cycles_at_once_one_gets_the_lock",
                "a_lock_that_nobody_renews_expires",
                "a_finisher_that_died_is_succeeded_after_its_lease",
            ),
            *of("adapters/test_redis_queue.py", "every_write_of_an_overtaken_cycle_is_refused"),
        ),
    ),
    Row(
        3,
        "beat is killed, and started again intervals later",
        "one cycle, no storm of those that were missed",
        "workers/test_steps.py::test_two_beats_begin_one_cycle_and_a_running_one_is_not_overlapped",
        (
            *of(
                "faults/test_beat.py",
                "a_beat_that_was_dead_for_intervals_begins_one_cycle_and_no_storm",
                "a_beat_that_nobody_heard_leaves_no_storm_either",
            ),
            *of("workers/test_faults.py", "two_beats_begin_one_cycle_per_interval_and_none_beside_another"),
            *of("workers/test_daemon.py", "what_dies_is_started_again"),
            *of("adapters/test_ledger.py", "two_beats_yield_one_cycle_per_slot"),
        ),
    ),
    Row(
        4,
        "a scraper is killed with a task in hand, at any point",
        "no task is lost; it is delivered again within the visibility timeout, with one attempt more",
        "sdk/test_consumer.py::test_a_killed_consumers_tasks_are_delivered_again",
        (
            *of("test_examples.py", "an_example_that_is_killed_in_the_middle_loses_nothing"),
            *of("test_examples.py", "what_a_killed_worker_had_in_its_own_list_is_done_when_it_starts_again"),
            *of(
                "adapters/test_redis_queue.py",
                "a_tick_adopts_what_a_plain_consumer_popped",
                "a_copy_that_a_consumer_pushed_back_is_ready_again",
                "a_task_that_a_silent_consumer_did_not_do_comes_back_at_once",
            ),
            *of("adapters/test_scraper_processes.py", "scrapers_do_not_outlive_a_worker_that_is_killed"),
            *of("test_cycle.py", "a_popped_task_that_nothing_fills_comes_back_once"),
        ),
    ),
    Row(
        5,
        "Redis is killed, even amid a publication; its file is cut or altered; its scripts or data are gone",
        "what it had synced is there; the next cycle brings queues to the truth and repairs altered bodies",
        "workers/test_steps_failing.py::test_redis_killed_in_the_middle_of_a_publication_is_waited_for",
        (
            *of(
                "adapters/test_queue_faults.py",
                "a_server_killed_while_tasks_are_published_heals_and_keeps_what_it_synced",
                "a_server_killed_while_tasks_are_consumed_loses_none_and_gives_twice_only_what_it_never_synced",
                "an_append_only_file_that_ends_too_early_heals",
                "an_append_only_file_with_a_flipped_byte_heals",
                "what_was_flushed_is_derived_again",
                "a_counter_that_a_flipped_bit_made_unreadable_stops_nothing",
                "a_server_that_forgets_its_scripts_before_each_operation_is_told_them_again",
            ),
            *of(
                "workers/test_faults.py",
                "redis_killed_while_a_cycle_publishes_is_waited_for_and_nothing_is_doubled",
                "redis_that_lost_everything_mid_cycle_is_healed_by_the_next_cycle",
            ),
            *of(
                "workers/test_steps_failing.py",
                "redis_that_loses_everything_mid_cycle_ends_the_cycle_and_the_next_one_heals",
                "a_begin_after_redis_lost_everything_scans_the_same_plan_anew",
            ),
            *of("workers/test_driver.py", "a_broker_killed_in_the_middle_changes_no_answer"),
            *of("adapters/test_embedded_redis.py", "a_torn_end_of_the_append_only_file_is_cut_off"),
            *of(
                "adapters/test_redis_queue.py",
                "what_a_flipped_bit_altered_is_repaired_by_the_next_publication",
            ),
        ),
    ),
    Row(
        6,
        "Redis is away or silent for a minute, read-only, full, or has no connection left",
        "the cycle waits or fails in words, publishes nothing by halves, is tried again; health says 503",
        "workers/test_steps_failing.py::test_a_redis_that_stays_away_fails_the_cycle_which_goes_on_once_it_is_back",
        (
            *of(
                "faults/test_redis_away.py",
                "a_redis_that_is_killed_for_a_minute_is_waited_for",
                "a_redis_that_is_silent_for_a_minute_is_waited_for",
                "a_redis_that_turns_into_a_replica_takes_nothing_and_heals",
                "a_redis_that_is_full_takes_a_publication_whole_or_not_at_all",
                "a_redis_without_connections_is_waited_for",
            ),
            *of(
                "adapters/test_queue_faults.py",
                "a_full_server_takes_no_publication_and_lets_everything_else_go_on",
            ),
            *of(
                "adapters/test_redis_queue.py",
                "a_full_server_refuses_a_publication_whole_and_still_lets_tasks_go",
                "a_replica_says_that_it_is_one",
                "too_many_clients_is_said_in_words",
            ),
            *of("adapters/test_redis_client.py", "a_server_that_hangs_is_given_up_after_the_reply_timeout"),
            *of("workers/test_retrying.py", "a_step_waits_for_redis_and_for_nothing_else"),
            *of("workers/test_web.py", "a_killed_broker_makes_it_unready_at_once_and_metrics_still_answer"),
            *of("workers/test_web.py", "a_server_that_hangs_keeps_nobody_waiting"),
            *of(
                "e2e/test_set_up.py",
                "a_broker_that_is_away_is_exit_1_with_a_next_step_through_workers_and_without_them",
                "a_run_is_tried_again_until_the_broker_is_back",
            ),
        ),
    ),
    Row(
        7,
        "S3 answers 500, 502, 503 SlowDown: some of the time, or always",
        "tried again, more slowly; always: the scope has failed, none of its gaps is published or withdrawn",
        "adapters/test_s3_lister.py::test_a_fault_in_a_fifth_of_the_answers_changes_nothing",
        (
            *of("test_cycle.py", "a_lake_that_answers_wrongly_makes_keys_unknown_never_missing"),
            *of("test_cycle.py", "storms_of_503_are_waited_out"),
            *of(
                "adapters/test_s3_lister.py",
                "a_passing_fault_is_retried_and_every_key_comes",
                "a_fault_that_stays_fails_after_the_last_try",
                "a_throttled_server_is_asked_by_fewer_threads_at_once",
            ),
            *of("test_scan.py", "a_range_that_is_cut_amid_faults_is_still_seen_whole"),
        ),
    ),
    Row(
        8,
        "S3 hangs, closes or resets connections",
        "given up after the read timeout and tried again; every key comes, or the scope has failed",
        "adapters/test_s3_lister.py::test_a_passing_fault_is_retried_and_every_key_comes",
        (
            *of(
                "adapters/test_s3_lister.py",
                "a_fault_in_a_fifth_of_the_answers_changes_nothing",
                "a_fault_that_stays_fails_after_the_last_try",
                "a_server_that_is_not_there_is_unreachable",
                "a_deadline_ends_the_tries",
            ),
            *of("test_scan.py", "a_server_that_is_gone_is_not_asked_for_every_range"),
        ),
    ),
    Row(
        9,
        "S3 answers with cut or broken XML, a wrong length, 200 with an error or a web page",
        "the scope has failed; never an empty listing",
        "adapters/test_s3_lister.py::test_no_fault_ever_makes_a_wrong_list",
        (
            *of(
                "adapters/test_s3_page.py",
                "a_damaged_page_is_read_right_or_refused",
                "an_entity_bomb_is_refused_before_it_grows",
            ),
            *of("test_cycle.py", "a_lake_that_answers_wrongly_makes_keys_unknown_never_missing"),
            *of("adapters/test_s3_lister.py", "an_answer_without_end_is_not_read_to_the_end"),
        ),
    ),
    Row(
        10,
        "a listing contradicts itself: no token, the same token, keys out of order, another count",
        "the scope has failed, or the lake is listed by whole prefixes; no endless loop",
        "adapters/test_s3_lister.py::test_a_listing_that_contradicts_itself_fails_without_a_retry",
        (
            *of(
                "adapters/test_s3_lister.py",
                "a_listing_that_ignores_start_after_is_out_of_order",
                "a_listing_that_ignores_the_prefix_is_out_of_order",
                "an_unordered_listing_with_a_circle_of_tokens_fails",
                "a_server_in_folder_order_is_found_out",
            ),
            *of("adapters/test_s3_page.py", "a_page_that_contradicts_itself_is_refused"),
            *of(
                "test_cycle.py",
                "a_backend_that_lists_out_of_order_is_listed_by_whole_prefixes_from_then_on",
            ),
        ),
    ),
    Row(
        11,
        "403 on one prefix, expired credentials, no such bucket, another region",
        "only what could not be seen is unknown, never missing; coverage says so",
        "test_cycle.py::test_a_denied_prefix_hides_its_own_keys_only",
        (
            *of(
                "adapters/test_s3_lister.py",
                "a_refusal_fails_at_once_and_says_the_next_step",
                "a_denied_prefix_fails_alone_and_is_named",
            ),
            *of("adapters/test_s3_client.py", "expired_credentials_are_renewed_between_requests"),
            *of("test_cycle.py", "a_lake_that_answers_wrongly_makes_keys_unknown_never_missing"),
            *of("test_scan.py", "a_range_that_is_refused_hides_nothing_of_its_neighbours"),
            *of("test_report_refusals.py", "one_data_file_that_is_denied_makes_nothing_missing"),
        ),
    ),
    Row(
        12,
        "a prefix that was full lists as empty, and legally so",
        "the loss is held back, and no number of further empty cycles frees it",
        "test_brake.py::test_an_emptied_prefix_is_held_and_no_number_of_empty_cycles_frees_it",
        of(
            "test_brake.py",
            "a_type_of_three_keys_that_is_gone_is_held",
            "a_lake_that_is_empty_all_at_once_publishes_and_withdraws_nothing",
            "nothing_of_a_held_type_is_withdrawn_and_its_other_gaps_are_still_published",
            "a_release_publishes_the_loss_with_the_next_cycle",
        ),
    ),
    Row(
        13,
        "objects come and go between the pages of one listing",
        "each is seen as it was before or after; nothing that is there is withdrawn or asked for",
        "adapters/test_s3_lister.py::test_keys_added_and_deleted_between_pages_are_in_one_of_the_two_states",
        (
            *of("test_cycle.py", "new_gaps_are_added_and_filled_ones_withdrawn"),
            *of("adapters/test_local_lister.py", "a_file_that_vanishes_meanwhile_is_absent"),
            *of("test_report_cycle.py", "what_was_filled_since_the_report_is_no_gap"),
        ),
    ),
    Row(
        14,
        "an inventory report is half written, damaged, incomplete, too old, or another bucket's",
        "it is refused with its reason; an older one or a listing takes its place",
        "test_report_refusals.py::test_a_bad_report_makes_nothing_missing_and_the_next_source_is_used",
        (
            *of("test_report_refusals.py", "columns_in_another_order_are_found_by_their_names"),
            *of(
                "adapters/test_aws_report_refusals.py",
                "a_missing_data_file_is_no_empty_one",
                "another_size_is_refused",
                "another_content_of_the_same_size_is_refused",
                "a_cut_file_is_refused_though_its_md5_fits",
                "missing_and_extra_columns_are_refused",
                "a_flipped_bit_in_a_gzipped_file_is_always_told",
            ),
            *of(
                "core/test_aws_manifest.py",
                "another_checksum_is_refused",
                "a_half_written_manifest_is_refused",
                "another_bucket_the_future_and_old_age_are_refused",
            ),
            *of("test_aws_reports.py", "a_report_that_does_not_hold_gives_way_to_the_next_older_one"),
            *of("e2e/test_report_run.py", "a_report_gives_the_truth_and_says_how_old_it_is"),
        ),
    ),
    Row(
        15,
        "a report that unpacks without end, claims a billion rows, or names a million files",
        "refused while memory stays bounded",
        "adapters/test_aws_report_refusals.py::test_a_gzip_bomb_is_refused_before_it_is_unpacked",
        (
            *of(
                "adapters/test_aws_report_refusals.py",
                "a_bomb_of_empty_lines_or_one_endless_line_is_refused",
                "more_rows_than_bytes_can_stand_for_are_refused",
            ),
            *of("adapters/test_aws_report.py", "memory_does_not_grow_with_a_file"),
            *of("test_report_refusals.py", "a_bad_report_makes_nothing_missing_and_the_next_source_is_used"),
        ),
    ),
    Row(
        16,
        "keys with line breaks, control characters, odd Unicode, quotes, '../', '//', 1024 bytes",
        "they come back byte for byte, take one line each, name no path, and stay text in HTML",
        "adapters/test_s3_page.py::test_url_encoded_keys_come_back_as_they_were",
        (
            *of("cli/test_gaps.py", "one_key_is_one_line_and_comes_back_whole"),
            *of("adapters/test_s3_page.py", "xml_escaped_keys_come_back_as_they_were"),
            *of("adapters/test_aws_report.py", "odd_keys_come_out_byte_for_byte"),
            *of("adapters/test_state_store.py", "a_name_that_could_leave_the_root_is_refused"),
            *of(
                "core/test_printable.py",
                "a_character_that_breaks_a_line_or_steers_a_terminal_makes_a_json_string",
            ),
            *of("workers/test_web.py", "hostile_names_stay_text"),
            *of("test_work.py", "keys_reach_a_scraper_whatever_they_hold"),
        ),
    ),
    Row(
        17,
        "YAML with alias bombs, tags, duplicate keys, huge files, odd numbers, unknown fields",
        "refused with line and column, exit 2; a running engine keeps its last good configuration",
        "test_strict_yaml.py::test_an_alias_bomb_is_refused_at_once",
        (
            *of(
                "test_strict_yaml.py",
                "tags_are_problems_and_never_run",
                "duplicate_keys_are_problems_that_name_both_places",
                "a_file_of_17_mib_is_refused_before_it_is_parsed",
                "deep_nesting_is_refused",
                "what_only_looks_like_another_type_stays_text",
                "any_bytes_are_a_document_or_a_config_error",
            ),
            *of(
                "adapters/test_inventory_file_errors.py", "a_bad_setting_is_said_in_plain_words_at_its_place"
            ),
            *of("test_settings.py", "a_bad_setting_is_said_in_plain_words_at_its_place"),
            *of("workers/test_daemon.py", "a_wrong_configuration_is_told_and_the_last_good_one_stays"),
        ),
    ),
    Row(
        18,
        "a pattern that stands for more keys than the limit",
        "refused with their number, before any is made",
        "core/test_domain.py::test_a_domain_over_the_limit_is_refused_with_its_count",
    ),
    Row(
        19,
        "a task is delivered or settled twice, late, or by a stranger",
        "it is settled once, and each caller is told which it was",
        "adapters/test_redis_leases.py::test_a_withdrawn_task_that_is_settled_twice_in_one_call_is_let_go_once",
        (
            *of(
                "adapters/test_redis_leases.py",
                "an_old_leases_failure_says_nothing_of_a_plain_consumers_delivery",
                "what_an_old_lease_has_done_counts_whoever_has_the_task_now",
            ),
            *of("sdk/test_consumer.py", "settling_twice_says_so_and_tells_the_engine_once"),
            *of("adapters/test_queue_machine.py", "no_order_of_operations_breaks_the_books_or_loses_a_task"),
            *of("test_settlement.py", "a_settlement_that_is_repeated_changes_nothing"),
        ),
    ),
    Row(
        20,
        "a scraper says done, and the file is not there",
        "the task comes back with one attempt more, and is given up in the end",
        "test_settlement.py::test_a_claim_that_is_not_borne_out_costs_its_keys_an_attempt_and_comes_back",
        (
            *of("test_settlement.py", "a_key_that_is_falsely_claimed_too_often_is_given_up_and_can_be_freed"),
            *of(
                "adapters/test_redis_queue.py",
                "a_claim_that_is_not_borne_out_cools_and_comes_back_with_its_new_body",
            ),
        ),
    ),
    Row(
        21,
        "an inventory report that is older than what a scraper has done",
        "the gap is not asked for again",
        "test_report_cycle.py::test_what_was_filled_since_the_report_is_no_gap",
        (
            *of("test_settlement.py", "what_was_filled_since_the_last_look_is_not_asked_for_again"),
            *of(
                "test_report_cycle.py",
                "a_stale_object_that_was_written_again_since_is_no_gap",
                "a_counted_partition_that_was_filled_since_is_no_gap",
            ),
            *of("adapters/test_redis_queue.py", "a_claim_that_is_borne_out_is_closed"),
        ),
    ),
    Row(
        22,
        "a clock that is an hour wrong, or steps back an hour",
        "queues and slots go by Redis' clock, staleness by the lake's; cycles go on; beyond 5 s against the "
        "lake's clock the report, the log and `recon doctor` warn",
        "workers/test_clocks.py::test_an_engine_whose_clock_is_an_hour_off_gives_the_same_queues",
        (
            *of(
                "workers/test_clocks.py",
                "a_clock_that_steps_back_an_hour_between_two_cycles_stops_neither",
                "a_cycle_takes_the_interval_that_it_is_by_redis_and_none_of_those_to_come",
                "a_lake_whose_clock_is_another_is_told_in_the_log",
                "a_lease_lasts_as_long_as_redis_says_whatever_the_clocks_of_engine_and_scraper",
            ),
            *of(
                "test_skew.py",
                "staleness_is_judged_by_the_lake_s_clock_where_the_engine_s_is_wrong_and_it_is_told",
            ),
            *of("test_diagnosis.py", "a_clock_that_is_wrong_by_seconds_is_told"),
            *of("adapters/test_s3_probe.py", "a_good_server_may_be_split"),
            *of("adapters/test_s3_lister.py", "a_refusal_fails_at_once_and_says_the_next_step"),
        ),
    ),
    Row(
        23,
        "a task that kills its scraper each time",
        "dead after five deliveries",
        "adapters/test_queue_faults.py::test_a_task_that_kills_its_scraper_is_dead_after_five_deliveries",
        of("test_work.py", "a_body_that_nobody_can_read_is_poison"),
    ),
    Row(
        24,
        "a million CRITICAL gaps; a type whose pattern matches nothing",
        "limits hold, the memory of Redis stays flat, LOW tasks are served too",
        "adapters/test_redis_queue.py::test_caps_bound_what_is_outstanding_ready_and_popped_together",
        (
            *of(
                "adapters/test_queue_faults.py",
                "a_flood_of_critical_tasks_leaves_memory_flat_and_low_ones_served",
            ),
            *of(
                "adapters/test_redis_queue.py",
                "one_run_publishes_at_most_its_maximum_over_all_its_batches",
            ),
            *of("sdk/test_consumer.py", "low_tasks_are_served_beside_urgent_ones_where_levels_are_weighted"),
            *of("core/test_shares.py", "a_share_covers_what_is_judged"),
        ),
    ),
    Row(
        25,
        "a secret in an address, a variable, or an error",
        "it is in no output, log, state file, task or metric",
        "test_masking.py::test_no_error_of_ours_holds_a_secret_whoever_prints_it",
        (
            *of("faults/test_hosts.py", "two_hosts_run_a_cycle_together_and_survive_the_loss_of_either"),
            *of("cli/test_secrets.py", "no_command_shows_the_secret_of_an_address"),
            *of("test_settings.py", "no_message_and_no_repr_shows_a_password"),
            *of("adapters/test_scraper_processes.py", "no_secret_of_the_environment_is_told"),
            *of("adapters/test_logs.py", "no_line_shows_a_secret_in_message_argument_or_exception"),
            *of("adapters/test_embedded_redis.py", "the_environment_s_secrets_do_not_reach_the_server"),
        ),
    ),
    Row(
        26,
        "Flower without a password; a Flower with known holes",
        "it does not start for others without one; releases before 2.2.0 are not installed",
        "workers/test_flower.py::test_without_users_none_that_others_reach_may_start",
        (
            *of(
                "workers/test_flower.py",
                "without_users_only_a_local_one_may_start_and_only_when_it_is_said",
                "it_is_refused_with_the_next_step",
                "variables_of_flower_s_own_cannot_open_the_door",
                "without_users_nothing_can_be_changed_through_it",
            ),
            *of("test_locks.py", "releases_with_known_holes_are_not_installed"),
        ),
    ),
    Row(
        27,
        "a message of Python's pickle in a worker's queue",
        "refused unread; the worker works on",
        "workers/test_messages.py::test_a_pickled_message_is_refused_unread_and_the_worker_works_on",
        of("test_locks.py", "releases_with_known_holes_are_not_installed"),
    ),
    Row(
        28,
        "a Redis with a wrong password, an unknown authority, too few rights, or open to the network",
        "refused in words; a server on another host needs a password or TLS",
        "test_settings.py::test_a_redis_on_another_host_with_neither_password_nor_tls_is_refused",
        (
            *of(
                "test_queue_protocol.py",
                "over_tls_an_unknown_authority_is_refused_at_once_and_a_named_one_works",
                "a_plain_scraper_may_do_what_levels_1_and_2_need_and_nothing_else",
                "the_engine_may_do_what_its_queues_need_and_nothing_dangerous",
            ),
            *of(
                "adapters/test_redis_client.py",
                "a_wrong_password_says_where_to_put_the_right_one",
                "a_user_who_may_not_run_a_command_is_told_what_to_grant",
            ),
            *of("test_access.py", "both_clients_get_the_address_in_their_own_spelling"),
            *of("sdk/test_consumer.py", "an_exposed_server_is_refused_unless_said"),
            *of("sdk/test_consumer.py", "a_wrong_password_is_an_error_at_once"),
        ),
    ),
    Row(
        29,
        "SIGTERM amid a cycle or a lease, and a second one",
        "what is in hand is ended or given back, its attempt refunded, exit 0; the second ends at once",
        "sdk/test_consumer.py::test_on_sigterm_a_consumer_finishes_its_task_gives_back_the_others_and_exits_0",
        (
            *of(
                "workers/test_daemon.py",
                "a_cycle_that_a_signal_stopped_is_taken_up_by_the_next_start",
                "a_second_signal_ends_it_at_once",
            ),
            *of("workers/test_driver.py", "an_interrupted_run_leaves_no_process_and_no_lock"),
            *of(
                "sdk/test_consumer.py",
                "the_second_sigterm_ends_a_consumer_at_once_and_its_leases_end_by_themselves",
            ),
            *of("test_work.py", "a_stop_gives_back_what_is_unfinished_with_its_attempt"),
            *of(
                "workers/test_web.py", "the_first_signal_ends_it_with_0", "the_second_signal_ends_it_at_once"
            ),
        ),
    ),
    Row(
        30,
        "the disk is full or read-only; metrics cannot be written",
        "the error says so and nothing is lost by halves; the next cycle heals; metrics never fail a cycle",
        "workers/test_steps_aftermath.py::test_a_folder_that_cannot_be_written_is_told_and_counted_and_the_cycle_ends_well",
        (
            *of(
                "faults/test_disk.py",
                "a_state_whose_disk_is_full_fails_cycles_in_words_and_the_next_one_heals",
                "a_state_that_turns_read_only_fails_cycles_in_words_and_the_next_one_heals",
            ),
            *of(
                "test_aftermath.py",
                "metrics_that_cannot_be_updated_are_told_and_counted_and_what_follows_is_done",
                "a_history_that_cannot_be_written_is_told_and_counted_and_fails_nothing",
            ),
            *of("adapters/test_dims.py", "a_folder_that_cannot_be_written_is_told"),
            *of(
                "workers/test_steps_failing.py",
                "a_shard_that_cannot_report_makes_its_keys_unknown_and_the_cycle_ends",
            ),
            *of("test_cycle.py", "an_output_file_that_cannot_be_written_is_a_warning_and_the_cycle_counts"),
        ),
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What came of the tests of a row."""

    row: Row
    counts: Counter[str]
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    took_s: float

    @property
    def shown(self) -> bool:
        """Whether a test ran, and none failed."""
        return bool(self.counts["passed"]) and not self.failed


def run(row: Row, chosen: Sequence[str]) -> Outcome:
    """Run tests of a row in a process of their own."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        found = Path(folder) / "found.xml"
        words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={found}"]
        try:
            ended = subprocess.run(
                [*words, *(str(TESTS / name) for name in chosen)],
                cwd=TESTS.parent,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
            said = ended.stdout[-2000:]
        except subprocess.TimeoutExpired:
            said = f"not over within {LIMIT_S} s"
        took_s = time.monotonic() - began
        if not found.exists():
            return Outcome(row, Counter(), (said,), (), took_s)
        return read(row, ET.parse(found).getroot(), took_s)


def read(row: Row, found: ET.Element, took_s: float) -> Outcome:
    """Return what pytest's XML tells."""
    counts: Counter[str] = Counter()
    failed, skipped = [], []
    for case in found.iter("testcase"):
        wrong = [part for part in case if part.tag in {"failure", "error"}]
        passed_over = case.find("skipped")
        if wrong:
            counts["failed"] += 1
            failed.append(f"{case.get('name')}: {(wrong[0].get('message') or '')[:300]}")
        elif passed_over is not None:
            counts["skipped"] += 1
            skipped.append(passed_over.get("message") or "")
        else:
            counts["passed"] += 1
    return Outcome(row, counts, tuple(failed), tuple(dict.fromkeys(skipped)), took_s)


def table(outcomes: Iterable[Outcome]) -> str:
    """Return the outcomes as Markdown."""
    lines = ["| # | fault | tests | passed | failed | skipped | s |", "|---|---|---|---|---|---|---|"]
    for one in outcomes:
        why = f" ({'; '.join(one.skipped)})" if one.skipped else ""
        counts = [one.counts[name] for name in ("passed", "failed", "skipped")]
        lines.append(
            f"| {one.row.number} | {one.row.fault} | {sum(counts)} | {counts[0]} | {counts[1]} "
            f"| {counts[2]}{why} | {one.took_s:.0f} |"
        )
    return "\n".join(lines)


def markdown() -> str:
    """Return the matrix as the table of docs/faults.md."""
    lines = ["| # | What is broken | What must come out | Shown by |", "|---|---|---|---|"]
    for row in ROWS:
        shown = [name.split("::test_")[1].replace("_", " ") for name in row.tests]
        files = dict.fromkeys(f"tests/{name.split('::')[0]}" for name in row.tests)
        more = (
            f" and {len(shown) - 1} more, in {', '.join(files)}"
            if len(shown) > 1
            else f", in {next(iter(files))}"
        )
        lines.append(f"| {row.number} | {row.fault} | {row.outcome} | *{shown[0]}*{more} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", type=int, action="append", default=[], metavar="N", help="only this row")
    parser.add_argument("--representatives", action="store_true", help="one test a row")
    parser.add_argument("--markdown", action="store_true", help="print the matrix and run nothing")
    options = parser.parse_args()
    if options.markdown:
        print(markdown())
        return 0
    rows = [row for row in ROWS if not options.row or row.number in options.row]
    if not rows:
        parser.error(f"there is no row {options.row}; they are 1 to {ROWS[-1].number}")

    def told(row: Row) -> Outcome:
        one = run(row, (row.test,) if options.representatives else row.tests)
        print(
            f"{row.number:3} {dict(one.counts)} in {one.took_s:.0f} s: {row.fault}",
            file=sys.stderr,
            flush=True,
        )
        for line in one.failed:
            print(f"    FAILED {line}", file=sys.stderr, flush=True)
        return one

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        outcomes = list(pool.map(told, rows))
    print(table(outcomes))
    wrong = [one.row.number for one in outcomes if not one.shown]
    if wrong:
        print(f"not shown: {', '.join(map(str, wrong))}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
