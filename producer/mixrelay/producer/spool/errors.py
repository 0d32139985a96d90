"""Errors of a spool that cannot lie where it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixrelay.producer.errors import SpoolError

if TYPE_CHECKING:
    from pathlib import Path


class UntrustedFolderError(PermissionError):
    """Another user of the machine could decide what lies in a folder; it is not used."""

    def __str__(self) -> str:
        """Return the words alone, without a number."""
        return str(self.strerror)


def lies_elsewhere(refused: object, folder: Path) -> SpoolError:
    """Return the error for a default folder that another user could replace."""
    return SpoolError(
        f"{refused}. So messages that Redis cannot take are kept in {folder} instead. "
        "Remove what is in the way, or set MIXRELAY_SPOOL_DIR to a folder of your own.",
        count=0,
    )


def not_used(folder: Path, why: Exception) -> SpoolError:
    """Return the error for a spool that is neither read nor written."""
    return SpoolError(
        f"The spool {folder} is not used: {why}. Nothing that lies there is pushed, and "
        "messages that Redis cannot take are lost. Put that right, or set MIXRELAY_SPOOL_DIR to a "
        "folder that no other user can write to.",
        count=0,
    )
