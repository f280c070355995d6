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
        if kept is None or set(kept) != {_SEALED}:
            return kept
        return self._keyring.open(publication.id, str(kept[_SEALED]))

    def earlier(self, publication: Publication) -> Handle | None:
        """What the attempt before the running one had uploaded, unless it was armed: then the platform said that there
        is no post, and only it knows what has become of the rest."""
        if len(publication.attempts) < 2:
            return None
        before = publication.attempts[-2]
        return self.of(publication, before) if before.armed_at is None else None
