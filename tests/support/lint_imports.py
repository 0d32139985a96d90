"""``lint-imports`` on all five source roots: ``python -m tests.support.lint_imports``.

import-linter looks for a package where its spec says that it is, and that names them all only once
``mixrelay/__init__.py`` has run. By itself it sees one root, and fails for want of the layers.
"""

from importlinter.cli import lint_imports_command

import mixrelay  # noqa: F401 - see above

if __name__ == "__main__":
    lint_imports_command()
