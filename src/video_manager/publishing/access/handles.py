"""Remote handles as the ledger keeps them: encrypted, as an upload's address lets anybody upload."""

from typing import Any

from video_manager.domain.publication import Attempt, Publication
from video_manager.plugins.api import Handle
from video_manager.publishing.access.keyring import Keyring

_SEALED = "sealed"


class Handles:
    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def stored(self, publication_id: str, handle: Handle) -> dict[str, Any]:
        """What the ledger keeps of a handle."""
        return {_SEALED: self._keyring.seal(publication_id, dict(handle))}

    def of(self, publication: Publication, attempt: Attempt) -> Handle | None:
        """The handle of an attempt; one of an older release is not encrypted. Raises ActionRequiredError when the key
        is gone."""
        kept = attempt.handle
        if kept is None or not _is_sealed(kept):
            return kept
        return self._keyring.open(publication.id, str(kept[_SEALED]))

    def are_older(self, publication: Publication) -> bool:
        """Whether any of its handles is encrypted with a key that is not the newest."""
        kept = (attempt.handle for attempt in publication.attempts)
        return any(
            _is_sealed(handle) and not self._keyring.is_newest(str(handle[_SEALED])) for handle in kept if handle
        )

    def rotated(self, publication: Publication) -> Publication:
        """All its handles encrypted with the newest key. Raises ActionRequiredError."""

        def rotated(attempt: Attempt) -> Attempt:
            if attempt.handle is None or not _is_sealed(attempt.handle):
                return attempt
            return attempt.with_(handle={_SEALED: self._keyring.rotate(str(attempt.handle[_SEALED]))})

        return publication.with_(attempts=tuple(rotated(attempt) for attempt in publication.attempts))

    def earlier(self, publication: Publication) -> Handle | None:
        """What the newest attempt before the running one had uploaded, unless one was armed since: then the platform
        said that there is no post, and only it knows what has become of the rest (but for a limit it named, and where
        the publisher knows that it is still good)."""
        for before in reversed(publication.attempts[:-1]):
            if before.armed_at is not None and not before.reusable:
                return None
            if before.handle is not None:
                return self.of(publication, before)
        return None


def _is_sealed(handle: Handle) -> bool:
    return set(handle) == {_SEALED}
