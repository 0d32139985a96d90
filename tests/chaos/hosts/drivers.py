"""The hosts: how each is started, given number n, and ended."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack, closing, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from celery import Celery
from redis import Redis
from rq import Queue as RqQueue

from tests.chaos.hosts.environments import NoEnvironment, celery_5_4
from tests.support.patience import patient
from tests.support.processes import Process
from tests.support.webload import BIN, ROOT, Server

PACKAGE = "tests.chaos.hosts"
START_SECONDS = 60.0
REQUEST_SECONDS = 30.0


class Host(ABC):
    """One kind of host; a `with` block ends what it has started."""

    clients = 1
    """Threads that ask at once."""
    pause = 0.05
    """Seconds between two questions of a thread."""
    needs: tuple[str, ...] = ()
    """Packages that must be installed."""

    @classmethod
    def why_not(cls) -> str:
        """Why it cannot run here; empty where it can."""
        missing = [name for name in cls.needs if find_spec(name) is None]
        return f"{', '.join(missing)} is not installed" if missing else ""

    def __init__(self, environment: dict[str, str], broker: str, folder: Path) -> None:
        self.environment = {"PYTHONPATH": str(ROOT), **environment}
        self.broker = broker
        self.log = folder / "host.log"
        self.exits: list[float] = []
        """Seconds that processes took to end once they had done their work, where that is known."""
        self._open = ExitStack()
        self._served: Server | None = None

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def ask(self, n: int) -> None:
        """Gives it a piece of work; it may be done later."""

    def flush(self) -> None:  # noqa: B027 - most gather nothing
        """Has it begin what it gathers."""

    @abstractmethod
    def end(self) -> None:
        """As such a host ends when it is replaced."""

    def check(self) -> None:
        """Fails where its process is gone: no use to wait for what it should do."""
        if self._served is not None:
            assert self._served.process.poll() is None, self.tail()

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _serve(self, command: list[str]) -> Server:
        server = Server(command, self.environment, self.log)
        self._open.callback(server.destroy)
        self._served = server
        return server

    def _process(self, module: str, *options: str, stdin: int | None = None) -> Process:
        with self.log.open("ab") as log:
            process = Process(
                [sys.executable, "-m", f"{PACKAGE}.{module}", *options],
                env=os.environ | self.environment,
                cwd=ROOT,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._open.callback(_end, process)
        return process


def _end(process: Process) -> None:
    process.end()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


class Web(Host):
    clients = 4
    command: tuple[str, ...]

    def start(self) -> None:
        self._server = self._serve([f"{BIN}/{self.command[0]}", *self.command[1:]])

    def ask(self, n: int) -> None:
        deadline = time.monotonic() + patient(START_SECONDS)
        while True:
            address = ("127.0.0.1", self._server.port)
            with closing(http.client.HTTPConnection(*address, timeout=REQUEST_SECONDS)) as asked:
                try:
                    asked.connect()
                except ConnectionError:  # it starts
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
                    continue
                asked.request("GET", f"/?n={n}", headers={"Connection": "close"})
                answer = asked.getresponse()
                assert (answer.status, answer.read()) == (200, b"ok"), n
                return

    def end(self) -> None:
        self._server.terminate()


def _gunicorn(*options: str) -> tuple[str, ...]:
    bound = ("--bind", "127.0.0.1:PORT", "--log-level", "warning", "--workers", "2")
    return ("gunicorn", *bound, *options, f"{PACKAGE}.web:wsgi_app")


class GunicornSync(Web):
    command = _gunicorn()


class GunicornThreads(Web):
    command = _gunicorn("--worker-class", "gthread", "--threads", "4")


class GunicornGevent(Web):
    needs = ("gevent",)
    command = _gunicorn("--worker-class", "gevent")


class Uvicorn(Web):
    command = ("uvicorn", "--port", "PORT", "--workers", "2", "--log-level", "warning")
    command += (f"{PACKAGE}.web:asgi_app",)


class Hypercorn(Web):
    needs = ("hypercorn",)
    command = ("hypercorn", "--bind", "127.0.0.1:PORT", "--workers", "2", f"{PACKAGE}.web:asgi_app")


class CeleryPrefork(Host):
    """Each child process ends after ten tasks, as billiard ends them: by `os._exit`."""

    pause = 0.1

    def python(self) -> Path:
        return Path(sys.executable)

    def start(self) -> None:
        self.environment |= {"CELERY_BROKER_URL": f"{self.broker}/1"}
        command = [str(self.python()), "-m", "celery", "--app", f"{PACKAGE}.tasks:celery_app"]
        command += ["worker", "--concurrency", "2", "--max-tasks-per-child", "10"]
        command += ["--loglevel", "warning", "--without-mingle", "--without-gossip"]
        self._client = self._open.enter_context(Celery(broker=f"{self.broker}/1"))
        self._server = self._serve(command)

    def ask(self, n: int) -> None:
        self._client.send_task("hosts.load", args=[n])

    def end(self) -> None:
        self._server.terminate()


class Celery54(CeleryPrefork):
    """Of an environment of its own, with the redis-py that it allows."""

    @classmethod
    def why_not(cls) -> str:
        try:
            celery_5_4()
        except NoEnvironment as error:
            return str(error)
        return ""

    def python(self) -> Path:
        return celery_5_4()


class RqWorker(Host):
    """A fork for each job, which ends by `os._exit`."""

    pause = 0.3

    def start(self) -> None:
        url = f"{self.broker}/2"
        self._queue = RqQueue("hosts", connection=self._open.enter_context(Redis.from_url(url)))
        options = ["--url", url, "--path", str(ROOT), "--quiet", "hosts"]
        self._server = self._serve([f"{BIN}/rq", "worker", *options])

    def ask(self, n: int) -> None:
        self._queue.enqueue(f"{PACKAGE}.job.load", n)

    def end(self) -> None:
        self._server.terminate()


class ApScheduler(Host):
    needs = ("apscheduler",)

    def start(self) -> None:
        self._running = self._process("scheduled", stdin=subprocess.PIPE)

    def ask(self, n: int) -> None:
        self._running.stdin.write(f"{n}\n")
        self._running.stdin.flush()

    def end(self) -> None:
        self._running.stdin.close()
        began = time.monotonic()
        assert self._running.wait(START_SECONDS) == 0, self.tail()
        self.exits.append(time.monotonic() - began)


class Lambda(Host):
    """Frozen as soon as it has answered; every tenth invocation finds it killed, and a new one."""

    LIFE = 10

    def start(self) -> None:
        self._running: Process | None = None
        self._invoked = 0

    def ask(self, n: int) -> None:
        if self._running is None:
            self._running, self._invoked = self._process("frozen", stdin=subprocess.PIPE), 0
        else:
            self._running.send_signal(signal.SIGCONT)
        self._running.stdin.write(f"{n}\n")
        self._running.stdin.flush()
        assert self._running.stdout.readline() == f"{n}\n", self.tail()
        self._running.send_signal(signal.SIGSTOP)
        self._invoked += 1
        if self._invoked == self.LIFE:
            self.end()

    def end(self) -> None:
        if self._running is not None:
            _end(self._running)
            self._running = None


class Cron(Host):
    """A process for every three numbers."""

    clients = 2

    def start(self) -> None:
        self._waiting: list[int] = []
        self._lock = threading.Lock()

    def ask(self, n: int) -> None:
        with self._lock:
            self._waiting.append(n)
            if len(self._waiting) < 3:
                return
            due, self._waiting = self._waiting, []
        self._run(due)

    def flush(self) -> None:
        with self._lock:
            due, self._waiting = self._waiting, []
        if due:
            self._run(due)

    def end(self) -> None:
        """Nothing of it is left."""

    def _run(self, due: list[int]) -> None:
        process = self._process("short", *map(str, due))
        done = float(process.stdout.readline() or "nan")
        assert process.wait(START_SECONDS) == 0, self.tail()
        self.exits.append(time.monotonic() - done)
        _end(process)


HOSTS: dict[str, type[Host]] = {
    "gunicorn sync": GunicornSync,
    "gunicorn gthread": GunicornThreads,
    "gunicorn gevent": GunicornGevent,
    "uvicorn": Uvicorn,
    "hypercorn": Hypercorn,
    "Celery": CeleryPrefork,
    "Celery 5.4": Celery54,
    "RQ": RqWorker,
    "APScheduler": ApScheduler,
    "Lambda-like": Lambda,
    "cron-like": Cron,
}
