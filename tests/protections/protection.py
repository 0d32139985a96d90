"""One protection, how it is taken away, and the test that must then fail."""

from dataclasses import dataclass
from pathlib import Path

ROOTS = ("producer", "worker", "shared", "console", "sandbox")
QUEUE = "shared/mixrelay/shared/queue"
LUA = f"{QUEUE}/lua"
MIXPANEL = "shared/mixrelay/shared/mixpanel"
WORKER = "worker/mixrelay/worker"
PRODUCER = "producer/mixrelay/producer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """A piece of the code that keeps one promise, and nothing else does."""

    name: str
    against: str
    """What happens to a user without it."""
    file: str
    old: str
    """Stands in the file exactly once: code that moved is told, not passed over."""
    new: str
    proof: str
    """The file of the test, below tests/."""
    test: str

    @property
    def node(self) -> str:
        return f"tests/{self.proof}::{self.test}"

    def take_away(self, tree: Path) -> None:
        """Changes a copy of the tree.

        Raises:
            LookupError: the code is not there, or more than once.
        """
        path = tree / self.file
        text = path.read_text(encoding="utf-8")
        if (found := text.count(self.old)) != 1:
            raise LookupError(f"{self.name}: its code is {found} times in {self.file}, not once")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")
