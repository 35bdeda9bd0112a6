"""Measures the cost of the wire, apart from the query: a million rows of lineitem, only scanned, and sent in two ways.

    target/release/lakegate demo --dir L --scale 0.0001 --tpch 1 --connection-file F &
    benches/wire.py --connection-file F [--rows N] [--runs N]

Prints medians. `scan` is the same query with its columns aggregated on the server; the others are psql's COPY over TLS,
written to a pipe. Requires psycopg and psql.
"""

import argparse
import json
import os
import statistics
import subprocess
import time

import psycopg

COLUMNS = "l_orderkey, l_partkey, l_quantity, l_extendedprice, l_shipdate, l_comment"
SCAN = (
    "SELECT sum(l_orderkey), sum(l_partkey), sum(l_quantity), sum(l_extendedprice), max(l_shipdate), max(l_comment) "
    "FROM (SELECT {columns} FROM lineitem LIMIT {rows}) s"
)


def connect(to):
    admin = next(user for user in to["users"] if user["name"] == "admin")
    return psycopg.connect(
        host=to["postgres"]["host"], port=to["postgres"]["port"], user="admin", password=admin["password"],
        dbname="tpch", sslmode="verify-full", sslrootcert=to["tls"]["ca_file"], autocommit=True,
    )


def copied(to, query, options):
    """Returns the bytes that psql received. The time includes a login."""
    admin = next(user for user in to["users"] if user["name"] == "admin")
    environment = {
        "PATH": os.environ["PATH"], "PGHOST": to["postgres"]["host"], "PGPORT": str(to["postgres"]["port"]),
        "PGUSER": "admin", "PGPASSWORD": admin["password"], "PGDATABASE": "tpch", "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": to["tls"]["ca_file"], "PGOPTIONS": "-c result_reuse=off",
    }
    command = ["psql", "-XqAt", "-c", f"COPY ({query}) TO STDOUT {options}"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as psql:
        size = 0
        while piece := psql.stdout.read(1 << 20):
            size += len(piece)
    if psql.returncode:
        raise SystemExit("psql failed")
    return size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with open(arguments.connection_file) as file:
        to = json.load(file)
    connection = connect(to)
    connection.execute("SET result_reuse = off")
    query = f"SELECT {COLUMNS} FROM lineitem LIMIT {arguments.rows}"
    scan = SCAN.format(columns=COLUMNS, rows=arguments.rows)
    ways = {
        "scan": lambda: len(str(connection.execute(scan).fetchone())),
        "COPY text": lambda: copied(to, query, ""),
        "COPY binary": lambda: copied(to, query, "(FORMAT binary)"),
    }
    times = {name: [] for name in ways}
    sizes = {}
    for _ in range(arguments.runs):
        for name, run in ways.items():
            started = time.perf_counter()
            sizes[name] = run()
            times[name].append(time.perf_counter() - started)
    print(f"{arguments.rows} rows of 6 columns, {arguments.runs} runs")
    print("way                 ms      rows/s     MB/s")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"{name:12} {median * 1e3:10.1f} {arguments.rows / median:11.0f} {sizes[name] / median / 1e6:8.1f}")


if __name__ == "__main__":
    main()
