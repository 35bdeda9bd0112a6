"""The engines, each asked the same way: `run(sql)` gives rows of Python values, or raises [`Failed`].

Lakegate and PostgreSQL speak the simple protocol through libpq, which is the quickest to ask; values come as text and are
decoded by their type's OID.
"""

import datetime
import json
import math
import os
import shutil
import struct
import subprocess
import tempfile
import uuid
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
from psycopg import pq

import compare
import data
from sql import Target

PATIENCE = 30  # seconds that one statement may take
BEYOND_PYTHON = "years"  # what stands for a SQLSTATE where a date is none of Python's


class Failed(Exception):
    """A statement that the engine refused: its SQLSTATE (DuckDB's class of error) and what it said."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {' '.join(message.split())}")
        self.code = code
        self.message = message


def number(text):
    value = Decimal(text)
    return value if value.is_finite() else float(text)


def single(text):
    return struct.unpack("f", struct.pack("f", float(text)))[0]


def timestamp(text):
    return datetime.datetime.fromisoformat(text)


def array(text):
    return [None if item == "NULL" else int(item) for item in text[1:-1].split(",") if item]


DECODERS = {
    114: lambda text: compare.plain(json.loads(text)),
    16: lambda text: text == "t",
    20: int,
    21: int,
    23: int,
    26: int,
    700: single,
    701: float,
    1700: number,
    1082: datetime.date.fromisoformat,
    1114: timestamp,
    1007: array,
    1005: array,
    1016: array,
}


class Libpq:
    """One connection of libpq's."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.connection = None

    def connect(self):
        self.connection = psycopg.connect(**self.parameters, autocommit=True, connect_timeout=20)
        self.connection.execute(f"SET statement_timeout = '{PATIENCE}s'")

    def run(self, sql):
        if self.connection is None or self.connection.closed or self.connection.pgconn.status != pq.ConnStatus.OK:
            self.connect()
        result = self.connection.pgconn.exec_(sql.encode())
        if result.status == pq.ExecStatus.TUPLES_OK:
            try:
                return self.rows(result)
            except ValueError as error:
                raise Failed(BEYOND_PYTHON, str(error)) from error
        if result.status == pq.ExecStatus.COMMAND_OK:
            return []
        code = result.error_field(pq.DiagnosticField.SQLSTATE)
        parts = [result.error_field(part) for part in (pq.DiagnosticField.MESSAGE_PRIMARY, pq.DiagnosticField.MESSAGE_DETAIL)]
        message = " / ".join(part.decode() for part in parts if part) or result.error_message.decode(errors="replace")
        raise Failed((code or b"?").decode(), message)

    @staticmethod
    def rows(result):
        columns = range(result.nfields)
        decoders = [DECODERS.get(result.ftype(column), str) for column in columns]
        value = result.get_value
        rows = []
        for row in range(result.ntuples):
            cells = [value(row, column) for column in columns]
            rows.append(tuple(None if cell is None else decode(cell.decode()) for cell, decode in zip(cells, decoders)))
        return rows


class Lakegate(Libpq):
    """The server under test: the Postgres door, tables over files below `lake`, and now and then Flight SQL."""

    dialect = "lake"

    def __init__(self, connection_file, lake, database):
        self.to = json.loads(Path(connection_file).read_text())
        self.lake = Path(lake)
        self.database = database
        self.adbc = None
        self.names = {layout: {} for layout in data.LAYOUTS}
        self.folders = []
        user = self.user()
        super().__init__(
            {
                "host": self.to["postgres"]["host"],
                "port": self.to["postgres"]["port"],
                "user": user["name"],
                "password": user["password"],
                "dbname": "awsdatacatalog",
                "sslmode": "verify-full",
                "sslrootcert": self.to["tls"]["ca_file"],
            }
        )

    def user(self):
        return next(user for user in self.to["users"] if user["name"] == "admin")

    def connect(self):
        super().connect()
        self.connection.execute(f"CREATE DATABASE IF NOT EXISTS {self.database} LOCATION 's3://datalake/{self.database}/'")
        self.connection.execute(f"SET search_path = {self.database}")
        # Results are kept only where a check asks for it.
        self.connection.execute("SET result_reuse = off")

    def flight(self):
        if self.adbc is None:
            import adbc_driver_flightsql.dbapi as flightsql
            from adbc_driver_flightsql import DatabaseOptions

            user = self.user()
            self.adbc = flightsql.connect(
                f"grpc+tls://{self.to['flight']['host']}:{self.to['flight']['port']}",
                db_kwargs={
                    "username": user["name"],
                    "password": user["password"],
                    DatabaseOptions.TLS_ROOT_CERTS.value: Path(self.to["tls"]["ca_file"]).read_text(),
                },
                autocommit=True,
            )
        return self.adbc

    def run_by_flight(self, sql):
        try:
            with self.flight().cursor() as cursor:
                cursor.execute(sql)
                return plain_rows(cursor.fetch_arrow_table())
        except Exception as error:
            raise Failed("?", str(error)) from error

    def load(self, rng, tables, duck):
        """Writes every layout of the tables and describes them."""
        for table in tables:
            for layout in data.LAYOUTS:
                self.load_layout(rng, table, layout, duck)

    def load_layout(self, rng, table, layout, duck, suffix=""):
        name = f"{table.name}_{layout}{suffix}"
        folder = self.lake / self.database / name
        self.folders.append(folder)
        location = f"s3://datalake/{self.database}/{name}/"
        if layout == "own":
            self.ingest(rng, table, name, location)
            if folder.is_dir():
                data.settle(folder)
        elif layout == "main":
            data.write_main(rng, table, folder, duck)
            self.run(data.ddl(name, table, location, table.keys))
            if table.keys:
                self.run(f"MSCK REPAIR TABLE {name}")
        else:
            data.write_bare(table, folder)
            self.run(data.ddl(name, table, location, 0))
        self.names[layout][table.name] = f"{self.database}.{name}"

    def ingest(self, rng, table, name, location):
        """Our own writer: half of the time into a table that is there, with its partitions, in a few batches."""
        arrow = table.arrow()
        mode = "create"
        if rng.random() < 0.5:
            os.makedirs(self.lake / self.database / name, exist_ok=True)
            self.run(data.ddl(name, table, location, table.keys))
            mode = "append"
        batches = arrow.to_batches(max_chunksize=rng.choice([1, 7, 1000])) or [pa.RecordBatch.from_pylist([], arrow.schema)]
        reader = pa.RecordBatchReader.from_batches(arrow.schema, batches)
        with self.flight().cursor() as cursor:
            cursor.adbc_ingest(name, reader, mode=mode, db_schema_name=self.database)

    def target(self, layout):
        return Target("lake", self.names[layout])

    def drop(self):
        self.run(f"DROP DATABASE IF EXISTS {self.database} CASCADE")
        self.names = {layout: {} for layout in data.LAYOUTS}
        self.connection.close()
        if self.adbc is not None:
            self.adbc.close()
            self.adbc = None
        shutil.rmtree(self.lake / self.database, ignore_errors=True)


