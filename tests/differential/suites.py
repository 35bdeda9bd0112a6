#!/usr/bin/env python3
"""Other engines' own test files, through Lakegate, as far as they only read.

The sqllogictest files of DuckDB (test/sql), SQLite (sqllogictest's test) and DataFusion (datafusion/sqllogictest/test_files) are not kept
here: bring the repositories, and name files or folders of theirs.

    lakegate demo --dir DIR --scale 0.001 --connection-file FILE
    ~/.cache/lakegate-venv/bin/python tests/differential/suites.py --connection-file FILE --lake DIR --maker sqlite sqllogictest/test/random

The maker, DuckDB or SQLite, runs what a file says. Its tables and views become Parquet files of the lake before a query that names them,
and its rows are what Lakegate's are compared with: what the file expects is one engine's spelling of them. PostgreSQL, where it is
installed, is asked about what differs. Of each file it is said how many queries gave the same rows, how many differ, are refused by
Lakegate alone, or are skipped as a table cannot be made; then follow those that differ, and with `--refused` those that are refused.

The exit code is 1 if rows differ that PostgreSQL does not have as Lakegate has them. Many of DuckDB's files differ on purpose: its dialect
divides whole numbers into fractions, sorts NULLs first in places, and has types and functions of its own.
"""

import argparse
import collections
import re
import shutil
import sqlite3
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import compare  # noqa: E402
import duckdb  # noqa: E402
import engines  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as parquet  # noqa: E402

# What the maker runs, and Lakegate does not.
STATEMENT = re.compile(
    r"\s*(create|insert|drop|update|delete|alter|copy|merge|truncate|set|reset|pragma|use|begin|commit|rollback|prepare|execute"
    r"|deallocate|load|attach|detach|call|checkpoint|explain|show|describe|analyze|export|import|vacuum|reindex)\b",
    re.IGNORECASE,
)
CHANGES = re.compile(r"\s*(create|insert|drop|update|delete|alter|copy|merge|truncate)\b", re.IGNORECASE)
MOST_ROWS = 200_000  # of a table, as a file has them all in one
LOOP = ("foreach", "loop", "concurrentforeach", "concurrentloop")


class CannotMake(Exception):
    """A table that Lakegate has no types or names for."""


def records(path, maker):
    """The statements and queries of a file in order: (line, is it a query, SQL, are its rows in order)."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    yield from section(lines, 0, len(lines), {}, maker)


def section(lines, place, end, values, maker):
    skipped = False
    while place < end:
        words = lines[place].split()
        head = place
        place += 1
        if not words or lines[head].startswith("#"):
            continue
        if words[0] in LOOP:
            close = closing(lines, place, end)
            for value in loop_values(words):
                yield from section(lines, place, close, {**values, words[1]: value}, maker)
            place = close + 1
        elif words[0] in ("skipif", "onlyif"):
            # SQLite's files have queries for one engine alone; those for PostgreSQL are ours, too.
            ours = words[1:2] in ([maker], ["postgresql"], ["datafusion"])
            skipped = ours if words[0] == "skipif" else not ours
        elif words[0] in ("statement", "query"):
            sql = []
            while place < end and lines[place].strip() not in ("", "----"):
                sql.append(lines[place])
                place += 1
            while place < end and lines[place].strip():
                place += 1
            text = "\n".join(sql)
            for name, value in values.items():
                text = text.replace("${" + name + "}", value)
            text = text.strip().rstrip(";").strip()
            if text and not skipped:
                is_query = words[0] == "query" and not STATEMENT.match(text)
                in_order = "order by" in text.lower() and words[-1] not in ("rowsort", "valuesort")
                yield head + 1, is_query, text, in_order
            skipped = False
        elif words[0] == "halt":
            return


def closing(lines, place, end):
    depth = 1
    for number in range(place, end):
        words = lines[number].split()
        if words[:1] and words[0] in LOOP:
            depth += 1
        if words[:1] == ["endloop"]:
            depth -= 1
        if depth == 0:
            return number
    return end


def loop_values(words):
    """A few of a loop's values: files that repeat a query thousands of times are about something else."""
    if words[0].endswith("loop"):
        bounds = [int(word) for word in words[2:4] if re.fullmatch(r"-?\d+", word)]
        return [str(value) for value in range(*bounds)][:4] if len(bounds) == 2 else []
    return [word for word in words[2:] if not word.startswith("<")][:6]


class DuckDB(engines.DuckDB):
    def run(self, sql):
        timer = threading.Timer(engines.PATIENCE, self.connection.interrupt)
        timer.start()
        try:
            return super().run(sql)
        finally:
            timer.cancel()

    def tables(self):
        return {name for (name,) in self.run("SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'")}

    def arrow(self, table):
        return self.connection.sql(f'SELECT * FROM "{table}" LIMIT {MOST_ROWS + 1}').to_arrow_table()


