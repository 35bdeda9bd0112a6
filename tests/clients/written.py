"""Files that CREATE TABLE AS, INSERT and UNLOAD write, read back by pyarrow and DuckDB, and the
buckets that their rows are in, by Hive's function.

`written.py DSN LAKE`: a libpq connection string of an administrator, and the lake's folder.
"""

import collections
import datetime
import decimal
import pathlib
import struct
import sys

import duckdb
import psycopg
import pyarrow.parquet

DSN, LAKE = sys.argv[1], pathlib.Path(sys.argv[2])
HOME = "s3://datalake/tests/written/"

ROWS = """SELECT x AS id, CAST(x AS int) AS small, x * 1.5 AS ratio,
    CAST(x AS decimal(18, 4)) / 8 AS price, x % 2 = 0 AS even, 'text ' || x AS name,
    CASE WHEN x % 7 = 0 THEN NULL ELSE DATE '2024-01-01' + CAST(x AS int) END AS day,
    TIMESTAMP '2024-01-01 00:00:00.123456' + x * INTERVAL '1 second' AS moment,
    ARRAY[x, x + 1] AS pair, x % 3 AS part
    FROM generate_series(1, 10000) AS t (x)"""


def paths(folder):
    found = sorted((LAKE / "tests/written" / folder).rglob("*.parquet"))
    assert found, folder
    return [str(path) for path in found]


def of_server(cursor, sql):
    return cursor.execute(sql).fetchall()


def of_duckdb(folder, columns, partitioned=False):
    files = ", ".join(f"'{path}'" for path in paths(folder))
    sql = f"SELECT {columns} FROM read_parquet([{files}], hive_partitioning = {partitioned}) ORDER BY id"
    return duckdb.sql(sql).fetchall()


def same(one, other, what):
    assert len(one) == len(other), (what, len(one), len(other))
    for left, right in zip(one, other):
        assert left == tuple(right), (what, left, right)


def of_bits(bits):
    return ((bits >> 32) ^ bits) & 0xFFFFFFFF


def of_text(text):
    total = 0
    for byte in text.encode():
        total = total * 31 + (byte - 256 if byte > 127 else byte)
    return total


# Hive's hashes (bucketing version 1), modulo 2**32.
HASHES = {
    "id": lambda value: of_bits(value & 0xFFFFFFFFFFFFFFFF),
    "small": lambda value: value,
    "ratio": lambda value: of_bits(struct.unpack(">Q", struct.pack(">d", value))[0]),
    "even": int,
    "name": of_text,
    "day": lambda value: (value - datetime.date(1970, 1, 1)).days,
}


def bucket(row, columns, count):
    total = 0
    for column in columns:
        value = row[column]
        total = total * 31 + (0 if value is None else HASHES[column](value))
    return (total & 0x7FFFFFFF) % count


def check_buckets(folder, columns, count, expected):
    """Each bucket of a partition that has rows has one file, by day and then by id from the last."""
    found = []
    for path in map(pathlib.Path, paths(folder)):
        part = int(path.parent.name.removeprefix("part="))
        own = int(path.name.split("_0_lakegate-")[0])
        rows = pyarrow.parquet.ParquetFile(path).read().to_pylist()
        buckets = {bucket(row, columns, count) for row in rows}
        assert buckets == {own}, (path, buckets)
        found.append((part, own, len(rows)))
        # NULL is before all days.
        keys = [(row["day"] or datetime.date.min, -row["id"]) for row in rows]
        assert keys == sorted(keys), path
        sorting = pyarrow.parquet.read_metadata(path).row_group(0).sorting_columns
        sorting = [(key.column_index, key.descending, key.nulls_first) for key in sorting]
        assert sorting == [(6, False, True), (0, True, False)], sorting
    counts = collections.Counter((row["part"], bucket(row, columns, count)) for row in expected)
    assert sorted(found) == sorted((*key, rows) for key, rows in counts.items()), (folder, found)


