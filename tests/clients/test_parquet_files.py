"""Random Parquet files of PyArrow: every condition finds the rows that it finds over the values that were written.

What is varied is what readers go wrong by: physical types, NULLs, NaN, extremes, tiny row groups and pages, with and without
statistics, indexes of pages and dictionaries, versions and codecs. The seed is fixed; LAKEGATE_SEED takes another.
"""

import math
import os
import random
import shutil
import struct
import uuid
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SEED = int(os.environ.get("LAKEGATE_SEED", "20261127"))
ROUNDS = int(os.environ.get("LAKEGATE_ROUNDS", "10"))
CONDITIONS = 40
ROWS = 150
EPOCH = datetime(1970, 1, 1)


class Column:
    """A column: its types, how values are made, what they are in the table, and how SQL writes them."""

    def __init__(self, name, arrow, hive, make, sql, table=lambda value: value):
        self.name, self.arrow, self.hive = name, arrow, hive
        self.make, self.sql, self.table = make, sql, table


def integer(name, arrow, hive, low, high):
    def make(rng):
        return rng.choice([low, high, 0, 1, rng.randint(low, high), rng.randint(max(low, -9), min(high, 9))])

    return Column(name, arrow, hive, make, str)


def decimal(name, precision, scale, hive):
    most = 10**precision - 1

    def make(rng):
        digits = rng.choice([most, -most, 0, 1, -1, rng.randint(-most, most), rng.randint(-300, 300)])
        return Decimal(f"{digits}e-{scale}")

    def sql(value):
        return f"CAST('{value:f}' AS {hive})"

    return Column(name, pa.decimal128(precision, scale), hive, make, sql)


def floating(name, arrow, hive, table=lambda value: value):
    specials = [math.nan, -math.nan, math.inf, -math.inf, 0.5, -0.5, 1.0, 1048576.0, -1048576.0]

    def make(rng):
        return rng.choice([*specials, float(rng.randint(-9, 9)) or 1.0])

    def sql(value):
        return f"CAST('{value!r}' AS {hive})"

    return Column(name, arrow, hive, make, sql, table)


