"""psycopg 3 as people use it: transactions by default, parameters, cursors of every kind, pipelines, COPY."""

import datetime
import re
import threading
import time
from decimal import Decimal

import psycopg
import pytest


def test_channel_is_encrypted_and_bound(connect):
    connection = connect(channel_binding="prefer")
    assert connection.pgconn.ssl_in_use
    assert connection.info.parameter_status("server_version")
    assert connection.info.encoding == "utf-8"


def test_default_transaction_commits_and_rolls_back(connect):
    connection = connect()
    assert connection.execute("SELECT count(*) FROM curated.orders").fetchone()[0] > 0
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    connection.commit()
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM curated.absent")
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    connection.rollback()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_ddl_in_the_default_transaction_becomes_visible_with_it(connect):
    connection = connect()
    other = connect(autocommit=True)
    databases = "SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'python_in_block'"
    for end, count in [(connection.rollback, 0), (connection.commit, 1)]:
        connection.execute("CREATE DATABASE python_in_block")
        assert connection.execute(databases).fetchone() == (1,)
        assert other.execute(databases).fetchone() == (0,)
        end()
        assert other.execute(databases).fetchone() == (count,)
    other.execute("DROP DATABASE python_in_block")
    with pytest.raises(psycopg.errors.ActiveSqlTransaction, match="autocommit"):
        connection.execute("CREATE ROLE python_in_block")
    connection.rollback()
    connection = connect(autocommit=True)
    connection.execute("CREATE DATABASE python_autocommit")
    connection.execute("DROP DATABASE python_autocommit")


def test_nested_transactions_are_savepoints(connect):
    connection = connect()
    with connection.transaction():
        with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction():
            connection.execute("SELECT 1/0")
        assert connection.execute("SELECT 2").fetchone() == (2,)


@pytest.mark.parametrize("binary", [False, True])
def test_values_of_every_type_come_back(connect, binary):
    connection = connect(autocommit=True)
    row = connection.execute(
        "SELECT 1::smallint, 2::int, 3::bigint, 1.5::real, 2.5::double precision, 'x'::text, true, NULL::int,"
        " DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.789', CAST('12.50' AS DECIMAL(10,2)),"
        " ARRAY[1, 2, NULL], ARRAY['a', 'b'], TIMESTAMP '2024-02-29 12:00:00' AT TIME ZONE 'UTC'",
        binary=binary,
    ).fetchone()
    assert row[:10] == (
        1, 2, 3, 1.5, 2.5, "x", True, None,
        datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 34, 56, 789000),
    )
    assert row[10] == Decimal("12.50") and str(row[10]) == "12.50"
    assert row[11:13] == ([1, 2, None], ["a", "b"])
    assert row[13] == datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize("binary", [False, True])
def test_map_struct_and_list_of_structs_are_json(connect, binary):
    connection = connect(database="raw", autocommit=True)
    shipping, items, attributes = connection.execute(
        "SELECT shipping, items, attributes FROM orders WHERE year = 2024 AND month = 12 AND day = 31"
        " AND items IS NOT NULL AND attributes IS NOT NULL LIMIT 1",
        binary=binary,
    ).fetchone()
    assert isinstance(shipping, dict) and "city" in shipping["address"]
    assert isinstance(items, list) and items
    assert isinstance(attributes, dict)


@pytest.mark.parametrize("placeholder", ["%s", "%b", "%t"])
def test_parameters_in_text_and_binary(connect, placeholder):
    connection = connect(database="curated", autocommit=True)
    sql = f"SELECT count(*) FROM orders WHERE order_date = {placeholder} AND quantity >= {placeholder} AND total < {placeholder}"
    day, least, most = datetime.date(2024, 5, 5), 1, Decimal("1000000.00")
    count = connection.execute(sql, (day, least, most)).fetchone()[0]
    assert count == connection.execute("SELECT count(*) FROM orders WHERE order_date = DATE '2024-05-05'").fetchone()[0] > 0


def test_list_parameter_with_any(connect):
    connection = connect(database="curated", autocommit=True)
    days = [datetime.date(2024, 1, 1), datetime.date(2024, 7, 1)]
    some = connection.execute("SELECT count(*) FROM orders WHERE order_date = ANY(%s)", (days,)).fetchone()[0]
    same = connection.execute("SELECT count(*) FROM orders WHERE order_date IN (DATE '2024-01-01', DATE '2024-07-01')").fetchone()[0]
    assert some == same > 0


