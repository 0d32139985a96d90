"""One target under atheris; started by ``tests.fuzz.run``, since libFuzzer ends its process."""

import sys

import atheris

with atheris.instrument_imports(include=["mixrelay"]):
    from tests.fuzz.registry import TARGETS


def main() -> None:
    name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
