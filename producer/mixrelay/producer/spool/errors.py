"""Errors of a spool that cannot lie where it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixrelay.producer.errors import SpoolError

if TYPE_CHECKING:
    from mixrelay.producer.spool.spool import Spool


class UntrustedFolderError(PermissionError):
    """Another user of the machine could decide what lies in a folder; it is not used."""

    def __str__(self) -> str:
        """Return the words alone, without a number."""
        return str(self.strerror)


def lies_elsewhere(spool: Spool) -> SpoolError:
    """Return the error for a default folder that another user could replace."""
    return SpoolError(
        f"{spool.refused}. So messages that Redis cannot take are kept in {spool.folder} instead. "
        "Remove what is in the way, or set MIXRELAY_SPOOL_DIR to a folder of your own.",
        count=0,
    )


def not_used(spool: Spool, why: Exception) -> SpoolError:
    """Return the error for a spool that is neither read nor written."""
    return SpoolError(
        f"The spool {spool.folder} is not used: {why}. Nothing that lies there is pushed, and "
        "messages that Redis cannot take are lost. Put that right, or set MIXRELAY_SPOOL_DIR to a "
        "folder that no other user can write to.",
        count=0,
    )
