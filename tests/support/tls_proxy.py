"""Ends TLS before a server that speaks none."""

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

from tests.support.private_ca import Certificate


class TlsProxy:
    """Takes connections with TLS and passes what they say on to a port of this machine."""

    def __init__(self, certificate: Certificate, to_port: int) -> None:
        self._to_port = to_port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.file, certificate.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._run, name="TLS proxy")
        self._thread.start()

    def present(self, file: Path, key: Path) -> None:
        """Shows another certificate to those who connect from now on."""
        self._context.load_cert_chain(file, key)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(10)
            secured = self._context.wrap_socket(client, server_side=True)
            secured.settimeout(None)
            with secured, socket.create_connection(("127.0.0.1", self._to_port)) as server:
                back = threading.Thread(target=_pass, args=(server, secured), daemon=True)
                back.start()
                _pass(secured, server)
                back.join(10)


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while said := source.recv(1 << 16):
            target.sendall(said)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
