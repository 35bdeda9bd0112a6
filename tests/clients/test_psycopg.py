"""psycopg 3 as people use it: transactions by default, parameters, cursors of every kind, pipelines, COPY."""

import datetime
import re
import select
import socket
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


def test_statements_up_to_sync_are_one_transaction(connect):
    connection = connect(autocommit=True)
    connection.execute("CREATE DATABASE python_pipeline")
    connection.execute("CREATE TABLE python_pipeline.t (a INTEGER)")
    insert = "INSERT INTO python_pipeline.t VALUES (%s)"

    def count():
        return connection.execute("SELECT count(*) FROM python_pipeline.t").fetchone()[0]

    try:
        with connection.pipeline():
            for value in range(3):
                connection.execute(insert, (value,))
        assert count() == 3
        with pytest.raises(psycopg.errors.DivisionByZero), connection.pipeline():
            connection.execute(insert, (3,))
            connection.execute("SELECT 1 / 0")
        assert count() == 3
        with connection.pipeline() as pipeline:
            connection.execute(insert, (3,))
            pipeline.sync()
            connection.execute(insert, (4,))
        assert count() == 5
    finally:
        connection.execute("DROP DATABASE python_pipeline CASCADE")


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


def forever(marker):
    return (
        f"SELECT /* {marker} */ count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y),"
        " generate_series(1, 100000) c(z) WHERE x + y > z"
    )


def wait_until_runs(connection, marker):
    running = f"SELECT count(*) FROM system.queries WHERE query LIKE '%/* {marker} */%' AND state = 'RUNNING' AND query NOT LIKE '%system.queries%'"
    deadline = time.monotonic() + 60
    while connection.execute(running).fetchone()[0] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_protocol_3_2_has_long_cancel_keys_that_cancel(connect):
    watcher = connect(autocommit=True)
    for version, full in [("3.0", 30000), ("3.2", 30002)]:
        victim = connect(autocommit=True, max_protocol_version=version)
        assert victim.pgconn.full_protocol_version == full
        marker = f"cancelled in {version}"
        canceller = threading.Thread(target=lambda: (wait_until_runs(watcher, marker), victim.cancel_safe(timeout=20)))
        canceller.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            victim.execute(forever(marker))
        canceller.join()
        assert victim.execute("SELECT 1").fetchone() == (1,)


def test_terminated_client_learns_why(connect):
    admin = connect(autocommit=True)
    for busy in [False, True]:
        victim = connect("analyst", autocommit=True)
        assert victim.info.backend_pid == victim.execute("SELECT pg_backend_pid()").fetchone()[0]
        terminate = "SELECT pg_terminate_backend(%s)"
        if busy:
            killer = threading.Thread(
                target=lambda: (wait_until_runs(admin, "terminated"), admin.execute(terminate, [victim.info.backend_pid]))
            )
            killer.start()
        else:
            assert admin.execute(terminate, [victim.info.backend_pid]).fetchone() == (True,)
        with pytest.raises(psycopg.errors.AdminShutdown, match="due to administrator command"):
            victim.execute(forever("terminated"))
        assert victim.closed
        if busy:
            killer.join()


def test_warnings_arrive_unless_they_are_hidden(connect):
    connection = connect("analyst", autocommit=True)
    warnings = []
    connection.add_notice_handler(lambda notice: warnings.append((notice.severity, notice.sqlstate, notice.message_primary)))
    assert connection.execute("SELECT pg_cancel_backend(0)").fetchone() == (False,)
    connection.execute("COMMIT")
    connection.execute("SET LOCAL statement_timeout = '1min'")
    connection.execute("BEGIN")
    connection.execute("BEGIN")
    connection.execute("ROLLBACK")
    assert warnings == [
        ("WARNING", "01000", "PID 0 is not a PostgreSQL server process"),
        ("WARNING", "25P01", "there is no transaction in progress"),
        ("WARNING", "25P01", "SET LOCAL can only be used in transaction blocks"),
        ("WARNING", "25001", "there is already a transaction in progress"),
    ]
    warnings.clear()
    # A query that warns for each row does not fill the memory of the server.
    connection.execute("SELECT pg_cancel_backend(-n) FROM generate_series(1, 5000) t(n)").fetchall()
    assert len(warnings) == 100
    warnings.clear()
    connection.execute("SET client_min_messages = error")
    connection.execute("COMMIT")
    assert warnings == []