with psycopg.connect(DSN, autocommit=True) as connection:
    cursor = connection.cursor()
    cursor.execute(f"CREATE DATABASE written LOCATION '{HOME}'")

    made = cursor.execute(f"CREATE TABLE written.flat AS {ROWS}")
    assert (made.statusmessage, made.rowcount) == ("SELECT 10000", 10000), made.statusmessage
    columns = "id, small, ratio, price, even, name, day, moment, pair, part"
    expected = of_server(cursor, f"SELECT {columns} FROM written.flat ORDER BY id")
    same(expected, of_duckdb("flat", columns), "duckdb")
    table = pyarrow.concat_tables(pyarrow.parquet.read_table(path) for path in paths("flat"))
    rows = table.sort_by("id").to_pylist()
    same(expected, [tuple(row[name] for name in columns.split(", ")) for row in rows], "pyarrow")

    cursor.execute(
        f"CREATE TABLE written.parts WITH (write_compression = 'ZSTD', partitioned_by = ARRAY['part']) AS {ROWS}"
    )
    folders = sorted(path.name for path in (LAKE / "tests/written/parts").iterdir())
    assert folders == ["part=0", "part=1", "part=2"], folders
    same(expected, of_duckdb("parts", columns, partitioned=True), "partitions")
    codecs = {
        pyarrow.parquet.read_metadata(path).row_group(0).column(0).compression
        for path in paths("parts")
    }
    assert codecs == {"ZSTD"}, codecs

    in_order = [dict(zip(columns.split(", "), row)) for row in expected]
    for column in HASHES:
        cursor.execute(
            f"CREATE TABLE written.by_{column} WITH (partitioned_by = ARRAY['part'], bucketed_by = ARRAY['{column}'],"
            f" bucket_count = 13, sorted_by = ARRAY['day', 'id DESC']) AS {ROWS}"
        )
        check_buckets(f"by_{column}", [column], 13, in_order)
    bucketed_by = ["name", "ratio", "even", "day", "id", "small"]
    listed = ", ".join(f"'{column}'" for column in bucketed_by)
    cursor.execute(
        f"CREATE TABLE written.buckets WITH (partitioned_by = ARRAY['part'], bucketed_by = ARRAY[{listed}],"
        f" bucket_count = 13, sorted_by = ARRAY['day', 'id DESC']) AS {ROWS}"
    )
    check_buckets("buckets", bucketed_by, 13, in_order)
    same(expected, of_duckdb("buckets", columns, partitioned=True), "buckets")

    done = cursor.execute("INSERT INTO written.parts SELECT * FROM written.flat WHERE id > 9990")
    assert done.statusmessage == "INSERT 0 10", done.statusmessage
    assert of_server(cursor, "SELECT count(*) FROM written.parts") == [(10010,)]

    done = cursor.execute(f"UNLOAD (SELECT id, name FROM written.flat) TO '{HOME}out/'")
    assert done.statusmessage == "UNLOAD 10000", done.statusmessage
    same(
        of_server(cursor, "SELECT id, name FROM written.flat ORDER BY id"),
        of_duckdb("out", "id, name"),
        "unload",
    )

    # Parameters have the types of the columns.
    cursor.execute(
        "CREATE EXTERNAL TABLE written.typed (n TINYINT, d DECIMAL(10, 2), f FLOAT, s STRING, day DATE, moment TIMESTAMP)"
        f" STORED AS PARQUET LOCATION '{HOME}typed/'"
    )
    row = (
        7,
        decimal.Decimal("12.50"),
        0.25,
        "it's",
        datetime.date(2024, 2, 29),
        datetime.datetime(2024, 2, 29, 12, 30, 15, 250000),
    )
    done = cursor.execute("INSERT INTO written.typed VALUES (%s, %s, %s, %s, %s, %s)", row)
    assert done.rowcount == 1 and done.description is None
    cursor.executemany("INSERT INTO written.typed (n, s) VALUES (%s, %s)", [(1, "a"), (2, None)])
    assert of_server(cursor, "SELECT * FROM written.typed WHERE d IS NOT NULL") == [row]
    assert of_server(cursor, "SELECT n, s FROM written.typed WHERE d IS NULL ORDER BY n") == [(1, "a"), (2, None)]

    cursor.execute("CREATE TABLE IF NOT EXISTS written.flat AS SELECT 1 AS id")
    assert cursor.statusmessage == "CREATE TABLE AS", cursor.statusmessage

with psycopg.connect(DSN) as connection:
    connection.execute("INSERT INTO written.typed (n) VALUES (3)")
    connection.rollback()
    connection.execute("INSERT INTO written.typed (n) VALUES (4)")
    connection.commit()
    assert connection.execute("SELECT n FROM written.typed WHERE n IN (3, 4)").fetchall() == [(4,)]

print("all values are the same")
