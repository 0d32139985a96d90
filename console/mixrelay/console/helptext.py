"""Help that ends in examples, in every command, and in which no name is cut to fit."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from mixrelay.console import terminal
from mixrelay.console.exits import ExitCode
from mixrelay.console.text import cut

_WIDTH = 100
# Typer keeps a copy of click, and shows of its usage errors this one alone.
_UsageError: Any = typer.BadParameter.__bases__[0]
_SAID = 1_000
"""Characters of a usage error."""
_ANY_BYTES = frozenset({"FILE", "DIR", "URL", "PATH"})
"""Values that may hold bytes of any encoding: names of files, passwords."""
_OPTION_WIDTH = 36
"""Of the left column; what is longer there goes over two lines."""


def examples(*shown: str) -> dict[str, Any]:
    """The arguments of a Typer command whose help ends in these lines; `  #` starts a remark."""
    return {"cls": Command, "epilog": lines(*shown)}


def lines(*shown: str) -> str:
    return "\n".join(shown)


class Command(TyperCommand):
    """A command whose epilog holds examples, a line each, shown as they stand."""

    def invoke(self, ctx: Any) -> Any:
        for parameter in self.params:
            if parameter.metavar not in _ANY_BYTES:
                _check_text(ctx, parameter)
        return super().invoke(ctx)

    def format_help(self, ctx: Any, _formatter: Any) -> None:
        page = _Page()
        page.opening(self, ctx)
        page.options(self, ctx)
        page.examples(self.epilog or "")


class Group(TyperGroup):
    """The same for a group of commands."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        with _shortened():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        with _shortened():
            return super().invoke(ctx)

    def format_help(self, ctx: Any, _formatter: Any) -> None:
        page = _Page()
        page.opening(self, ctx)
        page.commands(self, ctx)
        page.options(self, ctx)
        if ctx.parent is None:
            page.exit_codes()
        page.examples(self.epilog or "")


def _check_text(ctx: Any, parameter: Any) -> None:
    """Raise BadParameter where a text holds bytes that are no UTF-8: no message or name does."""
    value = ctx.params.get(parameter.name)
    for text in value if isinstance(value, list | tuple) else [value]:
        if isinstance(text, str) and any("\ud800" <= one <= "\udfff" for one in text):
            raise typer.BadParameter(
                f"{cut(text, _SAID)} holds a byte that is no UTF-8. Write it in UTF-8, or leave "
                "it out.",
                ctx=ctx,
                param=parameter,
            )


@contextmanager
def _shortened() -> Iterator[None]:
    """Cut a usage error that repeats what was written, however long that is."""
    try:
        yield
    except _UsageError as error:
        error.message = cut(error.message, _SAID)
        raise


class _Page:
    """One help text, printed from its top to its end."""

    def __init__(self) -> None:
        self._console: Console = terminal.stdout()
        self._console.width = min(self._console.width, _WIDTH)

    def opening(self, command: Any, ctx: Any) -> None:
        pieces = (_bare(piece) for piece in command.collect_usage_pieces(ctx))
        usage = " ".join([ctx.command_path, *pieces])
        self._console.print(Text("Usage: ", "bold").append(usage, ""))
        for paragraph in (command.help or "").split("\n\n"):
            self._print(Text(" ".join(paragraph.split())), above=1)

    def options(self, command: Any, ctx: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in command.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record:
                if parameter.param_type_name == "argument":
                    record = (parameter.metavar, record[1])
                title = getattr(parameter, "rich_help_panel", None) or _title(parameter)
                panels.setdefault(title, []).append(record)
        for title, records in panels.items():
            self._section(title, records)

    def commands(self, group: Any, ctx: Any) -> None:
        found = ((name, group.get_command(ctx, name)) for name in group.list_commands(ctx))
        rows = [(name, each.get_short_help_str(200)) for name, each in found if not each.hidden]
        self._section("Commands", rows)

    def exit_codes(self) -> None:
        self._section("Exit codes", [(str(int(code)), code.meaning) for code in ExitCode])

    def examples(self, shown: str) -> None:
        self._print(Text("Examples", "bold"), above=1, left=0)
        for line in shown.splitlines():
            example, mark, remark = line.partition("  #")
            # A line to copy is not broken.
            text = Text(f"  {example}").append(mark + remark, "dim")
            self._console.print(text, soft_wrap=True)

    def _section(self, title: str, rows: Iterable[tuple[str, str]]) -> None:
        self._print(Text(title, "bold"), above=1, left=0)
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(max_width=_OPTION_WIDTH, style="cyan", overflow="fold")
        table.add_column(ratio=1, overflow="fold")
        for name, text in rows:
            table.add_row(Text(name), Text(" ".join(text.split())))
        self._print(table)

    def _print(self, what: RenderableType, *, above: int = 0, left: int = 2) -> None:
        self._console.print(Padding(what, (above, 0, 0, left)))


def _bare(piece: str) -> str:
    """A piece of the usage without Typer's braces around an argument that must be given."""
    return piece[1:-1] if piece.startswith("{") and piece.endswith("}") else piece


def _title(parameter: Any) -> str:
    return "Arguments" if parameter.param_type_name == "argument" else "Options"
