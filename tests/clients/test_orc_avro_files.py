"""Random ORC files of PyArrow and Avro files of fastavro: queries read what was written. PyArrow reads the ORC files of
CREATE TABLE AS.

What is varied is what readers go wrong by: NULLs, extremes, nested values, codecs, stripes and blocks, versions and encodings,
conditions that leave out stripes. The seed is fixed; LAKEGATE_SEED takes another.
"""

import json
import math
import os
import random
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import fastavro
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
from test_parquet_files import Column, condition, database, decimal, floating, integer, key, same, text

SEED = int(os.environ.get("LAKEGATE_SEED", "20261129"))
ROUNDS = int(os.environ.get("LAKEGATE_ROUNDS", "10"))
CONDITIONS = 30
ROWS = 1000
EPOCH = datetime(1970, 1, 1)


def times(name, arrow, step):
    """In nanoseconds. The second before 1970 is left out: ORC cannot tell it from the one after."""

    def make(rng):
        seconds = rng.choice([0, -2, rng.randint(-(9 * 10**9), 9 * 10**9), rng.randint(-9, -2), rng.randint(0, 9)])
        return (seconds * 10**9 + rng.choice([0, 1, 999_999_999, rng.randint(0, 10**9 - 1)])) // step

    def table(ticks):
        return EPOCH + timedelta(microseconds=ticks * step // 1000)

    return Column(name, arrow, "timestamp", make, lambda value: f"TIMESTAMP '{value}'", table)


def days(name):
    def make(rng):
        return date(1970, 1, 1) + timedelta(days=rng.choice([0, -1, rng.randint(-400_000, 900_000)]))

    return Column(name, pa.date32(), "date", make, lambda value: f"DATE '{value}'")


BOOLEAN = Column("b", pa.bool_(), "boolean", lambda rng: rng.random() < 0.5, lambda value: str(value).upper())

ORC = [
    BOOLEAN,
    integer("i8", pa.int8(), "tinyint", -128, 127),
    integer("i16", pa.int16(), "smallint", -(2**15), 2**15 - 1),
    integer("i32", pa.int32(), "int", -(2**31), 2**31 - 1),
    integer("i64", pa.int64(), "bigint", -(2**63), 2**63 - 1),
    integer("i32as64", pa.int32(), "bigint", -(2**31), 2**31 - 1),
    decimal("d5", 5, 2, "decimal(5,2)"),
    decimal("d18", 18, 6, "decimal(20,8)"),
    decimal("d38", 38, 10, "decimal(38,10)"),
    floating("f32", pa.float32(), "float"),
    floating("f64", pa.float64(), "double"),
    times("ts", pa.timestamp("ns"), 1),
    times("ts_utc", pa.timestamp("us", "UTC"), 1000),
    days("day"),
    text("s", pa.string()),
]

# The same columns for Avro: the second is the type in its schema.
AVRO = [
    (BOOLEAN, "boolean"),
    (integer("i32", None, "int", -(2**31), 2**31 - 1), "int"),
    (integer("i64", None, "bigint", -(2**63), 2**63 - 1), "long"),
    (integer("i32as64", None, "bigint", -(2**31), 2**31 - 1), "int"),
    (floating("f32", None, "float"), "float"),
    (floating("f64", None, "double"), "double"),
    (text("s", None), "string"),
    (days("day"), {"type": "int", "logicalType": "date"}),
    (times("ts_ms", None, 10**6), {"type": "long", "logicalType": "timestamp-millis"}),
    (times("ts_us", None, 1000), {"type": "long", "logicalType": "timestamp-micros"}),
    (decimal("d9", 9, 2, "decimal(9,2)"), {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}),
    (
        decimal("d20", 20, 4, "decimal(20,4)"),
        {"type": "fixed", "name": "d20_fixed", "size": 10, "logicalType": "decimal", "precision": 20, "scale": 4},
    ),
    (
        Column("e", None, "string", lambda rng: rng.choice(["A", "B", "C"]), lambda value: f"'{value}'"),
        {"type": "enum", "name": "letter", "symbols": ["A", "B", "C"]},
    ),
    (
        Column("u", None, "string", lambda rng: str(uuid.UUID(int=rng.getrandbits(128))), lambda value: f"'{value}'"),
        {"type": "string", "logicalType": "uuid"},
    ),
]


@pytest.fixture
def lake(demo, connect):
    with database(demo, connect, "columnar") as lake:
        yield lake


def made(rng, columns):
    """For each column its values as they are written and as the table has them."""
    nulls = rng.choice([0, 0.1, 0.9])
    raw, values = {}, {}
    for column in columns:
        made = [None if rng.random() < nulls else column.make(rng) for _ in range(ROWS)]
        if rng.random() < 0.4:
            made.sort(key=lambda value: (value is None, key(value) if value is not None else 0))
        raw[column.name] = made
        values[column.name] = [None if value is None else column.table(value) for value in made]
    return raw, values


def check(connection, table, rng, columns, values, about):
    for column in columns:
        rows = connection.execute(f"SELECT {column.name} FROM {table} ORDER BY id").fetchall()
        assert len(rows) == ROWS
        for row, expected in zip(rows, values[column.name], strict=True):
            assert same(row[0], expected), (column.name, row[0], expected, about)
        present = sorted((v for v in values[column.name] if v is not None), key=key)
        answer = connection.execute(
            f"SELECT count(*), count({column.name}), min({column.name}), max({column.name}) FROM {table}"
        ).fetchone()
        expected = (ROWS, len(present), present[0] if present else None, present[-1] if present else None)
        assert all(map(same, answer, expected)), (column.name, answer, expected, about)
    for _ in range(CONDITIONS):
        column = rng.choice(columns)
        sql, holds = condition(rng, column, values[column.name])
        expected = [row for row in range(ROWS) if holds(values[column.name][row]) is True]
        rows = connection.execute(f"SELECT id FROM {table} WHERE {sql}").fetchall()
        assert sorted(row[0] for row in rows) == expected, (sql, about)


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_orc_files_of_pyarrow_are_read(lake, turn):
    connection, database, root = lake
    rng = random.Random(SEED * 1000 + turn)
    columns = [column for column in ORC if rng.random() < 0.6] or [BOOLEAN]
    raw, values = made(rng, columns)
    arrays = {"id": pa.array(range(ROWS), pa.int32())}
    arrays |= {column.name: pa.array(raw[column.name], column.arrow) for column in columns}
    table, folder = pa.table(arrays), root / f"orc{turn}"
    folder.mkdir()
    options = {
        "compression": rng.choice(["uncompressed", "zlib", "snappy", "lz4", "zstd"]),
        "file_version": rng.choice(["0.11", "0.12"]),
        "stripe_size": rng.choice([1024, 64 * 1024 * 1024]),
        "batch_size": rng.choice([10, 1024]),
        "compression_block_size": rng.choice([64 * 1024, 256 * 1024]),
        "compression_strategy": rng.choice(["speed", "compression"]),
        "row_index_stride": rng.choice([100, 10_000]),
        "dictionary_key_size_threshold": rng.choice([0.0, 0.5, 1.0]),
        "padding_tolerance": rng.choice([0.0, 0.5]),
    }
    step = rng.choice([ROWS, ROWS // 2])
    for start in range(0, ROWS, step):
        orc.write_table(table.slice(start, step), folder / f"part-{start}.orc", **options)
    names = [f"c{place}" if turn % 2 else column.name for place, column in enumerate(columns)]
    renamed = [
        Column(name, column.arrow, column.hive, column.make, column.sql, column.table)
        for name, column in zip(names, columns, strict=True)
    ]
    listed = ", ".join(f"{column.name} {column.hive}" for column in renamed)
    # By place, whatever the names; by name where the table says so.
    by_name = "" if turn % 2 else " WITH SERDEPROPERTIES ('orc.column.index.access'='false')"
    connection.execute(
        f"CREATE EXTERNAL TABLE {database}.orc{turn} (id int, {listed})"
        f" ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.orc.OrcSerde'{by_name} STORED AS ORC"
        f" LOCATION 's3://datalake/{database}/orc{turn}/'"
    )
    of_table = {new.name: values[old.name] for new, old in zip(renamed, columns, strict=True)}
    check(connection, f"{database}.orc{turn}", rng, renamed, of_table, options)


def avro_value(column, declared, value):
    """A value as fastavro writes it."""
    logical = declared.get("logicalType") if isinstance(declared, dict) else None
    if value is not None and logical in ("timestamp-millis", "timestamp-micros"):
        return column.table(value).replace(tzinfo=UTC)
    return value


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_avro_files_of_fastavro_are_read(lake, turn):
    connection, database, root = lake
    rng = random.Random(SEED * 2000 + turn)
    chosen = [pair for pair in AVRO if rng.random() < 0.6] or [AVRO[0]]
    columns = [column for column, _ in chosen]
    raw, values = made(rng, columns)
    fields = [{"name": "Id", "type": "int"}]
    for column, declared in chosen:
        union = rng.choice([["null", declared], [declared, "null"]])
        fields.append({"name": column.name.upper() if turn % 2 else column.name, "type": union})
    schema = {"type": "record", "name": "row", "namespace": "a.b", "fields": fields}
    written = {column.name: [avro_value(column, t, v) for v in raw[column.name]] for column, t in chosen}
    rows = [
        {"Id": row}
        | {field["name"]: written[column.name][row] for field, column in zip(fields[1:], columns, strict=True)}
        for row in range(ROWS)
    ]
    folder = root / f"avro{turn}"
    folder.mkdir()
    codec = rng.choice(["null", "deflate", "snappy", "zstandard", "bzip2"])
    interval = rng.choice([100, 16_000])
    for start in range(0, ROWS, ROWS // 2):
        with open(folder / f"part-{start}.avro", "wb") as file:
            fastavro.writer(file, schema, rows[start : start + ROWS // 2], codec=codec, sync_interval=interval)
    listed = ", ".join(f"{column.name} {column.hive}" for column in columns)
    connection.execute(
        f"CREATE EXTERNAL TABLE {database}.avro{turn} (id int, {listed}) STORED AS AVRO"
        f" LOCATION 's3://datalake/{database}/avro{turn}/'"
    )
    check(connection, f"{database}.avro{turn}", rng, columns, values, (codec, interval, schema))


def nested(rng):
    """A list, a map and a struct of both, with NULLs at each depth."""

    def maybe(value):
        return None if rng.random() < 0.2 else value

    numbers = [maybe(rng.randint(-9, 9)) for _ in range(rng.randint(0, 4))]
    named = {f"k{place}": maybe(str(rng.randint(0, 99))) for place in range(rng.randint(0, 3))}
    inner = {"a": maybe(rng.randint(0, 9)), "b": maybe([maybe("x"), "y"][: rng.randint(0, 2)])}
    return {"l": maybe(numbers), "m": maybe(named), "s": maybe(inner)}


NESTED = "id int, l array<int>, m map<string,string>, s struct<a:int,b:array<string>,added:double>"


def check_nested(connection, table, rows):
    for row in rows:
        if row["s"] is not None:
            row["s"] = row["s"] | {"added": None}
    connection.execute("SET dialect = 'trino'")
    for name in "lms":
        found = connection.execute(
            f"SELECT json_format(CAST({name} AS JSON)) FROM {table} ORDER BY id"
        ).fetchall()
        found = [None if value is None else json.loads(value) for (value,) in found]
        assert found == [row[name] for row in rows], name
    connection.execute("RESET dialect")
    sql = f"SELECT s.a, cardinality(l), element_at(m, 'k0') FROM {table} ORDER BY id"
    found = connection.execute(sql).fetchall()
    assert found == [
        (
            None if row["s"] is None else row["s"]["a"],
            None if row["l"] is None else len(row["l"]),
            None if row["m"] is None else row["m"].get("k0"),
        )
        for row in rows
    ]


@pytest.mark.parametrize("codec", ["uncompressed", "zlib", "snappy", "lz4", "zstd"])
def test_nested_columns_of_orc_are_read(lake, codec):
    connection, database, root = lake
    rng = random.Random(SEED)
    rows = [nested(rng) for _ in range(ROWS)]
    kinds = pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))])
    table = pa.table(
        {
            "id": pa.array(range(ROWS), pa.int32()),
            "l": pa.array([row["l"] for row in rows], pa.list_(pa.int32())),
            "m": pa.array(
                [None if row["m"] is None else list(row["m"].items()) for row in rows], pa.map_(pa.string(), pa.string())
            ),
            "s": pa.array([row["s"] for row in rows], kinds),
        }
    )
    folder = root / "nested"
    folder.mkdir()
    orc.write_table(table, folder / "part.orc", compression=codec, stripe_size=1024, batch_size=50)
    connection.execute(
        f"CREATE EXTERNAL TABLE {database}.nested ({NESTED}) STORED AS ORC LOCATION 's3://datalake/{database}/nested/'"
    )
    check_nested(connection, f"{database}.nested", rows)


def deep(rng):
    """A list of structs that hold decimals and lists, and a map of lists, with NULLs at each depth."""

    def maybe(value):
        return None if rng.random() < 0.2 else value

    def inner():
        digits = rng.choice([10**38 - 1, -(10**38) + 1, 0, rng.randint(-99, 99)])
        return {"d": maybe(Decimal(f"{digits}e-10")), "l": maybe([maybe(rng.random() < 0.5) for _ in range(rng.randint(0, 9))])}

    def items():
        return [maybe(rng.choice([-(2**63), 2**63 - 1, rng.randint(-9, 9)])) for _ in range(rng.randint(0, 3))]

    listed = [maybe(inner()) for _ in range(rng.randint(0, 3))]
    mapped = [(place, maybe(items())) for place in range(rng.randint(0, 3))]
    return maybe(listed), maybe(mapped)


DEEP = "deep array<struct<d:decimal(38,10),l:array<boolean>>>, lists map<int,array<bigint>>"


def of_folder(folder, schema):
    """The rows of all ORC files of a folder, by id, in the types of a schema."""
    files = [orc.ORCFile(path).read() for path in sorted(folder.iterdir()) if path.is_file()]
    found = pa.concat_tables(files).sort_by("id")
    columns = [found[field.name] for field in schema]
    plain = [not pa.types.is_nested(field.type) for field in schema]
    columns = [
        column.cast(field.type) if cast else column for column, field, cast in zip(columns, schema, plain, strict=True)
    ]
    return {field.name: column.to_pylist() for field, column in zip(schema, columns, strict=True)}


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_orc_files_of_create_table_as_are_read_by_pyarrow(lake, turn):
    connection, database, root = lake
    rng = random.Random(SEED * 3000 + turn)
    kinds = {column.name: column for column in ORC if column.name not in ("i32as64", "d18", "ts", "ts_utc")}
    kinds["d18"] = decimal("d18", 18, 6, "decimal(18,6)")
    kinds["ts"] = times("ts", pa.timestamp("us"), 1000)
    columns = [column for column in kinds.values() if rng.random() < 0.7] or [BOOLEAN]
    raw, values = made(rng, columns)
    nests = [deep(rng) for _ in range(ROWS)]
    bins = [rng.choice([None, b"", b"\0\xff", rng.randbytes(9)]) for _ in range(ROWS)]
    inner = pa.struct([("d", pa.decimal128(38, 10)), ("l", pa.list_(pa.bool_()))])
    arrays = {"id": pa.array(range(ROWS), pa.int32())}
    arrays |= {column.name: pa.array(raw[column.name], column.arrow) for column in columns}
    arrays["bin"] = pa.array(bins, pa.binary())
    arrays["deep"] = pa.array([listed for listed, _ in nests], pa.list_(inner))
    arrays["lists"] = pa.array([mapped for _, mapped in nests], pa.map_(pa.int32(), pa.list_(pa.int64())))
    table, folder = pa.table(arrays), root / f"source{turn}"
    folder.mkdir()
    pq.write_table(table, folder / "part.parquet", row_group_size=rng.choice([7, ROWS]))
    listed = ", ".join(f"{column.name} {column.hive}" for column in columns)
    connection.execute(
        f"CREATE EXTERNAL TABLE {database}.source{turn} (id int, {listed}, bin binary, {DEEP}) STORED AS PARQUET"
        f" LOCATION 's3://datalake/{database}/source{turn}/'"
    )
    codec = rng.choice(["NONE", "ZLIB", "SNAPPY", "LZ4", "ZSTD"])
    connection.execute(
        f"CREATE TABLE {database}.made{turn} WITH (format = 'ORC', write_compression = '{codec}',"
        f" external_location = 's3://datalake/{database}/made{turn}/') AS SELECT * FROM {database}.source{turn}"
    )
    found = of_folder(root / f"made{turn}", table.schema)
    for name, expected in table.to_pydict().items():
        assert all(map(same, found[name], expected)), (name, codec)
    check(connection, f"{database}.made{turn}", rng, columns, values, codec)
    connection.execute("SET dialect = 'trino'")
    for name in ("json_format(CAST(deep AS JSON))", "json_format(CAST(lists AS JSON))", "bin"):
        source, read = (
            connection.execute(f"SELECT {name} FROM {database}.{table}{turn} ORDER BY id").fetchall()
            for table in ("source", "made")
        )
        assert source == read, (name, codec)
    connection.execute("RESET dialect")


def test_texts_that_repeat_are_written_with_a_dictionary(lake):
    connection, database, root = lake
    connection.execute(
        f"CREATE EXTERNAL TABLE {database}.words (id int, v varchar(5), c char(5), l array<varchar(5)>, e string)"
        f" STORED AS ORC LOCATION 's3://datalake/{database}/words/'"
    )
    connection.execute(
        f"INSERT INTO {database}.words SELECT CAST(n AS int),"
        " CASE WHEN n % 7 <> 0 THEN substr('north', 1, CAST(n % 5 AS int) + 1) END, 'süd',"
        " ARRAY[substr('east', 1, CAST(n % 3 AS int) + 1)], '' FROM generate_series(1, 25000) AS t (n)"
    )
    text = pa.string()
    schema = pa.schema([("id", pa.int32()), ("v", text), ("c", text), ("l", pa.list_(text)), ("e", text)])
    found = of_folder(root / "words", schema)
    numbers = range(1, 25_001)
    words = [None if n % 7 == 0 else "north"[: n % 5 + 1] for n in numbers]
    assert found["v"] == words
    assert found["c"] == ["süd"] * len(words)
    assert found["l"] == [["east"[: n % 3 + 1]] for n in numbers]
    assert found["e"] == [""] * len(words)
    counted = connection.execute(
        f"SELECT count(*) FILTER (WHERE v = 'nor'), count(*) FILTER (WHERE c = 'süd'), count(v) FROM {database}.words"
    ).fetchone()
    assert counted == (words.count("nor"), len(words), len(words) - words.count(None))
    rows = connection.execute(f"SELECT count(*) FROM {database}.words WHERE v = 'nor' AND id > 20000").fetchone()
    assert rows == (sum(word == "nor" for word in words[20_000:]),)


def test_second_before_1970_is_written(lake):
    connection, database, root = lake
    connection.execute(
        f"CREATE TABLE {database}.before WITH (format = 'ORC', external_location = 's3://datalake/{database}/before/')"
        " AS SELECT * FROM (VALUES (1, TIMESTAMP '1969-12-31 23:59:59.999999'), (2, TIMESTAMP '1969-12-31 23:59:59.5'),"
        " (3, TIMESTAMP '1969-12-31 23:59:58.5')) AS t (id, ts)"
    )
    schema = pa.schema([("id", pa.int32()), ("ts", pa.timestamp("us"))])
    expected = [EPOCH - timedelta(microseconds=1), EPOCH - timedelta(seconds=0.5), EPOCH - timedelta(seconds=1.5)]
    assert of_folder(root / "before", schema)["ts"] == expected
    rows = connection.execute(f"SELECT ts FROM {database}.before ORDER BY id").fetchall()
    assert [row[0] for row in rows] == expected


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "zstandard", "bzip2"])
def test_nested_columns_of_avro_are_read(lake, codec):
    connection, database, root = lake
    rng = random.Random(SEED)
    rows = [nested(rng) for _ in range(ROWS)]
    inner = {
        "type": "record",
        "name": "inner",
        "fields": [
            {"name": "a", "type": ["null", "int"]},
            {"name": "b", "type": ["null", {"type": "array", "items": ["null", "string"]}]},
        ],
    }
    schema = {
        "type": "record",
        "name": "row",
        "fields": [
            {"name": "id", "type": "int"},
            {"name": "l", "type": ["null", {"type": "array", "items": ["null", "int"]}]},
            {"name": "m", "type": ["null", {"type": "map", "values": ["null", "string"]}]},
            {"name": "s", "type": ["null", inner]},
        ],
    }
    folder = root / "nested"
    folder.mkdir()
    with open(folder / "part.avro", "wb") as file:
        fastavro.writer(file, schema, [{"id": i} | row for i, row in enumerate(rows)], codec=codec, sync_interval=500)
    connection.execute(
        f"CREATE EXTERNAL TABLE {database}.nested ({NESTED}) STORED AS AVRO LOCATION 's3://datalake/{database}/nested/'"
    )
    check_nested(connection, f"{database}.nested", rows)


