#!/usr/bin/env python3
"""Lakegate's functions on random values, beside DuckDB's functions of the same meaning.

    values.py             the columns, their values, constants of them
    cases_*.py            one expression in both languages each, and what is not compared, with the reason
    exceptions.py         functions of one name that mean something else

Each case runs over columns; half of them, by chance, over columns with some replaced by constants, and over a part of the rows (so
that arrays do not begin at their buffers' beginning). Both engines read the same Parquet file; Lakegate is asked through Flight SQL, which
keeps the types of nested values, in the dialect `trino`.

In CI, `tests/it/differential.rs` runs it on a demo server with a fixed seed, or the one of LAKEGATE_FUNCTIONS_SEED. By hand:

    lakegate demo --dir DIR --scale 0.001 --connection-file FILE
    ~/.cache/lakegate-venv/bin/python tests/differential/functions/run.py --connection-file FILE --lake DIR --seed $RANDOM --rounds 50

`--only TEXT` runs the cases whose expression contains it. The exit code is 1 if anything differs.
"""

import argparse
import collections
import json
import math
import random
import re
import sys
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

import cases_aggregates  # noqa: E402
import cases_collections  # noqa: E402
import cases_numbers  # noqa: E402
import cases_text  # noqa: E402
import cases_times  # noqa: E402
import engines  # noqa: E402
import exceptions  # noqa: E402
import values  # noqa: E402
from cases import Case, fill  # noqa: E402

CASES = [case for family in (cases_text, cases_numbers, cases_times, cases_collections, cases_aggregates) for case in family.CASES]
ROWS = 400
TOGETHER = 24  # cases in one statement
VARIANTS = {  # whether some columns are constants, and of which rows
    "scalar": [(False, "all"), (True, "all"), (True, "third"), (False, "rest")],
    "aggregate": [(False, "all"), (False, "third")],
    "window": [(False, "all"), (False, "third")],
}
DATABASE = "functions"
REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "sql" / "functions.md"


class Lake:
    """Lakegate by Flight SQL."""

    def __init__(self, options):
        self.engine = engines.Lakegate(options.connection_file, options.lake, DATABASE)
        self.cursor = self.engine.flight().cursor()
        self.run("SET dialect = 'trino'")
        self.run("SET result_reuse = off")
        self.run(f"CREATE DATABASE IF NOT EXISTS {DATABASE} LOCATION 's3://datalake/{DATABASE}/'")

    def load(self, table, rng):
        folder = self.engine.lake / DATABASE / "rows"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / "rows.parquet", row_group_size=rng.choice([len(table), 150]), use_dictionary=rng.random() < 0.5)
        self.run(f"DROP TABLE IF EXISTS {DATABASE}.rows")
        self.run(f"CREATE EXTERNAL TABLE {DATABASE}.rows ({values.ddl()}) STORED AS PARQUET LOCATION 's3://datalake/{DATABASE}/rows/'")

    def run(self, sql):
        try:
            self.cursor.execute(sql)
            return self.cursor.fetch_arrow_table()
        except Exception as error:
            raise engines.Failed("?", str(error)) from error

    def drop(self):
        self.run(f"DROP DATABASE IF EXISTS {DATABASE} CASCADE")
        self.cursor.close()
        self.engine.flight().close()


class Duck:
    def __init__(self):
        self.connection = engines.DuckDB().connection
        self.connection.execute("SET TimeZone = 'UTC'")

    def load(self, table):
        self.connection.register("loaded", table)
        columns = ", ".join(f"{name}::{values.TYPES[kind][2]} AS {name}" for name, (_, kind) in values.COLUMNS.items())
        self.connection.execute(f"CREATE OR REPLACE TABLE rows AS SELECT id, grp, {columns} FROM loaded")
        self.connection.unregister("loaded")

    def run(self, sql):
        try:
            return self.connection.execute(sql).to_arrow_table()
        except Exception as error:
            raise engines.Failed(type(error).__name__, str(error)) from error


def counted(kind):
    """The type with numbers in place of times (Python's end with the year 9999)."""
    if pa.types.is_timestamp(kind) or pa.types.is_date64(kind):
        return pa.int64()
    if pa.types.is_date32(kind):
        return pa.int32()
    return pa.list_(counted(kind.value_type)) if pa.types.is_list(kind) else kind


