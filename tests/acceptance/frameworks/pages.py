"""The pages of docs/frameworks: their files, commands and requests, as they are printed."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import requests

FOLDER = Path(__file__).parents[3] / "docs/frameworks"
BIN = Path(sys.executable).parent
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"# (\w+\.py)\n")
ADDRESS = "203.0.113.7"


class Page:
    """One page."""

    def __init__(self, name: str) -> None:
        self.text = (FOLDER / f"{name}.md").read_text()
        blocks = FENCED.findall(self.text)
        self.files = {
            match[1]: code
            for kind, code in blocks
            if kind == "python" and (match := NAMED.match(code))
        }
        self._lines = [line for kind, code in blocks if not kind for line in code.splitlines()]

    def write(self, folder: Path) -> None:
        """Put the files where one follows the page."""
        for name, code in self.files.items():
            (folder / name).write_text(code)

    def command(self, name: str, *more: str) -> list[str]:
        """The printed command of a program, with options behind its name."""
        [line] = [line for line in self._lines if line.startswith(f"{name} ")]
        program, *arguments = shlex.split(line)
        return [f"{BIN}/{program}", *more, *arguments]

    def server(self, port: int) -> list[str]:
        """The command that serves, on another port."""
        if any(line.startswith("gunicorn ") for line in self._lines):
            return self.command("gunicorn", "--bind", f"127.0.0.1:{port}")
        return self.command("uvicorn", "--port", f"{port}")

    def testing(self) -> list[str]:
        """The command that runs the page's tests, with as many as it has."""
        if any(line.startswith("python ") for line in self._lines):
            return self.command("python")
        return self.command("pytest", "-p", "no:cacheprovider", "-q")

    @property
    def tests(self) -> int:
        return len(re.findall(r"^ *def test_", self.files["test_shop.py"], re.MULTILINE))

    def ask(self, port: int) -> list[int]:
        """Do each printed `curl`, from an address that a proxy tells; the statuses."""
        return [_curl(line, port) for line in self._lines if line.startswith("curl ")]


def _curl(line: str, port: int) -> int:
    words = iter(shlex.split(line)[1:])
    address, data, headers = "", [], {"X-Forwarded-For": ADDRESS}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    for word in words:
        if word == "-d":
            data.append(next(words))
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        else:
            address = word
    assert address.startswith("localhost:8000/"), line
    url = f"http://127.0.0.1:{port}{address.removeprefix('localhost:8000')}"
    return requests.post(url, data="&".join(data), headers=headers, timeout=30).status_code