def test_a_schema_of_the_table_renames_fields_and_has_defaults(lake):
    connection, database, root = lake
    old = {"type": "record", "name": "row", "fields": [{"name": "old", "type": "int"}, {"name": "gone", "type": "string"}]}
    new = {
        "type": "record",
        "name": "row",
        "fields": [
            {"name": "number", "aliases": ["old"], "type": "long", "doc": "of the order"},
            {"name": "added", "type": "string", "default": "none"},
            {"name": "empty", "type": ["null", "double"], "default": None},
        ],
    }
    folder = root / "evolved"
    folder.mkdir()
    with open(folder / "old.avro", "wb") as file:
        fastavro.writer(file, old, [{"old": 1, "gone": "x"}])
    with open(folder / "new.avro", "wb") as file:
        fastavro.writer(file, new, [{"number": 2**40, "added": "y", "empty": 0.5}])
    connection.execute(
        f"CREATE EXTERNAL TABLE {database}.evolved ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.avro.AvroSerDe'"
        f" WITH SERDEPROPERTIES ('avro.schema.literal'='{json.dumps(new)}') STORED AS AVRO"
        f" LOCATION 's3://datalake/{database}/evolved/'"
    )
    rows = connection.execute(f"SELECT number, added, empty FROM {database}.evolved ORDER BY 1").fetchall()
    assert rows == [(1, "none", None), (2**40, "y", 0.5)]
    rows = connection.execute(f"SELECT added FROM {database}.evolved ORDER BY 1").fetchall()
    assert rows == [("none",), ("y",)]


