#!/usr/bin/env python3
"""Measures the PostgreSQL endpoint beside PostgreSQL, over the same rows of TPC-H's lineitem.

    pip install -r tests/clients/requirements.txt
    benches/postgres.py target/release/lakegate [--dir DIR] [--rows 300000] [--pairs 9] [--parts rows,…] [--tls off] [--jdbc JAR]

It starts the server and PostgreSQL (shared_buffers 256MB, which holds the table; the other settings are defaults but for
those in peers.py, which concern writes), both with the same certificate. As root it runs PostgreSQL as the user postgres.
The servers take turns; times are medians, ratios are medians of the ratios of the pairs, and above 1 Lakegate is the
faster one. `by CPU` compares the CPU time of Lakegate's process with that of PostgreSQL's backend. `reused` is the ratio
for a result in Lakegate's cache, which PostgreSQL lacks, for information; everywhere else result reuse is off.

rows          a million rows a second: psycopg, PostgreSQL's JDBC driver (--jdbc: its jar), COPY into psycopg and psql.
              `scan` aggregates the same columns on the server: what Lakegate's rows cost before they are sent.
transactions  `select 1` by pgbench.
connects      logins with SCRAM by psycopg, one after the other.
memory        of all processes of a server (Pss: shared memory counts once), while ten clients slowly read ten million rows
              each; only with --parts memory, because it takes minutes.

Client and servers share the machine.
"""

import argparse
import contextlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import peers
import psycopg
import pyarrow.dataset
from ways import Ways, shown

DATABASE = "bench_postgres"
PARTS = ["rows", "transactions", "connects", "memory"]
COLUMNS = (
    "l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus, "
    "l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, l_comment"
)
NARROW = "l_orderkey, l_quantity, l_shipdate"
OFF, ON = "-c result_reuse=off", "-c result_reuse=on"
CLIENTS = 10


class Side:
    """A server as its clients connect to it."""

    def __init__(self, name, server, table, options):
        self.name, self.server, self.options = name, server, options
        self.query = f"SELECT {COLUMNS} FROM {table}"
        self.table = table

    def psycopg(self):
        return self.server.psycopg(options=self.options)

    def environment(self):
        return self.server.environment(self.options)

    def pid(self, connection):
        """The process that works for a connection."""
        return connection.info.backend_pid if self.name == "PostgreSQL" else self.server.pid

    def jdbc(self):
        to = self.server.parameters
        options = self.options.replace(" ", "%20").replace("=", "%3D")
        tls = f"&sslrootcert={to['sslrootcert']}" if "sslrootcert" in to else ""
        return (
            f"jdbc:postgresql://{to['host']}:{to['port']}/{to['dbname']}?user={to['user']}&password={to['password']}"
            f"&sslmode={to['sslmode']}{tls}&options={options}"
        )


def loaded(server, cluster, rows):
    """Makes the table of both servers."""
    folder = server.lake.resolve() / DATABASE
    with server.psycopg() as connection:
        connection.execute("SET dialect = 'trino'")
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} CASCADE")
        shutil.rmtree(folder, ignore_errors=True)
        connection.execute(f"CREATE DATABASE {DATABASE} LOCATION 's3://datalake/{DATABASE}/'")
        connection.execute(
            f"CREATE TABLE {DATABASE}.lineitem WITH (format = 'PARQUET', external_location = 's3://datalake/{DATABASE}/lineitem/')"
            f" AS SELECT {COLUMNS} FROM tpch.lineitem LIMIT {rows}"
        )
    table = pyarrow.dataset.dataset(folder / "lineitem", format="parquet", exclude_invalid_files=True).to_table()
    peers.load(cluster, table.schema, table.to_batches())
    # Results over files that were just written are not stored.
    time.sleep(3)


def aggregates(side):
    columns = [f"{'max' if re.search('date|flag|status|ship|comment', column) else 'sum'}({column})" for column in COLUMNS.split(", ")]
    return f"SELECT {', '.join(columns)} FROM {side.table}"


class Jdbc:
    """A process of Java with a connection to each side."""

    def __init__(self, jar, sides, temp):
        subprocess.run(["javac", "-d", temp, Path(__file__).parent / "PgJdbc.java"], check=True)
        command = ["java", "-Xmx2g", "-cp", f"{jar}:{temp}", "PgJdbc"]
        # The query names the table by the search path, so that it is the same text for both.
        command += [f"SELECT {COLUMNS} FROM lineitem", *(side.jdbc() for side in sides)]
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, side, size):
        print(side, size, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline() or -1)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measured(title, pairs, sides, run_of):
    """Measures one method on all sides. `run_of(side)` returns what to run, and the process whose CPU time counts."""
    ways = Ways(pairs)
    for side in sides:
        run, pid = run_of(side)
        ways.add(side.name, run, pid)
    ways.measure()
    return title, ways


