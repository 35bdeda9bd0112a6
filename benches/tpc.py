#!/usr/bin/env python3
"""Times TPC-H and TPC-DS through the PostgreSQL and the Flight endpoint beside DuckDB's and DataFusion's wheels, on the same
Parquet files.

    pip install -r tests/clients/requirements.txt -r benches/requirements.txt
    target/release/lakegate demo --dir L --scale 0.0001 --tpch 1 --tpcds 1 --connection-file F &
    benches/tpc.py --connection-file F --lake L --pid P [--suite tpch] [--query 6] [--runs 3] [--engines postgres,duckdb] [--markdown]

Each engine is a process of its own, with two threads (the server has as many as its configuration says), and runs each query
once to warm up. Then the engines take turns, so that what else the machine does falls on all alike. Printed for each query and
engine: the median of the time in milliseconds until the client has the last row, of the CPU time of the engine's process, and
the largest peak of its resident memory in MiB during the query; for Lakegate the MB (10^6 bytes) that it counts as scanned.
`ratio` is the median of the ratios of the times of one turn, of the first engine to DuckDB.

Result reuse is off. A client of Lakegate reads what the wire brings: psycopg makes Python values of it, Flight's client Arrow
batches; the wheels make Arrow batches.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))

import tpc_compare  # noqa: E402

THREADS = 2


class Process:
    """What the kernel knows of an engine's process."""

    def __init__(self, pid):
        self.pid = pid

    def cpu(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def forget_peak(self):
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak(self):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise SystemExit(f"no VmHWM in /proc/{self.pid}/status")


class Lakegate:
    def __init__(self, connection_file, pid):
        self.to = json.loads(Path(connection_file).read_text())
        self.admin = next(user for user in self.to["users"] if user["name"] == "admin")
        self.process = Process(pid)
        self.postgres = tpc_compare.postgres(connection_file)
        for suite in tpc_compare.SUITES:
            self.postgres(suite, "SELECT 1")
            self.postgres.connection(suite).execute("SET result_reuse = off")

    def scanned(self):
        """Returns the bytes that the last query has scanned."""
        sql = (
            "SELECT bytes_scanned FROM awsdatacatalog.system.queries WHERE query NOT LIKE '%system.queries%' "
            "AND bytes_scanned IS NOT NULL ORDER BY submitted_at DESC LIMIT 1"
        )
        rows = self.postgres("tpch", sql)[1]
        return rows[0][0] if rows else None


class Postgres(Lakegate):
    def run(self, suite, sql):
        started = time.perf_counter()
        self.postgres(suite, sql)
        return time.perf_counter() - started


class Flight(Lakegate):
    def __init__(self, connection_file, pid):
        super().__init__(connection_file, pid)
        from adbc_driver_flightsql import DatabaseOptions, dbapi

        self.connections = {}
        ca = Path(self.to["tls"]["ca_file"]).read_text()
        for suite in tpc_compare.SUITES:
            uri = f"grpc+tls://{self.to['flight']['host']}:{self.to['flight']['port']}"
            options = {"username": "admin", "password": self.admin["password"], DatabaseOptions.TLS_ROOT_CERTS.value: ca}
            self.connections[suite] = dbapi.connect(uri, db_kwargs=options, autocommit=True)
            with self.connections[suite].cursor() as cursor:
                for statement in ("SET result_reuse = off", f"SET search_path = {suite}"):
                    cursor.execute(statement)

    def run(self, suite, sql):
        started = time.perf_counter()
        with self.connections[suite].cursor() as cursor:
            cursor.execute(sql)
            cursor.fetch_arrow_table()
        return time.perf_counter() - started


class Wheel:
    """An engine in a process of its own, which times what it runs."""

    def __init__(self, name, lake):
        command = [sys.executable, __file__, "--worker", name, "--lake", str(lake)]
        self.worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process = Process(self.worker.pid)

    def run(self, suite, sql):
        self.worker.stdin.write(json.dumps([suite, sql]) + "\n")
        self.worker.stdin.flush()
        answer = self.worker.stdout.readline()
        if not answer:
            raise RuntimeError("the process has ended")
        seconds, error = json.loads(answer)
        if error:
            raise RuntimeError(error)
        return seconds

    def scanned(self):
        return None


def duckdb(lake):
    return tpc_compare.duckdb(lake, of_arrow=True)


def datafusion(lake):
    import datafusion as engine

    config = engine.SessionConfig().with_target_partitions(THREADS).with_default_catalog_and_schema("datafusion", "public")
    contexts = {}
    for suite in tpc_compare.SUITES:
        contexts[suite] = engine.SessionContext(config)
        folder = Path(lake) / suite
        for table in sorted(folder.iterdir()) if folder.is_dir() else []:
            if table.is_dir():
                contexts[suite].register_parquet(table.name, str(table))
    return lambda suite, sql: contexts[suite].sql(sql).collect()


def work(name, lake):
    run = {"duckdb": duckdb, "datafusion": datafusion}[name](lake)
    for line in sys.stdin:
        suite, sql = json.loads(line)
        started, error = time.perf_counter(), None
        try:
            run(suite, sql)
        except Exception as failure:  # the others go on
            error = " ".join(str(failure).split())[:200]
        print(json.dumps([time.perf_counter() - started, error]), flush=True)


class Figures:
    def __init__(self):
        self.times, self.cpu, self.peak, self.scanned, self.error = [], [], 0.0, None, None

    def take(self, engine, suite, sql):
        engine.process.forget_peak()
        before = engine.process.cpu()
        self.times.append(engine.run(suite, sql))
        self.cpu.append(engine.process.cpu() - before)
        self.peak = max(self.peak, engine.process.peak())

    def cells(self):
        if self.error:
            return ["error", "", "", ""]
        scanned = "" if self.scanned is None else f"{self.scanned / 1e6:.0f}"
        return [f"{statistics.median(self.times) * 1e3:.0f}", f"{statistics.median(self.cpu) * 1e3:.0f}", f"{self.peak:.0f}", scanned]


def measured(engines, suite, number, runs):
    sql = tpc_compare.query_text(suite, number)
    figures = {name: Figures() for name in engines}
    for name, engine in engines.items():
        try:
            engine.run(suite, sql)
            figures[name].scanned = engine.scanned()
        except Exception as error:  # a query that one engine cannot run
            figures[name].error = " ".join(str(error).split())[:200]
    for _ in range(runs):
        for name, engine in engines.items():
            if not figures[name].error:
                figures[name].take(engine, suite, sql)
    return figures


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", help="what lakegate demo --connection-file wrote")
    parser.add_argument("--lake", required=True, help="the demo's folder, made with --tpch or --tpcds")
    parser.add_argument("--pid", type=int, help="of the server")
    parser.add_argument("--suite", choices=tpc_compare.SUITES, action="append")
    parser.add_argument("--query", type=int, action="append", help="only these numbers")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engines", default="postgres,flight,duckdb,datafusion")
    parser.add_argument("--markdown", action="store_true", help="print tables of Markdown")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(arguments.worker, arguments.lake)
    if arguments.connection_file is None or arguments.pid is None:
        parser.error("--connection-file and --pid are needed")
    doors = {"postgres": Postgres, "flight": Flight}
    engines = {
        name: doors[name](arguments.connection_file, arguments.pid) if name in doors else Wheel(name, arguments.lake)
        for name in arguments.engines.split(",")
    }
    first = next(iter(engines))
    head = ["query", *(f"{name} {what}" for name in engines for what in ("ms", "CPU", "MiB", "MB")), "ratio"]
    separator, edge = ("|", "|") if arguments.markdown else (" ", "")
    for suite in arguments.suite or tpc_compare.SUITES:
        print(edge + separator.join(head) + edge)
        if arguments.markdown:
            print("|" + "---|" * len(head))
        sums, ratios = dict.fromkeys(engines, 0.0), []
        for number in arguments.query or range(1, tpc_compare.SUITES[suite] + 1):
            figures = measured(engines, suite, number, arguments.runs)
            ratio = ""
            if not any(figure.error for figure in figures.values()):
                for name, figure in figures.items():
                    sums[name] += statistics.median(figure.times)
                if "duckdb" in engines and first != "duckdb":
                    turns = zip(figures[first].times, figures["duckdb"].times)
                    ratios.append(statistics.median(ours / theirs for ours, theirs in turns))
                    ratio = f"{ratios[-1]:.2f}"
            cells = [cell for figure in figures.values() for cell in figure.cells()]
            print(edge + separator.join([f"{suite} {number:02}", *cells, ratio]) + edge, flush=True)
            for name, figure in figures.items():
                if figure.error:
                    print(f"{suite} {number:02} {name}: {figure.error}", file=sys.stderr)
        totals = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in sums.items())
        print(f"\n{suite}, of the queries that all engines run: {totals}")
        if ratios:
            print(f"geometric mean of the ratios of {first} to DuckDB: {geometric_mean(ratios):.2f}\n", flush=True)


if __name__ == "__main__":
    main()
