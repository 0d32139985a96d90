"""The figures of the house, counted: ``python -m tests.house.figures``."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.house.imports import PARTS, ROOT, circles, classes, imports, sources
from tests.support.settings_table import DEPLOYED, every_setting

PRODUCT = (".py", ".lua", ".html")
"""What is counted as the product's lines: Python, Lua and the pages' templates."""


def lines_of_product() -> int:
    """Lines of the product, blank ones and comments included."""
    return _lines(path for part in PARTS for path in _files(ROOT / part, PRODUCT))


def lines_of_tests() -> int:
    """Lines of tests, with their support."""
    return _lines(_files(ROOT / "tests", (".py",)))


def fullest_folder() -> tuple[int, str]:
    """The most modules in one folder, and that folder."""
    folders = Counter(
        str(path.parent.relative_to(ROOT))
        for path in sources().values()
        if path.name != "__init__.py"
    )
    folder, modules = folders.most_common(1)[0]
    return modules, folder


def classes_that_occur_twice() -> list[str]:
    """Public class names that two files of the product define, the sandbox left out."""
    return sorted(_twice(path for name, path in sources().items() if ".sandbox" not in name))


def classes_that_occur_twice_in_all() -> list[str]:
    """The same with the sandbox."""
    return sorted(_twice(sources().values()))


def words_of_readme() -> int:
    """Words of the README."""
    return len((ROOT / "README.md").read_text().split())


def settings_in_readme() -> int:
    """Settings in the README's table."""
    return len(DEPLOYED)


def settings_in_all() -> int:
    """Variables of the environment that some part reads by the table of settings."""
    return len({option.variable for option in every_setting()})


def circles_of_imports() -> list[list[str]]:
    """Modules that import each other, within functions and for types too."""
    return circles(imports())


def _twice(paths: Iterable[Path]) -> Iterable[str]:
    return (name for name, where in classes(paths).items() if len(where) > 1)


def _files(folder: Path, endings: tuple[str, ...]) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.suffix in endings)


def _lines(paths: Iterable[Path]) -> int:
    return sum(len(path.read_text().splitlines()) for path in paths)


def _list(found: list[str]) -> str:
    return f"{len(found)}" + (f" ({', '.join(found)})" if found else "")


def _circles() -> str:
    short = [re.sub(r"mixrelay\.", "", " ↔ ".join(circle)) for circle in circles_of_imports()]
    return f"{len(short)}" + (f" ({'; '.join(short)})" if short else "")


TABLE: tuple[tuple[str, Callable[[], str]], ...] = (
    ("lines of product (Python, Lua, templates)", lambda: f"{lines_of_product():,}"),
    ("modules in the fullest folder", lambda: "{} ({})".format(*fullest_folder())),
    (
        "public class names that occur twice, without the sandbox",
        lambda: _list(classes_that_occur_twice()),
    ),
    ("the same with the sandbox", lambda: str(len(classes_that_occur_twice_in_all()))),
    ("words of the README", lambda: f"{words_of_readme():,}"),
    ("settings in the README", lambda: str(settings_in_readme())),
    ("settings in all", lambda: str(settings_in_all())),
    ("circles of imports", _circles),
    ("lines of tests", lambda: f"{lines_of_tests():,}"),
)


def main() -> None:
    """Print the table."""
    sys.stdout.write("| what | now |\n| --- | --- |\n")
    for what, count in TABLE:
        sys.stdout.write(f"| {what} | {count()} |\n")


if __name__ == "__main__":
    main()
