#!/usr/bin/env python3
"""Times the twenty most used functions of Athena's language beside DuckDB's, over one Parquet file.

    pip install -r tests/clients/requirements.txt
    target/release/lakegate demo --dir L --scale 0.0001 --connection-file F &
    benches/functions.py --connection-file F --lake L [--rows 10000000] [--pairs 7] [--only regexp]

Each statement aggregates a function's results, so that nothing but the function differs and one row is sent. Lakegate and
DuckDB run it in turns, so that what else the machine does falls on both alike; printed are the medians in milliseconds and the
median of the ratios of the pairs, Lakegate's time through DuckDB's, and at the end their geometric mean. The answers must be
equal (those of the approximate functions, nearly). Result reuse is off, and both have as many threads as the server has cores.
"read" reads the texts without a function.

The goal is at most 1.5 for each function and at most 1.0 in the geometric mean.
"""

import argparse
import json
import math
import os
import statistics
import sys
import time
from pathlib import Path

import duckdb
import psycopg

DATABASE, TABLE = "bench", "function_rows"

# Rows as of a log: texts of 20 to 60 bytes, JSON of three fields, arrays of none to nine items.
ROWS = """
SELECT i AS id,
       'https://www.example' || (i * 7919 % 97) || '.com/path/' || (i * 104729 % 1000003) || CASE WHEN i % 5 = 0 THEN '?Q=é' ELSE '?q=' || (i % 31) END AS url,
       CASE WHEN i % 11 = 0 THEN NULL ELSE 'Customer ' || (i * 31 % 5003) || ' of Store ' || (i % 13) END AS name,
       '{"user": ' || (i * 7 % 100003) || ', "event": "' || (['view', 'click', 'buy'])[i % 3 + 1] || '", "page": {"n": ' || (i % 100) || '}}' AS event,
       strftime(TIMESTAMP '2020-01-01' + to_seconds(i * 7907 % 126230400), '%Y-%m-%d %H:%M:%S') AS written,
       TIMESTAMP '2020-01-01' + to_seconds(i * 7907 % 126230400) AS began,
       TIMESTAMP '2020-01-01' + to_seconds(i * 6007 % 126230400) AS ended,
       sin(i) * 1000 AS amount,
       list_transform(range(i * 13 % 10), lambda z: (z * i) % 17) AS items
FROM range({rows}) t(i)
"""

COLUMNS = (
    "id BIGINT, url STRING, name STRING, event STRING, written STRING, began TIMESTAMP, ended TIMESTAMP, amount DOUBLE, items ARRAY<BIGINT>"
)

# Name; Lakegate's expression; DuckDB's, if it is another one; the aggregates over it.
TEXT = "count({0}), max(length({0}))"
NUMBER = "count({0}), sum({0})"
TIME = "count({0}), max({0})"
READ = ("read", "url", "url", TEXT)
FUNCTIONS = [
    ("lower", "lower(url)", "", TEXT),
    ("length", "length(url)", "", NUMBER),
    ("substr", "substr(url, 13, 9)", "", TEXT),
    ("replace", "replace(url, 'example', 'lake')", "", TEXT),
    ("concat", "concat(name, '/', url)", "name || '/' || url", TEXT),
    ("split_part", "split_part(url, '/', 4)", "", TEXT),
    ("strpos", "strpos(url, '?')", "", NUMBER),
    ("round", "round(amount, 1)", "", TIME),
    ("regexp_like", "regexp_like(url, '/path/[0-9]+[02468][?]')", "regexp_matches(url, '/path/[0-9]+[02468][?]')", "count_if({0})"),
    ("regexp_extract", "regexp_extract(url, 'path/([0-9]+)', 1)", "", TEXT),
    ("regexp_replace", "regexp_replace(url, '[0-9]+', '#')", "regexp_replace(url, '[0-9]+', '#', 'g')", TEXT),
    ("json_extract_scalar", "json_extract_scalar(event, '$.event')", "json_extract_string(event, '$.event')", TEXT),
    ("date_trunc", "date_trunc('month', began)", "", TIME),
    ("date_diff", "date_diff('day', began, ended)", "date_sub('day', began, ended)", NUMBER),
    ("date_format", "date_format(began, '%Y-%m-%d %H:%i')", "strftime(began, '%Y-%m-%d %H:%M')", TEXT),
    ("date_parse", "date_parse(written, '%Y-%m-%d %H:%i:%s')", "strptime(written, '%Y-%m-%d %H:%M:%S')", TIME),
    ("contains", "contains(items, 5)", "list_contains(items, 5)", "count_if({0})"),
    ("transform", "transform(items, z -> z * 2 + 1)", "list_transform(items, lambda z: z * 2 + 1)", "sum({length}({0}))"),
    ("approx_distinct", "url", "", "{distinct}({0})"),
    ("approx_percentile", "amount", "", "{percentile}({0}, 0.9)"),
]
assert len(FUNCTIONS) == 20
APPROXIMATE = {"approx_distinct", "approx_percentile"}
NAMES = {
    "lakegate": {"length": "cardinality", "distinct": "approx_distinct", "percentile": "approx_percentile"},
    "duckdb": {"length": "len", "distinct": "approx_count_distinct", "percentile": "approx_quantile"},
}


