"""A durable queue between request handlers and Mixpanel.

    from mixrelay import Tracker

    tracker = Tracker("PROJECT_TOKEN")
    tracker.track("user-1", "Plan Upgraded", {"New Plan": "Premium"})

The names are those of ``mixrelay.producer``, loaded when first asked for; ``import mixrelay`` loads
nothing. ``mixrelay.producer.integrations`` has the web frameworks, ``mixrelay.producer.testing``
and two pytest fixtures have what tests need.
"""

from importlib import import_module
from os import path as _path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from mixrelay.producer import *  # noqa: F403 - the same names, for type checkers and editors

    __version__: str

# One package in five folders: in a wheel all of it lies here, in a checkout each part has a source
# root of its own beside this one. Named one by one, so that no folder that happens to be called
# mixrelay somewhere on sys.path becomes a part.
_PARTS = ("worker", "shared", "console", "sandbox")
_ROOT = _path.dirname(_path.dirname(_path.dirname(__file__)))  # noqa: PTH120 - pathlib takes longer
__path__ += [  # noqa: F405 - every package has one
    _folder
    for _folder in (_path.join(_ROOT, _part, "mixrelay") for _part in _PARTS)  # noqa: PTH118
    if _path.isdir(_folder)  # noqa: PTH112
]


def __getattr__(name: str) -> "Any":
    """Return the version, or what ``mixrelay.producer`` has under a name."""
    found: object
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - takes milliseconds

        found = version("mixrelay")
    elif name == "__all__" or not (name.startswith("_") or name in ("producer", *_PARTS)):
        producer = import_module("mixrelay.producer")
        if name != "__all__" and name not in producer.__all__:
            raise AttributeError(f"module 'mixrelay' has no attribute {name!r}")
        found = getattr(producer, name)
    else:  # of the parts: ``from mixrelay import worker`` imports them itself then
        raise AttributeError(f"module 'mixrelay' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), "__version__", *import_module("mixrelay.producer").__all__})
