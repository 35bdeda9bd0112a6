"""Measures the Flight SQL door against its peers: TPC-H lineitem by DoGet and by ingestion, SELECT 1, and memory.

    pip install -r tests/clients/requirements.txt -r benches/requirements.txt
    benches/flight.py target/release/lakegate [--scale N] [--runs N] [--dir DIR] [--bare PROGRAM] [--parts a,b]

It starts the server, two Flight servers that send the same batches from memory (pyarrow's, and `benches/bare_flight.rs`,
which is built with cargo unless --bare names the program), and PostgreSQL if it is installed; all with the same
certificate. As root it runs PostgreSQL as the user postgres. The methods take turns in each run, in a changing order;
times are medians, ratios are medians of the runs' ratios. MB are 10^6 bytes of Arrow, the same for all Flight servers.
`CPU` is the server's own, or pyarrow's where pyarrow writes itself. Client and servers share the machine.
"""

import argparse
import contextlib
import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import peers
import pyarrow as pa
from flight_ingest import Ingestion, connect
from pyarrow import flight
from ways import Ways

PARTS = ["memory", "get", "ingest", "select"]
LINEITEM = "SELECT * FROM tpch.lineitem"
CLIENTS = 10


def varint(number):
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def field(number, content):
    """Encodes a length-delimited field of protobuf."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def statement(sql):
    url = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    return flight.FlightDescriptor.for_command(field(1, url) + field(2, field(1, sql.encode())))


def client_of(uri, ca):
    # A separate connection: clients in one process would share one.
    options = [("grpc.use_local_subchannel_pool", 1)]
    return flight.FlightClient(uri, tls_root_certs=Path(ca).read_bytes(), generic_options=options)


class Received:
    """The totals of a stream: rows, bytes of Arrow, and the usage in its last message."""

    def __init__(self, reader, keep=None):
        self.rows, self.bytes, self.usage = 0, 0, None
        for chunk in reader:
            if chunk.data is not None:
                self.rows += chunk.data.num_rows
                self.bytes += chunk.data.nbytes
                if keep is not None and chunk.data.num_rows:
                    keep.append(chunk.data)
            if chunk.app_metadata:
                self.usage = json.loads(chunk.app_metadata.to_pybytes())


class Session:
    """A pyarrow.flight client, logged in to the server."""

    def __init__(self, server, reuse):
        self.client = client_of(server.uri, server.ca)
        token = self.client.authenticate_basic_token("admin", server.password)
        self.options = flight.FlightCallOptions(headers=[token])
        self.fetch(f"SET result_reuse = {reuse}")

    def fetch(self, sql, keep=None):
        return Received(self.stream(sql), keep)

    def stream(self, sql):
        info = self.client.get_flight_info(statement(sql), self.options)
        return self.client.do_get(info.endpoints[0].ticket, self.options)

    def scan(self, cached, keep=None):
        received = self.fetch(LINEITEM, keep)
        if received.usage["cache_hit"] is not cached:
            raise SystemExit(f"a result that was to come {'from the cache' if cached else 'from a scan'} did not")
        return received


def aggregate(schema):
    """Returns a query that reads all columns and sends one row."""
    numbers = (pa.types.is_integer, pa.types.is_decimal)
    columns = [
        f"{'sum' if any(is_it(field.type) for is_it in numbers) else 'max'}({field.name})" for field in schema
    ]
    return f"SELECT {', '.join(columns)} FROM tpch.lineitem"


def memory(server):
    """Measures the server's memory while clients stream, each on its own connection, and no result is stored."""
    idle = peers.memory(server.pid, "VmRSS")
    sessions = [Session(server, "off") for _ in range(CLIENTS)]
    received = []
    threads = [threading.Thread(target=lambda one=one: received.append(one.scan(cached=False))) for one in sessions]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    # The maximum since the server's start, when it used less.
    most = peers.memory(server.pid, "VmHWM")
    if len(received) != CLIENTS:
        raise SystemExit(f"{len(received)} of {CLIENTS} clients got all of lineitem")
    size = sum(one.bytes for one in received)
    print(f"\nmemory: {CLIENTS} clients stream lineitem at once, result reuse off")
    print(f"{'resident, idle':34}{idle:10.1f} MiB")
    print(f"{'resident, at most':34}{most:10.1f} MiB")
    print(f"{'  more than idle, a client':34}{(most - idle) / CLIENTS:10.1f} MiB")
    print(f"{'resident, afterwards':34}{peers.memory(server.pid, 'VmRSS'):10.1f} MiB")
    print(f"{'each client received':34}{size / CLIENTS / 2**20:10.1f} MiB of Arrow")
    print(f"{'all together':34}{size / seconds / 1e6:10.1f} MB/s", flush=True)