def timestamp(name, unit, zone=None):
    """In nanoseconds, since finer ones are rounded down."""
    step = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]

    def make(rng):
        seconds = rng.choice([0, -1, rng.randint(-(9 * 10**9), 9 * 10**9), rng.randint(-5, 5)])
        ticks = (seconds * 10**9 + rng.choice([0, 1, 999_999_999, rng.randint(0, 10**9)])) // step
        return ticks

    def table(ticks):
        return EPOCH + timedelta(microseconds=ticks * step // 1000)

    return Column(name, pa.timestamp(unit, tz=zone), "timestamp", make, lambda value: f"TIMESTAMP '{value}'", table)


def text(name, arrow):
    words = ["", "a", "A", "zz", "é", "日本", "a" * 70, "a" * 70 + "b", "\U0001f600", "~"]

    def make(rng):
        return rng.choice([*words, str(rng.randint(0, 30))])

    return Column(name, arrow, "string", make, lambda value: "'" + value + "'")


COLUMNS = [
    integer("i8", pa.int8(), "tinyint", -128, 127),
    integer("i16", pa.int16(), "int", -(2**15), 2**15 - 1),
    integer("i32", pa.int32(), "int", -(2**31), 2**31 - 1),
    integer("i64", pa.int64(), "bigint", -(2**63), 2**63 - 1),
    integer("u8", pa.uint8(), "smallint", 0, 255),
    integer("u32", pa.uint32(), "bigint", 0, 2**32 - 1),
    decimal("d5", 5, 2, "decimal(5,2)"),
    decimal("d9", 9, 2, "decimal(12,2)"),
    decimal("d9s", 9, 2, "decimal(20,5)"),
    decimal("d18", 18, 6, "decimal(18,6)"),
    decimal("d38", 38, 10, "decimal(38,10)"),
    floating("f32", pa.float32(), "float"),
    floating("f64", pa.float64(), "double"),
    floating("f32as64", pa.float32(), "double", lambda value: struct.unpack("f", struct.pack("f", value))[0]),
    timestamp("ts_ms", "ms"),
    timestamp("ts_us", "us"),
    timestamp("ts_utc", "us", "UTC"),
    timestamp("ts_ns", "ns"),
    text("s", pa.string()),
    text("ls", pa.large_string()),
    text("dict", pa.dictionary(pa.int32(), pa.string())),
    Column("b", pa.bool_(), "boolean", lambda rng: rng.random() < 0.5, lambda value: str(value).upper()),
    Column(
        "day",
        pa.date32(),
        "date",
        lambda rng: date(1970, 1, 1) + timedelta(days=rng.choice([0, -1, rng.randint(-90_000, 90_000)])),
        lambda value: f"DATE '{value}'",
    ),
    Column(
        "id128",
        pa.uuid(),
        "string",
        lambda rng: uuid.UUID(int=rng.getrandbits(128) if rng.random() < 0.5 else rng.randint(0, 9)),
        lambda value: f"'{value}'",
        str,
    ),
    Column(
        "fixed",
        pa.binary(3),
        "string",
        lambda rng: rng.choice([b"abc", b"abd", b"zzz", b"   "]),
        lambda value: f"'{value}'",
        lambda value: value.decode(),
    ),
]


def key(value):
    """Sorts as SQL does: NaN behind all numbers, texts by their bytes."""
    if isinstance(value, float):
        return (1, 0.0) if math.isnan(value) else (0, value)
    return value.encode() if isinstance(value, str) else value


def test(op, value, other):
    if value is None or other is None:
        return None
    a, b = key(value), key(other)
    return {"=": a == b, "<>": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]


test.__test__ = False


def condition(rng, column, values):
    """SQL, and whether it holds for a value: True, False or None."""
    present = [value for value in values if value is not None] or [column.table(column.make(rng))]

    def constant():
        return rng.choice(present) if rng.random() < 0.7 else column.table(column.make(rng))

    name = column.name
    kind = rng.choice(["op", "op", "op", "in", "between", "null", "not"])
    if kind == "op":
        op, other = rng.choice(["=", "<>", "<", "<=", ">", ">="]), constant()
        return f"{name} {op} {column.sql(other)}", lambda value: test(op, value, other)
    if kind == "in":
        others = [constant() for _ in range(rng.randint(1, 5))]
        listed = ", ".join(column.sql(other) for other in others)

        def holds(value):
            return None if value is None else any(test("=", value, other) for other in others)

        return f"{name} IN ({listed})", holds
    if kind == "between":
        low, high = sorted([constant(), constant()], key=key)

        def holds(value):
            return None if value is None else key(low) <= key(value) <= key(high)

        return f"{name} BETWEEN {column.sql(low)} AND {column.sql(high)}", holds
    if kind == "null":
        return rng.choice(
            [(f"{name} IS NULL", lambda value: value is None), (f"{name} IS NOT NULL", lambda value: value is not None)]
        )
    sql, inner = condition(rng, column, values)

    def negated(value):
        held = inner(value)
        return None if held is None else not held

    return f"NOT ({sql})", negated


def written(rng, folder, table, names):
    """Writes a table as a few files."""
    options = {
        "row_group_size": rng.choice([1, 3, 20, 1000]),
        "data_page_size": rng.choice([1, 100, 1024 * 1024]),
        "write_batch_size": rng.choice([2, 1024]),
        "write_statistics": rng.choice([True, True, False, names[::2]]),
        "write_page_index": rng.random() < 0.5,
        "version": rng.choice(["1.0", "2.4", "2.6"]),
        "data_page_version": rng.choice(["1.0", "2.0"]),
        "compression": rng.choice(["NONE", "SNAPPY", "GZIP", "BROTLI", "ZSTD", "LZ4"]),
        "use_dictionary": rng.choice([True, False]),
        "store_schema": rng.random() < 0.5,
        "store_decimal_as_integer": rng.random() < 0.5,
        "use_deprecated_int96_timestamps": rng.random() < 0.3,
    }
    # Version 1.0 has no nanoseconds: they would be rounded while they are written.
    if options["version"] != "2.6" and not options["use_deprecated_int96_timestamps"]:
        options["version"] = "2.6"
    step = rng.choice([ROWS, ROWS // 2, ROWS // 3])
    for start in range(0, ROWS, step):
        pq.write_table(table.slice(start, step), folder / f"part-{start}.parquet", **options)
    return options


@contextmanager
def database(demo, connect, prefix):
    """A database of its own, and the folder that its tables are in."""
    name = f"{prefix}_{os.getpid()}"
    root = Path(demo["tls"]["ca_file"]).parents[2] / name
    connection = connect(autocommit=True)
    connection.execute(f"CREATE DATABASE {name}")
    root.mkdir()
    yield connection, name, root
    connection.execute(f"DROP DATABASE {name} CASCADE")
    shutil.rmtree(root)


@pytest.fixture
def lake(demo, connect):
    with database(demo, connect, "files") as lake:
        yield lake


def same(found, expected):
    if isinstance(expected, float) and isinstance(found, float):
        return key(found) == key(expected)
    return found == expected


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_conditions_find_the_rows_that_were_written(lake, turn):
    connection, database, root = lake
    rng = random.Random(SEED * 1000 + turn)
    columns = [column for column in COLUMNS if rng.random() < 0.6]
    nulls = rng.choice([0, 0.1, 0.9])
    values, arrays = {}, {"id": pa.array(range(ROWS), pa.int32())}
    for column in columns:
        raw = [None if rng.random() < nulls else column.make(rng) for _ in range(ROWS)]
        if rng.random() < 0.3:
            raw.sort(key=lambda value: (value is None, str(value)))
        of_uuid = column.arrow == pa.uuid()
        storage = pa.array([v and v.bytes for v in raw], pa.binary(16)) if of_uuid else pa.array(raw, column.arrow)
        array = pa.ExtensionArray.from_storage(pa.uuid(), storage) if of_uuid else storage
        arrays[column.name] = array
        values[column.name] = [None if value is None else column.table(value) for value in raw]
    folder = root / f"t{turn}"
    folder.mkdir()
    options = written(rng, folder, pa.table(arrays), [column.name for column in columns])
    listed = ", ".join(f"{column.name} {column.hive}" for column in columns)
    connection.execute(
        f"CREATE EXTERNAL TABLE {database}.t{turn} (id int, {listed}) STORED AS PARQUET"
        f" LOCATION 's3://datalake/{database}/t{turn}/'"
    )

    for _ in range(CONDITIONS):
        column, second = rng.choice(columns), rng.choice(columns)
        sql, holds = condition(rng, column, values[column.name])
        if rng.random() < 0.3:
            glue = rng.choice(["AND", "OR"])
            more, also = condition(rng, second, values[second.name])
            sql, both = f"({sql}) {glue} ({more})", all if glue == "AND" else any
            expected = [
                row
                for row in range(ROWS)
                if both(
                    [holds(values[column.name][row]) is True, also(values[second.name][row]) is True]
                )
            ]
        else:
            expected = [row for row in range(ROWS) if holds(values[column.name][row]) is True]
        rows = connection.execute(f"SELECT id FROM {database}.t{turn} WHERE {sql}").fetchall()
        assert sorted(row[0] for row in rows) == expected, (sql, options, column.arrow)

    for column in columns:
        present = sorted((v for v in values[column.name] if v is not None), key=key)
        answer = connection.execute(
            f"SELECT count(*), count({column.name}), min({column.name}), max({column.name}) FROM {database}.t{turn}"
        ).fetchone()
        expected = (ROWS, len(present), present[0] if present else None, present[-1] if present else None)
        assert all(map(same, answer, expected)), (column.name, answer, expected, options)
        direction, first = rng.choice(["ASC", "DESC"]), rng.choice(["FIRST", "LAST"])
        absent = [None] * (ROWS - len(present))
        ordered = present if direction == "ASC" else present[::-1]
        ordered = absent + ordered if first == "FIRST" else ordered + absent
        limit = rng.choice([1, 3, 10])
        sql = f"SELECT {column.name} FROM {database}.t{turn} ORDER BY {column.name} {direction} NULLS {first} LIMIT {limit}"
        answer = [row[0] for row in connection.execute(sql).fetchall()]
        assert all(map(same, answer, ordered)) and len(answer) == limit, (sql, answer, ordered[:limit], options)
