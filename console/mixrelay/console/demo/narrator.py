"""How the demo speaks: short headed steps with the time of each."""

import time

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

_INDENT = 3


class Narrator:
    """Prints acts, sentences and tables; colour only adds to what the words say."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()
        self._act = 0

    @property
    def width(self) -> int:
        """Columns that a table may take."""
        return self._console.width - _INDENT

    @property
    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self._begun

    def act(self, title: str) -> None:
        self._act += 1
        at = f"  {self.seconds:.1f} s"
        self._console.print()
        self._console.print(Text(f"{self._act}. {title}", style="bold cyan").append(at, "dim"))

    def say(self, text: str) -> None:
        self.show(Text(text))

    def show(self, what: RenderableType) -> None:
        self._console.print(Padding(what, (0, 0, 0, _INDENT)))

    def check(self, text: str, *, holds: bool) -> bool:
        mark, style = ("yes", "green") if holds else ("NO", "bold red")
        self.show(Text(f"{mark:>3}", style=style).append(f"  {text}", ""))
        return holds