def get(server, runs, temp, bare):
    """Measures DoGet against the bare servers and PostgreSQL's COPY."""
    stored, scanning = Session(server, "on"), Session(server, "off")
    first = stored.fetch(LINEITEM)
    # Results over files that were just written are not stored yet.
    deadline = time.monotonic() + 10
    while not stored.fetch(LINEITEM).usage["cache_hit"]:
        if time.monotonic() > deadline:
            raise SystemExit("lineitem is not kept in the result cache: is it larger than 4 GiB?")
        time.sleep(1)
    # The bare servers send these batches.
    batches = []
    received = stored.scan(cached=True, keep=batches)
    file = Path(temp) / "batches.arrow"
    schema = batches[0].schema
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    print(
        f"\nDoGet: lineitem, {received.rows} rows in {len(batches)} batches, {received.bytes / 1e6:.0f} MB of Arrow, "
        f"{first.usage['bytes_scanned'] / 1e6:.0f} MB of Parquet; {runs} runs"
    )
    with contextlib.ExitStack() as stack:
        rust = stack.enter_context(peers.bare([bare], file, server))
        python = stack.enter_context(peers.bare(peers.pyarrow_bare(), file, server))
        cluster = stack.enter_context(peers.postgres(server))
        if cluster:
            print(f"beside {cluster.described()}", flush=True)
            peers.load(cluster, schema, batches)
        else:
            print("PostgreSQL is not installed (initdb is neither on PATH nor in /usr/lib/postgresql/*/bin): its COPY is missing")
        batches.clear()
        ways, sizes = Ways(runs), {None: received.bytes}

        def same(got):
            if (got.rows, got.bytes) != (received.rows, received.bytes):
                raise SystemExit(f"{got.rows} rows and {got.bytes} bytes came, {received.rows} and {received.bytes} went")

        def whole(got):
            # A scan may split the rows into other batches.
            if got.rows != received.rows:
                raise SystemExit(f"{got.rows} rows came, {received.rows} went")

        def from_bare(client):
            return lambda: same(Received(client.do_get(flight.Ticket(b""))))

        def by_adbc():
            with connection.cursor() as cursor:
                rows = sum(batch.num_rows for batch in cursor.execute(LINEITEM).fetch_record_batch())
            if rows != received.rows:
                raise SystemExit(f"{rows} rows came, {received.rows} went")

        connection = stack.enter_context(connect(server))
        ways.add("bare Flight server", from_bare(client_of(rust.uri, server.ca)), rust.pid)
        ways.add("bare Flight server of pyarrow", from_bare(client_of(python.uri, server.ca)), python.pid)
        ways.add("stored result", lambda: same(stored.scan(cached=True)), server.pid)
        ways.add("stored result, by ADBC", by_adbc, server.pid)
        ways.add("scan", lambda: whole(scanning.scan(cached=False)), server.pid)
        query = aggregate(schema)
        ways.add("scan alone, one row sent", lambda: scanning.fetch(query), server.pid)
        copies = copied(ways, sizes, cluster, stack) if cluster else []
        ways.measure()
        ways.table(received.rows, sizes)
        ways.ratio("stored result", "bare Flight server", 0.8)
        ways.ratio("stored result", "bare Flight server of pyarrow")
        ways.ratio("scan", "scan alone, one row sent", 1)
        ways.ratio("scan", "bare Flight server")
        for copy in copies:
            ways.ratio("stored result", copy, 10)
            ways.ratio("scan", copy)


def copied(ways, sizes, cluster, stack):
    """Adds PostgreSQL's COPY over TLS, whose bytes are discarded; returns the names of the methods."""
    copy = "COPY (SELECT * FROM lineitem) TO STDOUT (FORMAT binary)"
    connection = stack.enter_context(cluster.psycopg())
    psycopg, psql = "COPY binary, psycopg", "COPY binary, psql"

    def by_psycopg():
        with connection.cursor() as cursor, cursor.copy(copy) as data:
            sizes[psycopg] = sum(len(part) for part in data)

    def by_psql():
        """The time includes a login."""
        size = 0
        with subprocess.Popen([program, "-XqAt", "-c", copy], env=cluster.environment(), stdout=subprocess.PIPE) as process:
            while part := process.stdout.read(1 << 20):
                size += len(part)
        if process.returncode:
            raise SystemExit("psql failed")
        sizes[psql] = size

    ways.add(psycopg, by_psycopg, connection.info.backend_pid)
    program = peers.psql()
    if program:
        ways.add(psql, by_psql)
    return [psycopg, psql] if program else [psycopg]


