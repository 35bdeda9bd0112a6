"""Random Ion files of amazon.ion: queries read what was written; and files of CREATE TABLE AS, which amazon.ion reads.

What is varied is what readers go wrong by: NULLs, extremes, text and binary, tables of symbols that grow, symbols instead of
strings, offsets of times, compression. The seed is fixed; LAKEGATE_SEED takes another.
"""

import bz2
import gzip
import math
import os
import random
from datetime import UTC, timedelta, timezone
from decimal import Decimal

import amazon.ion.simpleion as ion
import psycopg
import pytest
from amazon.ion.core import IonType, Timestamp, TimestampPrecision
from amazon.ion.simple_types import IonPySymbol
from amazon.ion.symbols import SymbolToken
from test_orc_avro_files import BOOLEAN, NESTED, ROWS, check, check_nested, days, made, nested, times
from test_parquet_files import database, decimal, floating, integer, text

SEED = int(os.environ.get("LAKEGATE_SEED", "20261129"))
ROUNDS = int(os.environ.get("LAKEGATE_ROUNDS", "10"))

COLUMNS = [
    BOOLEAN,
    integer("i8", None, "tinyint", -128, 127),
    integer("i16", None, "smallint", -(2**15), 2**15 - 1),
    integer("i32", None, "int", -(2**31), 2**31 - 1),
    integer("i64", None, "bigint", -(2**63), 2**63 - 1),
    decimal("d5", 5, 2, "decimal(5,2)"),
    decimal("d18", 18, 6, "decimal(20,8)"),
    floating("f64", None, "double"),
    times("ts", None, 1000),
    days("day"),
    text("s", None),
]

PACKED = {"": lambda data: data, ".gz": gzip.compress, ".bz2": bz2.compress}


@pytest.fixture
def lake(demo, connect):
    with database(demo, connect, "ion") as lake:
        yield lake


def symbol(value):
    return IonPySymbol.from_value(IonType.SYMBOL, SymbolToken(value, None))


def ion_value(rng, column, value):
    """A value as amazon.ion writes it."""
    if value is None:
        return None
    if column.hive == "timestamp":
        zone = timezone(timedelta(minutes=rng.choice([0, 90, -480])))
        return column.table(value).replace(tzinfo=UTC).astimezone(zone)
    if column.hive == "date":
        return Timestamp(value.year, value.month, value.day, precision=TimestampPrecision.DAY)
    if column.hive == "string" and rng.random() < 0.3:
        return symbol(value)
    return value


