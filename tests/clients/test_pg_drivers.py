"""asyncpg and pg8000 over the Postgres door: what each can do is in docs/postgres-compatibility.md."""

import asyncio
import io
import json
import ssl
from decimal import Decimal

import pytest

from conftest import parameters
from postgres import FOREVER, ID, LAKE_ROWS, PARAMETERS, SELECT_VALUES, VALUES, all_rows, lake_table, stopped, verified


@pytest.fixture
def with_asyncpg(demo):
    """Runs a coroutine function with a connection of asyncpg."""

    def run(body, user="admin", **more):
        import asyncpg

        async def main():
            p = parameters(demo, user)
            settings = {"password": p["password"], "ssl": verified(p["sslrootcert"]), "timeout": 20} | more
            connection = await asyncpg.connect(
                host=p["host"], port=p["port"], user=user, database=p["dbname"], **settings
            )
            try:
                return await body(connection)
            finally:
                await connection.close()

        return asyncio.run(main())

    return run


@pytest.mark.client("asyncpg", "asyncpg")
class TestAsyncpg:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    def test_connects_over_verified_tls(self, with_asyncpg, other_ca):
        rows = with_asyncpg(lambda c: c.fetch("SELECT current_user, 1 + 1"))
        assert [tuple(row) for row in rows] == [("admin", 2)]
        with pytest.raises(ssl.SSLCertVerificationError):
            with_asyncpg(lambda c: c.fetch("SELECT 1"), ssl=verified(other_ca))

    @pytest.mark.shows("error for a wrong password")
    def test_wrong_password(self, with_asyncpg):
        import asyncpg

        with pytest.raises(asyncpg.InvalidPasswordError, match='password authentication failed for user "admin"'):
            with_asyncpg(lambda c: c.fetch("SELECT 1"), password="wrong")

    @pytest.mark.shows("results of all types")
    def test_results(self, with_asyncpg):
        row = with_asyncpg(lambda c: c.fetchrow(SELECT_VALUES))
        # asyncpg returns JSON as its text.
        values = [json.loads(v) if isinstance(v, str) and v.startswith("{") else v for v in row]
        assert values == list(VALUES.values())

    @pytest.mark.shows("parameters of all types")
    def test_parameters(self, with_asyncpg):
        sql = "SELECT " + ", ".join(f"${i}::{kind}" for i, kind in enumerate(PARAMETERS, 1))
        assert list(with_asyncpg(lambda c: c.fetchrow(sql, *PARAMETERS.values()))) == list(PARAMETERS.values())

    @pytest.mark.shows("parameters of all types")
    def test_parameters_that_are_compared_with_columns(self, with_asyncpg):
        sql = "SELECT count(*) FROM curated.orders WHERE order_date = $1 AND quantity >= $2 AND total < $3"
        day = VALUES["DATE '2024-02-29'"]
        most = Decimal("1000000.00")
        assert with_asyncpg(lambda c: c.fetchval(sql, day, 1, most)) > 0

    @pytest.mark.shows("uuid")
    def test_uuid(self, with_asyncpg):
        assert with_asyncpg(lambda c: c.fetchval("SELECT $1::uuid", ID)) == ID

    @pytest.mark.shows("prepared statement")
    def test_prepared(self, with_asyncpg):
        async def twice(connection):
            prepared = await connection.prepare("SELECT $1::int AS given")
            assert [p.name for p in prepared.get_parameters()] == ["int4"]
            assert [(a.name, a.type.name) for a in prepared.get_attributes()] == [("given", "int4")]
            return [await prepared.fetchval(1), await prepared.fetchval(2)]

        assert with_asyncpg(twice) == [1, 2]

    @pytest.mark.shows("reading a result in pieces")
    def test_cursor(self, with_asyncpg):
        async def pieces(connection):
            async with connection.transaction():
                cursor = await connection.cursor("SELECT x FROM generate_series(1, 5000) t(x) ORDER BY x")
                first = await cursor.fetch(10)
                await cursor.forward(90)
                rest = await cursor.fetch(5000)
                walked = [r[0] async for r in connection.cursor("SELECT x FROM generate_series(1, 200) t(x)", prefetch=50)]
            return [r[0] for r in first], rest[0][0], len(rest), len(walked)

        assert with_asyncpg(pieces) == (list(range(1, 11)), 101, 4900, 200)

    @pytest.mark.shows("reading a result in pieces")
    def test_cursor_is_found_by_sql(self, with_asyncpg):
        async def pieces(connection):
            async with connection.transaction():
                cursor = await connection.cursor("SELECT x FROM generate_series(1, 100) t(x) ORDER BY x")
                name = cursor._portal_name
                first = await cursor.fetch(2)
                fetched = await connection.fetch(f'FETCH 3 FROM "{name}"')
                moved = await connection.execute(f'MOVE 10 IN "{name}"')
                after = await cursor.fetch(1)
                closed = await connection.execute(f'CLOSE "{name}"')
            return [r[0] for r in [*first, *fetched, *after]], moved, closed

        assert with_asyncpg(pieces) == ([1, 2, 3, 4, 5, 16], "MOVE 10", "CLOSE CURSOR")

    @pytest.mark.shows("transaction with rollback")
    def test_rollback(self, with_asyncpg, connect):
        async def work(connection):
            with pytest.raises(ZeroDivisionError):
                async with connection.transaction():
                    await connection.execute("INSERT INTO of_asyncpg.things (id) VALUES (1)")
                    raise ZeroDivisionError
            async with connection.transaction():
                await connection.execute("INSERT INTO of_asyncpg.things (id) VALUES (2)")
            return [row[0] for row in await connection.fetch("SELECT id FROM of_asyncpg.things")]

        with lake_table(connect, "of_asyncpg"):
            assert with_asyncpg(work) == [2]

    @pytest.mark.shows("SQLSTATE and position of an error")
    def test_error(self, with_asyncpg):
        import asyncpg

        with pytest.raises(asyncpg.UndefinedColumnError) as raised:
            with_asyncpg(lambda c: c.fetch("SELECT order_id, no_such FROM curated.orders"))
        assert (raised.value.sqlstate, raised.value.position) == ("42703", "18")

    @pytest.mark.shows("cancel")
    def test_cancelled_task_stops_the_query(self, with_asyncpg, connect):
        cancelled = []

        async def work(connection):
            loop = asyncio.get_running_loop()
            task = asyncio.ensure_future(connection.fetch(FOREVER.format("asyncpg-cancel")))
            cancelled.append(lambda: loop.call_soon_threadsafe(task.cancel))
            with pytest.raises(asyncio.CancelledError):
                await task
            return await connection.fetchval("SELECT 1")

        with stopped(connect, "asyncpg-cancel", lambda: cancelled[0]()):
            assert with_asyncpg(work) == 1

    @pytest.mark.shows("timeout")
    def test_timeout(self, with_asyncpg):
        import asyncpg

        async def work(connection):
            with pytest.raises(asyncio.TimeoutError):
                await connection.fetch(FOREVER.format("asyncpg-timeout"), timeout=0.5)
            return await connection.fetchval("SELECT 1")

        assert with_asyncpg(work) == 1
        with pytest.raises(asyncpg.QueryCanceledError, match="statement timeout"):
            settings = {"statement_timeout": "300"}
            with_asyncpg(lambda c: c.fetch(FOREVER.format("asyncpg-timeout")), server_settings=settings)

    @pytest.mark.shows("bulk load")
    def test_copy_records(self, with_asyncpg, connect):
        async def load(connection):
            insert = "INSERT INTO of_asyncpg.things (id, name) VALUES ($1, $2)"
            await connection.executemany(insert, [(3, "three"), (4, None)])
            return await connection.copy_records_to_table("things", schema_name="of_asyncpg", records=LAKE_ROWS)

        with lake_table(connect, "of_asyncpg") as admin:
            assert with_asyncpg(load) == "COPY 2"
            rows = admin.execute("SELECT * FROM of_asyncpg.things ORDER BY id").fetchall()
            assert rows[:2] == LAKE_ROWS
            assert [(row[0], row[5]) for row in rows[2:]] == [(3, "three"), (4, None)]

    @pytest.mark.shows("COPY TO")
    def test_copy_to(self, with_asyncpg):
        file = io.BytesIO()
        sql = "SELECT $1::int, 'a,b', NULL"
        assert with_asyncpg(lambda c: c.copy_from_query(sql, 7, output=file, format="csv")) == "COPY 1"
        assert file.getvalue() == b'7,"a,b",\n'

    @pytest.mark.shows("pool")
    def test_pool_resets_its_connections(self, demo):
        import asyncpg

        async def work():
            p = parameters(demo, "admin")
            pool = asyncpg.create_pool(
                host=p["host"], port=p["port"], user="admin", password=p["password"], database=p["dbname"],
                ssl=verified(p["sslrootcert"]), min_size=1, max_size=1,
            )
            async with pool:
                async with pool.acquire() as connection:
                    await connection.execute("SET statement_timeout = '17s'")
                async with pool.acquire() as connection:
                    return await connection.fetchval("SHOW statement_timeout")

        assert asyncio.run(work()) == "0"

    @pytest.mark.shows("columns without a grant are hidden")
    def test_hidden_columns(self, with_asyncpg):
        row = with_asyncpg(lambda c: c.fetchrow("SELECT * FROM curated.customers LIMIT 1"), user="scientist")
        assert list(row.keys()) == ["customer_id", "segment", "region"]


