"""The files of the snapshot, made from the code and from a queue of its own."""

from pathlib import Path

from mixrelay.shared.connection import connect
from tests.conftest import run_valkey
from tests.face import commands, figures, python

FOLDER = Path(__file__).parents[1] / "data" / "face"
HINT = "what is promised differs: see CONTRIBUTING.md, then python -m tests.face --write"


def of_the_code() -> dict[str, str]:
    """What can be read without a server."""
    return {
        "python.txt": _text(python.lines()),
        "commands.txt": _text(commands.lines()),
        "variables.txt": _text(commands.variables()),
    }


def of_a_queue() -> dict[str, str]:
    """What a queue shows: keys of JSON, and metrics."""
    with run_valkey() as url, connect(url) as redis:
        found = {"metrics.txt": _text(figures.metrics(redis, url))}
        return found | {"json.txt": _text(figures.lines(redis, url))}


def made() -> dict[str, str]:
    """All files by name."""
    return of_the_code() | of_a_queue()


def _text(lines: object) -> str:
    return "".join(f"{line}\n" for line in lines)