def table(unit, measurements):
    """Prints a line for each. `measurements`: title, the ways, and how many of the unit a run is."""
    print(f"{unit:32}{'Lakegate':>12}{'PostgreSQL':>12}{'ratio':>8}{'by CPU':>8}{'reused':>8}")
    for title, ways, count in measurements:
        ratio, by_cpu = ways.compared("Lakegate", "PostgreSQL")
        reused = shown(ways.compared("reused", "PostgreSQL")[0]) if "reused" in ways.times else ""
        speeds = [count / ways.median(name) for name in ("Lakegate", "PostgreSQL")]
        print(f"{title:32}{speeds[0]:12.0f}{speeds[1]:12.0f}{ratio:8.2f}{shown(by_cpu):>8}{reused:>8}", flush=True)


def rows(sides, count, pairs, jar, temp):
    with contextlib.ExitStack() as stack:
        connections = {side.name: stack.enter_context(side.psycopg()) for side in sides}
        psql = peers.psql()

        def counted(got):
            if got != count:
                raise SystemExit(f"{got} rows of {count} came")

        def fetched(binary):
            def run_of(side):
                connection = connections[side.name]

                def run():
                    with connection.cursor(binary=binary) as cursor:
                        counted(len(cursor.execute(side.query).fetchall()))

                return run, side.pid(connection)

            return run_of

        def copied(options):
            def run_of(side):
                connection = connections[side.name]

                def run():
                    with connection.cursor() as cursor:
                        with cursor.copy(f"COPY ({side.query}) TO STDOUT {options}") as copy:
                            size = sum(len(block) for block in copy)
                        counted(cursor.rowcount)
                    return size

                return run, side.pid(connection)

            return run_of

        def piped(options):
            """The time includes a login. What psql writes is discarded."""

            def run_of(side):
                command = [psql, "-XqAt", "-c", f"COPY ({side.query}) TO STDOUT {options}"]

                def run():
                    if subprocess.run(command, env=side.environment(), stdout=subprocess.DEVNULL).returncode:
                        raise SystemExit("psql failed")

                return run, None

            return run_of

        def scanned(side):
            connection = connections[side.name]
            query = aggregates(side)
            return lambda: connection.execute(query).fetchone(), side.pid(connection)

        formats = [("text", ""), ("CSV", "(FORMAT csv)"), ("binary", "(FORMAT binary)")]
        methods = [("fetchall, text", fetched(False)), ("fetchall, binary", fetched(True))]
        methods += [(f"COPY {name}, psycopg", copied(options)) for name, options in formats]
        if psql:
            methods += [(f"COPY {name}, psql", piped(options)) for name, options in formats]
        if jar:
            jdbc = stack.enter_context(contextlib.closing(Jdbc(jar, sides, temp)))

            def by_jdbc(size):
                def run_of(side):
                    place = sides.index(side)
                    return lambda: counted(jdbc.read(place, size)), None

                return run_of

            # The JVM compiles what it runs often.
            for place in range(len(sides)):
                for size in (0, 1000):
                    for _ in range(3):
                        jdbc.read(place, size)
            methods += [(f"JDBC, fetch size {size}", by_jdbc(size)) for size in (0, 1000)]
        methods.append(("scan, one row sent", scanned))
        print(f"\n{count} rows of lineitem's 16 columns, {pairs} pairs")
        table("rows a second", ((*measured(title, pairs, sides, run_of), count) for title, run_of in methods))


def transactions(sides, pairs, seconds, temp):
    pgbench = peers.postgres_programs() / "pgbench"
    script = Path(temp) / "select.sql"
    script.write_text("select 1;\n")

    def run_of(side, protocol, clients):
        command = [pgbench, "-n", "-f", script, "-M", protocol, "-c", str(clients), "-j", "1", "-T", str(seconds)]
        done = subprocess.run(command, env=side.environment(), check=True, capture_output=True, text=True)
        return float(re.search(r"tps = ([0-9.]+) \(without initial", done.stdout).group(1))

    print(f"\n`select 1` by pgbench, {pairs} pairs of {seconds} s each")
    print(f"{'transactions a second':32}{'Lakegate':>12}{'PostgreSQL':>12}{'ratio':>8}{'by CPU':>8}{'reused':>8}")
    for clients in (1, 10):
        for protocol in ("simple", "extended", "prepared"):
            found = {side.name: [] for side in sides}
            for number in range(pairs):
                turn = number % len(sides)
                for side in sides[turn:] + sides[:turn]:
                    found[side.name].append(run_of(side, protocol, clients))
            ours, theirs, reused = (found[name] for name in ("Lakegate", "PostgreSQL", "reused"))
            ratios = [statistics.median(a / b for a, b in zip(one, theirs)) for one in (ours, reused)]
            print(
                f"{f'{clients} connections, {protocol}':32}{statistics.median(ours):12.0f}{statistics.median(theirs):12.0f}"
                f"{ratios[0]:8.2f}{'':8}{ratios[1]:8.2f}",
                flush=True,
            )


