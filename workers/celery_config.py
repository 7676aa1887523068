"""Celery's settings, read once, when the app is first used; the reasons are in docs/architecture.md."""

from __future__ import annotations

from kombu import Queue

from recon import access
from workers.schedule import entries

_settings = access.settings()
_transport = {
    # Over twice the longest task: a shorter one delivers a running task a second time.
    "visibility_timeout": 900,
    # Kombu's default sweep leaves a message of a killed worker waiting for about 100 s.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "queue_order_strategy": "priority",
    "socket_keepalive": True,
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "health_check_interval": 25,
}

broker_url = access.broker(_settings).celery
result_backend = broker_url
broker_transport_options = _transport
result_backend_transport_options = _transport
broker_connection_retry_on_startup = True

imports = ("workers.tasks", "workers.roll_call")
# Each with a key of its own: with the default one, every message would reach both.
task_queues = tuple(Queue(name, routing_key=name) for name in ("recon.control", "recon.scan"))
task_default_queue = "recon.control"
task_create_missing_queues = False

task_acks_late = True
task_reject_on_worker_lost = True
task_retry_on_worker_lost = True
task_ignore_result = True
task_track_started = False
worker_prefetch_multiplier = 1
# Whatever a process of the pool keeps, it does not keep for ever; a new one is forked in some ms.
worker_max_tasks_per_child = 40
worker_cancel_long_running_tasks_on_connection_loss = False
worker_deduplicate_successful_tasks = False
# With what Celery takes to end, SIGTERM to exit stays below ten seconds.
worker_soft_shutdown_timeout = 7
worker_enable_soft_shutdown_on_idle = True
worker_hijack_root_logger = False
worker_send_task_events = True
task_send_sent_event = True

accept_content = ["json"]
result_accept_content = ["json"]
task_serializer = "json"
result_serializer = "json"
result_chord_expires = 86400
result_expires = 3600
enable_utc = True
timezone = "UTC"

beat_schedule = entries(_settings)
beat_schedule_filename = access.beat_schedule_file(_settings)
