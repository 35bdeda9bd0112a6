#!/usr/bin/env python3
"""Times TPC-H, TPC-DS and ClickBench through the PostgreSQL and the Flight endpoint beside DuckDB's and DataFusion's wheels, on
the same Parquet files, or several builds of Lakegate beside each other.

    pip install -r tests/clients/requirements.txt -r benches/requirements.txt
    target/release/lakegate demo --dir L --scale 0.0001 --tpch 1 --tpcds 1 --connection-file F &
    benches/tpc.py --connection-file F --lake L --pid P [--suite tpch] [--query 6] [--runs 3] [--engines postgres,duckdb]
    benches/tpc.py --build before/lakegate --build after/lakegate --lake L [--engines postgres]
    benches/tpc.py --build "MIMALLOC_PURGE_DELAY=0 target/release/lakegate" --build target/release/lakegate --lake L

ClickBench needs a table that `benches/clickbench.py --lake L` has made, and `--suite clickbench --queries FILE` (see there).

Each engine is a process of its own, with two threads (a server has as many as its configuration says), and runs each query once
to warm up. Then the engines take turns, in another order each time, so that what else the machine does falls on all alike. With
`--build` each build serves a lake with the same files (`builds.py`), made by the demo that is not running any more. Printed for
each query and engine: the median of the time in milliseconds until the client has the last row, of the CPU time of the engine's
process, and the largest peak of its resident memory in MiB during the query; for Lakegate the MB (10^6 bytes) that it counts as
scanned. `ratio` is the median of the ratios of the times of one turn, of an engine to DuckDB, or without it to the first engine.

Of all queries: the sums, the geometric means of the ratios, the least and the greatest geometric mean of a turn, between which
a difference is noise, and the geometric mean of the ratios of CPU time, which varies less. Two `--build` that are the same show
how much both vary.

Before and after each suite the engines rest for some seconds, and what they hold then is printed, without mapped files. In
Lakegate most of it is the column cache; `LAKEGATE_ENGINE__COLUMN_CACHE=0` in the environment shows the peaks without.

Result reuse is off. A client of Lakegate reads what the wire brings: psycopg makes Python values of it, Flight's client Arrow
batches; the wheels make Arrow batches.
"""

import argparse
import contextlib
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

import builds  # noqa: E402
import clickbench  # noqa: E402
import tpc_compare  # noqa: E402

THREADS = 2
# Seconds after which a server has returned the memory that its queries have freed.
REST = 3
STEP = 1 / os.sysconf("SC_CLK_TCK")
SUITES = {**tpc_compare.SUITES, clickbench.SUITE: clickbench.QUERIES}


class Process:
    """What the kernel knows of an engine's process."""

    def __init__(self, pid):
        self.pid = pid

    def cpu(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * STEP

    def forget_peak(self):
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak(self):
        return self.memory("VmHWM")

    def held(self):
        """Returns the MiB that it holds now, without files."""
        return self.memory("RssAnon")

    def memory(self, name):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
        raise SystemExit(f"no {name} in /proc/{self.pid}/status")


class Lakegate:
    def __init__(self, connection_file, pid, suites):
        self.to = json.loads(Path(connection_file).read_text())
        self.admin = next(user for user in self.to["users"] if user["name"] == "admin")
        self.process = Process(pid)
        self.postgres, self.suites = tpc_compare.postgres(connection_file), suites
        for suite in suites:
            self.postgres(suite, "SELECT 1")
            self.postgres.connection(suite).execute("SET result_reuse = off")

    def scanned(self):
        """Returns the bytes that the last query has scanned."""
        sql = (
            "SELECT bytes_scanned FROM awsdatacatalog.system.queries WHERE query NOT LIKE '%system.queries%' "
            "AND bytes_scanned IS NOT NULL ORDER BY submitted_at DESC LIMIT 1"
        )
        rows = self.postgres(self.suites[0], sql)[1]
        return rows[0][0] if rows else None


class Postgres(Lakegate):
    def run(self, suite, sql):
        started = time.perf_counter()
        self.postgres(suite, sql)
        return time.perf_counter() - started


class Flight(Lakegate):
    def __init__(self, connection_file, pid, suites):
        super().__init__(connection_file, pid, suites)
        from adbc_driver_flightsql import DatabaseOptions, dbapi

        self.connections = {}
        ca = Path(self.to["tls"]["ca_file"]).read_text()
        for suite in suites:
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
    return tpc_compare.duckdb(lake, of_arrow=True, suites=SUITES)


def datafusion(lake):
    import datafusion as engine

    config = engine.SessionConfig().with_target_partitions(THREADS).with_default_catalog_and_schema("datafusion", "public")
    contexts = {}
    for suite in SUITES:
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


def measured(engines, suite, sql, runs):
    figures = {name: Figures() for name in engines}
    for name, engine in engines.items():
        try:
            engine.run(suite, sql)
            figures[name].scanned = engine.scanned()
        except Exception as error:  # a query that one engine cannot run
            figures[name].error = " ".join(str(error).split())[:200]
    names = [name for name in engines if not figures[name].error]
    for turn in range(runs):
        first = turn % max(len(names), 1)
        for name in names[first:] + names[:first]:
            figures[name].take(engines[name], suite, sql)
    return figures


def at_rest(engines):
    """Returns the MiB that each engine holds while nothing runs."""
    time.sleep(REST)
    return {name: engine.process.held() for name, engine in engines.items()}


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


class Totals:
    """The queries of a suite that all engines run."""

    def __init__(self, engines, reference):
        self.reference = reference
        self.sums = dict.fromkeys(engines, 0.0)
        self.peaks = dict.fromkeys(engines, 0.0)
        # Of each query, the ratios of its turns, and the ratio of its CPU times.
        self.ratios = {name: [] for name in engines if name != reference}
        self.of_cpu = {name: [] for name in self.ratios}

    def take(self, figures):
        """Returns the ratio of each engine to the reference."""
        for name, figure in figures.items():
            self.peaks[name] = max(self.peaks[name], figure.peak)
        if any(figure.error for figure in figures.values()):
            return [""] * len(self.ratios)
        for name, figure in figures.items():
            self.sums[name] += statistics.median(figure.times)
        for name, ratios in self.ratios.items():
            turns = zip(figures[name].times, figures[self.reference].times, strict=True)
            ratios.append([ours / theirs for ours, theirs in turns])
            # The kernel counts CPU time in steps.
            ours, theirs = (max(statistics.median(figures[one].cpu), STEP) for one in (name, self.reference))
            self.of_cpu[name].append(ours / theirs)
        return [f"{statistics.median(ratios[-1]):.2f}" for ratios in self.ratios.values()]

    def report(self, suite):
        totals = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.sums.items())
        print(f"\n{suite}, of the queries that all engines run: {totals}")
        for name, ratios in self.ratios.items():
            if not ratios:
                continue
            mean = geometric_mean([statistics.median(turns) for turns in ratios])
            turns = [geometric_mean(turn) for turn in zip(*ratios, strict=True)]
            print(
                f"geometric mean of the ratios of {name} to {self.reference}: {mean:.3f}"
                f" (turns {min(turns):.3f} to {max(turns):.3f}), of CPU time {geometric_mean(self.of_cpu[name]):.3f}"
            )
        print(flush=True)


