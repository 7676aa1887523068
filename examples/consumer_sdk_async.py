"""Level 3 of docs/queue-protocol.md, with recon's SDK on an event loop, eight tasks at once."""

import asyncio
import sys

from write_keys import write_keys

from recon.sdk import AsyncConsumer, AsyncTask


async def work(task: AsyncTask) -> None:
    """Do one task; what this raises, it has failed with."""
    await asyncio.to_thread(write_keys, task.document)
    await task.done()


async def main() -> None:
    """Work until a signal comes."""
    async with AsyncConsumer(sys.argv[1], batch=4) as consumer:
        consumer.stop_on_signals()
        await consumer.run(work, concurrency=8)


asyncio.run(main())
