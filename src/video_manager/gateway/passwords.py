"""Password hashes (argon2id). Hashing takes tens of milliseconds and tens of MiB: in threads, and few at once."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from video_manager.errors import InvalidInput

MIN_LENGTH = 10
MAX_LENGTH = 256
_AT_ONCE = 2


class Passwords:
    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._stranger: str | None = None

    async def hash(self, password: str) -> str:
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Takes the same time for a user that does not exist (None), so that names cannot be found by timing."""
        if password_hash is None:
            if self._stranger is None:
                self._stranger = await self.hash("nobody has this password")
            password_hash = self._stranger
            await self._verify(password, password_hash)
            return False
        return await self._verify(password, password_hash)

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _verify(self, password: str, password_hash: str) -> bool:
        async with self._slots:
            try:
                return await asyncio.to_thread(self._hasher.verify, password_hash, password)
            except (VerificationError, InvalidHashError):
                return False


def check_new_password(password: str, user_name: str, field: str = "password") -> None:
    """Raises InvalidInput for a password that is too easy to guess, or absurdly long."""
    if len(password) < MIN_LENGTH:
        raise InvalidInput.field(field, f"must have at least {MIN_LENGTH} characters")
    if len(password) > MAX_LENGTH:
        raise InvalidInput.field(field, f"must have at most {MAX_LENGTH} characters")
    if password.casefold() == user_name.casefold() or len(set(password)) < 4:
        raise InvalidInput.field(field, "is too easy to guess; use several words")
