"""Ingestion for benches/flight.py: adbc_ingest of a table, against pyarrow writing it as Parquet to the same folder."""

import os
import shutil
from pathlib import Path

import adbc_driver_flightsql.dbapi as flightsql
from adbc_driver_flightsql import DatabaseOptions
from pyarrow import parquet


def connect(server):
    return flightsql.connect(
        server.uri,
        db_kwargs={
            "username": "admin", "password": server.password,
            DatabaseOptions.TLS_ROOT_CERTS.value: Path(server.ca).read_text(),
        },
        autocommit=True,
    )


class Ingestion:
    """Each method writes the whole table; `clear`, which is not timed, removes it."""

    def __init__(self, server, table):
        self.table, self.folder = table, server.lake / "flight_bench"
        self.connection = connect(server)
        self.cursor = self.connection.cursor()
        # Removes the leftovers of an interrupted bench.
        self.clear()
        self.cursor.execute("DROP DATABASE IF EXISTS flight_bench CASCADE")
        self.cursor.execute("CREATE DATABASE flight_bench LOCATION 's3://datalake/flight_bench/'")

    def close(self):
        self.clear()
        self.cursor.execute("DROP DATABASE flight_bench")
        self.folder.rmdir()
        self.cursor.close()
        self.connection.close()

    def clear(self):
        self.cursor.execute("DROP TABLE IF EXISTS flight_bench.lineitem")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        # Otherwise the next method would pay for unwritten data of the previous one.
        os.sync()

    def file_bytes(self):
        return sum(path.stat().st_size for path in self.folder.rglob("*.parquet"))

    def ingest(self):
        rows = self.cursor.adbc_ingest("lineitem", self.table.to_reader(), mode="create", db_schema_name="flight_bench")
        if rows != self.table.num_rows:
            raise SystemExit(f"{rows} of {self.table.num_rows} rows were ingested")

    def write(self, durable):
        with open(self.folder / "lineitem.parquet", "wb") as file:
            parquet.write_table(self.table, file, compression="snappy")
            if durable:
                file.flush()
                os.fsync(file.fileno())
