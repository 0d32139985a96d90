"""The public face as text, to be looked at in review: ``python -m tests.face --write``.

What stands in tests/data/face is promised (CONTRIBUTING.md, "What is promised").
"""

import sys

from tests.face.snapshot import FOLDER, made


def main() -> None:
    """Print what differs, or write it."""
    for name, text in made().items():
        path = FOLDER / name
        if "--write" in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{path} differs: python -m tests.face --write")


if __name__ == "__main__":
    main()
