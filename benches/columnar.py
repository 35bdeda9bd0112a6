#!/usr/bin/env python3
"""Times scans of ORC files beside PyArrow's and of Avro files beside fastavro's.

    pip install -r tests/clients/requirements.txt
    target/release/lakegate demo --dir L --scale 0.0001 --connection-file F &
    benches/columnar.py --connection-file F --lake L [--rows 3000000] [--pairs 7]

Both read the same files: the peer into Arrow or Python objects, on as many threads as it has by itself, Lakegate by a query that
aggregates the same columns. They take turns, so that what else the machine does falls on both alike; printed are the medians in
milliseconds, the median of the ratios of the pairs (Lakegate's time through the peer's), and the bytes that Lakegate scanned.
Result reuse is off. The counts must be equal.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import duckdb
import fastavro
import psycopg
import pyarrow.orc as orc

DATABASE = "bench_columnar"

ROWS = """
SELECT i AS id,
       (i * 7919 % 1000003)::INTEGER AS part,
       CASE WHEN i % 11 = 0 THEN NULL ELSE 'Customer ' || (i * 31 % 5003) END AS name,
       DATE '2020-01-01' + (i * 7907 % 2000)::INTEGER AS day,
       TIMESTAMP '2020-01-01' + to_seconds(i * 6007 % 126230400) AS at,
       (i * 104729 % 9999999)::DECIMAL(12, 2) AS price,
       sin(i) * 1000 AS amount
FROM range({rows}) t(i)
"""

COLUMNS = "id BIGINT, part INT, name STRING, day DATE, at TIMESTAMP, price DECIMAL(12,2), amount DOUBLE"

AVRO = {
    "type": "record",
    "name": "row",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "part", "type": "int"},
        {"name": "name", "type": ["null", "string"]},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "amount", "type": "double"},
    ],
}

# Name; the columns that are read; what Lakegate's query selects.
SCANS = [
    ("count", [], "count(*)"),
    ("one number", ["part"], "count(part), max(part)"),
    ("one text", ["name"], "count(name), max(length(name))"),
    ("times", ["day", "at"], "count(at), max(day), max(at)"),
    ("all", None, "count(id), max(part), max(length(name)), max(day), max(at), max(price), max(amount)"),
]


def written(folder, rows, files):
    """Writes the files of both formats, and returns the paths of each."""
    table = duckdb.sql(ROWS.format(rows=rows)).to_arrow_table()
    step = -(-rows // files)
    paths = {"orc": [], "avro": []}
    for place, start in enumerate(range(0, rows, step)):
        part = table.slice(start, step)
        for kind in paths:
            (folder / kind).mkdir(parents=True, exist_ok=True)
            paths[kind].append(folder / kind / f"part-{place}.{kind}")
        orc.write_table(part, paths["orc"][-1], compression="zstd")
        with open(paths["avro"][-1], "wb") as file:
            fastavro.writer(file, AVRO, part.to_pylist(), codec="snappy", sync_interval=64_000)
    return paths


def peer_orc(paths, columns):
    rows = 0
    for path in paths:
        file = orc.ORCFile(path)
        rows += file.nrows if columns == [] else file.read(columns=columns).num_rows
    return rows


def peer_avro(paths, _columns):
    rows = 0
    for path in paths:
        with open(path, "rb") as file:
            rows += sum(1 for _ in fastavro.reader(file))
    return rows


def timed(work):
    start = time.perf_counter()
    answer = work()
    return (time.perf_counter() - start) * 1000, answer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", type=Path, required=True)
    parser.add_argument("--lake", type=Path, required=True, help="the demo's folder, which is s3://datalake/")
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=7)
    options = parser.parse_args()
    demo = json.loads(options.connection_file.read_text())
    password = next(user["password"] for user in demo["users"] if user["name"] == "admin")
    connection = psycopg.connect(
        host=demo["postgres"]["host"],
        port=demo["postgres"]["port"],
        user="admin",
        password=password,
        dbname="awsdatacatalog",
        sslmode="verify-full",
        sslrootcert=demo["tls"]["ca_file"],
        autocommit=True,
    )
    paths = written(options.lake.resolve() / DATABASE, options.rows, options.files)
    connection.execute("SET result_reuse = off")
    connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} CASCADE")
    connection.execute(f"CREATE DATABASE {DATABASE}")
    for kind in paths:
        connection.execute(
            f"CREATE EXTERNAL TABLE {DATABASE}.{kind} ({COLUMNS}) STORED AS {kind}"
            f" LOCATION 's3://datalake/{DATABASE}/{kind}/'"
        )
    print(f"{'format':6} {'scan':12} {'lakegate':>9} {'peer':>9} {'ratio':>6} {'bytes':>12}")
    for kind, peer in [("orc", peer_orc), ("avro", peer_avro)]:
        for name, columns, select in SCANS:
            sql = f"SELECT count(*), {select} FROM {DATABASE}.{kind}"
            pairs = []
            # fastavro takes minutes for what is read many times.
            for _ in range(options.pairs if kind == "orc" else min(options.pairs, 3)):
                ours, row = timed(lambda sql=sql: connection.execute(sql).fetchone())
                theirs, rows = timed(lambda peer=peer, kind=kind, columns=columns: peer(paths[kind], columns))
                assert row[0] == rows == options.rows, (row, rows)
                pairs.append((ours, theirs))
            scanned = connection.execute(
                "SELECT bytes_scanned FROM system.queries WHERE query = %s ORDER BY submitted_at DESC LIMIT 1", (sql,)
            ).fetchone()[0]
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
            print(f"{kind:6} {name:12} {ours:9.1f} {theirs:9.1f} {ratio:6.2f} {scanned:12}")
    connection.execute(f"DROP DATABASE {DATABASE} CASCADE")


if __name__ == "__main__":
    main()
