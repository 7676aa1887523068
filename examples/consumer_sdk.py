"""Level 3 of docs/queue-protocol.md, with recon's SDK: python consumer_sdk.py redis://localhost."""

import sys

from write_keys import write_keys

from recon.sdk import Consumer

with Consumer(sys.argv[1]) as consumer:
    consumer.stop_on_signals()
    for task in consumer:
        with task:  # left by an exception, it has failed in the exception's words
            if not task.keys:
                task.poison("a number of objects is wanted, and this scraper needs names")
            elif not task.cancelled:
                write_keys(task.document)
                task.done()
