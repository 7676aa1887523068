"""Services that take alerts, for one test: an HTTP one for apprise's ``json://``, and a mail server."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.header import decode_header, make_header
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from aiosmtpd.controller import Controller


class Receiver:
    """Takes notifications as JSON; answers ``status`` after ``wait_s``."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.asked = 0
        self.status = 200
        self.wait_s = 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked += 1
                time.sleep(receiver.wait_s)
                if receiver.status == 200:
                    receiver.told.append(json.loads(body))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        return f"json://me:s3cret-canary@127.0.0.1:{self._server.server_port}/t0ken-canary"

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.told]

    def wait_for(self, what: Callable[[], object], patience_s: float = 60) -> None:
        give_up_at = time.monotonic() + patience_s
        while not what():
            assert time.monotonic() < give_up_at, self.told
            time.sleep(0.05)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def mail_server() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield a mail server's host and port, and the mails that it took."""
    taken: list[dict[str, str]] = []

    class Inbox:
        async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's own name
            mail = message_from_bytes(envelope.content)
            subject = str(make_header(decode_header(mail["Subject"])))
            body = mail.get_payload(decode=True).decode()
            taken.append({"to": envelope.rcpt_tos[0], "from": mail["From"], "subject": subject, "body": body})
            return "250 OK"

    with socket.create_server(("127.0.0.1", 0)) as own:
        port = own.getsockname()[1]
    server = Controller(Inbox(), hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield f"127.0.0.1:{port}", taken
    finally:
        server.stop()