def plain_rows(arrow):
    return [tuple(row[name] for name in row) for row in renamed(arrow).to_pylist()]


def renamed(arrow):
    return arrow.rename_columns([str(place) for place in range(arrow.num_columns)])


class DuckDB:
    dialect = "duck"

    def __init__(self):
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute("SET order_by_non_integer_literal = true")
        self.connection.execute("SET enable_progress_bar = false")

    def run(self, sql):
        try:
            return self.connection.execute(sql).fetchall()
        except duckdb.Error as error:
            raise Failed(type(error).__name__, str(error)) from error
        except (ValueError, OverflowError) as error:
            raise Failed("python", str(error)) from error

    def load(self, tables):
        for table in tables:
            columns = ", ".join(f"{column.name} {column.type.sql('duck')}" for column in table.columns)
            self.connection.execute(f"CREATE OR REPLACE TABLE {table.name} ({columns})")
            if table.rows:
                self.connection.register("to_load", table.arrow())
                self.connection.execute(f"INSERT INTO {table.name} SELECT * FROM to_load")
                self.connection.unregister("to_load")

    def target(self):
        return Target("duck")


class Postgres(Libpq):
    """Tables of a schema of our own in the instance."""

    dialect = "pg"

    def __init__(self, parameters):
        super().__init__(parameters)
        self.schema = f"d{uuid.uuid4().hex[:12]}"

    def connect(self):
        super().connect()
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.schema}")
        self.connection.execute(f"SET search_path = {self.schema}")

    def load(self, tables):
        if self.connection is None:
            self.connect()
        for table in tables:
            places = [place for place, column in enumerate(table.columns) if column.type.name not in ("array", "struct")]
            columns = [table.columns[place] for place in places]
            described = ", ".join(f"{column.name} {column.type.sql('pg')}" for column in columns)
            self.connection.execute(f"DROP TABLE IF EXISTS {table.name}")
            self.connection.execute(f"CREATE TABLE {table.name} ({described})")
            if table.rows:
                with self.connection.cursor() as cursor, cursor.copy(f"COPY {table.name} FROM STDIN") as copy:
                    for row in table.rows:
                        copy.write_row([row[place] for place in places])

    def target(self):
        return Target("pg")


class Instance:
    """A PostgreSQL server of our own in a folder that goes with it, if the machine has the programs."""

    BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres")) if Path("/usr/lib/postgresql").is_dir() else []

    def __init__(self):
        self.folder = None
        if not self.BINARIES:
            return
        programs = self.BINARIES[-1].parent
        self.folder = Path(tempfile.mkdtemp(prefix="differential"))
        self.user = None
        if os.geteuid() == 0:
            self.user = "postgres"
            shutil.chown(self.folder, "postgres")
        cluster = self.folder / "data"
        self.call(programs / "initdb", "-D", cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        # Reached by its socket alone.
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off -c jit=off -c max_connections=20 -c shared_buffers=16MB"
        self.call(programs / "pg_ctl", "-D", cluster, "-w", "-l", self.folder / "log", "-o", options, "start")
        self.stop_command = [programs / "pg_ctl", "-D", cluster, "-m", "immediate", "stop"]

    def call(self, *command):
        command = [str(part) for part in command]
        done = subprocess.run(command, user=self.user, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{command} ended with {done.returncode}: {done.stdout.decode(errors='replace')}")

    def parameters(self):
        return None if self.folder is None else {"host": str(self.folder), "user": "postgres", "dbname": "postgres"}

    def stop(self):
        if self.folder is not None:
            self.call(*self.stop_command)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None


def is_nan(value):
    return isinstance(value, float) and math.isnan(value)