def test_what_is_not_read_is_refused_by_name(lake):
    import psycopg

    connection, database, root = lake
    folder = root / "unions"
    folder.mkdir()
    schema = {
        "type": "record",
        "name": "row",
        "fields": [{"name": "a", "type": "int"}, {"name": "either", "type": ["int", "string"]}],
    }
    with open(folder / "part.avro", "wb") as file:
        fastavro.writer(file, schema, [{"a": 1, "either": "x"}, {"a": 2, "either": 3}])
    connection.execute(
        f"CREATE EXTERNAL TABLE {database}.unions (a int, either string) STORED AS AVRO"
        f" LOCATION 's3://datalake/{database}/unions/'"
    )
    assert connection.execute(f"SELECT sum(a) FROM {database}.unions").fetchone() == (3,)
    assert connection.execute(f"SELECT count(*) FROM {database}.unions").fetchone() == (2,)
    with pytest.raises(psycopg.Error, match="column 'either'.*union of 2 types"):
        connection.execute(f"SELECT either FROM {database}.unions")


def test_large_decimals_and_far_times_are_errors(lake):
    import psycopg

    connection, database, root = lake
    folder = root / "far"
    folder.mkdir()
    table = pa.table({"ts": pa.array([Decimal(10) ** 20], pa.decimal128(38, 0))})
    orc.write_table(table, folder / "part.orc")
    connection.execute(
        f"CREATE EXTERNAL TABLE {database}.far (ts decimal(10,0)) STORED AS ORC LOCATION 's3://datalake/{database}/far/'"
    )
    with pytest.raises(psycopg.Error):
        connection.execute(f"SELECT ts FROM {database}.far")


def test_nan_sorts_behind_numbers_in_orc(lake):
    connection, database, root = lake
    folder = root / "nan"
    folder.mkdir()
    orc.write_table(pa.table({"d": [math.nan, 1.0, -math.inf, None]}), folder / "part.orc")
    connection.execute(
        f"CREATE EXTERNAL TABLE {database}.nan (d double) STORED AS ORC LOCATION 's3://datalake/{database}/nan/'"
    )
    rows = connection.execute(f"SELECT d FROM {database}.nan WHERE d > 5").fetchall()
    assert len(rows) == 1 and math.isnan(rows[0][0])
    assert connection.execute(f"SELECT min(d) FROM {database}.nan").fetchone() == (-math.inf,)
