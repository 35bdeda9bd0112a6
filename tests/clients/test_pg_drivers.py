"""Python's drivers of PostgreSQL as people use them: what each can do is in docs/postgres-compatibility.md."""

import asyncio
import io
import json
import ssl
from decimal import Decimal

import pytest

from conftest import parameters
from postgres import FOREVER, LAKE_ROWS, PARAMETERS, SELECT_VALUES, VALUES, lake_table, stopped

CONDITION = "order_date = {} AND quantity >= {} AND total < {}"


@pytest.mark.client("psycopg", "psycopg")
class TestPsycopg:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    def test_connects_over_verified_tls(self, demo, connect, other_ca):
        import psycopg

        connection = connect()
        assert connection.pgconn.ssl_in_use
        assert connection.execute("SELECT current_user, 1 + 1").fetchall() == [("admin", 2)]
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            psycopg.connect(**(parameters(demo, "admin") | {"sslrootcert": other_ca}))

    @pytest.mark.shows("error for a wrong password")
    def test_wrong_password(self, demo):
        import psycopg

        with pytest.raises(psycopg.OperationalError, match='password authentication failed for user "admin"'):
            psycopg.connect(**(parameters(demo, "admin") | {"password": "wrong"}))

    @pytest.mark.shows("results of all types")
    @pytest.mark.parametrize("binary", [False, True])
    def test_results(self, connect, binary):
        row = connect(autocommit=True).execute(SELECT_VALUES, binary=binary).fetchone()
        assert list(row) == list(VALUES.values())

    @pytest.mark.shows("parameters of all types")
    @pytest.mark.parametrize("placeholder", ["%s", "%b", "%t"])
    def test_parameters(self, connect, placeholder):
        connection = connect(autocommit=True)
        sql = "SELECT " + ", ".join(f"{placeholder}::{kind}" for kind in PARAMETERS)
        assert list(connection.execute(sql, list(PARAMETERS.values())).fetchone()) == list(PARAMETERS.values())
        assert connection.execute("SELECT %s::int IS NULL", (None,)).fetchone() == (True,)

    @pytest.mark.shows("prepared statement")
    def test_prepared(self, connect):
        connection = connect(autocommit=True)
        for i in (1, 2, 3):
            assert connection.execute("SELECT %s::int * 2", (i,), prepare=True).fetchone() == (2 * i,)

    @pytest.mark.shows("reading a result in pieces")
    def test_named_cursor(self, connect):
        with connect().cursor("pieces") as cursor:
            cursor.itersize = 1000
            cursor.execute("SELECT x FROM generate_series(1, %s::int) t(x) ORDER BY x", (5000,))
            assert [x for (x,) in cursor] == list(range(1, 5001))

    @pytest.mark.shows("transaction with rollback")
    def test_rollback(self, connect):
        connection = connect()
        with lake_table(connect, "of_psycopg"):
            connection.execute("INSERT INTO of_psycopg.things (id) VALUES (1)")
            connection.rollback()
            assert connection.execute("SELECT count(*) FROM of_psycopg.things").fetchone() == (0,)
            connection.execute("INSERT INTO of_psycopg.things (id) VALUES (1)")
            connection.commit()
            assert connection.execute("SELECT count(*) FROM of_psycopg.things").fetchone() == (1,)
            connection.rollback()

    @pytest.mark.shows("SQLSTATE and position of an error")
    def test_error(self, connect):
        import psycopg

        with pytest.raises(psycopg.errors.UndefinedColumn) as raised:
            connect(autocommit=True).execute("SELECT order_id, no_such FROM curated.orders")
        assert (raised.value.sqlstate, raised.value.diag.statement_position) == ("42703", "18")

    @pytest.mark.shows("cancel")
    def test_cancel(self, connect):
        import psycopg

        connection = connect(autocommit=True)
        with stopped(connect, "psycopg-cancel", connection.cancel_safe):
            with pytest.raises(psycopg.errors.QueryCanceled):
                connection.execute(FOREVER.format("psycopg-cancel"))
        assert connection.execute("SELECT 1").fetchone() == (1,)

    @pytest.mark.shows("cancel by pg_cancel_backend")
    def test_cancel_backend(self, connect):
        import psycopg

        connection, other = connect(autocommit=True), connect(autocommit=True)
        pid = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
        assert pid == connection.info.backend_pid

        def stop():
            assert other.execute("SELECT pg_cancel_backend(%s)", (pid,)).fetchone() == (True,)

        with stopped(connect, "psycopg-backend", stop), pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(FOREVER.format("psycopg-backend"))
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert other.execute("SELECT pg_terminate_backend(%s)", (pid,)).fetchone() == (True,)
        with pytest.raises(psycopg.OperationalError):
            for _ in range(100):
                connection.execute("SELECT pg_sleep(0.05)")

    @pytest.mark.shows("timeout")
    def test_timeout(self, connect):
        import psycopg

        connection = connect(autocommit=True, options="-c statement_timeout=300")
        with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
            connection.execute(FOREVER.format("psycopg-timeout"))

    @pytest.mark.shows("bulk load")
    def test_copy_from(self, connect):
        with lake_table(connect, "of_psycopg") as admin:
            with admin.cursor() as cursor:
                with cursor.copy("COPY of_psycopg.things FROM STDIN") as copy:
                    for row in LAKE_ROWS:
                        copy.write_row(row)
                with cursor.copy("COPY of_psycopg.things (id, name) FROM STDIN (FORMAT csv, HEADER)") as copy:
                    copy.write("id,name\n3,\"x,y\"\n")
                cursor.executemany("INSERT INTO of_psycopg.things (id, name) VALUES (%s, %s)", [(4, "four"), (5, None)])
            rows = admin.execute("SELECT * FROM of_psycopg.things ORDER BY id").fetchall()
            assert rows[:2] == LAKE_ROWS
            assert [(row[0], row[5]) for row in rows[2:]] == [(3, "x,y"), (4, "four"), (5, None)]

    @pytest.mark.shows("COPY TO")
    def test_copy_to(self, connect):
        with connect(autocommit=True).cursor() as cursor:
            with cursor.copy("COPY (SELECT 1::int, 'a,b', NULL::int) TO STDOUT (FORMAT csv)") as copy:
                assert b"".join(copy) == b'1,"a,b",\n'
            with cursor.copy("COPY (SELECT 1::int, 'x', NULL::date) TO STDOUT (FORMAT binary)") as copy:
                copy.set_types(["int4", "text", "date"])
                assert list(copy.rows()) == [(1, "x", None)]

    @pytest.mark.shows("columns without a grant are hidden")
    def test_hidden_columns(self, connect):
        cursor = connect("scientist", autocommit=True).execute("SELECT * FROM curated.customers LIMIT 1")
        assert [column.name for column in cursor.description] == ["customer_id", "segment", "region"]


