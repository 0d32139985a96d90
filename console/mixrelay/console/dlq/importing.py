"""`mixrelay dlq import`."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.progress import DownloadColumn, TimeRemainingColumn

from mixrelay.console import terminal
from mixrelay.console.dlq.operator import operator
from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat
from mixrelay.console.text import count
from mixrelay.shared.queue import NoLetterError, Queue, Returned
from mixrelay.shared.queue.loads.log_file import Slice, Start, find_start, size, slices

_SLICE = 500
_STDIN = "-"


def register(dlq: typer.Typer) -> None:
    dlq.command(
        "import",
        **examples(
            "mixrelay dlq import letters.jsonl  # what mixrelay dlq export --raw wrote",
            "zcat letters.jsonl.gz | mixrelay dlq import -",
            "mixrelay dlq import letters.jsonl --again  # once more, from its start",
        ),
    )(flat(import_letters))


def import_letters(
    where: Where,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="What `dlq export --raw` wrote; - reads stdin.")
    ],
    again: Annotated[
        bool, typer.Option("--again", help="Import a file anew that was imported before.")
    ] = False,
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="The reason, noted in the audit.")
    ] = "",
) -> None:
    """Put exported letters back as dead letters, byte for byte, under new numbers.

    Run it again after an interruption, and it continues: no letter is imported twice.
    """
    with where.open() as queue, _opened(file) as log:
        start = find_start(queue.letter_loads, log)
        if again and start.is_begun:
            queue.letter_loads.forget(start.name)
            start = find_start(queue.letter_loads, log)
        if start.offset >= size(log):
            terminal.say("All of this file was imported already; --again imports it once more.")
        _import(queue, log, start, why)


@contextmanager
def _opened(file: str) -> Iterator[FileIO]:
    """The file; what can be read only once, as a pipe, is copied first: it is known by content."""
    try:
        given = FileIO(0, closefd=False) if file == _STDIN else FileIO(Path(file))
    except OSError as error:
        raise CommandError(
            f"{file} cannot be read: {error.strerror}.", code=ExitCode.USAGE
        ) from error
    with given:
        if given.seekable():
            yield given
            return
        with TemporaryDirectory(prefix="mixrelay-") as folder:
            copy = Path(folder) / "letters.jsonl"
            copy.touch(mode=0o600)
            with copy.open("wb") as written:
                shutil.copyfileobj(given, written)
            with FileIO(copy) as log:
                yield log


def _import(queue: Queue, log: FileIO, start: Start, why: str) -> None:
    done = 0
    before = start.place
    try:
        with terminal.progress(DownloadColumn(), TimeRemainingColumn()) as bar:
            task = bar.add_task("Importing", total=size(log), completed=start.offset)
            for part in slices(log, start, lines_at_most=_SLICE):
                _import_slice(queue, start.name, before, part, why)
                before, done = part.place, done + len(part.tuples)
                bar.update(task, completed=part.offset)
    finally:
        # Also after Ctrl-C or a lost connection: what is in, is in.
        typer.echo(f"Imported {count(done, 'letter')}.")


def _import_slice(queue: Queue, name: str, before: str, part: Slice, why: str) -> None:
    letters = [_parsed(line) for line in part.tuples]
    noted = queue.import_letters(
        name, letters, before=before, after=part.place, who=operator(), why=why
    )
    if noted != part.place:
        raise CommandError(
            "Another import of the same file is running; this one stopped.",
            "Nothing was put in twice. Run it again when the other has ended.",
        )


def _parsed(line: bytes) -> Returned:
    try:
        return Returned.parse(line)
    except NoLetterError as error:
        shown = line[:60].decode(errors="backslashreplace")
        raise CommandError(
            f"A line is no exported letter: {error}. It begins: {shown}",
            "Correct the line and import the file again: it goes on where it stopped.",
            code=ExitCode.USAGE,
        ) from error
