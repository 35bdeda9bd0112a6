"""psycopg 3 and psycopg2 over the Postgres door: what each can do is in docs/postgres-compatibility.md."""

import io

import pytest

from conftest import parameters
from postgres import FOREVER, ID, LAKE_ROWS, PARAMETERS, SELECT_VALUES, VALUES, all_rows, lake_table, stopped


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

    def test_index_is_not_made_and_the_client_is_told(self, connect):
        with lake_table(connect, "of_psycopg_index") as admin:
            told = []
            admin.add_notice_handler(lambda one: told.append((one.severity_nonlocalized, one.sqlstate, one.message_primary)))
            status = admin.execute("CREATE INDEX by_id ON of_psycopg_index.things (id)").statusmessage
            dropped = admin.execute("DROP INDEX IF EXISTS of_psycopg_index.by_id").statusmessage
            assert (status, dropped) == ("CREATE INDEX", "DROP INDEX")
            assert told == [
                ("WARNING", "01000", 'no index was created on "of_psycopg_index.things": tables of files have none'),
                ("NOTICE", "00000", 'index "of_psycopg_index.by_id" does not exist, skipping'),
            ]
            admin.execute("SET client_min_messages = warning")
            admin.execute("DROP INDEX IF EXISTS of_psycopg_index.by_id")
            assert len(told) == 2

    def test_names_that_are_passed_over_are_told(self, connect):
        with lake_table(connect, "of_psycopg_names") as admin:
            told = []
            admin.add_notice_handler(lambda one: told.append((one.severity_nonlocalized, one.message_primary)))
            for statement in [
                "DROP TABLE IF EXISTS of_psycopg_names.absent, of_psycopg_names.other",
                "DROP VIEW IF EXISTS of_psycopg_names.absent",
                "DROP SCHEMA IF EXISTS of_psycopg_absent",
                "ALTER TABLE IF EXISTS of_psycopg_names.absent RENAME TO other",
                "CREATE SCHEMA IF NOT EXISTS of_psycopg_names",
                "CREATE TABLE IF NOT EXISTS of_psycopg_names.things (id INT)",
                "CREATE TEMP TABLE twice (id INT)",
                "CREATE TEMP TABLE IF NOT EXISTS twice (id INT)",
                "CREATE TEMP TABLE IF NOT EXISTS twice AS SELECT 1 AS id",
                "DROP TABLE IF EXISTS twice, pg_temp.absent",
                "DROP TABLE IF EXISTS of_psycopg_absent.things, of_psycopg_names.absent",
                "DROP VIEW IF EXISTS of_psycopg_absent.named",
                "ALTER TABLE IF EXISTS of_psycopg_absent.things RENAME TO other",
            ]:
                admin.execute(statement)
            assert told == [
                ("NOTICE", 'table "absent" does not exist, skipping'),
                ("NOTICE", 'table "other" does not exist, skipping'),
                ("NOTICE", 'view "absent" does not exist, skipping'),
                ("NOTICE", 'schema "of_psycopg_absent" does not exist, skipping'),
                ("NOTICE", 'relation "absent" does not exist, skipping'),
                ("NOTICE", 'schema "of_psycopg_names" already exists, skipping'),
                ("NOTICE", 'relation "things" already exists, skipping'),
                ("NOTICE", 'relation "twice" already exists, skipping'),
                ("NOTICE", 'relation "twice" already exists, skipping'),
                ("NOTICE", 'table "absent" does not exist, skipping'),
                ("NOTICE", 'schema "of_psycopg_absent" does not exist, skipping'),
                ("NOTICE", 'table "absent" does not exist, skipping'),
                ("NOTICE", 'schema "of_psycopg_absent" does not exist, skipping'),
                ("NOTICE", 'relation "things" does not exist, skipping'),
            ]

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

    @pytest.mark.shows("uuid")
    def test_uuid(self, connect):
        assert connect().execute("SELECT %s::uuid", (ID,)).fetchone() == (ID,)

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

    def test_returning(self, connect):
        from psycopg import sql

        with lake_table(connect, "of_psycopg_returning") as admin:
            for prepare in (False, True):
                cursor = admin.execute(
                    "INSERT INTO of_psycopg_returning.things (id, name) VALUES (%s, %s), (8, %s) RETURNING *, id + %s AS more",
                    (7, "seven", None, 5), prepare=prepare,
                )
                assert cursor.statusmessage == "INSERT 0 2"
                names = [column.name for column in cursor.description]
                assert (names[0], names[-1]) == ("id", "more")
                assert [(row[0], row[-1]) for row in cursor.fetchall()] == [(7, 12), (8, 13)]
            text = "INSERT INTO {} (id) VALUES (9) RETURNING id"
            one = sql.SQL(text).format(sql.Identifier("of_psycopg_returning", "things"))
            client = admin.execute(one)
            assert (client.statusmessage, client.fetchone()) == ("INSERT 0 1", (9,))

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
                connection.execute("SELECT 1")

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
        (row,) = all_rows(psycopg2_connect(), SELECT_VALUES)
        values = [bytes(value) if isinstance(value, memoryview) else value for value in row]
        assert values == list(VALUES.values())

    @pytest.mark.shows("parameters of all types")
    def test_parameters(self, psycopg2_connect):
        connection = psycopg2_connect()
        (row,) = all_rows(connection, "SELECT " + ", ".join(f"%s::{kind}" for kind in PARAMETERS), list(PARAMETERS.values()))
        values = [bytes(value) if isinstance(value, memoryview) else value for value in row]
        assert values == list(PARAMETERS.values())

    @pytest.mark.shows("uuid")
    def test_uuid(self, psycopg2_connect):
        import psycopg2.extras

        connection = psycopg2_connect()
        psycopg2.extras.register_uuid(conn_or_curs=connection)
        assert all_rows(connection, "SELECT %s::uuid", (ID,)) == [(ID,)]

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
