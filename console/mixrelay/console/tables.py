"""Tables that read well without colour and without lines."""

from rich.table import Table

_COPIED = frozenset({"id", "job"})
"""What one copies into the next command: on a narrow terminal other columns give way."""


def plain_table(*columns: str) -> Table:
    """A table of these columns; one whose name starts with `>` holds numbers."""
    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        name = column.removeprefix(">")
        shown.add_column(
            name,
            justify="right" if column.startswith(">") else "left",
            no_wrap=name in _COPIED,
        )
    return shown