def write(rng, path, rows):
    binary = rng.random() < 0.6
    # Text is one stream, binary several, each with its own symbols.
    step = max(1, len(rows) // 3) if binary else max(1, len(rows))
    streams = [rows[start : start + step] for start in range(0, len(rows), step)]
    dumped = [ion.dumps(stream, binary=binary, sequence_as_stream=True) for stream in streams]
    data = b"".join(d if binary else d.encode() for d in dumped)
    suffix = rng.choice(list(PACKED))
    path.with_name(f"{path.name}{suffix}").write_bytes(PACKED[suffix](data))
    return ("binary" if binary else "text") + suffix


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_files_of_amazon_ion_are_read(lake, turn):
    connection, database, root = lake
    rng = random.Random(SEED * 3000 + turn)
    columns = [column for column in COLUMNS if rng.random() < 0.6] or [BOOLEAN]
    raw, values = made(rng, columns)
    rows = []
    for row in range(ROWS):
        fields = [("id", row)] + [
            (column.name.upper() if turn % 2 else column.name, ion_value(rng, column, raw[column.name][row]))
            for column in columns
        ]
        if rng.random() < 0.2:
            fields.append((f"other{rng.randint(0, 50)}", [1, {"x": ["y"]}]))
        rng.shuffle(fields)
        # A NULL is a field that is not there, or null.
        rows.append({name: value for name, value in fields if value is not None or rng.random() < 0.5})
    folder = root / f"ion{turn}"
    folder.mkdir()
    about = [write(rng, folder / f"part-{start}.ion", rows[start : start + 250]) for start in range(0, ROWS, 250)]
    listed = ", ".join(f"{column.name} {column.hive}" for column in columns)
    connection.execute(
        f"CREATE EXTERNAL TABLE {database}.ion{turn} (id int, {listed}) STORED AS ION"
        f" LOCATION 's3://datalake/{database}/ion{turn}/'"
    )
    check(connection, f"{database}.ion{turn}", rng, columns, values, about)


@pytest.mark.parametrize("turn", range(4))
def test_nested_columns_are_read(lake, turn):
    connection, database, root = lake
    rng = random.Random(SEED + turn)
    rows = [nested(rng) for _ in range(ROWS)]
    folder = root / "nested"
    folder.mkdir()
    write(rng, folder / "part.ion", [{"id": i} | row for i, row in enumerate(rows)])
    connection.execute(
        f"CREATE EXTERNAL TABLE {database}.nested ({NESTED}) STORED AS ION LOCATION 's3://datalake/{database}/nested/'"
    )
    check_nested(connection, f"{database}.nested", rows)


@pytest.mark.parametrize("binary", [True, False])
def test_paths_and_flags_of_the_table_are_followed(lake, binary):
    connection, database, root = lake
    folder = root / "paths"
    folder.mkdir()
    rows = [{"id": 300, "user": {"names": ["Ann", "B"]}, "x": b"\x00\xff"}, {"id": 1, "user": {}}]
    data = ion.dumps(rows, binary=binary, sequence_as_stream=True)
    (folder / "part.ion").write_bytes(data if binary else data.encode())
    properties = "'ion.first.path_extractor'='(user names 0)', 'ion.small.path_extractor'='(id)'"
    tables = {
        "strict": "",
        "cut": ", 'ion.small.fail_on_overflow'='false'",
        "lenient": ", 'ion.ignore_malformed'='true'",
    }
    for name, more in tables.items():
        connection.execute(
            f"CREATE EXTERNAL TABLE {database}.{name} (small tinyint, first string, x binary)"
            f" ROW FORMAT SERDE 'com.amazon.ionhiveserde.IonHiveSerDe' WITH SERDEPROPERTIES ({properties}{more})"
            f" STORED AS ION LOCATION 's3://datalake/{database}/paths/'"
        )

    def of(name):
        return connection.execute(f"SELECT small, first, x FROM {database}.{name}").fetchall()

    assert of("cut") == [(44, "Ann", b"\x00\xff"), (1, None, None)]
    assert of("lenient") == [(None, "Ann", b"\x00\xff"), (1, None, None)]
    with pytest.raises(psycopg.Error, match="value 1: column 'small': '300' is out of the range"):
        of("strict")
    assert connection.execute(f"SELECT count(*) FROM {database}.strict").fetchone() == (2,)


@pytest.mark.parametrize("encoding", ["BINARY", "TEXT"])
def test_amazon_ion_reads_what_is_written(lake, encoding):
    connection, database, root = lake
    connection.execute(
        f"CREATE TABLE {database}.made WITH (format = 'ION', ion_encoding = '{encoding}',"
        f" external_location = 's3://datalake/{database}/made/') AS"
        " SELECT x AS id, x % 2 = 0 AS even, x * 1.5 AS ratio, CAST(x AS decimal(18,4)) / 8 AS price,"
        " CASE WHEN x % 7 = 0 THEN NULL ELSE 'text ' || x END AS name,"
        " DATE '2024-01-01' + CAST(x AS int) AS day,"
        " TIMESTAMP '2024-01-01 00:00:00.123456' + x * INTERVAL '1 second' AS at, ARRAY[x, NULL] AS pair"
        " FROM generate_series(1, 1000) AS t (x)"
    )
    found = []
    for path in sorted((root / "made").iterdir()):
        assert path.name.endswith(".ion.gz"), path
        found += ion.loads(gzip.decompress(path.read_bytes()), single_value=False)
    found.sort(key=lambda row: row["id"])
    expected = connection.execute(
        f"SELECT id, even, ratio, price, name, day, at, pair FROM {database}.made ORDER BY id"
    ).fetchall()
    assert len(found) == len(expected) == 1000
    for row, (number, even, ratio, price, name, day, at, pair) in zip(found, expected, strict=True):
        assert (row["id"], bool(row["even"]), row.get("name")) == (number, even, name)
        assert math.isclose(row["ratio"], float(ratio)) and Decimal(row["price"]) == price
        assert (row["day"].year, row["day"].month, row["day"].day) == (day.year, day.month, day.day)
        assert row["at"] == at.replace(tzinfo=UTC)
        assert row["pair"][0] == pair[0] and pair[1] is None and row["pair"][1].ion_type == IonType.NULL