def statement(engine, expression, aggregates, table):
    return f"SELECT {aggregates.format(expression, **NAMES[engine])} FROM {table}"


class Lakegate:
    name = "lakegate"

    def __init__(self, connection_file):
        to = json.loads(Path(connection_file).read_text())
        admin = next(user for user in to["users"] if user["name"] == "admin")
        self.connection = psycopg.connect(
            host=to["postgres"]["host"], port=to["postgres"]["port"], user="admin", password=admin["password"],
            dbname="awsdatacatalog", sslmode="verify-full", sslrootcert=to["tls"]["ca_file"], autocommit=True,
        )  # fmt: skip
        self.connection.execute("SET dialect = 'trino'")
        self.connection.execute("SET result_reuse = off")
        self.table = f"{DATABASE}.{TABLE}"

    def load(self, lake, path):
        location = f"s3://datalake/{path.parent.relative_to(lake)}/"
        self.connection.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE} LOCATION 's3://datalake/{DATABASE}/'")
        self.connection.execute(f"DROP TABLE IF EXISTS {self.table}")
        self.connection.execute(f"CREATE EXTERNAL TABLE {self.table} ({COLUMNS}) STORED AS PARQUET LOCATION '{location}'")

    def run(self, sql):
        return self.connection.execute(sql).fetchone()


class DuckDB:
    name = "duckdb"

    def __init__(self, threads):
        self.connection = duckdb.connect(config={"threads": threads})
        self.connection.execute("SET enable_progress_bar = false")
        self.table = ""

    def load(self, lake, path):
        self.table = f"read_parquet('{path}')"

    def run(self, sql):
        return self.connection.execute(sql).fetchone()


def written(lake, rows):
    """The Parquet file of so many rows, which is made once."""
    path = lake / DATABASE / f"{TABLE}_{rows}" / "rows.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.parent.parent / f".{rows}.parquet"
        chosen = ROWS.replace("{rows}", str(rows))
        duckdb.execute(f"COPY ({chosen}) TO '{made}' (FORMAT parquet, ROW_GROUP_SIZE 122880)")
        made.rename(path)
    return path


def alike(left, right, approximate):
    tolerance = 0.05 if approximate else 1e-9
    return len(left) == len(right) and all(
        math.isclose(one, two, rel_tol=tolerance) if isinstance(one, (int, float)) and isinstance(two, (int, float)) else one == two
        for one, two in ((plain(one), plain(two)) for one, two in zip(left, right))
    )


def plain(value):
    return float(value) if hasattr(value, "as_tuple") else value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", required=True)
    parser.add_argument("--lake", required=True, help="the demo's folder, which is s3://datalake/")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of DuckDB")
    parser.add_argument("--only", default="", help="functions whose name contains this")
    arguments = parser.parse_args()
    lake = Path(arguments.lake).resolve()
    engines = [Lakegate(arguments.connection_file), DuckDB(arguments.threads)]
    path = written(lake, arguments.rows)
    for engine in engines:
        engine.load(lake, path)
    print(f"{'':22}{'lakegate':>12}{'duckdb':>12}{'ratio':>8}")
    logs, wrong = [], []
    for name, lakes, ducks, aggregates in [READ, *FUNCTIONS]:
        if arguments.only not in name:
            continue
        asked = [statement(engine.name, text or lakes, aggregates, engine.table) for engine, text in zip(engines, (lakes, ducks))]
        answers = [engine.run(sql) for engine, sql in zip(engines, asked)]
        if not alike(*answers, name in APPROXIMATE):
            wrong.append(f"{name}: {answers[0]} against {answers[1]}")
        times = [[], []]
        for pair in range(arguments.pairs):
            # Each is the first as often as the second.
            for place in (0, 1) if pair % 2 == 0 else (1, 0):
                started = time.perf_counter()
                engines[place].run(asked[place])
                times[place].append(time.perf_counter() - started)
        ratio = statistics.median(one / two for one, two in zip(*times))
        medians = [statistics.median(seconds) * 1e3 for seconds in times]
        print(f"{name:22}{medians[0]:12.1f}{medians[1]:12.1f}{ratio:8.2f}", flush=True)
        if name != READ[0]:
            logs.append(math.log(ratio))
    if logs:
        print(f"{'geometric mean':46}{math.exp(statistics.mean(logs)):8.2f}")
    for what in wrong:
        print(f"the answers differ: {what}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
