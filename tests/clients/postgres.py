"""What the tests of several clients of the Postgres door share: statements, and the values that they return."""

import datetime
import ssl
import subprocess
import threading
import uuid
from contextlib import contextmanager
from decimal import Decimal

# Runs until it is stopped, and returns one row. The name of the client is for system.queries.
FOREVER = (
    "SELECT /* {} */ count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y),"
    " generate_series(1, 100000) c(z) WHERE x + y > z"
)

UTC = datetime.timezone.utc
MIDDAY = datetime.datetime(2024, 2, 29, 12, 34, 56, 789000)
ID = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")

# An expression of each type, and its value in Python.
VALUES = {
    "NULL::int": None,
    "true": True,
    "(-32768)::smallint": -32768,
    "2147483647::int": 2147483647,
    "(-9223372036854775808)::bigint": -9223372036854775808,
    "1.5::real": 1.5,
    "2.5::double precision": 2.5,
    "CAST('12.50' AS numeric(10,2))": Decimal("12.50"),
    "'dß€😀'::text": "dß€😀",
    "DATE '2024-02-29'": datetime.date(2024, 2, 29),
    "TIMESTAMP '2024-02-29 12:34:56.789'": MIDDAY,
    "'2024-02-29 12:34:56.789+00'::timestamptz": MIDDAY.replace(tzinfo=UTC),
    "TIME '12:34:56'": datetime.time(12, 34, 56),
    "INTERVAL '1 day 2 hours'": datetime.timedelta(days=1, hours=2),
    "'\\x00ff'::bytea": b"\x00\xff",
    "'{\"a\": [1, null]}'::json": {"a": [1, None]},
    "ARRAY[1::int, 2::int, NULL]": [1, 2, None],
    "ARRAY['a', 'b,c', NULL]": ["a", "b,c", None],
    "ARRAY[DATE '2024-02-29']": [datetime.date(2024, 2, 29)],
}
SELECT_VALUES = "SELECT " + ", ".join(f"{sql} AS v{i}" for i, sql in enumerate(VALUES))

# Values as parameters, and the type that each is cast to.
PARAMETERS = {
    "bool": True,
    "smallint": 7,
    "int": -2147483647,
    "bigint": 9007199254740993,
    "double precision": 2.5,
    "numeric": Decimal("12345.678"),
    "text": "d'ß\\",
    "date": datetime.date(2024, 2, 29),
    "timestamp": MIDDAY,
    "timestamptz": MIDDAY.replace(tzinfo=UTC),
    "interval": datetime.timedelta(days=1, hours=2),
    "bytea": b"\x00\xff",
    "int[]": [1, None, 3],
    "text[]": ["a", 'b"c', None],
}

# The columns of a table of every type that the lake has, and two rows of it.
LAKE_COLUMNS = (
    "id int COMMENT 'the key', big bigint, ok boolean, ratio double, price decimal(10,2), name string,"
    " day date, at timestamp, bytes binary"
)
LAKE_ROWS = [
    (1, 9007199254740993, True, 2.5, Decimal("12.50"), "d'ß", datetime.date(2024, 2, 29), MIDDAY, b"\x00\xff"),
    (2, None, None, None, None, None, None, None, None),
]


def create_lake_table(execute, database):
    """Makes an empty table `things` in a database of its own, and a view over it. Files outlive their table: its folder is new."""
    drop_lake_table(execute, database)
    execute(f"CREATE DATABASE {database}")
    execute(
        f"CREATE EXTERNAL TABLE {database}.things ({LAKE_COLUMNS}) STORED AS PARQUET"
        f" LOCATION 's3://datalake/{database}/{uuid.uuid4()}/'"
    )
    execute(f"COMMENT ON TABLE {database}.things IS 'all the things'")
    execute(f"CREATE VIEW {database}.named AS SELECT id, name FROM {database}.things WHERE name IS NOT NULL")
    execute(f"COMMENT ON VIEW {database}.named IS 'things with a name'")


def drop_lake_table(execute, database):
    execute(f"DROP DATABASE IF EXISTS {database} CASCADE")


@contextmanager
def lake_table(connect, database):
    """The table of `create_lake_table`, made by psycopg for clients that are to find it; dropped afterwards."""
    connection = connect(autocommit=True)
    create_lake_table(connection.execute, database)
    try:
        yield connection
    finally:
        drop_lake_table(connection.execute, database)


@contextmanager
def lake_database(connect, database):
    """An empty database, for clients that are to make tables; dropped afterwards with them."""
    connection = connect(autocommit=True)
    connection.execute(f"CREATE DATABASE {database}")
    try:
        yield connection
    finally:
        connection.execute(f"DROP DATABASE {database} CASCADE")


@contextmanager
def stopped(connect, mark, stop):
    """Calls `stop` on a thread once the query with `mark` in its text runs; afterwards none does any more."""
    watcher = connect(autocommit=True)
    running = (
        "SELECT count(*) FROM system.queries WHERE state = 'RUNNING'"
        f" AND query LIKE '%/* {mark} */%' AND query NOT LIKE '%system.queries%'"
    )

    def wait(count):
        for _ in range(600):
            if watcher.execute(running).fetchone()[0] == count:
                return
            done.wait(0.1)
        raise AssertionError(f"still not {count} of {mark}")

    def when_it_runs():
        try:
            wait(1)
            stop()
        except BaseException as error:
            problems.append(error)
            # What cannot be stopped as it should be must not hold the test.
            for (query,) in watcher.execute(running.replace("count(*)", "query_id")).fetchall():
                watcher.execute(f"KILL '{query}'")

    done, problems = threading.Event(), []
    thread = threading.Thread(target=when_it_runs)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        if problems:
            raise problems[0]
    wait(0)


def run(command, environment, fails=False, stdin=None, **more):
    """What a program prints; with `fails`, its errors."""
    done = subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, timeout=120, **more)
    assert (done.returncode != 0) == fails, f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stderr if fails else done.stdout


def all_rows(connection, sql, parameters=None):
    """The rows of a statement, by the DB-API; None if it has none."""
    cursor = connection.cursor()
    try:
        cursor.execute(sql) if parameters is None else cursor.execute(sql, parameters)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else None
    finally:
        cursor.close()


def verified(ca):
    """A context of TLS that trusts this authority only."""
    return ssl.create_default_context(cafile=ca)
