"""The connection to MongoDB that documents and video files share."""

import asyncio
import logging
import time
import warnings
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pymongo
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError, ConnectionFailure, InvalidURI, OperationFailure
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from video_manager.adapters.cluster.mongo_errors import SETTING, UNAUTHORIZED, explained, reason_of
from video_manager.errors import SettingsError, Unavailable

__all__ = ["SETTING", "MongoConnection", "explained"]

_EXAMPLE = "mongodb://user:password@host:27017/video_manager"

OLDEST_WIRE_VERSION = 17
"""That of MongoDB 6.0: older ones are no longer maintained, and their partial indexes know less."""
_OLDEST_RELEASE = "6.0"

OPERATION_SECONDS = 10.0
"""One operation, its retries and the search for a server included. `timeoutMS` in the address changes it."""

_CONNECT_SECONDS = 5.0
"""A host that does not even answer the handshake is given up after this; `connectTimeoutMS` changes it."""
_RETRY_SECONDS = 0.2

WRITE_CONCERN = WriteConcern("majority", j=True)
"""An acknowledged write is in the journal of most members: it survives a power cut and the loss of the primary."""
READ_CONCERN = ReadConcern("majority")
"""Never what a failover may still take back: with "local", a decision made on a write that was rolled back could be
saved on top of another write that got the same revision, and the outbox of a rolled back write could be published. Not
"linearizable", which costs a write for each read: a primary that has just lost its office may show the state of some
seconds ago, and the compare-and-set of the save that follows finds that out."""

_PROBE = "access.probe"
_LEFTOVERS_SECONDS = 3600

_log = logging.getLogger(__name__)


class MongoConnection:
    """One client a process, with connections for all its tasks. Raises at `open`: SettingsError for an address,
    credentials, permissions or a release that cannot do, Unavailable when nobody answers within `connect_seconds`."""

    def __init__(self, url: str, connect_seconds: float = 60) -> None:
        self._url = url
        self._connect_seconds = connect_seconds
        self._client: AsyncMongoClient[dict[str, Any]] | None = None
        self._database: AsyncDatabase[dict[str, Any]] | None = None
        self._users = 0
        self._opening = asyncio.Lock()

    @property
    def database(self) -> AsyncDatabase[dict[str, Any]]:
        """The database of the address; valid between `open` and `close`."""
        if self._database is None:
            raise RuntimeError("the connection to MongoDB is not open")
        return self._database

    async def open(self) -> None:
        """Each store that shares the connection opens and closes it; the last one to close ends it."""
        async with self._opening:
            if self._client is None:
                await self._connect()
            self._users += 1

    async def close(self) -> None:
        """Without effect when it is not open."""
        self._users = max(self._users - 1, 0)
        if self._users == 0 and self._client is not None:
            client, self._client, self._database = self._client, None, None
            await client.close()

    async def _connect(self) -> None:
        client = _client(self._url)
        try:
            database = client.get_default_database(
                # Documents are decided upon and saved by compare-and-set: what a secondary knows may be too old.
                write_concern=WRITE_CONCERN, read_concern=READ_CONCERN, read_preference=ReadPreference.PRIMARY,
            )  # fmt: skip
        except ConfigurationError as error:
            await client.close()
            raise SettingsError(f"{SETTING} names no database: write it behind the host, as in {_EXAMPLE}") from error
        try:
            await self._wait_for_server(client)
            await _check_release(client)
            await _check_access(database)
        except BaseException:
            await client.close()
            raise
        self._client, self._database = client, database

    async def ping(self) -> None:
        """Raises Unavailable when the server does not answer."""
        with explained():
            await self.database.command("ping")

    async def _wait_for_server(self, client: AsyncMongoClient[dict[str, Any]]) -> None:
        deadline = time.monotonic() + max(self._connect_seconds, 1.0)
        while True:
            try:
                with pymongo.timeout(max(deadline - time.monotonic(), 0.1)):
                    await client.admin.command("ping")
            except ConnectionFailure as error:
                if time.monotonic() >= deadline - _RETRY_SECONDS:
                    raise Unavailable(
                        f"{SETTING}: MongoDB at {_hosts(client)} did not answer within {self._connect_seconds:g} s "
                        f"({reason_of(error)}): start it, or correct the address"
                    ) from error
                _log.info("waiting for MongoDB at %s: %s", _hosts(client), reason_of(error))
            except ConfigurationError as error:
                if "wire version" in str(error):
                    raise _too_old(reason_of(error)) from error
                raise SettingsError(f"{SETTING}: {reason_of(error)}: correct the address") from error
            except OperationFailure as error:
                if error.code not in UNAUTHORIZED:
                    raise
                raise SettingsError(
                    f"{SETTING}: MongoDB at {_hosts(client)} refuses the credentials ({reason_of(error)}): correct the "
                    "user, the password or authSource"
                ) from error
            else:
                return
            await asyncio.sleep(_RETRY_SECONDS)