def test_times_with_a_zone_are_stored_without_it_with_a_warning(connect):
    connection = connect("analyst", autocommit=True)
    warnings = []
    connection.add_notice_handler(lambda notice: warnings.append((notice.severity, notice.sqlstate, notice.message_primary)))
    connection.execute("SET TIME ZONE 'Europe/Berlin'")
    connection.execute("CREATE TEMP TABLE zoned AS SELECT timestamptz '2024-07-01 12:00+00' AS a, 1 AS b, now() AS c")
    assert warnings == [
        (
            "WARNING",
            "01000",
            'columns "a", "c" are of type timestamp with time zone, which no column of a table has: '
            "they are stored as timestamp without time zone, in the time zone Europe/Berlin",
        )
    ]
    assert connection.execute("SELECT a::text FROM zoned").fetchone() == ("2024-07-01 14:00:00",)


@pytest.mark.parametrize(
    "options, message",
    [
        ("-c some_unknown_setting=1", 'unrecognized configuration parameter "some_unknown_setting"'),
        ("-c statement_timeout=soon", 'invalid value for parameter "statement_timeout": "soon"'),
        ("-c workgroup=absent", 'workgroup "absent" does not exist'),
        ("-c role=admin", "a session keeps the user"),
    ],
)
def test_settings_that_do_not_exist_refuse_the_connection(connect, options, message):
    with pytest.raises(psycopg.OperationalError) as refused:
        connect("analyst", options=options)
    assert "FATAL" in str(refused.value) and message in str(refused.value)
    assert connect("analyst", options="-c statement_timeout=5min -c a.b=1").execute("SHOW a.b").fetchone() == ("1",)


def test_idle_clients_are_told_why_they_are_disconnected(connect):
    for setting, begin, error in [
        ("idle_session_timeout", "SELECT 1", psycopg.errors.IdleSessionTimeout),
        ("idle_in_transaction_session_timeout", "BEGIN", psycopg.errors.IdleInTransactionSessionTimeout),
    ]:
        connection = connect("analyst", autocommit=True)
        connection.execute(f"SET {setting} = '100ms'")
        connection.execute(begin)
        # The server closes the connection: the socket becomes readable.
        assert select.select([connection.fileno()], [], [], 60)[0]
        with pytest.raises(error):
            connection.execute("SELECT 1")


def test_set_config_sets_what_set_does(connect):
    connection = connect("analyst", autocommit=True)
    rows = connection.execute(
        "SELECT set_config('bytea_output', 'hex', false) FROM pg_show_all_settings() WHERE name = 'bytea_output'"
    )
    assert rows.fetchone() == ("hex",)
    assert connection.execute("SELECT set_config('application_name', 'named', false)").fetchone() == ("named",)
    assert connection.info.parameter_status("application_name") == "named"
    with connection.transaction():
        assert connection.execute("SELECT set_config('timezone', 'Asia/Tokyo', true)").fetchone() == ("Asia/Tokyo",)
        assert connection.execute("SHOW timezone").fetchone() == ("Asia/Tokyo",)
    assert connection.execute("SHOW timezone").fetchone() == ("UTC",)
    for name, value, error in [
        ("no_such_setting", "1", psycopg.errors.UndefinedObject),
        ("workgroup", "absent", psycopg.errors.UndefinedObject),
        ("staleness", "24d", psycopg.errors.InvalidParameterValue),
        ("session_authorization", "admin", psycopg.errors.InsufficientPrivilege),
    ]:
        with pytest.raises(error):
            connection.execute(f"SELECT set_config('{name}', '{value}', false)")
    # The parameters of a session are bounded, however they are set.
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
        connection.execute("SELECT set_config('a.b' || n, repeat('x', 1000), false) FROM generate_series(1, 1000) t(n)")


