"""Level 2 of docs/queue-protocol.md, with redis-py alone: python consumer.py redis://localhost WORKER."""

import json
import sys

import redis
from write_keys import write_keys

LISTS = [f"recon:queue:{level}" for level in ("critical", "high", "medium", "low")]
client = redis.Redis.from_url(sys.argv[1])
mine = f"recon:processing:{sys.argv[2]}"


def next_body() -> bytes | None:
    """Take a task, most urgent first; it stands in this worker's own list until it is done."""
    for name in LISTS:
        if body := client.lmove(name, mine, "LEFT", "RIGHT"):
            return body
    return client.blmove(LISTS[0], mine, 2, "LEFT", "RIGHT")


def work_on(body: bytes) -> None:
    """Do a task, say what came of it, and take it off the list."""
    task = json.loads(body)
    result = {"id": task["id"], "status": "done"}
    try:
        write_keys(task)
    except Exception as error:
        result |= {"status": "failed", "error": str(error)}
    client.rpush("recon:results", json.dumps(result))
    client.lrem(mine, 1, body)


while left := client.lmove(mine, mine, "LEFT", "LEFT"):  # what a killed run of this worker left
    work_on(left)
while True:
    if body := next_body():
        work_on(body)
