"""The servers that benches/flight.py and benches/postgres.py measure: Lakegate, two bare Flight servers and PostgreSQL, each a process on
loopback with the same certificate.

    benches/peers.py BATCHES.arrow CERTIFICATE KEY      # pyarrow's bare server; prints its port, ends with its stdin
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pyarrow as pa
from pyarrow import csv, flight

ROOT = Path(__file__).resolve().parent.parent
# The cache can store all of lineitem; one result can have at most 4 GiB.
STORING = {"LAKEGATE_RESULTS__CACHE_SIZE": "8GiB", "LAKEGATE_RESULTS__MAX_ENTRY_SIZE": "4GiB"}


def cpu_seconds(pid):
    """Returns the CPU time of a process so far, including its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid, name):
    """Returns memory in MiB. VmRSS: now; VmHWM: the maximum so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"no {name} in /proc/{pid}/status")


def stop(process, ask=signal.SIGTERM):
    process.send_signal(ask)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Libpq:
    """A server that libpq's clients connect to, by `parameters`."""

    def psycopg(self, **more):
        return psycopg.connect(**self.parameters, autocommit=True, **more)

    def environment(self, options=""):
        """The variables by which programs that use libpq connect. `options`: settings of the session."""
        names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE",
                 "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}  # fmt: skip
        return {"PATH": os.environ["PATH"], "PGOPTIONS": options} | {
            names[name]: str(value) for name, value in self.parameters.items()
        }


def encryption(tls, ca):
    return {"sslmode": "verify-full", "sslrootcert": ca} if tls else {"sslmode": "disable"}


class Lakegate(Libpq):
    def __init__(self, process, to, lake, tls):
        self.pid, self.to, self.lake = process.pid, to, Path(lake)
        self.uri = f"grpc+tls://{to['flight']['host']}:{to['flight']['port']}"
        self.ca = to["tls"]["ca_file"]
        tls = self.lake / ".lakegate" / "tls"
        self.certificate, self.key = tls / "server.pem", tls / "server.key"
        self.password = next(user["password"] for user in to["users"] if user["name"] == "admin")
        self.parameters = {
            "host": to["postgres"]["host"], "port": to["postgres"]["port"], "user": "admin", "password": self.password,
            "dbname": "tpch", **encryption(tls, self.ca),
        }  # fmt: skip


@contextlib.contextmanager
def demo(command, file, log, variables, name="the server"):
    """Runs a demo, and gives its process once it has written its connection file."""
    with open(log, "w") as to_log:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=to_log, env=os.environ | variables)
    try:
        while not file.exists():
            if process.poll() is not None:
                raise SystemExit(f"{name} does not start: {log.read_text()}")
            time.sleep(0.05)
        yield process
    finally:
        stop(process)


@contextlib.contextmanager
def lakegate(binary, lake, scale, temp, tls=True):
    """Runs a demo with TPC-H. If the lake is missing, it is generated, which takes a while. Without `tls`, the clients of
    the PostgreSQL endpoint connect without it."""
    required = {"LAKEGATE_POSTGRES__REQUIRE_TLS": "true" if tls else "false"}
    file, log = Path(temp) / "connection.json", Path(temp) / "lakegate.log"
    command = [
        binary, "demo", "--dir", lake, "--scale", "0.0001", "--tpch", str(scale), "--postgres-port", "0",
        "--flight-port", "0", "--http-port", "0", "--connection-file", file,
    ]  # fmt: skip
    with demo(command, file, log, STORING | required) as process:
        yield Lakegate(process, json.loads(file.read_text()), lake, tls)


class Bare:
    def __init__(self, process):
        port = process.stdout.readline().strip()
        if not port:
            raise SystemExit(f"{process.args[0]} does not start")
        self.pid, self.uri = process.pid, f"grpc+tls://127.0.0.1:{port}"


