"""`mixrelay push`."""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import DownloadColumn, TimeRemainingColumn

from mixrelay.console import terminal
from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat
from mixrelay.console.text import count
from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.loads.log_file import Slice, Start, find_start, fresh_start, size, slices

_STDIN = "-"


def register(app: typer.Typer) -> None:
    app.command(
        "push",
        **examples(
            "mixrelay push MIXPANEL_LOG.txt",
            "mixrelay push MIXPANEL_LOG.txt --again  # once more, from its start",
            "zcat old.log.gz | mixrelay push -",
        ),
    )(flat(push))


def push(
    where: Where,
    file: Annotated[str, typer.Argument(metavar="FILE", help="One tuple a line; - reads stdin.")],
    again: Annotated[
        bool,
        typer.Option("--again", help="Push a file from its start although it was pushed before."),
    ] = False,
) -> None:
    """Push a log of tuples to the queue; run it again after an interruption, and it continues.

    Each line is pushed unchanged, once: its position in the file is stored in the same step. A file
    is recognised by its content, also after it was moved or has grown. Empty lines are skipped, and
    so is a last line that is still being written. Input from stdin cannot be continued: all of it
    is pushed.
    """
    with _opened(file) as log, where.open() as queue:
        # A pipe, also a named one, cannot be read from its beginning again.
        is_pipe = file == _STDIN or not log.seekable()
        start = fresh_start(queue.loads.partitions) if is_pipe else find_start(queue.loads, log)
        if again and start.is_begun:
            queue.loads.forget(start.name)
            start = find_start(queue.loads, log)
        _push(queue, log, start, whole=None if is_pipe else size(log))


@contextmanager
def _opened(file: str) -> Iterator[FileIO]:
    """Unbuffered, so that a pipe's lines are pushed as they come."""
    try:
        log = FileIO(0, closefd=False) if file == _STDIN else FileIO(Path(file))
    except OSError as error:
        raise CommandError(
            f"{file} cannot be read: {error.strerror}.", code=ExitCode.USAGE
        ) from error
    with log:
        yield log


@dataclass(slots=True)
class _Tally:
    pushed: int = 0
    offset: int = 0
    ended: bool = False


def _push(queue: Queue, log: FileIO, start: Start, *, whole: int | None) -> None:
    if whole is not None and start.offset >= whole:
        said = "All of this file is in the queue already; --again pushes it once more."
        terminal.say(said if whole else "The file is empty.")
        typer.echo("Pushed 0 tuples.")
        return
    if start.offset:
        terminal.say(f"Going on at byte {start.offset:,}, where an earlier push stopped.")
    tally = _Tally(offset=start.offset)
    try:
        _push_slices(queue, log, start, tally, whole)
    finally:
        # Also after Ctrl-C or a lost connection: what is in, is in.
        typer.echo(f"Pushed {count(tally.pushed, 'tuple')}.")
        if whole is not None and tally.offset < whole:
            terminal.say(_RESTS[tally.ended])


_RESTS = {
    True: "1 line is not finished yet; push again when it is (a newline ends it).",
    False: "Not all of the file is in; the same command goes on from here.",
}
"""What is left of a file, by whether its end was reached."""


def _push_slices(queue: Queue, log: FileIO, start: Start, tally: _Tally, whole: int | None) -> None:
    with terminal.progress(DownloadColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task("Pushing", total=whole, completed=start.offset)
        for part in slices(log, start, growing=whole is not None):
            if start.offset == 0:
                _demand_text(part)
            _push_slice(queue, start, part)
            tally.pushed += len(part.tuples)
            tally.offset = part.offset
            bar.update(task, completed=part.offset)
            start = start.behind(part)
        tally.ended = True


def _demand_text(part: Slice) -> None:
    """Refuse a log that is no text.

    Raises:
        CommandError: it is compressed, or of UTF-16.
    """
    first = part.tuples[0] if part.tuples else b""
    for begin, what in _NO_LOGS.items():
        if first.startswith(begin):
            raise CommandError(
                f"This is no log of tuples: it is {what}.", _TODO[what], code=ExitCode.USAGE
            )


_GZIP, _ZSTD, _UTF16 = "compressed by gzip", "compressed by zstd", "of UTF-16"
_NO_LOGS = {
    b"\x1f\x8b": _GZIP,
    b"\x28\xb5\x2f\xfd": _ZSTD,
    BOM_UTF16_LE: _UTF16,
    BOM_UTF16_BE: _UTF16,
}
_TODO = {
    _GZIP: "Uncompress it: gunzip FILE, or zcat FILE | mixrelay push -",
    _ZSTD: "Uncompress it: unzstd FILE, or zstdcat FILE | mixrelay push -",
    _UTF16: "Write it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE | mixrelay push -",
}


def _push_slice(queue: Queue, start: Start, part: Slice) -> None:
    noted = queue.loads.load(
        start.name, part.tuples, before=start.place, after=part.place, ends=start.ends
    )
    if noted != part.place:
        raise CommandError(
            "Another push of the same file is running; this one stopped.",
            "Nothing was put in twice. Run it again when the other has ended.",
        )
