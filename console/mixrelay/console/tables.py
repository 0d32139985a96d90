"""Tables that read well without colour and without lines."""

from rich.table import Table


def plain_table(*columns: str) -> Table:
    """A table of these columns; one whose name starts with `>` holds numbers."""
    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        right = column.startswith(">")
        shown.add_column(column.removeprefix(">"), justify="right" if right else "left")
    return shown