@contextlib.contextmanager
def bare(command, batches, server):
    """Runs a Flight server that sends the batches of a file from memory, with the server's certificate."""
    process = subprocess.Popen(
        [*command, batches, server.certificate, server.key], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield Bare(process)
    finally:
        stop(process)


def pyarrow_bare():
    return [sys.executable, __file__]


def built_bare():
    """Builds the bare server in Rust with cargo, and returns its path."""
    command = ["cargo", "build", "--release", "--bench", "bare_flight", "--message-format=json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "bare_flight":
            return message["executable"]
    raise SystemExit("cargo does not say where it has built bare_flight")


def postgres_programs():
    """Returns the folder of initdb and postgres, or None."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: folder.parent.name, reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def psql():
    """Returns the path of psql, or None: the program, not Debian's script of that name, which takes longer to start than
    the program takes to log in."""
    programs = postgres_programs()
    program = programs and programs / "psql"
    return program if program and program.exists() else shutil.which("psql")


class Postgres(Libpq):
    def __init__(self, pid, port, password, ca, tls):
        self.pid = pid
        self.parameters = {
            "host": "127.0.0.1", "port": port, "user": "postgres", "password": password, "dbname": "postgres",
            **encryption(tls, ca),
        }  # fmt: skip

    def described(self):
        with self.psycopg() as connection:
            query = "SELECT current_setting('server_version'), version, cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            version, tls, cipher = connection.execute(query).fetchone()
        return f"PostgreSQL {version}, " + (f"{tls} with {cipher}" if tls else "without TLS")


@contextlib.contextmanager
def postgres(server, tls=True, **changed):
    """Runs a temporary cluster with the server's certificate. Yields None if PostgreSQL is not installed. `changed`: other
    settings of PostgreSQL."""
    programs = postgres_programs()
    if programs is None:
        yield None
        return
    # PostgreSQL refuses to run as root.
    root = os.geteuid() == 0
    other = {"user": "postgres", "group": "postgres", "extra_groups": []} if root else {}
    with tempfile.TemporaryDirectory() as temp:
        data, secret = Path(temp) / "data", Path(temp) / "password"
        secret.write_text(server.password)
        for source, name in [(server.certificate, "server.pem"), (server.key, "server.key")]:
            shutil.copy(source, Path(temp) / name)
            os.chmod(Path(temp) / name, 0o600)
        if root:
            for path in [Path(temp), *Path(temp).iterdir()]:
                shutil.chown(path, "postgres", "postgres")
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync",
             "--encoding=UTF8", "--locale=C"],
            cwd=temp, capture_output=True, text=True, **other,
        )
        if made.returncode:
            raise SystemExit(f"initdb fails: {made.stderr}")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = {
            "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "ssl": "on",
            "ssl_cert_file": Path(temp) / "server.pem", "ssl_key_file": Path(temp) / "server.key",
            # Rows are in PostgreSQL's own memory, and nothing is written during measurements.
            "shared_buffers": "2GB", "fsync": "off", "autovacuum": "off", "wal_level": "minimal", "max_wal_senders": "0",
            "max_wal_size": "8GB", **changed,
        }
        log = open(Path(temp) / "log", "w")
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())],
            cwd=temp, stdout=log, stderr=log, **other,
        )
        try:
            cluster = Postgres(process.pid, port, server.password, server.ca, tls)
            deadline = time.monotonic() + 60
            while True:
                try:
                    cluster.psycopg().close()
                    break
                except psycopg.OperationalError as error:
                    if process.poll() is not None or time.monotonic() > deadline:
                        said = (Path(temp) / "log").read_text()
                        raise SystemExit(f"PostgreSQL does not start: {error}: {said}") from error
                    time.sleep(0.1)
            yield cluster
        finally:
            log.close()
            # A fast shutdown, without waiting for clients.
            stop(process, signal.SIGINT)


def postgres_type(of):
    if pa.types.is_decimal(of):
        return f"numeric({of.precision}, {of.scale})"
    types = {pa.int32(): "integer", pa.int64(): "bigint", pa.date32(): "date", pa.string(): "text"}
    if of not in types:
        raise SystemExit(f"a column of type {of} is not expected in lineitem")
    return types[of]


def load(cluster, schema, batches):
    """Loads the rows into a table lineitem."""
    columns = ", ".join(f"{field.name} {postgres_type(field.type)}" for field in schema)
    options = csv.WriteOptions(include_header=False)
    with cluster.psycopg() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE lineitem ({columns})")
        with cursor.copy("COPY lineitem FROM STDIN (FORMAT csv)") as copy:
            for batch in batches:
                sink = pa.BufferOutputStream()
                csv.write_csv(batch, sink, options)
                copy.write(sink.getvalue().to_pybytes())
        rows = sum(batch.num_rows for batch in batches)
        if cursor.rowcount != rows:
            raise SystemExit(f"PostgreSQL took {cursor.rowcount} of {rows} rows")
        # Afterwards, reads cause no writes.
        cursor.execute("VACUUM (FREEZE, ANALYZE) lineitem")


class FromMemory(flight.FlightServerBase):
    def __init__(self, batches, certificate, key):
        with pa.OSFile(batches) as source, pa.ipc.open_file(source) as file:
            self.schema = file.schema
            self.batches = [file.get_batch(number) for number in range(file.num_record_batches)]
        identity = (Path(certificate).read_bytes(), Path(key).read_bytes())
        super().__init__("grpc+tls://127.0.0.1:0", tls_certificates=[identity])

    def do_get(self, context, ticket):
        return flight.RecordBatchStream(pa.RecordBatchReader.from_batches(self.schema, self.batches))


if __name__ == "__main__":
    served = FromMemory(*sys.argv[1:])
    print(served.port, flush=True)
    sys.stdin.read()
    served.shutdown()
