"""What a command's exit code says."""

from enum import IntEnum


class ExitCode(IntEnum):
    """One code, one meaning, in every command."""

    OK = 0
    FINDING = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    MISSING = 5
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "done, no problem",
    ExitCode.FINDING: "there is a problem, or the action failed",
    ExitCode.USAGE: "wrong usage or settings; nothing was done",
    ExitCode.UNREACHABLE: "Redis cannot be reached, or is still loading",
    ExitCode.REFUSED: "Redis refused: password, rights, a key of the wrong type, full, read-only",
    ExitCode.MISSING: "a part of mixrelay is not installed",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
}
