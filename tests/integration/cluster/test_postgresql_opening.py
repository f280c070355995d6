"""What stops a start on PostgreSQL, and what the person reads then. Never the password."""

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy.engine import make_url
from tests.contract.warehouse.backends import empty_database, run_sql

from video_manager.adapters.warehouse import SqlWarehouse, schema
from video_manager.errors import SettingsError, Unavailable

SECRET = "s3cret/p@ss"


@pytest.fixture
def database() -> Iterator[str]:
    with empty_database() as address:
        yield address


@pytest.fixture
def stranger(database: str) -> Iterator[str]:
    """The address of the same database for a user without any right in it."""
    name = f"vm_{uuid.uuid4().hex[:12]}"
    run_sql(database, f"create role {name} login password '{SECRET}'", "revoke create on schema public from public")
    yield changed(database, username=name, password=SECRET)
    run_sql(database, f"reassign owned by {name} to current_user", f"drop owned by {name}", f"drop role {name}")


def changed(address: str, **parts: object) -> str:
    return make_url(address).set(**parts).render_as_string(hide_password=False)


async def start(address: str, connect_seconds: float = 0.0) -> None:
    warehouse = SqlWarehouse(address, connect_seconds=connect_seconds)
    try:
        await warehouse.open()
    finally:
        await warehouse.close()


async def refusal(address: str) -> str:
    with pytest.raises(SettingsError) as caught:
        await start(address)
    assert "VIDEO_MANAGER_WAREHOUSE_URL" in caught.value.detail
    assert SECRET not in caught.value.detail
    return caught.value.detail


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
async def test_all_common_addresses_mean_the_same(database: str, scheme: str) -> None:
    await start(f"{changed(database, drivername=scheme)}?sslmode=prefer")


async def test_a_wrong_password(database: str) -> None:
    text = await refusal(changed(database, password=SECRET))
    assert "which does not let us in: password authentication failed" in text
    assert "correct user and password" in text


async def test_a_database_that_is_missing(database: str) -> None:
    text = await refusal(changed(database, database="nowhere", password=make_url(database).password))
    assert 'database "nowhere" does not exist; make it: CREATE DATABASE nowhere OWNER' in text


async def test_no_database_in_the_address(database: str) -> None:
    with pytest.raises(SettingsError, match="names no database; write it after the host"):
        SqlWarehouse(changed(database, database=""))


async def test_a_host_that_is_not_known(database: str) -> None:
    text = await refusal(changed(database, host="nowhere.invalid", password=SECRET))
    assert "there is no host 'nowhere.invalid'" in text


async def test_an_option_that_is_not_known(database: str) -> None:
    assert "does not know an option of the address" in await refusal(f"{database}?nonsense=1")


async def test_a_user_who_may_not_make_tables(stranger: str) -> None:
    text = await refusal(stranger)
    assert f"where {make_url(stranger).username} may not make tables: ALTER DATABASE" in text
    assert "OWNER TO" in text


async def test_a_user_who_may_not_read_the_version(database: str, stranger: str) -> None:
    await start(database)
    assert "permission denied for table warehouse_schema" in await refusal(stranger)


async def test_a_user_who_may_not_write_a_table(database: str, stranger: str) -> None:
    await start(database)
    user = make_url(stranger).username
    everything = f"grant select, insert, update, delete on all tables in schema public to {user}"
    run_sql(database, everything, f"revoke insert on reviews from {user}")
    assert "may not read and write the table reviews: GRANT SELECT" in await refusal(stranger)
    run_sql(database, everything)
    await start(stranger)


async def test_a_database_that_cannot_hold_every_letter() -> None:
    with empty_database(encoding="LATIN1") as address:
        assert "whose encoding is LATIN1; make a database WITH ENCODING 'UTF8'" in await refusal(address)


async def test_a_server_that_is_too_old(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is as old as that here: the bar is set higher instead."""
    monkeypatch.setattr(schema, "OLDEST_POSTGRESQL", 1000)
    assert "1000 or newer is needed" in await refusal(database)


async def test_a_server_that_is_no_postgresql(database: str, free_port: int) -> None:
    with pytest.raises(
        Unavailable,
        match=r"VIDEO_MANAGER_WAREHOUSE_URL names .*which does not answer: Connect(ion refused| call failed)",
    ):
        await start(changed(database, port=free_port))


async def test_looking_leaves_the_database_as_it_is(database: str, stranger: str) -> None:
    """`doctor` looks, perhaps from a newer release than the one that runs."""
    looker = SqlWarehouse(database, connect_seconds=0)
    await looker.look()
    assert run_sql(database, "select count(*) from pg_tables where schemaname = 'public'") == [[0]]
    await looker.close()
    unfit = SqlWarehouse(stranger, connect_seconds=0)
    with pytest.raises(SettingsError, match="may not make tables"):
        await unfit.look()
    await unfit.close()
