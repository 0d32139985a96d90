"""`mixrelay dlq edit`."""

import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Annotated

import typer

from mixrelay.console.dlq.drafts import laid_out, tidied
from mixrelay.console.dlq.operator import operator
from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat
from mixrelay.shared.queue import Edited, Letter, Number, Queue
from mixrelay.shared.tuples import MalformedTupleError

_STDIN = "-"


def register(dlq: typer.Typer) -> None:
    dlq.command(
        "edit",
        **examples(
            "mixrelay dlq edit 0-42  # in $EDITOR",
            "mixrelay dlq edit 0-42 --file corrected.json --replay",
            "mixrelay dlq edit 0-42 --restore  # as it was pushed",
        ),
    )(flat(edit))


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of the message."""

    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The new tuple, instead of an editor; - reads stdin."),
    ] = None
    restore: Annotated[
        bool, typer.Option("--restore", help="Put back the message that was pushed.")
    ] = False
    replay: Annotated[bool, typer.Option("--replay", help="And replay the letter.")] = False
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="The reason, noted in the audit.")
    ] = ""


def edit(
    where: Where,
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="As `dlq list` shows it.")],
    change: Change,
) -> None:
    """Replace a letter's message; the one that was pushed is kept with it, and shown by `show`.

    In an editor the message is laid out as JSON, its secrets included.
    """
    with where.open() as queue:
        letter = queue.letters.get(Number(letter_id))
        if letter is None:
            raise CommandError(f"There is no dead letter {letter_id}.", "See mixrelay dlq list.")
        payload = _restored(letter) if change.restore else _written(letter, change.file)
        if payload == letter.payload:
            raise CommandError("The message is as it was; nothing was changed.")
        _edit(queue, letter, payload, change.why)
        typer.echo(f"{'Restored' if change.restore else 'Edited'} letter {letter.id}.")
        if change.replay:
            moved = queue.replay([letter.id], who=operator(), why=change.why)
            typer.echo(f"Replayed {moved} letter{'' if moved == 1 else 's'}.")


def _edit(queue: Queue, letter: Letter, payload: bytes, why: str) -> None:
    try:
        edited = queue.edit(letter, payload, who=operator(), why=why)
    except MalformedTupleError as error:
        raise CommandError(
            f"This is no message: {error.reason}.",
            "Write a JSON tuple [type, message], as `mixrelay dlq show` prints it.",
            code=ExitCode.USAGE,
        ) from error
    if edited is not Edited.DONE:
        raise CommandError(_REFUSALS[edited], "Nothing was changed: see mixrelay dlq show.")


_REFUSALS = {
    Edited.GONE: "It was replayed or discarded meanwhile.",
    Edited.CHANGED: "Someone else edited it meanwhile.",
}


def _restored(letter: Letter) -> bytes:
    if letter.original is None:
        raise CommandError("This letter was not edited; there is nothing to put back.")
    return letter.original


def _written(letter: Letter, file: str | None) -> bytes:
    if file is None:
        return _from_editor(letter)
    if file == _STDIN:
        return sys.stdin.buffer.read().strip()
    try:
        return Path(file).read_bytes().strip()
    except OSError as error:
        raise CommandError(
            f"{file} cannot be read: {error.strerror}.", code=ExitCode.USAGE
        ) from error


def _from_editor(letter: Letter) -> bytes:
    if not sys.stdin.isatty():
        raise CommandError(
            "There is no terminal for an editor.", "Use --file.", code=ExitCode.USAGE
        )
    before = laid_out(letter.payload)
    with tempfile.TemporaryDirectory(prefix="mixrelay-") as folder:
        draft = Path(folder) / f"letter-{letter.id}.json"
        draft.write_bytes(before)
        draft.chmod(0o600)
        editor = _editor()
        try:
            # The operator's own editor, as git runs it.
            ended = subprocess.run([*editor, str(draft)], check=False)  # noqa: S603
        except OSError as error:
            raise CommandError(
                f"The editor {editor[0]} cannot be run: {error.strerror}. Nothing was changed.",
                "Set EDITOR to one that is installed, or write the message to a file: --file.",
                code=ExitCode.USAGE,
            ) from error
        after = draft.read_bytes()
    if ended.returncode != 0:
        raise CommandError(f"{editor[0]} ended with {ended.returncode}; nothing was changed.")
    return letter.payload if after == before else tidied(after)


def _editor() -> list[str]:
    told = environ.get("VISUAL") or environ.get("EDITOR") or "vi"
    try:
        return shlex.split(told) or ["vi"]
    except ValueError as error:
        raise CommandError(
            f"EDITOR cannot be read ({error}): {told}", "Correct it.", code=ExitCode.USAGE
        ) from None