def _client(url: str) -> AsyncMongoClient[dict[str, Any]]:
    """A client that has not connected yet. Raises SettingsError; its texts never repeat the address."""
    try:
        given = {name.lower() for name, _ in parse_qsl(urlsplit(url).query)}
        options: dict[str, Any] = {
            "appname": "video-manager",
            "tz_aware": True,
            # What our promises rest on stands here, and wins over the address: a retried write is told apart from a
            # second one by the server, so that a lost answer is no lost write and no double one.
            "retryWrites": True,
            "retryReads": True,
        }
        for name, seconds in (("timeoutMS", OPERATION_SECONDS), ("connectTimeoutMS", _CONNECT_SECONDS)):
            if name.lower() not in given:
                options[name] = int(seconds * 1000)
        with warnings.catch_warnings():
            # The driver only warns about options it does not know: a typing error would go unnoticed.
            warnings.simplefilter("error", UserWarning)
            return AsyncMongoClient(url, **options)
    except InvalidURI as error:
        raise SettingsError(
            f"{SETTING} is no address of a MongoDB: it must look like {_EXAMPLE}, and special characters in the user "
            "and the password must be escaped (%40 for @)"
        ) from error
    except (ConfigurationError, ValueError, TypeError, UserWarning) as error:
        raise SettingsError(f"{SETTING} has a wrong option: {error}") from error


def _hosts(client: AsyncMongoClient[dict[str, Any]]) -> str:
    servers = client.topology_description.server_descriptions()
    return ", ".join(sorted(f"{host}:{port}" for host, port in servers)) or "its address"


async def _check_release(client: AsyncMongoClient[dict[str, Any]]) -> None:
    with explained():
        hello = await client.admin.command("hello")
        if hello.get("maxWireVersion", 0) < OLDEST_WIRE_VERSION:
            found = await client.server_info()
            raise _too_old(f"it is {found.get('version', 'of an unknown release')}")
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        _log.warning(
            "MongoDB at %s is no replica set: it does not remember writes whose answer was lost, so that some of them "
            "are reported as failed though they were done; make it a replica set, of one member if need be",
            _hosts(client),
        )


def _too_old(found: str) -> SettingsError:
    return SettingsError(
        f"{SETTING}: the server is too old ({found}); MongoDB {_OLDEST_RELEASE} or newer is needed: upgrade it, or "
        "name another one"
    )


async def _check_access(database: AsyncDatabase[dict[str, Any]]) -> None:
    """Do once what the product does all the time, in a collection of its own. What a killed process leaves there, the
    server removes by itself."""
    probe = database[_PROBE]
    key = {"_id": uuid4().hex}
    try:
        with explained():
            await probe.create_index("at", name="leftovers", expireAfterSeconds=_LEFTOVERS_SECONDS)
            # Not an insert: the driver repeats a write whose answer was lost, and not every server knows it again.
            await probe.replace_one(key, {"at": datetime.now(UTC)}, upsert=True)
            await probe.find_one_and_update(key, {"$set": {"changed": True}})
            await probe.find_one(key)
            await probe.delete_one(key)
    except SettingsError as refusal:
        error = refusal.__cause__ if isinstance(refusal.__cause__, OperationFailure) else refusal
        raise SettingsError(
            f"{SETTING}: the user may not make collections and indexes, read and write in the database "
            f"{database.name!r} ({reason_of(error)}): name a user with the role readWrite there"
        ) from error
