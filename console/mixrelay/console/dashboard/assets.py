"""The page's own files: a browser keeps them as long as they stay the same."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_KEEP = "private, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


def fingerprint(folder: Path) -> str:
    """Twelve digits that change with any file of a folder."""
    made = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        made.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return made.hexdigest()[:12]


class Assets(StaticFiles):
    """Files for good under their fingerprint, else until they were asked for again.

    During a deploy a page of one version may ask a process of another: what it is given then must
    not be kept under the wrong address.
    """

    def __init__(self, directory: Path, shown_as: str) -> None:
        super().__init__(directory=directory)
        self._shown_as = shown_as

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        asked: dict[str, Any] = parse_qs(scope["query_string"].decode("latin-1"))
        is_ours = asked.get("v") == [self._shown_as]
        response.headers["Cache-Control"] = _KEEP if is_ours else _ASK_AGAIN
        return response
