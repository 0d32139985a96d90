import ast
import sys
from pathlib import Path

import mixrelay.sandbox

PACKAGE = Path(mixrelay.sandbox.__file__).parent


def test_the_sandbox_imports_nothing_of_ours_and_only_aiohttp_of_others() -> None:
    imported = {name for file in PACKAGE.glob("*.py") for name in imports_of(file)}

    assert {name for name in imported if name.startswith("mixrelay")} == {"mixrelay.sandbox"}
    tops = {name.partition(".")[0] for name in imported}
    assert tops - sys.stdlib_module_names == {"aiohttp", "mixrelay"}


def imports_of(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    return {".".join(name.split(".")[:2]) for name in plain | named}