def queries(suite, file):
    """Returns the texts of a suite by their numbers."""
    if suite == clickbench.SUITE:
        return clickbench.texts(file)
    return {number: tpc_compare.query_text(suite, number) for number in range(1, SUITES[suite] + 1)}


def connected(arguments, servers, suites):
    """Returns the engines by their names. `servers`: connection files and process ids by names, "" if there is one only."""
    doors, engines = {"postgres": Postgres, "flight": Flight}, {}
    if clickbench.SUITE in suites:
        for connection_file, _ in servers.values():
            clickbench.define(connection_file, arguments.lake)
    wanted = arguments.engines.split(",")
    several = sum(engine in doors for engine in wanted) > 1
    for engine in wanted:
        if engine not in doors:
            engines[engine] = Wheel(engine, arguments.lake)
            continue
        for name, (connection_file, pid) in servers.items():
            label = f"{name}:{engine}" if name and several else name or engine
            engines[label] = doors[engine](connection_file, pid, suites)
    return engines


def measure(arguments, servers):
    suites = arguments.suite or list(tpc_compare.SUITES)
    texts = {suite: queries(suite, arguments.queries) for suite in suites}
    engines = connected(arguments, servers, suites)
    reference = "duckdb" if "duckdb" in engines else next(iter(engines))
    separator, edge = ("|", "|") if arguments.markdown else (" ", "")
    for suite in suites:
        totals, before = Totals(engines, reference), at_rest(engines)
        head = [
            "query",
            *(f"{name} {what}" for name in engines for what in ("ms", "CPU", "MiB", "MB")),
            *(f"{name} ratio" for name in totals.ratios),
        ]
        print(edge + separator.join(head) + edge)
        if arguments.markdown:
            print("|" + "---|" * len(head))
        for number in [number for number in texts[suite] if number in (arguments.query or texts[suite])]:
            figures = measured(engines, suite, texts[suite][number], arguments.runs)
            cells = [cell for figure in figures.values() for cell in figure.cells()]
            row = [f"{suite} {number:02}", *cells, *totals.take(figures)]
            print(edge + separator.join(row) + edge, flush=True)
            for name, figure in figures.items():
                if figure.error:
                    print(f"{suite} {number:02} {name}: {figure.error}", file=sys.stderr)
        totals.report(suite)
        after = at_rest(engines)
        for name in engines:
            rests = f"at rest before {before[name]:.0f}, after {after[name]:.0f}"
            print(f"{suite}, MiB of {name}: largest peak {totals.peaks[name]:.0f}; {rests}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", help="what lakegate demo --connection-file wrote")
    parser.add_argument("--lake", required=True, help="the demo's folder, made with --tpch or --tpcds")
    parser.add_argument("--pid", type=int, help="of the server")
    parser.add_argument("--build", action="append", help="a program to serve the lake, after variables of its environment")
    parser.add_argument("--suite", choices=SUITES, action="append", help="by default TPC-H and TPC-DS")
    parser.add_argument("--query", type=int, action="append", help="only these numbers of each suite")
    parser.add_argument("--queries", help="ClickBench's postgresql/queries.sql")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engines", help="by default postgres,flight,duckdb,datafusion; of builds, postgres")
    parser.add_argument("--markdown", action="store_true", help="print tables of Markdown")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(arguments.worker, arguments.lake)
    if arguments.runs < 1:
        parser.error("--runs must be 1 at least")
    if arguments.build:
        if arguments.connection_file or arguments.pid:
            parser.error("--build starts servers: --connection-file and --pid are not for it")
        arguments.engines = arguments.engines or "postgres"
        servers = builds.servers(arguments.build, arguments.lake)
    else:
        if arguments.connection_file is None or arguments.pid is None:
            parser.error("--connection-file and --pid are needed, or --build")
        arguments.engines = arguments.engines or "postgres,flight,duckdb,datafusion"
        servers = contextlib.nullcontext({"": (arguments.connection_file, arguments.pid)})
    with servers as running:
        measure(arguments, running)


if __name__ == "__main__":
    main()