def column(array):
    """The values, of timestamps microseconds."""
    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        return [None if value is None else value // 1000 for value in array.cast(pa.int64()).to_pylist()]
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us", array.type.tz))
    array = array.cast(counted(array.type))
    return [plain(value, array.type) for value in array.to_pylist()]


def plain(value, kind):
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {"map": {key: plain(item, kind.item_type) for key, item in value}}
    if pa.types.is_struct(kind):
        return tuple(plain(value[kind.field(place).name], kind.field(place).type) for place in range(kind.num_fields))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [plain(item, kind.value_type) for item in value]
    return value


def same(left, right, case):
    if left is None or right is None:
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        left, right = left["map"], right["map"]
        return left.keys() == right.keys() and all(same(value, right[key], case) for key, value in left.items())
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        if case.unordered:
            left, right = sorted(left, key=repr), sorted(right, key=repr)
        return len(left) == len(right) and all(same(one, two, case) for one, two in zip(left, right))
    numbers = (int, float, Decimal)
    if isinstance(left, numbers) and isinstance(right, numbers) and not isinstance(left, bool):
        if left == right:
            return True
        one, two = float(left), float(right)
        if math.isnan(one) or math.isnan(two) or math.isinf(one) or math.isinf(two):
            return math.isnan(one) and math.isnan(two) or one == two
        if isinstance(left, float) or isinstance(right, float) or case.tolerance > 1e-9:
            return abs(one - two) <= max(case.tolerance * max(abs(one), abs(two)), 1e-9)
        return False
    if case.json and isinstance(left, str) and isinstance(right, str):
        return json.loads(left) == json.loads(right)
    return type(left) is type(right) and left == right


def equal(left, right):
    """Whether the columns are equal without a closer look, which is quick."""
    try:
        return left.type == right.type and left.equals(right) or left.cast(right.type).equals(right)
    except pa.ArrowException:
        return False


@dataclass
class Question:
    """A case with its columns, and with constants in place of some."""

    case: Case
    lake: str
    duck: str
    only: str
    refused: str
    source: str
    careful: bool


def statement(asked, dialect, careful=None):
    key = "grp" if asked[0].case.kind == "aggregate" else "id"
    parts = [f"{key} AS id"]
    for place, question in enumerate(asked):
        text = question.lake if dialect == "lake" else question.duck
        if question.careful if careful is None else careful:
            text = f"TRY({text})"
        parts.append(f"{text} AS v{place}")
        if dialect == "duck":
            parts.append(f"{f'TRY({question.only})' if question.only else 'true'} AS o{place}")
            parts.append(f"{f'TRY({question.refused})' if question.refused else 'false'} AS r{place}")
    table = f"{DATABASE}.rows" if dialect == "lake" else "rows"
    tail = "GROUP BY grp ORDER BY grp NULLS LAST" if key == "grp" else "ORDER BY id"
    return f"SELECT {', '.join(parts)} FROM {asked[0].source.format(table)} {tail}"


def shortened(what):
    return f"{len(what)} rows" if isinstance(what, pa.Table) else str(what)[:240]


class Round:
    """All cases on one set of rows."""

    def __init__(self, lake, duck, rng, options, count, found):
        self.lake, self.duck, self.rng, self.options, self.count, self.found = lake, duck, rng, options, count, found
        self.rows = values.rows(rng, ROWS)
        self.refusing = set()  # cases of which both engines refuse some rows
        self.by_id = {row["id"]: row for row in self.rows}
        table = values.arrow(self.rows)
        lake.load(table, rng)
        duck.load(table)

    def names(self, case, constants):
        """What stands for each column, in each language."""
        lake, duck = {}, {}
        for name in case.columns():
            lake[name] = duck[name] = name
            if constants and self.rng.random() < 0.6:
                kind = values.COLUMNS[name][1]
                value = self.rng.choice(self.rows)[name]
                lake[name], duck[name] = values.literal("lake", kind, value), values.literal("duck", kind, value)
        return lake, duck

    def source(self, part):
        """Of the table: all of it, every third row, or what follows some rows."""
        if part == "third":
            return "(SELECT * FROM {} WHERE id % 3 = 1) AS r"
        if part == "rest":
            return f"(SELECT * FROM {{}} ORDER BY id LIMIT 111 OFFSET {self.rng.randrange(1, 280)}) AS r"
        return "{} AS r"

    def check(self, cases, constants, part):
        """Asks for several cases in one statement, and for each by itself if it fails."""
        source = self.source(part)
        asked = []
        for case in cases:
            lake, duck = self.names(case, constants)
            texts = [fill(case.lake, lake), fill(case.text("duck"), duck), fill(case.only, duck), fill(case.refused, duck)]
            asked.append(Question(case, *texts, source, case.careful or case.lake in self.refusing))
        if not self.ask(asked):
            for question in asked:
                if self.ask([question]):
                    continue
                # Where both refuse a row, the others are compared.
                lake, duck = self.answers([question])
                if isinstance(lake, engines.Failed) and isinstance(duck, engines.Failed):
                    self.count["errors of both"] += 1
                    if question.case.kind == "scalar" and not question.careful:
                        question.careful = True
                        self.refusing.add(question.case.lake)
                        if self.ask([question]):
                            continue
                        lake, duck = self.answers([question])
                    else:
                        continue
                self.differs(question, f"lakegate: {shortened(lake)}; duckdb: {shortened(duck)}")

    def answers(self, asked):
        answers = []
        for engine, dialect in ((self.lake, "lake"), (self.duck, "duck")):
            try:
                answers.append(engine.run(statement(asked, dialect)))
            except engines.Failed as failed:
                answers.append(failed)
        return answers

    def ask(self, asked):
        """Whether both had an answer, which is compared."""
        lake, duck = self.answers(asked)
        if isinstance(lake, engines.Failed) or isinstance(duck, engines.Failed):
            return False
        ids = lake.column(0).to_pylist()
        if ids != duck.column(0).to_pylist():
            for question in asked:
                self.differs(question, "other rows")
            return True
        for place, question in enumerate(asked):
            self.count["questions"] += 1
            names = ((lake, f"v{place}"), (duck, f"v{place}"), (duck, f"o{place}"), (duck, f"r{place}"))
            arrays = [table.column(name).combine_chunks() for table, name in names]
            if not question.careful and equal(*arrays[:2]):
                self.count["values"] += len(ids)
                continue
            ours, theirs, only, refused = map(column, arrays)
            self.compare(question, ids, ours, theirs, only, refused)
        return True

    def compare(self, question, ids, ours, theirs, only, refused):
        case = question.case
        for row, value, expected, kept, error in zip(ids, ours, theirs, only, refused):
            if kept is False:
                self.count["values left out"] += 1
                continue
            self.count["values"] += 1
            expected = None if error else expected
            if not same(value, expected, case):
                return self.differs(question, f"lakegate {shortened(repr(value))}, duckdb {shortened(repr(expected))}: {self.shown(case, row)}")
        if any(refused) and question.source == "{} AS r":
            try:
                self.lake.run(statement([question], "lake", careful=False))
            except engines.Failed:
                return None
            row = next(row for row, error in zip(ids, refused) if error)
            return self.differs(question, f"no error: {self.shown(case, row)}")
        return None

    def shown(self, case, place):
        row = self.by_id.get(place, {}) if case.kind != "aggregate" else {"grp": place}
        return ", ".join(f"{name} = {row[name]!r}" for name in case.columns() if name in row)[:400] or f"id {place}"

    def differs(self, question, what):
        self.found.setdefault(question.case.lake, []).append((what, statement([question], "lake"), statement([question], "duck")))

    def run(self, every):
        for kind in ("scalar", "aggregate", "window"):
            cases = [case for case in every if case.kind == kind]
            self.rng.shuffle(cases)
            for number, (constants, part) in enumerate(VARIANTS[kind]):
                chosen = [case for case in cases if number == 0 or self.rng.random() < 0.5]
                for start in range(0, len(chosen), TOGETHER):
                    self.check(chosen[start : start + TOGETHER], constants, part)


def untested(duck):
    """Functions of both libraries that no case calls, and for which `exceptions.py` has no reason."""
    by_subject = REFERENCE.read_text().split("\n## Athena's functions")[0]
    listed = set(re.findall(r"^\| `(\w+)\(", by_subject, re.M))
    there = {name for (name,) in duck.connection.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()}
    called = {name for case in CASES for name in re.findall(r"(\w+)\(", case.lake.lower())}
    return sorted(listed & there - called - set(exceptions.NOT_COMPARED))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", required=True, help="what lakegate demo --connection-file wrote")
    parser.add_argument("--lake", required=True, help="the demo's folder, which is s3://datalake/")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--rounds", type=int, default=1, help="sets of rows")
    parser.add_argument("--only", default="", help="cases whose expression contains this")
    parser.add_argument("--verbose", action="store_true", help="shows the statements")
    options = parser.parse_args()
    started = time.monotonic()
    lake, duck = Lake(options), Duck()
    chosen = [case for case in CASES if options.only in case.lake]
    count, found = collections.Counter(), {}
    try:
        for number in range(options.rounds):
            Round(lake, duck, random.Random(f"{options.seed} {number}"), options, count, found).run(chosen)
    finally:
        lake.drop()
    for text, differences in found.items():
        print(f"\n{text}  ({len(differences)} times)")
        for what, lake_sql, duck_sql in differences[: 3 if options.verbose else 1]:
            print(f"    {what}")
            if options.verbose:
                print(f"    {lake_sql}\n    {duck_sql}")
    left = untested(duck)
    for name in left:
        print(f"\n{name}: DuckDB has a function of this name; add a case, or the reason why not to exceptions.py")
    seconds = time.monotonic() - started
    print(f"seed {options.seed}: {len(chosen)} cases, {count['questions']} queries, {count['values']} values ({count['values left out']} left out) in {seconds:.0f} s, {len(found)} cases differ")
    sys.exit(1 if found or left else 0)


if __name__ == "__main__":
    main()
