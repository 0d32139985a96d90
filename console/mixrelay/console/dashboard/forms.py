"""What the page signs: its forms, and what it says after a change.

The key is random. It was the passwords once, and then each form told whoever may see it enough to
try passwords without asking the server.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from functools import partial

from redis.exceptions import NoPermissionError


class Forms:
    """Shows that a form, or an address, was made by a page of ours for one user."""

    def __init__(self, secret: str, read: Callable[[], bytes]) -> None:
        """Read nothing yet.

        Args:
            secret: a key that the host application gives.
            read: the key where it gives none.
        """
        self._read = partial(_digest, secret) if secret else read
        self._key: bytes | None = None

    def token(self, user: str) -> str:
        """What this user's forms carry.

        Raises:
            redis.RedisError: the key cannot be read.
        """
        return self._signed("form", user)

    def is_valid(self, user: str, token: str) -> bool:
        """Whether a form was made by one of our pages, for this user.

        Raises:
            redis.RedisError: the key cannot be read.
        """
        if _same(token, self.token(user)):
            return True
        # Another process may have made the key anew, where Redis had lost it.
        self._key = None
        return _same(token, self.token(user))

    def seal(self, user: str, *words: str) -> str:
        """What stands beside words in an address, so that nobody else puts them there.

        Raises:
            redis.RedisError: the key cannot be read.
        """
        return self._signed("words", user, *words)[:32]

    def is_sealed(self, seal: str, user: str, *words: str) -> bool:
        """Whether a page of ours put these words into an address, for this user.

        Raises:
            redis.RedisError: the key cannot be read.
        """
        return _same(seal, self.seal(user, *words))

    def _signed(self, *parts: str) -> str:
        key = self._key = self._key or self._known()
        # The length of each part goes along: "a", "bc" is not "ab", "c".
        told = b"".join(b"%d:%b" % (len(_bytes(one)), _bytes(one)) for one in parts)
        return hmac.new(key, told, hashlib.sha256).hexdigest()

    def _known(self) -> bytes:
        try:
            return self._read()
        except NoPermissionError:
            # A user that may only look: no change would be made for it anyway.
            return secrets.token_bytes(32)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(_bytes(secret)).digest()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(_bytes(given), known.encode())