@pytest.fixture
def psycopg2_connect(demo):
    import psycopg2

    opened = []

    def connect(user="admin", **more):
        connection = psycopg2.connect(**(parameters(demo, user) | more))
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


def all_rows(connection, sql, parameters=None):
    """The rows of a statement, by the DB-API; None if it has none."""
    cursor = connection.cursor()
    try:
        cursor.execute(sql) if parameters is None else cursor.execute(sql, parameters)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else None
    finally:
        cursor.close()


@pytest.mark.client("psycopg2", "psycopg2-binary")
class TestPsycopg2:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    def test_connects_over_verified_tls(self, psycopg2_connect, other_ca):
        import psycopg2

        connection = psycopg2_connect()
        assert connection.info.ssl_in_use
        assert all_rows(connection, "SELECT current_user, 1 + 1") == [("admin", 2)]
        with pytest.raises(psycopg2.OperationalError, match="certificate verify failed"):
            psycopg2_connect(sslrootcert=other_ca)

    @pytest.mark.shows("error for a wrong password")
    def test_wrong_password(self, psycopg2_connect):
        import psycopg2

        with pytest.raises(psycopg2.OperationalError, match='password authentication failed for user "admin"'):
            psycopg2_connect(password="wrong")

    @pytest.mark.shows("results of all types")
    def test_results(self, psycopg2_connect):
        import psycopg2.extras

        connection = psycopg2_connect()
        psycopg2.extras.register_uuid(conn_or_curs=connection)
        (row,) = all_rows(connection, SELECT_VALUES)
        values = [bytes(value) if isinstance(value, memoryview) else value for value in row]
        assert values == list(VALUES.values())

    @pytest.mark.shows("parameters of all types")
    def test_parameters(self, psycopg2_connect):
        import psycopg2.extras

        connection = psycopg2_connect()
        psycopg2.extras.register_uuid(conn_or_curs=connection)
        (row,) = all_rows(connection, "SELECT " + ", ".join(f"%s::{kind}" for kind in PARAMETERS), list(PARAMETERS.values()))
        values = [bytes(value) if isinstance(value, memoryview) else value for value in row]
        assert values == list(PARAMETERS.values())

    @pytest.mark.shows("reading a result in pieces")
    def test_named_cursor(self, psycopg2_connect):
        with psycopg2_connect().cursor("pieces") as cursor:
            cursor.itersize = 1000
            cursor.execute("SELECT x FROM generate_series(1, 5000) t(x) ORDER BY x")
            assert [x for (x,) in cursor] == list(range(1, 5001))

    @pytest.mark.shows("transaction with rollback")
    def test_rollback(self, psycopg2_connect, connect):
        import psycopg2

        with lake_table(connect, "of_psycopg2") as admin:
            with psycopg2_connect() as connection, connection.cursor() as cursor:
                cursor.execute("INSERT INTO of_psycopg2.things (id) VALUES (1)")
            with pytest.raises(psycopg2.errors.DivisionByZero):
                with psycopg2_connect() as connection, connection.cursor() as cursor:
                    cursor.execute("INSERT INTO of_psycopg2.things (id) VALUES (2)")
                    cursor.execute("SELECT 1 / 0")
            assert admin.execute("SELECT id FROM of_psycopg2.things").fetchall() == [(1,)]

    @pytest.mark.shows("SQLSTATE and position of an error")
    def test_error(self, psycopg2_connect):
        import psycopg2

        with pytest.raises(psycopg2.errors.UndefinedTable) as raised:
            all_rows(psycopg2_connect(), "SELECT * FROM no_such")
        assert (raised.value.pgcode, raised.value.diag.statement_position) == ("42P01", "15")

    @pytest.mark.shows("cancel")
    def test_cancel(self, psycopg2_connect, connect):
        import psycopg2

        connection = psycopg2_connect()
        with stopped(connect, "psycopg2-cancel", connection.cancel):
            with pytest.raises(psycopg2.errors.QueryCanceled):
                all_rows(connection, FOREVER.format("psycopg2-cancel"))
        connection.rollback()
        assert all_rows(connection, "SELECT 1") == [(1,)]

    @pytest.mark.shows("timeout")
    def test_timeout(self, psycopg2_connect):
        import psycopg2

        with pytest.raises(psycopg2.errors.QueryCanceled, match="statement timeout"):
            all_rows(psycopg2_connect(options="-c statement_timeout=300"), FOREVER.format("psycopg2-timeout"))

    @pytest.mark.shows("bulk load")
    def test_copy_from_and_execute_values(self, psycopg2_connect, connect):
        from psycopg2.extras import execute_values

        with lake_table(connect, "of_psycopg2") as admin:
            with psycopg2_connect() as connection, connection.cursor() as cursor:
                file = io.StringIO("1\tone\n2\t\\N\n")
                cursor.copy_expert("COPY of_psycopg2.things (id, name) FROM STDIN", file)
                execute_values(cursor, "INSERT INTO of_psycopg2.things (id, name) VALUES %s", [(3, "three"), (4, None)])
            rows = admin.execute("SELECT id, name FROM of_psycopg2.things ORDER BY id").fetchall()
            assert rows == [(1, "one"), (2, None), (3, "three"), (4, None)]

    @pytest.mark.shows("COPY TO")
    def test_copy_to(self, psycopg2_connect):
        file = io.StringIO()
        with psycopg2_connect().cursor() as cursor:
            cursor.copy_expert("COPY (SELECT 1, 'a,b', NULL) TO STDOUT (FORMAT csv, HEADER)", file)
        assert file.getvalue().splitlines()[1:] == ['1,"a,b",']

    @pytest.mark.shows("columns without a grant are hidden")
    def test_hidden_columns(self, psycopg2_connect):
        with psycopg2_connect("scientist").cursor() as cursor:
            cursor.execute("SELECT * FROM curated.customers LIMIT 1")
            assert [column.name for column in cursor.description] == ["customer_id", "segment", "region"]


def verified(ca):
    return ssl.create_default_context(cafile=ca)


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
        sql = "SELECT count(*) FROM curated.orders WHERE " + CONDITION.format("$1", "$2", "$3")
        day = VALUES["DATE '2024-02-29'"]
        most = Decimal("1000000.00")
        assert with_asyncpg(lambda c: c.fetchval(sql, day, 1, most)) > 0

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