def test_statement_is_prepared_after_five_uses_and_stays_right(connect):
    connection = connect(autocommit=True)
    for i in range(12):
        assert connection.execute("SELECT %s::int * 2", (i,)).fetchone() == (2 * i,)


def test_server_side_cursor_reads_in_pieces(connect):
    connection = connect(database="curated")
    with connection.cursor(name="pieces") as cursor:
        cursor.itersize = 500
        cursor.execute("SELECT order_id FROM orders ORDER BY order_id")
        seen = [row[0] for row in cursor]
    assert seen == sorted(seen)
    assert len(seen) == connection.execute("SELECT count(*) FROM orders").fetchone()[0]


def test_stream_gives_the_first_rows_of_an_endless_result(connect):
    connection = connect(autocommit=True)
    with connection.cursor() as cursor:
        rows = cursor.stream("SELECT a.x FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y)")
        for _ in range(1000):
            next(rows)
        rows.close()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_pipeline(connect):
    connection = connect(autocommit=True)
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int", (i,)) for i in range(20)]
        assert [cursor.fetchone()[0] for cursor in cursors] == list(range(20))


def test_cancel_from_another_thread(connect):
    connection = connect(autocommit=True)
    timer = threading.Timer(0.5, connection.cancel_safe)
    timer.start()
    started = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y), generate_series(1, 100000) c(z) WHERE x + y > z")
    timer.join()
    assert time.monotonic() - started < 60
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_error_has_sqlstate_and_position(connect):
    connection = connect(autocommit=True)
    with pytest.raises(psycopg.errors.UndefinedColumn) as raised:
        connection.execute("SELECT order_id, no_such FROM curated.orders")
    assert raised.value.diag.statement_position == "18"
    assert raised.value.diag.severity_nonlocalized == "ERROR"


def test_plans_have_the_form_that_tools_read(connect):
    connection = connect(autocommit=True)
    orders = "SELECT order_id FROM curated.orders WHERE total > 10"
    # postgres_fdw scans the first line so, and Superset searches it.
    first = connection.execute(f"EXPLAIN {orders}").fetchone()[0]
    assert re.search(r"\(cost=\d+\.\d+\.\.\d+\.\d+ rows=\d+ width=\d+\)$", first), first
    # pgAdmin draws this.
    plan = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {orders} LIMIT 3").fetchone()[0][0]
    assert plan["Plan"]["Node Type"] == "Limit"
    assert plan["Plan"]["Actual Rows"] == 3
    assert plan["Plan"]["Plans"][0]["Relation Name"] == "orders"
    assert plan["Planning Time"] >= 0 and plan["Execution Time"] >= 0


def test_execute_finds_statements_of_the_protocol(connect):
    connection = connect(autocommit=True)
    raw = connection.pgconn
    prepared = raw.prepare(b"sqlx_s_1", b"SELECT customer_id, region FROM curated.customers WHERE region = $1")
    assert prepared.status == psycopg.pq.ExecStatus.COMMAND_OK
    # sqlx looks for columns of outer joins so.
    plan = connection.execute("EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE sqlx_s_1(NULL)").fetchone()[0][0]
    assert isinstance(plan["Plan"]["Output"], list)
    plan = connection.execute("EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE sqlx_s_1('Europe')").fetchone()[0][0]
    assert plan["Plan"]["Output"] == ["customer_id", "region"]
    count = connection.execute("SELECT count(*) FROM curated.customers WHERE region = 'Europe'").fetchone()[0]
    assert len(connection.execute("EXECUTE sqlx_s_1('Europe')").fetchall()) == count > 0
    connection.execute("DEALLOCATE sqlx_s_1")
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        connection.execute("EXECUTE sqlx_s_1('Europe')")
    # A statement that executes itself is none of EXECUTE's.
    raw.prepare(b"itself", b"EXECUTE itself")
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        connection.execute("EXECUTE itself")


def test_many_connections_at_once(connect):
    connections = [connect(user, autocommit=True) for user in ("admin", "analyst", "engineer") for _ in range(8)]
    assert {c.execute("SELECT current_user").fetchone()[0] for c in connections} == {"admin", "analyst", "engineer"}


def test_scientist_sees_three_columns(connect):
    cursor = connect("scientist", autocommit=True).execute("SELECT * FROM curated.customers LIMIT 1")
    assert [column.name for column in cursor.description] == ["customer_id", "segment", "region"]