class SQLite:
    def __init__(self):
        self.connection = sqlite3.connect(":memory:", isolation_level=None)

    def run(self, sql):
        timer = threading.Timer(engines.PATIENCE, self.connection.interrupt)
        timer.start()
        try:
            return self.connection.execute(sql).fetchall()
        except sqlite3.Error as error:
            raise engines.Failed(type(error).__name__, str(error)) from error
        finally:
            timer.cancel()

    def tables(self):
        return {name for (name,) in self.run("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}

    def arrow(self, table):
        declared = self.run(f'PRAGMA table_info("{table}")')
        rows = self.run(f'SELECT * FROM "{table}"')
        kinds = [("INT", pa.int32()), ("REAL", pa.float64()), ("FLOA", pa.float64()), ("DOUB", pa.float64()), ("CHAR", pa.string()), ("TEXT", pa.string())]
        columns = {}
        for place, column in enumerate(declared):
            kind = next((kind for word, kind in kinds if word in column[2].upper()), pa.int64())
            columns[column[1]] = pa.array([row[place] for row in rows], kind)
        return pa.table(columns)


PLAIN = {
    pa.int8(): ("TINYINT", "SMALLINT"),
    pa.int16(): ("SMALLINT", "SMALLINT"),
    pa.int32(): ("INT", "INT"),
    pa.int64(): ("BIGINT", "BIGINT"),
    pa.float32(): ("FLOAT", "REAL"),
    pa.float64(): ("DOUBLE", "DOUBLE PRECISION"),
    pa.bool_(): ("BOOLEAN", "BOOLEAN"),
    pa.string(): ("STRING", "TEXT"),
    pa.binary(): ("BINARY", "BYTEA"),
    pa.date32(): ("DATE", "DATE"),
    pa.timestamp("us"): ("TIMESTAMP", "TIMESTAMP"),
}


def types_of(kind):
    """A type as Hive and PostgreSQL call it; None for one that PostgreSQL does not have."""
    if kind in PLAIN:
        return PLAIN[kind]
    if pa.types.is_decimal128(kind):
        return (f"DECIMAL({kind.precision},{kind.scale})", f"NUMERIC({kind.precision},{kind.scale})")
    if pa.types.is_list(kind):
        hive, postgres = types_of(kind.value_type)
        return (f"ARRAY<{hive}>", postgres and (postgres if postgres.endswith("[]") else f"{postgres}[]"))
    if pa.types.is_struct(kind) and all(name(field.name) for field in kind):
        fields = ",".join(f"{field.name.lower()}:{types_of(field.type)[0]}" for field in kind)
        return (f"STRUCT<{fields}>", None)
    raise CannotMake(f"no type for {kind}")


def name(text):
    if not re.fullmatch(r"[A-Za-z_]\w*", text):
        raise CannotMake(f"no name for {text}")
    return text.lower()


class Lake:
    """Lakegate, with the maker's tables as files."""

    def __init__(self, lakegate, postgres):
        self.lakegate = lakegate
        self.postgres = postgres
        self.written = 0

    def put(self, table, rows):
        if rows.num_rows > MOST_ROWS:
            raise CannotMake(f"{table} has more than {MOST_ROWS} rows")
        columns = [(name(field.name), *types_of(field.type)) for field in rows.schema]
        if len({column[0] for column in columns}) < len(columns) or not columns:
            raise CannotMake(f"the columns of {table}")
        self.written += 1
        folder = f"{self.written}_{name(table)}"
        path = self.lakegate.lake / self.lakegate.database / folder
        path.mkdir(parents=True)
        parquet.write_table(rows.rename_columns([column[0] for column in columns]), path / "f.parquet", row_group_size=1000)
        described = ", ".join(f"`{column}` {hive}" for column, hive, _ in columns)
        self.drop(table)
        self.lakegate.run(
            f"CREATE EXTERNAL TABLE `{name(table)}` ({described}) STORED AS PARQUET LOCATION 's3://datalake/{self.lakegate.database}/{folder}/'"
        )
        if self.postgres is not None:
            self.put_into_postgres(table, columns, rows)

    def put_into_postgres(self, table, columns, rows):
        kept = [place for place, column in enumerate(columns) if column[2] is not None]
        described = ", ".join(f'"{columns[place][0]}" {columns[place][2]}' for place in kept)
        self.postgres.run(f'CREATE TABLE "{name(table)}" ({described})')
        values = [rows.column(place).to_pylist() for place in kept]
        with self.postgres.connection.cursor() as cursor, cursor.copy(f'COPY "{name(table)}" FROM STDIN') as copy:
            for row in zip(*values):
                copy.write_row(row)

    def drop(self, table):
        self.lakegate.run(f"DROP TABLE IF EXISTS `{name(table)}`")
        if self.postgres is not None:
            self.postgres.run(f'DROP TABLE IF EXISTS "{name(table)}"')


class File:
    """One file's run."""

    def __init__(self, path, maker, lake):
        self.path = path
        self.maker = maker
        self.lake = lake
        self.known = set()
        self.stale = set()
        self.failed = {}
        self.counts = collections.Counter()
        self.differences = []
        self.refused = []

    def run(self, most):
        for line, is_query, sql, in_order in records(self.path, "sqlite" if isinstance(self.maker, SQLite) else "duckdb"):
            if is_query:
                self.query(line, sql, in_order)
                if self.counts.total() == most:
                    break
                continue
            try:
                self.maker.run(sql)
            except engines.Failed:
                continue
            if CHANGES.match(sql):
                self.changed()

    def changed(self):
        """Which tables a statement changed is not looked for: a view may be over any."""
        tables = self.maker.tables()
        for gone in self.known - tables:
            if gone not in self.failed:
                self.lake.drop(gone)
        self.failed = {table: why for table, why in self.failed.items() if table in tables}
        self.known = tables
        self.stale = set(tables)

    def query(self, line, sql, in_order):
        named = {table for table in self.known if re.search(rf"\b{re.escape(table)}\b", sql, re.IGNORECASE)}
        for table in sorted(named & self.stale):
            self.stale.discard(table)
            self.failed.pop(table, None)
            try:
                self.lake.put(table, self.maker.arrow(table))
            except (CannotMake, engines.Failed, duckdb.Error, pa.ArrowException, OverflowError) as error:
                self.failed[table] = str(error)
        if named & set(self.failed):
            self.counts["skipped"] += 1
            return
        ours, theirs = self.rows(self.lake.lakegate, sql), self.rows(self.maker, sql)
        if isinstance(theirs, engines.Failed):
            self.counts["refused by the maker"] += 1
        elif isinstance(ours, engines.Failed):
            self.counts["refused"] += 1
            self.refused.append((line, sql, str(ours)))
        else:
            difference = self.difference(ours, theirs, in_order)
            self.counts["same" if difference is None else "differ"] += 1
            if difference is not None:
                self.differences.append((line, sql, difference, self.verdict(sql, ours, in_order)))

    @staticmethod
    def rows(engine, sql):
        try:
            return engine.run(sql)
        except engines.Failed as failed:
            return failed

    def difference(self, ours, theirs, in_order):
        if isinstance(self.maker, SQLite):
            # Its booleans are numbers.
            ours = [tuple(int(value) if isinstance(value, bool) else value for value in row) for row in ours]
        return compare.difference(ours, theirs, in_order)

    def verdict(self, sql, ours, in_order):
        """What PostgreSQL says, if it is there."""
        if self.lake.postgres is None:
            return None
        rows = self.rows(self.lake.postgres, sql)
        if isinstance(rows, engines.Failed):
            return f"PostgreSQL: {rows}"
        difference = compare.difference(ours, rows, in_order)
        return "PostgreSQL has our rows" if difference is None else f"against PostgreSQL: {difference}"

    def report(self, with_refused):
        counts = ", ".join(f"{count} {what}" for what, count in self.counts.most_common())
        print(f"{self.path}: {counts or 'nothing to run'}", flush=True)
        for line, sql, difference, verdict in self.differences:
            print(f"  {line}: {' '.join(sql.split())[:400]}\n    {difference}\n    {verdict or ''}")
        for line, sql, why in self.refused if with_refused else []:
            print(f"  {line}: {' '.join(sql.split())[:400]}\n    refused: {why}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", required=True)
    parser.add_argument("--lake", required=True, type=Path)
    parser.add_argument("--maker", choices=["duckdb", "sqlite"], default="duckdb")
    parser.add_argument("--queries", type=int, default=0, help="the most of one file; 0: all")
    parser.add_argument("--refused", action="store_true", help="show what Lakegate alone refuses")
    parser.add_argument("paths", nargs="+", type=Path)
    arguments = parser.parse_args()
    files = []
    for path in arguments.paths:
        files += sorted(file for file in path.rglob("*") if file.suffix in (".slt", ".test")) if path.is_dir() else [path]
    instance = engines.Instance()
    totals = collections.Counter()
    wrong = 0
    try:
        for file in files:
            lakegate = engines.Lakegate(arguments.connection_file, arguments.lake, "suites")
            postgres = engines.Postgres(instance.parameters()) if instance.parameters() else None
            lakegate.connect()
            if postgres is not None:
                postgres.connect()
            run = File(file, SQLite() if arguments.maker == "sqlite" else DuckDB(), Lake(lakegate, postgres))
            try:
                run.run(arguments.queries)
            finally:
                lakegate.drop()
                if postgres is not None:
                    postgres.connection.execute(f"DROP SCHEMA {postgres.schema} CASCADE")
                    postgres.connection.close()
                shutil.rmtree(arguments.lake / "suites", ignore_errors=True)
            run.report(arguments.refused)
            totals += run.counts
            wrong += sum(verdict != "PostgreSQL has our rows" for *_, verdict in run.differences)
    finally:
        instance.stop()
    print(", ".join(f"{count} {what}" for what, count in totals.most_common()))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