def ingest(server, runs):
    batches = []
    received = Session(server, "off").fetch(LINEITEM, batches)
    table = pa.Table.from_batches(batches)
    with contextlib.closing(Ingestion(server, table)) as to:
        names = ["adbc_ingest", "pyarrow write_table and fsync", "pyarrow write_table"]
        files = {}

        def run(name, write):
            def timed():
                write()
                files[name] = to.file_bytes()

            return timed

        ways = Ways(runs)
        ways.add(names[0], run(names[0], to.ingest), server.pid, to.clear)
        ways.add(names[1], run(names[1], lambda: to.write(durable=True)), os.getpid(), to.clear)
        ways.add(names[2], run(names[2], lambda: to.write(durable=False)), os.getpid(), to.clear)
        ways.measure()
        print(f"\ningestion: {received.rows} rows, {table.nbytes / 1e6:.0f} MB of Arrow, Snappy, {runs} runs")
        ways.table(received.rows, {None: table.nbytes})
        ways.ratio(names[0], names[1], 0.7)
        ways.ratio(names[0], names[2])
        for name, size in files.items():
            print(f"  {name}: {size / 1e6:.1f} MB of Parquet, {size / ways.median(name) / 1e6:.1f} MB/s of them")
        print("  Lakegate's files are on disk when it answers, so that pyarrow's with fsync is the fair one")


def select(server, runs):
    """Measures round trips of SELECT 1, one after the other on an open connection."""
    times = 200
    session = Session(server, "on")
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(peers.postgres(server))
        adbc = stack.enter_context(stack.enter_context(connect(server)).cursor())
        door = stack.enter_context(server.psycopg())
        statements = {
            "ADBC": lambda: adbc.execute("SELECT 1").fetchone(),
            "pyarrow.flight": lambda: session.fetch("SELECT 1"),
            "psycopg, Lakegate": lambda: door.execute("SELECT 1").fetchone(),
        }
        if cluster:
            other = stack.enter_context(cluster.psycopg())
            statements["psycopg, PostgreSQL"] = lambda: other.execute("SELECT 1").fetchone()

        def repeated(one):
            return lambda: [one() for _ in range(times)]

        ways = Ways(runs)
        for name, one in statements.items():
            ways.add(name, repeated(one))
        ways.measure()
    print(f"\nSELECT 1: one connection, {runs} runs of {times}; a Flight round trip is GetFlightInfo and DoGet")
    for name in statements:
        median = ways.median(name) / times
        print(f"{name:34}{1 / median:10.0f} a second{median * 1e3:10.3f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--scale", type=float, default=1, help="of TPC-H; lineitem has 6 million rows of it")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--dir", help="a demo lake with TPC-H of that scale; made if it is not there, and kept")
    parser.add_argument("--bare", help="bare_flight, built already")
    parser.add_argument("--parts", default=",".join(PARTS), help="of %(default)s")
    arguments = parser.parse_args()
    parts = arguments.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--parts takes {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    bare = arguments.bare or (peers.built_bare() if "get" in parts else None)
    with tempfile.TemporaryDirectory() as temp:
        lake = arguments.dir or str(Path(temp) / "lake")
        print(f"TPC-H SF {arguments.scale:g}", flush=True)
        if not (Path(lake) / ".lakegate").exists():
            # Made by another server, because making the lake leaves a server with more memory.
            with peers.lakegate(arguments.binary, lake, arguments.scale, temp):
                pass
            (Path(temp) / "connection.json").unlink()
        with peers.lakegate(arguments.binary, lake, arguments.scale, temp) as server:
            # This comes first, before the server has done anything else.
            if "memory" in parts:
                memory(server)
            if "get" in parts:
                get(server, arguments.runs, temp, bare)
            if "ingest" in parts:
                ingest(server, arguments.runs)
            if "select" in parts:
                select(server, arguments.runs)


if __name__ == "__main__":
    main()