def test_what_a_connection_holds_is_bounded(connect):
    connection = connect("analyst", autocommit=True)
    pgconn = connection.pgconn

    def refused(result):
        return result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"53200" and result.error_message

    prepared = 0
    while (result := pgconn.prepare(b"s%d" % prepared, b"BEGIN")).status == psycopg.pq.ExecStatus.COMMAND_OK:
        prepared += 1
        assert prepared <= 10_000
    assert prepared == 10_000 and b"too many prepared statements" in refused(result)
    connection.execute("DEALLOCATE ALL")

    # Statements are measured too: a few large ones are as much as many small ones.
    large = b"SELECT '" + b"x" * 200_000 + b"'"
    prepared = 0
    while (result := pgconn.prepare(b"s%d" % prepared, large)).status == psycopg.pq.ExecStatus.COMMAND_OK:
        prepared += 1
        assert prepared < 20
    assert b"prepared statements would take" in refused(result)
    connection.execute("DEALLOCATE ALL")
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_message_that_is_too_long_ends_only_its_connection(connect):
    connection = connect("analyst", autocommit=True)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT length(%s::text)", ["x" * (65 * 1024 * 1024)])
    assert connection.closed
    assert connect("analyst").execute("SELECT 1").fetchone() == (1,)


def peak_memory(demo):
    status = open(f"/proc/{demo['pid']}/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def test_answers_to_messages_sent_ahead_are_not_gathered(connect, demo):
    pgconn = connect("analyst", autocommit=True).pgconn
    # Its description has 200 kB, and is asked for with a few bytes.
    columns = ", ".join(f"1 AS {'c' * 50}{n}" for n in range(3000))
    assert pgconn.prepare(b"wide", f"SELECT {columns}".encode()).status == psycopg.pq.ExecStatus.COMMAND_OK
    # Forgets the peak so far.
    open(f"/proc/{demo['pid']}/clear_refs", "w").write("5")
    before = peak_memory(demo)
    pgconn.enter_pipeline_mode()
    for _ in range(2000):
        pgconn.send_describe_prepared(b"wide")
    pgconn.pipeline_sync()
    pgconn.flush()
    described = 0
    while (result := pgconn.get_result()) is None or result.status != psycopg.pq.ExecStatus.PIPELINE_SYNC:
        described += result is not None and result.nfields == 3000
    assert described == 2000
    assert peak_memory(demo) - before < 100 * 1024 * 1024


@pytest.mark.parametrize("opening", [b"\x7f\xff\xff\xff", b"\0\0\0\x07", b"\0\0\x27\x11\0\x03\0\0", b"GET / HTTP/1.1\r\n\r\n"])
def test_strangers_get_an_error_and_no_memory(demo, opening):
    with socket.create_connection((demo["postgres"]["host"], demo["postgres"]["port"]), timeout=60) as stranger:
        stranger.sendall(opening)
        answer = stranger.makefile("rb").read()
    assert answer[:1] == b"E" and b"FATAL" in answer and b"08P01" in answer


def test_stranger_that_says_nothing_is_disconnected(demo):
    with socket.create_connection((demo["postgres"]["host"], demo["postgres"]["port"]), timeout=60) as stranger:
        stranger.sendall(b"\0\0\0\x40\0\x03\0\0user")
        assert stranger.makefile("rb").read() == b""


def test_binary_cursor_and_relative_fetch(connect):
    connection = connect()
    connection.execute("DECLARE five BINARY CURSOR FOR SELECT x::int FROM generate_series(5, 20) AS t (x)")
    result = connection.pgconn.exec_(b"FETCH 2 FROM five")
    assert [result.fformat(0), result.get_value(0, 0), result.get_value(1, 0)] == [1, b"\0\0\0\5", b"\0\0\0\6"]
    # One row, the third from here.
    result = connection.pgconn.exec_(b"FETCH RELATIVE 3 FROM five")
    assert [result.ntuples, result.get_value(0, 0)] == [1, b"\0\0\0\x09"]
    connection.rollback()
