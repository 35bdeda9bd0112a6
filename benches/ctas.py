#!/usr/bin/env python3
"""Times CREATE TABLE AS of lineitem to 1, 100 and 2,000 partitions beside DuckDB's COPY … PARTITION_BY of the same rows.

    pip install -r tests/clients/requirements.txt
    target/release/lakegate demo --dir L --scale 0.0001 --tpch 1 --connection-file F &
    benches/ctas.py --connection-file F --lake L [--pairs 5] [--partitions 1,100,2000] [--format PARQUET] [--pid P]

Both read tpch.lineitem's Parquet files and write Snappy Parquet to folders of one disk, partitioned by `l_suppkey % n`, which
comes in random order; of one partition, without a key. They take turns, so that what else the machine does falls on both
alike. Printed are the medians in milliseconds, the median of the ratios of the pairs (Lakegate's time through DuckDB's), and
the files and MB (10^6 bytes) of each. Lakegate's time includes the wire, the commit, and that every file is on disk; DuckDB's
does not include the last, and is printed a second time with `sync` after it. With --pid, of the server, its peak of resident
memory is printed as well. The rows of both are compared, partition by partition.

With --format JSON or TEXTFILE Lakegate writes that instead, in gzip, beside DuckDB's gzipped JSON or CSV; the rows are not
compared then.

The goal is at most 1.0 for each.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path

import duckdb
import psycopg

DATABASE, TABLE = "bench_ctas", "lineitem"
COLUMNS = (
    "l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus, "
    "l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, l_comment"
)
DUCKS = {"PARQUET": "FORMAT parquet, COMPRESSION snappy", "JSON": "FORMAT json, COMPRESSION gzip", "TEXTFILE": "FORMAT csv, COMPRESSION gzip"}


def selected(source, partitions):
    key = "" if partitions == 1 else f", l_suppkey % {partitions} AS part"
    return f"SELECT {COLUMNS}{key} FROM {source}"


class Lakegate:
    name = "lakegate"

    def __init__(self, connection_file, lake, fmt):
        to = json.loads(Path(connection_file).read_text())
        admin = next(user for user in to["users"] if user["name"] == "admin")
        self.connection = psycopg.connect(
            host=to["postgres"]["host"], port=to["postgres"]["port"], user="admin", password=admin["password"],
            dbname="awsdatacatalog", sslmode="verify-full", sslrootcert=to["tls"]["ca_file"], autocommit=True,
        )  # fmt: skip
        self.connection.execute("SET dialect = 'trino'")
        self.folder, self.format = lake / DATABASE / "lakegate", fmt
        self.clear()
        self.connection.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE} LOCATION 's3://datalake/{DATABASE}/'")

    def clear(self):
        self.connection.execute(f"DROP TABLE IF EXISTS {DATABASE}.{TABLE}")
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, partitions):
        codec = "SNAPPY" if self.format == "PARQUET" else "GZIP"
        options = [f"format = '{self.format}'", f"write_compression = '{codec}'", f"external_location = 's3://datalake/{DATABASE}/lakegate/'"]
        if partitions > 1:
            options.append("partitioned_by = ARRAY['part']")
        query = selected("tpch.lineitem", partitions)
        self.connection.execute(f"CREATE TABLE {DATABASE}.{TABLE} WITH ({', '.join(options)}) AS {query}")

    def close(self):
        self.clear()
        self.connection.execute(f"DROP DATABASE {DATABASE}")


class DuckDB:
    name = "duckdb"

    def __init__(self, lake, fmt, threads):
        self.connection = duckdb.connect(config={"threads": threads})
        self.connection.execute("SET enable_progress_bar = false")
        self.source = f"read_parquet('{lake}/tpch/lineitem/*.parquet')"
        self.folder, self.options = lake / DATABASE / "duckdb", DUCKS[fmt]
        self.clear()

    def clear(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, partitions):
        query, options = selected(self.source, partitions), self.options
        target = self.folder
        if partitions == 1:
            target.mkdir(parents=True)
            target = target / "lineitem.parquet"
        else:
            options += ", PARTITION_BY (part)"
        self.connection.execute(f"COPY ({query}) TO '{target}' ({options})")

    def close(self):
        self.clear()


def files_of(folder):
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_"))]
    return len(sizes), sum(sizes) / 1e6


def totals(folder, partitions):
    """Of each partition the rows, and sums that tell them apart."""
    key = "0" if partitions == 1 else "CAST(part AS BIGINT)"
    sums = "count(*), sum(l_orderkey), sum(l_extendedprice), sum(hash(l_comment) % 1000003), max(l_shipdate)"
    return duckdb.execute(
        f"SELECT {key} AS key, {sums} FROM read_parquet('{folder}/**/*.parquet', hive_partitioning = {partitions > 1}) GROUP BY 1 ORDER BY 1"
    ).fetchall()


def peak(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("no VmHWM")


def timed(engine, partitions):
    engine.clear()
    # Otherwise the next one would pay for unwritten data of the previous one.
    os.sync()
    started = time.perf_counter()
    engine.run(partitions)
    seconds = time.perf_counter() - started
    os.sync()
    return seconds, time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", required=True)
    parser.add_argument("--lake", required=True, help="the demo's folder, which is s3://datalake/")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--partitions", default="1,100,2000")
    parser.add_argument("--format", default="PARQUET", choices=sorted(DUCKS))
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of DuckDB")
    parser.add_argument("--pid", type=int, help="the server's")
    arguments = parser.parse_args()
    lake = Path(arguments.lake).resolve()
    lakegate = Lakegate(arguments.connection_file, lake, arguments.format)
    engines = [lakegate, DuckDB(lake, arguments.format, arguments.threads)]
    print(f"{'partitions':>10}{'lakegate':>11}{'duckdb':>11}{'ratio':>8}{'+ sync':>11}{'ratio':>8}{'files':>16}{'MB':>18}")
    wrong = []
    for partitions in map(int, arguments.partitions.split(",")):
        times = [[], []]
        # The first pair is a warm-up and is not counted.
        for pair in range(arguments.pairs + 1):
            for place in (0, 1) if pair % 2 == 0 else (1, 0):
                seconds = timed(engines[place], partitions)
                if pair:
                    times[place].append(seconds)
        written = [files_of(engine.folder) for engine in engines]
        if arguments.format == "PARQUET" and totals(lakegate.folder, partitions) != totals(engines[1].folder, partitions):
            wrong.append(partitions)
        own = [seconds for seconds, _ in times[0]]
        ducks, synced = zip(*times[1])
        medians = [statistics.median(seconds) * 1e3 for seconds in (own, ducks, synced)]
        ratios = [statistics.median(one / two for one, two in zip(own, others)) for others in (ducks, synced)]
        files = " / ".join(str(count) for count, _ in written)
        size = " / ".join(f"{megabytes:.0f}" for _, megabytes in written)
        print(
            f"{partitions:10}{medians[0]:11.0f}{medians[1]:11.0f}{ratios[0]:8.2f}{medians[2]:11.0f}{ratios[1]:8.2f}{files:>16}{size:>18}",
            flush=True,
        )
    for engine in engines:
        engine.close()
    shutil.rmtree(lake / DATABASE, ignore_errors=True)
    if arguments.pid:
        print(f"peak of resident memory {peak(arguments.pid):.0f} MiB")
    for partitions in wrong:
        print(f"the rows of {partitions} partitions differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