def connects(sides, pairs):
    times = 20

    def run_of(side):
        def run():
            for _ in range(times):
                side.psycopg().close()

        return run, None

    print(f"\nconnecting and authenticating, {pairs} pairs of {times} logins")
    table("logins a second", [(*measured("psycopg, one after the other", pairs, sides[:2], run_of), times)])


def resident(pid):
    """Returns the memory of a process and of its children in MiB; what processes share counts once."""
    total = 0
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for process in [pid, *children]:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int(re.search(r"^Pss: +(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text(), re.M).group(1))
    return total / 1024


def slowly_copied(side, query):
    command = [peers.psql(), "-XqAt", "-c", f"COPY ({query}) TO STDOUT"]
    lines = 0
    with subprocess.Popen(command, env=side.environment(), stdout=subprocess.PIPE) as process:
        while piece := process.stdout.read(1 << 18):
            lines += piece.count(b"\n")
            time.sleep(0.005)
    return lines


def slowly_fetched(side, query):
    found = 0
    with side.psycopg() as connection, connection.transaction(), connection.cursor() as cursor:
        cursor.execute(f"DECLARE c CURSOR FOR {query}")
        while got := cursor.execute("FETCH 10000 FROM c").rowcount:
            found += got
            time.sleep(0.005)
    return found


def memory(sides, loaded_rows, wanted):
    repeated = -(-wanted // loaded_rows)
    print(f"\nmemory in MiB, while {CLIENTS} clients slowly read {wanted} rows of 3 columns each, result reuse off")
    print(f"{'':32}{'before':>12}{'at most':>12}{'a client':>12}{'seconds':>12}")
    for title, read in [("COPY", slowly_copied), ("cursor, 10000 rows a FETCH", slowly_fetched)]:
        for side in sides[:2]:
            query = f"SELECT {NARROW} FROM {side.table} a, generate_series(1, {repeated}) b(n) LIMIT {wanted}"
            before, most, found, ended = resident(side.server.pid), 0, [], threading.Event()
            threads = [threading.Thread(target=lambda side=side, query=query: found.append(read(side, query))) for _ in range(CLIENTS)]
            started = time.perf_counter()
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                most = max(most, resident(side.server.pid))
                ended.wait(0.1)
            seconds = time.perf_counter() - started
            if found != [wanted] * CLIENTS:
                raise SystemExit(f"{side.name}: {found} rows came")
            print(f"{f'{title}, {side.name}':32}{before:12.0f}{most:12.0f}{(most - before) / CLIENTS:12.1f}{seconds:12.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--dir", help="a demo lake with TPC-H at scale 1; made if it is not there, and kept")
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=1, help="of a run of pgbench")
    parser.add_argument("--memory-rows", type=int, default=10_000_000)
    parser.add_argument("--parts", default=",".join(PARTS[:3]), help=f"of {','.join(PARTS)}; default: %(default)s")
    parser.add_argument("--tls", choices=["on", "off"], default="on", help="of both servers")
    parser.add_argument("--jdbc", help="the jar of org.postgresql:postgresql; without it, JDBC is left out")
    options = parser.parse_args()
    parts, tls = options.parts.split(","), options.tls == "on"
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--parts takes {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as temp:
        lake = options.dir or str(Path(temp) / "lake")
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(peers.lakegate(options.binary, lake, 1, temp, tls))
            cluster = stack.enter_context(peers.postgres(server, tls, shared_buffers="256MB"))
            if cluster is None:
                raise SystemExit("PostgreSQL is not installed: initdb is neither on PATH nor in /usr/lib/postgresql/*/bin")
            print(f"beside {cluster.described()}", flush=True)
            loaded(server, cluster, options.rows)
            table_of = f"{DATABASE}.lineitem"
            # JDBC's query finds the table by the database.
            server.parameters["dbname"] = DATABASE
            sides = [
                Side("Lakegate", server, table_of, OFF),
                Side("PostgreSQL", cluster, "lineitem", ""),
                Side("reused", server, table_of, ON),
            ]
            # This comes first, before the server has done much else.
            if "memory" in parts:
                memory(sides, options.rows, options.memory_rows)
            if "rows" in parts:
                rows(sides, options.rows, options.pairs, options.jdbc, temp)
            if "transactions" in parts:
                transactions(sides, options.pairs, options.seconds, temp)
            if "connects" in parts:
                connects(sides, options.pairs)
            with server.psycopg() as connection:
                connection.execute(f"DROP DATABASE {DATABASE} CASCADE")


if __name__ == "__main__":
    main()