@pytest.fixture
def pg8000_connect(demo):
    import pg8000.dbapi

    opened = []

    def connect(user="admin", **more):
        p = parameters(demo, user)
        settings = {"password": p["password"], "ssl_context": verified(p["sslrootcert"])} | more
        connection = pg8000.dbapi.connect(user, host=p["host"], port=p["port"], database=p["dbname"], **settings)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


@pytest.mark.client("pg8000", "pg8000")
class TestPg8000:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    def test_connects_over_verified_tls(self, pg8000_connect, other_ca):
        import pg8000

        assert all_rows(pg8000_connect(), "SELECT current_user, 1 + 1") == [("admin", 2)]
        with pytest.raises((ssl.SSLCertVerificationError, pg8000.InterfaceError)):
            pg8000_connect(ssl_context=verified(other_ca))

    @pytest.mark.shows("error for a wrong password")
    def test_wrong_password(self, pg8000_connect):
        import pg8000

        with pytest.raises(pg8000.DatabaseError) as raised:
            pg8000_connect(password="wrong")
        assert raised.value.args[0]["C"] == "28P01"

    @pytest.mark.shows("results of all types")
    def test_results(self, pg8000_connect):
        (row,) = all_rows(pg8000_connect(), SELECT_VALUES)
        assert list(row) == list(VALUES.values())

    @pytest.mark.shows("parameters of all types")
    def test_parameters(self, pg8000_connect):
        sql = "SELECT " + ", ".join(f"%s::{kind}" for kind in PARAMETERS)
        (row,) = all_rows(pg8000_connect(), sql, list(PARAMETERS.values()))
        assert list(row) == list(PARAMETERS.values())

    @pytest.mark.shows("uuid")
    def test_uuid(self, pg8000_connect):
        assert all_rows(pg8000_connect(), "SELECT %s::uuid", (ID,)) == [(ID,)]

    @pytest.mark.shows("prepared statement")
    def test_prepared(self, demo):
        import pg8000.native

        p = parameters(demo, "admin")
        connection = pg8000.native.Connection(
            "admin", host=p["host"], port=p["port"], database=p["dbname"], password=p["password"],
            ssl_context=verified(p["sslrootcert"]),
        )
        prepared = connection.prepare("SELECT CAST(:v AS int) * 2")
        assert [prepared.run(v=1), prepared.run(v=2)] == [[[2]], [[4]]]
        prepared.close()
        connection.close()

    @pytest.mark.shows("transaction with rollback")
    def test_rollback(self, pg8000_connect, connect):
        connection = pg8000_connect()
        with lake_table(connect, "of_pg8000"):
            all_rows(connection, "INSERT INTO of_pg8000.things (id) VALUES (1)")
            connection.rollback()
            all_rows(connection, "INSERT INTO of_pg8000.things (id) VALUES (2)")
            connection.commit()
            assert all_rows(connection, "SELECT id FROM of_pg8000.things") == [(2,)]
            connection.rollback()

    @pytest.mark.shows("SQLSTATE and position of an error")
    def test_error(self, pg8000_connect):
        import pg8000

        with pytest.raises(pg8000.DatabaseError) as raised:
            all_rows(pg8000_connect(), "SELECT order_id, no_such FROM curated.orders")
        fields = raised.value.args[0]
        assert (fields["C"], fields["P"], fields["S"]) == ("42703", "18", "ERROR")

    @pytest.mark.shows("timeout")
    def test_timeout(self, pg8000_connect):
        import pg8000

        connection = pg8000_connect(startup_params={"statement_timeout": "300"})
        with pytest.raises(pg8000.DatabaseError) as raised:
            all_rows(connection, FOREVER.format("pg8000-timeout"))
        assert raised.value.args[0]["C"] == "57014"

    @pytest.mark.shows("bulk load")
    def test_copy_from(self, pg8000_connect, connect):
        connection = pg8000_connect()
        with lake_table(connect, "of_pg8000"):
            cursor = connection.cursor()
            cursor.execute("COPY of_pg8000.things (id, name) FROM STDIN", stream=io.BytesIO(b"1\tone\n2\t\\N\n"))
            cursor.executemany("INSERT INTO of_pg8000.things (id, name) VALUES (%s, %s)", [(3, "three"), (4, None)])
            connection.commit()
            rows = all_rows(connection, "SELECT id, name FROM of_pg8000.things ORDER BY id")
            assert rows == [(1, "one"), (2, None), (3, "three"), (4, None)]
            connection.rollback()

    @pytest.mark.shows("COPY TO")
    def test_copy_to(self, pg8000_connect):
        stream = io.BytesIO()
        pg8000_connect().cursor().execute("COPY (SELECT 1, 'a,b', NULL) TO STDOUT (FORMAT csv)", stream=stream)
        assert stream.getvalue() == b'1,"a,b",\n'

    @pytest.mark.shows("columns without a grant are hidden")
    def test_hidden_columns(self, pg8000_connect):
        cursor = pg8000_connect("scientist").cursor()
        cursor.execute("SELECT * FROM curated.customers LIMIT 1")
        assert [column[0] for column in cursor.description] == ["customer_id", "segment", "region"]
