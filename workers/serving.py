"""Serves the site until a signal: its socket, its server, and what is said when it starts."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from recon import access, outlook
from recon.errors import ReconError
from recon.settings import Settings
from recon.standing import standing
from workers import alerting
from workers.child import end_with_parent
from workers.watch import Watch
from workers.web import Site, site_app

#: Seconds that requests have to end once the server is to stop.
GRACE_S = 3
#: Seconds between two looks at what is to be told.
ALERT_EVERY_S = 60.0
#: Requests at once; more are answered 503.
REQUESTS_MAX = 64
#: Tenths of a second between two looks whether to end; at whole seconds uvicorn renews the Date of answers.
_TICKS = 5
_ENDINGS = (signal.SIGINT, signal.SIGTERM)


class PortTakenError(ReconError):
    """Raised when the address to listen on cannot be had."""


def serve(chosen: Settings, host: str, port: int, flower: str, listening: Callable[[str], None]) -> None:
    """Serve until the first SIGINT or SIGTERM; a second one ends the process at once (128 + its number).

    Args:
        chosen: The engine to look at.
        host: An address of this machine, or a name of one.
        port: 0 takes a free one.
        flower: The address of a Flower to link, "" for none.
        listening: Told the site's address, once it answers there.

    Raises:
        PortTakenError: Another program listens there, or the address is not this machine's.
    """
    sources, limits = outlook.sources(chosen), outlook.limits(chosen)
    watch = Watch(lambda: standing(sources, access.now()))
    listener = listening_socket(host, port)
    app = site_app(Site(watch, limits, flower, time.monotonic()))
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http="h11",
            loop="asyncio",
            server_header=False,
            limit_concurrency=REQUESTS_MAX,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    end_with_parent(server.stop)
    threading.Thread(target=_alert, name="alerts", daemon=True).start()
    server.obey()
    listening(site_address(host, listener.getsockname()[1]))
    server.run(sockets=[listener])


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raise ``PortTakenError`` where it cannot."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:
        raise PortTakenError(
            f"cannot listen on {host}:{port}: {error.strerror or error}. Stop the program that does (another "
            "recon serve?), or choose another place: --port, --host, reconciliation_loop.health_check_port"
        ) from error


def site_address(host: str, port: int) -> str:
    """Return the site's address."""
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class _Server(uvicorn.Server):
    """A server whose signals are ours: uvicorn would end by the signal that stopped it."""

    def obey(self) -> None:
        """Stop on the first signal, and end at once on the second."""
        for number in _ENDINGS:
            signal.signal(number, self._signalled)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to ``obey``."""
        yield

    async def main_loop(self) -> None:
        """Look whether to end twice a second; uvicorn's own ten times cost as much as all else at rest."""
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += _TICKS
            await asyncio.sleep(_TICKS / 10)

    def stop(self) -> None:
        """Answer what is under way, and end."""
        self.should_exit = True

    def _signalled(self, number: int, _: FrameType | None) -> None:
        if self.should_exit:
            sys.stdout.flush()
            os._exit(128 + number)
        self.should_exit = True


def _alert() -> None:
    """Tell what is wrong also while the broker is away, and with it whoever tells it else."""
    while True:
        time.sleep(ALERT_EVERY_S)
        alerting.alert()


def main() -> None:
    """Serve by the settings alone, as a process of the daemon: ``python -m workers.serving [FLOWER]``."""
    chosen = access.settings()
    access.start_logging(chosen, "web")
    linked = "".join(sys.argv[1:])
    serve(chosen, chosen.loop.health_check_host, chosen.loop.health_check_port, linked, lambda _: None)


if __name__ == "__main__":
    main()
