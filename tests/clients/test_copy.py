"""COPY FROM STDIN and CREATE TABLE as Python's clients of PostgreSQL send them."""

import asyncio
import datetime
import ssl
from decimal import Decimal

import psycopg
import pytest
from conftest import parameters

TABLE = (
    "a INTEGER, b TEXT, c NUMERIC(10, 2), d DATE, e TIMESTAMP WITHOUT TIME ZONE, f DOUBLE PRECISION,"
    " g BOOLEAN, h BYTEA, i INTEGER[], j SMALLINT"
)
ROWS = [
    (
        1, 'say "hi"\t\\N,\n', Decimal("12.50"), datetime.date(2024, 2, 29),
        datetime.datetime(2024, 2, 29, 12, 34, 56, 789000), 2.5, True, b"\x00\xff\\", [1, None, 3], -7,
    ),
    (2, "", Decimal("-0.01"), datetime.date(1, 1, 1), datetime.datetime(1969, 12, 31), float("inf"), False, b"", [], 0),
    (3,) + (None,) * 9,
]


@pytest.fixture
def database(connect):
    connection = connect(autocommit=True)
    connection.execute("CREATE DATABASE python_copy")
    yield "python_copy"
    tables = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'python_copy'"
    ).fetchall()
    for (table,) in tables:
        connection.execute(f'DROP TABLE python_copy."{table}"')
    connection.execute("DROP DATABASE python_copy")


@pytest.mark.parametrize("binary", [False, True])
def test_rows_of_every_type_are_copied_in(connect, database, binary):
    connection = connect()
    connection.execute(f"CREATE TABLE {database}.t ({TABLE})")
    form = "(FORMAT binary)" if binary else ""
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {database}.t FROM STDIN {form}") as copy:
            if binary:
                copy.set_types("int4 text numeric date timestamp float8 bool bytea int4[] int2".split())
            for row in ROWS:
                copy.write_row(row)
    # The other connection sees them with the commit.
    other = connect(autocommit=True)
    with pytest.raises(psycopg.errors.UndefinedTable):
        other.execute(f"SELECT * FROM {database}.t")
    connection.commit()
    assert other.execute(f"SELECT * FROM {database}.t ORDER BY a").fetchall() == ROWS


@pytest.mark.parametrize("options", ["", "(FORMAT csv, HEADER)", "(FORMAT binary)", "(DELIMITER '|', NULL 'nil')"])
def test_what_is_copied_out_can_be_copied_in(connect, database, options):
    connection = connect(autocommit=True)
    for table in ("source", "target"):
        connection.execute(f"CREATE TABLE {database}.{table} ({TABLE})")
    with connection.cursor() as cursor, cursor.copy(f"COPY {database}.source FROM STDIN") as copy:
        for row in ROWS:
            copy.write_row(row)
    other = connect(autocommit=True)
    with connection.cursor() as reader, other.cursor() as writer:
        with reader.copy(f"COPY {database}.source TO STDOUT {options}") as out:
            with writer.copy(f"COPY {database}.target FROM STDIN {options}") as into:
                for data in out:
                    into.write(data)
    assert connection.execute(f"SELECT * FROM {database}.target ORDER BY a").fetchall() == ROWS


def test_error_names_line_and_column(connect, database):
    connection = connect(autocommit=True)
    connection.execute(f"CREATE TABLE {database}.t (a INTEGER, b TEXT)")
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as raised, connection.cursor() as cursor:
        with cursor.copy(f"COPY {database}.t FROM STDIN (FORMAT csv)") as copy:
            copy.write("1,one\n2,two\nx,three\n")
    diagnostics = raised.value.diag
    assert diagnostics.message_primary == 'invalid input syntax for type integer: "x"'
    assert diagnostics.context == 'COPY t, line 3, column a: "x"'
    with pytest.raises(ZeroDivisionError), connection.cursor() as cursor:
        with cursor.copy(f"COPY {database}.t FROM STDIN") as copy:
            copy.write_row((1, "one"))
            raise ZeroDivisionError
    assert connection.execute(f"SELECT count(*) FROM {database}.t").fetchone() == (0,)


def test_pandas_makes_and_fills_a_table(demo, database):
    import pandas
    import sqlalchemy

    given = parameters(demo, "admin")
    url = sqlalchemy.URL.create(
        "postgresql+psycopg", given["user"], given["password"], given["host"], given["port"], given["dbname"],
        query={"sslmode": given["sslmode"], "sslrootcert": given["sslrootcert"]},
    )
    engine = sqlalchemy.create_engine(url)
    frame = pandas.DataFrame({
        "n": range(2500), "text": [f"text {n}" if n % 2 else None for n in range(2500)],
        "ratio": [n / 4 for n in range(2500)], "moment": pandas.to_datetime(["2024-02-29 12:00"] * 2500),
    })
    for exists in ("fail", "append", "replace"):
        frame.to_sql("frames", engine, schema=database, if_exists=exists, index=False, method="multi", chunksize=1000)
    frame.head(3).to_sql("frames", engine, schema=database, if_exists="append", index=False)
    back = pandas.read_sql(f"SELECT count(*) AS rows, sum(n) AS n, count(text) AS texts FROM {database}.frames", engine)
    assert back.values.tolist() == [[2503, 2500 * 2499 // 2 + 3, 1251]]
    engine.dispose()


def test_asyncpg_reads_arrays_and_copies_records(demo, database):
    import asyncpg

    given = parameters(demo, "admin")

    async def run():
        connection = await asyncpg.connect(
            host=given["host"], port=given["port"], user=given["user"], password=given["password"],
            database=given["dbname"], ssl=ssl.create_default_context(cafile=given["sslrootcert"]),
        )
        row = await connection.fetchrow(
            "SELECT ARRAY[1, 2], ARRAY[1.5::float8], ARRAY[DATE '2024-02-29'], ARRAY['a'], $1::int[]", [4, None]
        )
        assert tuple(row) == ([1, 2], [1.5], [datetime.date(2024, 2, 29)], ["a"], [4, None])
        await connection.execute(f"CREATE TABLE {database}.records (a INTEGER, b TEXT, c INTEGER[])")
        records = [(n, f"text {n}", [n, n + 1]) for n in range(20_000)]
        copied = await connection.copy_records_to_table("records", records=records, schema_name=database)
        assert copied == "COPY 20000"
        found = await connection.fetch(f"SELECT * FROM {database}.records ORDER BY a")
        assert [tuple(record) for record in found] == records
        await connection.close()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_adbc_ingests(demo, database):
    import adbc_driver_postgresql.dbapi as dbapi
    import pyarrow

    given = parameters(demo, "admin")
    names = {"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert"}
    uri = " ".join(f"{name}='{value}'" for name, value in given.items() if name in names)
    rows = pyarrow.table({
        "a": pyarrow.array([1, None], pyarrow.int32()), "b": ["x", None], "c": [1.5, None],
        "d": [datetime.date(2024, 2, 29), None], "e": pyarrow.array([[1, 2], None], pyarrow.list_(pyarrow.int32())),
    })
    with dbapi.connect(uri) as connection, connection.cursor() as cursor:
        for mode in ("create", "replace", "create_append"):
            cursor.adbc_ingest("ingested", rows, mode=mode, db_schema_name=database)
            connection.commit()
        cursor.execute(f"SELECT count(*), count(a), sum(c) FROM {database}.ingested")
        assert cursor.fetchone() == (4, 2, 3.0)
