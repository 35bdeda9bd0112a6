#!/usr/bin/env python3
"""Makes ClickBench's table `hits` in a lake, and compares the rows of its 43 queries with DuckDB's on the same files.

    pip install -r tests/clients/requirements.txt
    target/release/lakegate demo --dir L --scale 0.0001 --connection-file F &
    git clone --depth 1 https://github.com/ClickHouse/ClickBench
    benches/clickbench.py --connection-file F --lake L --queries ClickBench/postgresql/queries.sql [--rows 1000000] [--query 6]

benches/tpc.py measures the table that this has made.

`hits.py` says what the rows are. The queries are read from ClickBench's own file, one a line, as they are: in the text for
PostgreSQL, which DuckDB's is equal to. They are not part of this repository, as their licence (CC BY-NC-SA 4.0) is another one.

The comparison is that of tests/clients/tpc_compare.py. It fetches all groups of queries whose LIMIT cuts through peers: with a
million rows it takes some minutes.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))

import hits  # noqa: E402
import tpc_compare  # noqa: E402

SUITE = "clickbench"
QUERIES = 43


def texts(path):
    """Returns the queries by their numbers, which begin with 1."""
    if path is None:
        raise SystemExit("--queries is needed: ClickBench's postgresql/queries.sql")
    lines = [line.strip().rstrip(";") for line in Path(path).read_text().splitlines() if line.strip()]
    if len(lines) != QUERIES:
        raise SystemExit(f"{path} has {len(lines)} lines with a query, and not {QUERIES}")
    return dict(enumerate(lines, 1))


def make(lake, rows):
    """Writes the files, if the lake does not have them with as many rows, and says whether it did."""
    folder = Path(lake) / SUITE / "hits"
    made = sum(pq.read_metadata(file).num_rows for file in folder.glob("*.parquet"))
    if made == rows:
        return False
    if folder.exists():
        shutil.rmtree(folder)
    hits.write(folder, rows)
    return True


def define(connection_file, lake):
    """Defines the table that `make` has written, unless it is defined."""
    file = min((Path(lake) / SUITE / "hits").glob("*.parquet"))
    columns = ", ".join(f"{field.name} {hits.HIVE[field.type]}" for field in pq.read_schema(file))
    bucket = "s3://datalake"
    run = connected(connection_file)
    run(f"CREATE DATABASE IF NOT EXISTS {SUITE} LOCATION '{bucket}/{SUITE}/'")
    run(
        f"CREATE EXTERNAL TABLE IF NOT EXISTS {SUITE}.hits ({columns}) STORED AS PARQUET LOCATION '{bucket}/{SUITE}/hits/'"
    )


def connected(connection_file):
    import psycopg

    to = json.loads(Path(connection_file).read_text())
    admin = next(user for user in to["users"] if user["name"] == "admin")
    connection = psycopg.connect(
        host=to["postgres"]["host"],
        port=to["postgres"]["port"],
        user=admin["name"],
        password=admin["password"],
        dbname="awsdatacatalog",
        sslmode="verify-full",
        sslrootcert=to["tls"]["ca_file"],
        autocommit=True,
    )
    return connection.execute


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", required=True, help="what lakegate demo --connection-file wrote")
    parser.add_argument("--lake", required=True, help="the demo's folder")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--queries", help="ClickBench's postgresql/queries.sql; without it, the table is only made")
    parser.add_argument("--query", type=int, action="append", help="only these numbers, from 1")
    arguments = parser.parse_args()
    if make(arguments.lake, arguments.rows):
        print(f"wrote {arguments.rows} rows")
    define(arguments.connection_file, arguments.lake)
    if arguments.queries is None:
        return
    queries = texts(arguments.queries)
    left = tpc_compare.postgres(arguments.connection_file)
    right = tpc_compare.duckdb(arguments.lake, suites=(SUITE,))
    numbers = arguments.query or queries
    wrong = tpc_compare.compare(left, right, SUITE, numbers, {}, text=lambda suite, number: queries[number])
    print(f"{wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
