"""The product's source: what would run code that came from outside stands nowhere in it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PARTS = ("producer", "worker", "shared", "console", "sandbox")
MODULES = {"pickle", "cPickle", "dill", "shelve", "marshal", "yaml", "xmlrpc", "telnetlib"}
CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "tempfile.mktemp",
    "ssl._create_unverified_context",
    "logging.config.listen",
}
KEYWORDS = {"shell": True, "verify": False, "check_hostname": False, "assert_hostname": False}
ATTRIBUTES = {"CERT_NONE", "PickleSerializer", "DefaultSerializer"}
IMPORT_MODULE = {
    "worker/mixrelay/worker/__init__.py",
    "worker/mixrelay/worker/rq/job.py",
    "console/mixrelay/console/app.py",
    "console/mixrelay/console/dashboard/__init__.py",
    "console/mixrelay/console/config/frameworks.py",
    "producer/mixrelay/__init__.py",
    "producer/mixrelay/producer/__init__.py",
    "producer/mixrelay/producer/construction/checks.py",
    "producer/mixrelay/producer/testing/capturing.py",
    "shared/mixrelay/shared/connection/versions.py",
}
"""The places that import by name: of a table beside it, or what the application's own
settings name."""


def files() -> list[Path]:
    return [path for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))]


def dangers(source: str, name: str = "") -> Iterator[str]:
    """What in a source runs code of others, or trusts whom it should not."""
    for node in ast.walk(ast.parse(source)):
        found = _danger(node, name)
        if found:
            yield f"{name}:{getattr(node, 'lineno', 0)}: {found}"


def _danger(node: ast.AST, name: str) -> str | None:
    match node:
        case ast.Import(names=names):
            return next((one.name for one in names if one.name.split(".")[0] in MODULES), None)
        case ast.ImportFrom(module=module) if (module or "").split(".")[0] in MODULES:
            return module
        case ast.Call(func=func):
            return _dangerous_call(node, ast.unparse(func), name)
        case ast.Attribute(attr=attr) if attr in ATTRIBUTES:
            return attr
        case ast.Assign(targets=[ast.Attribute(attr=attr)], value=ast.Constant(value=value)):
            return attr if attr in KEYWORDS and KEYWORDS[attr] is value else None
    return None


def _dangerous_call(call: ast.Call, called: str, name: str) -> str | None:
    if called in CALLS or (called.endswith("import_module") and name not in IMPORT_MODULE):
        return called
    for keyword in call.keywords:
        value = keyword.value
        if keyword.arg in KEYWORDS and not (
            isinstance(value, ast.Constant) and value.value is not KEYWORDS[keyword.arg]
        ):
            return f"{keyword.arg}={ast.unparse(value)}"
    return None


def test_nothing_in_the_product_runs_code_that_came_from_outside() -> None:
    found = [
        danger
        for path in files()
        for danger in dangers(path.read_text(), str(path.relative_to(ROOT)))
    ]
    assert len(files()) > 100
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from yaml import load",
        "eval(text)",
        "import os; os.system(text)",
        "subprocess.run(text, shell=True)",
        "subprocess.run(text, shell=anything)",
        "requests.get(url, verify=False)",
        "session.verify = False",
        "tempfile.mktemp()",
        "importlib.import_module(name)",
        "context.verify_mode = ssl.CERT_NONE",
    ],
)
def test_what_is_looked_for_is_found(source: str) -> None:
    assert list(dangers(source))


def test_scripts_of_the_queue_never_compile_text() -> None:
    scripts = sorted((ROOT / "shared").rglob("*.lua"))
    assert scripts
    for script in scripts:
        code = "\n".join(line.partition("--")[0] for line in script.read_text().splitlines())
        assert not any(word in code for word in ("loadstring", "dofile", "setfenv")), script
