#!/usr/bin/env python3
"""Random queries through Lakegate, DuckDB and PostgreSQL on the same rows, and checks of Lakegate against itself.

    data.py     random schemas and rows, and their files
    queries.py  random queries, as trees of sql.py: expressions.py, aggregates.py, subqueries.py, sources.py
                and layers.py
    engines.py  how each engine is asked
    compare.py  when two results are the same
    checks.py   what needs no reference
    shrink.py   a small case of what differs
    known.py    what is kept out for now, and why
    suites.py   by hand: other engines' own test files, as far as they only read

In CI, `tests/it/differential.rs` runs it on a demo server with a fixed seed. By hand, for hours and with other queries each time:

    lakegate demo --dir DIR --scale 0.001 --connection-file FILE
    ~/.cache/lakegate-venv/bin/python tests/differential/run.py --connection-file FILE --lake DIR --seed $RANDOM --seconds 7200

`--only SCHEMA:QUERY` repeats one query of a seed. PostgreSQL is used where its server is installed, as ./test does. Without `--connection-file`, DuckDB is compared with PostgreSQL alone.
The exit code is 1 if anything differs.
"""

import argparse
import collections
import multiprocessing
import os
import random
import re
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import checks  # noqa: E402
import compare  # noqa: E402
import data  # noqa: E402
import engines  # noqa: E402
import known  # noqa: E402
import shrink  # noqa: E402
from queries import Generator  # noqa: E402
from sql import Query, Select, TableRef, Target, Unsupported  # noqa: E402

PER_SCHEMA = 150
OUT_OF_RANGE = ("OutOfRangeException", "22003")


class Case:
    """Tables, and what is asked of each engine about them."""

    def __init__(self, worker, tables):
        self.worker = worker
        self.tables = tables

    def answer(self, engine, query, target):
        """Rows, a `Failed`, or None where the dialect cannot say it."""
        try:
            return engine.run(query.render(target))
        except Unsupported:
            return None
        except engines.Failed as failed:
            return failed

    def verdict(self, query, layout, inline=None):
        """What differs: None, or (kind, what)."""
        worker = self.worker
        names = {dialect: {table.name: text(dialect) for table, text in inline} for dialect in ("lake", "duck", "pg")} if inline else {}
        target = Target("duck", names.get("duck", {}))
        duck = self.answer(worker.duck, query, target)
        if isinstance(duck, list):
            text = query.render(target)
            why = next((why for pattern, why in known.DUCKDB_FAULTS if re.search(pattern, text)), None)
            duck = engines.Failed("not believed", why) if why else duck
        if duck is None:
            worker.count["not said"] += 1
            return None
        pg = None
        if worker.pg is not None:
            pg = self.answer(worker.pg, query, Target("pg", names.get("pg", {})))
        ordered = query.total
        if worker.lake is None:
            return self.references(duck, pg, ordered)
        target = Target("lake", names["lake"]) if inline else worker.lake.target(layout)
        ours = self.answer(worker.lake, query, target)
        return self.judge(ours, duck, pg, ordered, everything_is_needed(query), query.limit is not None)

    def references(self, duck, pg, ordered):
        if isinstance(duck, list) and isinstance(pg, list):
            self.worker.count["with postgres"] += 1
            found = compare.difference(duck, pg, ordered)
            return found and ("rows", found)
        if isinstance(duck, list) and isinstance(pg, engines.Failed):
            self.worker.count[f"pg {str(pg)[:60]}"] += 1
        if isinstance(duck, engines.Failed):
            self.worker.count[f"duck {str(duck)[:60]}"] += 1
        return None

    def judge(self, ours, duck, pg, ordered, needed, cut):
        count = self.worker.count
        if isinstance(ours, engines.Failed):
            if not isinstance(duck, list) and not isinstance(pg, list):
                count["errors of all"] += 1
                if isinstance(duck, engines.Failed) and duck.code in ("BinderException", "ParserException", "CatalogException"):
                    count[f"duck {str(duck)[:70]}"] += 1
                return None
            why = compare.excuse(ours)
            if why:
                count[f"excused: {why}"] += 1
                if why == "not supported":
                    self.worker.unsupported[str(ours)[:110]] += 1
                return None
            return (f"error {ours.code} {words(ours.message)}", str(ours))
        rows = [("DuckDB", duck), ("PostgreSQL", pg)]
        rows = [(name, answer) for name, answer in rows if isinstance(answer, list)]
        if not rows:
            if needed and isinstance(duck, engines.Failed) and isinstance(pg, engines.Failed) and duck.code in OUT_OF_RANGE and pg.code in OUT_OF_RANGE:
                return ("no error", f"{duck} and {pg}, here {len(ours)} rows: {ours[:3]}")
            count["errors of references"] += 1
            return None
        count["compared"] += 1
        if isinstance(pg, list):
            count["with postgres"] += 1
        if not ours:
            count["empty"] += 1
        found = {name: compare.difference(ours, answer, ordered) for name, answer in rows}
        if None in found.values():
            if any(found.values()):
                count["references disagree"] += 1
                self.worker.disagree = next(what for what in found.values() if what)
            return None
        if cut and any(isinstance(value, float) and value == 0 for rows in (ours, *dict(rows).values()) for row in rows for value in row):
            # ORDER BY puts -0 before 0, and to the references they are equal: other rows are cut off.
            count["zeros at a cut"] += 1
            return None
        name, what = next(iter(found.items()))
        both = " and PostgreSQL" if len(found) == 2 else ""
        return ("order" if what.startswith("order") else "rows", f"against {name}{both}: {what}")

    # Self-checks

    def check(self, name, query, layout):
        lake = self.worker.lake

        def ask(query, layout=layout):
            return lake.run(query.render(lake.target(layout)))

        try:
            if name == "layouts":
                first, second = ask(query, "main"), ask(query, layout if layout != "main" else "bare")
                found = compare.difference(first, second, query.total)
            elif name == "doors":
                found = compare.difference(ask(query), lake.run_by_flight(query.render(lake.target(layout))), query.total)
            elif name == "kept results":
                before = ask(query)
                lake.run("SET result_reuse = on")
                try:
                    found = compare.difference(ask(query), before, query.total) or compare.difference(ask(query), before, query.total)
                finally:
                    lake.run("SET result_reuse = off")
            else:
                found = checks.CHECKS[name](ask, query)
        except Unsupported:
            return None
        except engines.Failed as failed:
            self.worker.count["checks that failed"] += 1
            if failed.code.startswith(("XX", "58")) and not compare.excuse(failed):
                return (f"error {failed.code}", str(failed))
            return None
        return found and (f"check {name}", found)


class Worker:
    def __init__(self, options, number):
        self.options = options
        self.number = number
        self.count = collections.Counter()
        self.unsupported = collections.Counter()
        self.found = []
        self.disagree = None
        self.until = options.started + options.seconds if options.seconds else None
        self.duck = engines.DuckDB()
        self.pg = engines.Postgres(options.postgres) if options.postgres else None
        self.lake = None

    def spent(self):
        return self.until is not None and time.time() > self.until

    def schema(self, number):
        options = self.options
        rng = random.Random(f"{options.seed}/{number}")
        tables = [data.random_table(rng, f"t{place}") for place in range(3)]
        self.duck.load(tables)
        if self.pg is not None:
            self.pg.load(tables)
        if options.connection_file:
            self.lake = engines.Lakegate(options.connection_file, options.lake, f"diff_{os.getpid()}_{number}")
            self.lake.load(rng, tables, self.duck.connection)
        case = Case(self, tables)
        left = options.queries - number * options.per_schema
        for place in range(min(options.per_schema, left)):
            if self.spent():
                break
            if options.only is None or options.only == (number, place):
                self.one(case, number, place)
        if self.lake is not None and not options.keep:
            self.lake.drop()

    def one(self, case, schema, place):
        rng = random.Random(f"{self.options.seed}/{schema}/{place}")
        generator = Generator(rng, case.tables)
        layout = rng.choice(["main", "main", "bare", "own"])
        self.count["queries"] += 1
        if self.lake is not None and rng.random() < 0.25:
            name = rng.choice(["layouts", "layouts", "kept results", *checks.CHECKS, *(["doors"] if rng.random() < 0.3 else [])])
            query = checks.subject(generator) if name in checks.CHECKS else generator.query(2, top=True)
            self.count[f"check: {name}"] += 1
            judge = lambda query: case.check(name, query, layout)  # noqa: E731
        else:
            query = generator.query(rng.choice([1, 2, 2, 3]), top=True)
            judge = lambda query: case.verdict(query, layout)  # noqa: E731
            name = None
        started = time.monotonic()
        found = judge(query)
        if time.monotonic() - started > 5:
            print(f"slow: {schema}:{place} took {time.monotonic() - started:.1f} s", flush=True)
        if found is None:
            return
        self.report(case, query, layout, judge, found, name, f"{schema}:{place}")

    def report(self, case, query, layout, judge, found, check, where):
        counts = collections.Counter(self.count)
        lines = [f"DIFFERENT at --seed {self.options.seed} --only {where}, layout {layout}: {found[0]}: {found[1]}"]
        if self.options.shrink:

            def differs(query):
                verdict = judge(query)
                return verdict and verdict[0]

            query = shrink.shrink(query, differs, self.options.shrink)
            found = judge(query) or found
            lines.append(f"  shrunk: {found[0]}: {found[1]}")
            if check is None and self.lake is not None:
                lines += self.reproduction(case, query, layout, found)
        target = self.lake.target(layout) if self.lake is not None else Target("duck")
        lines.append(f"  query: {query.render(target)}")
        self.count = counts
        self.count["different"] += 1
        signature = (check, found[0], shape(query))
        self.found.append((signature, "\n".join(lines)))
        print("\n".join(lines), flush=True)

    def reproduction(self, case, query, layout, found):
        """The smallest rows: as constants in the query where that differs too, else as files."""
        lake_text = query.render(Target("lake"))
        tables = shrink.used_columns(case.tables, [lake_text])

        def differs(tables):
            inline = [(table, shrink.inlined(table)) for table in tables]
            verdict = case.verdict(query, layout, inline)
            return verdict is not None and verdict[0] == found[0]

        if differs(tables):
            tables = shrink.shrink_rows(tables, differs, self.options.shrink)
            inline = {table.name: shrink.inlined(table) for table in tables}
            lines = []
            for dialect in ("lake", "duck"):
                lines.append(f"  {dialect}: {query.render(Target(dialect, {name: text(dialect) for name, text in inline.items()}))}")
            return lines
        return self.reproduction_in_files(case, query, layout, found)

    def reproduction_in_files(self, case, query, layout, found):
        """Rows that are files: those of the tables which the query names, written anew with fewer rows."""
        text = query.render(Target("lake"))
        names = dict(self.lake.names[layout])
        tables = [table for table in case.tables if shrink.names(text, table.name)]
        self.copies = getattr(self, "copies", 0)

        def differs(tables):
            self.copies += 1
            self.duck.load(tables)
            if self.pg is not None:
                self.pg.load(tables)
            for table in tables:
                self.lake.load_layout(random.Random(1), table, layout, None, f"_{self.copies}")
            verdict = case.verdict(query, layout)
            return verdict is not None and verdict[0] == found[0]

        try:
            if differs(tables):
                tables = shrink.shrink_rows(tables, differs, self.options.shrink)
        finally:
            self.lake.names[layout] = names
            self.duck.load(case.tables)
            if self.pg is not None:
                self.pg.load(case.tables)
        described = []
        for table in tables:
            columns = ", ".join(f"{column.name} {column.type.sql('ddl')}" for column in table.columns)
            described.append(f"  {table.name} ({columns}), {table.keys} partition keys: {table.rows!r}"[:1500])
        return [*described, "  (only over files)"]


def everything_is_needed(query):
    """Whether each expression has to be computed for each row: then what is out of range cannot be without an error."""
    body = query.body
    return isinstance(body, Select) and isinstance(body.source, TableRef) and not query.ctes and body.where is None and query.limit is None


def words(message):
    """What an error says, without names and numbers."""
    return " ".join(re.findall(r"[a-z]+", re.sub(r'"[^"]*"', "", message)))[:60]


def shape(query):
    """What a difference is of, roughly: kinds of nodes."""
    return type(query.body).__name__ if isinstance(query, Query) else ""


def work(options, number, results):
    worker = Worker(options, number)
    schemas = -(-options.queries // options.per_schema)
    try:
        for schema in range(schemas):
            if options.only is not None:
                if schema != options.only[0] or number != 0:
                    continue
            elif schema % options.jobs != number:
                continue
            if worker.spent() or len(worker.found) >= options.most:
                break
            worker.schema(schema)
    except Exception:
        results.put((worker.count, worker.unsupported, worker.found, traceback.format_exc()))
        return
    results.put((worker.count, worker.unsupported, worker.found, None))


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", help="what lakegate demo --connection-file wrote")
    parser.add_argument("--lake", help="the demo's folder, which is s3://datalake/")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--queries", type=int, help="default: 10000, or no end with --seconds")
    parser.add_argument("--seconds", type=float, help="stops then, whatever is left")
    parser.add_argument("--jobs", type=int, default=2, help="processes that ask, default 2")
    parser.add_argument("--per-schema", type=int, default=PER_SCHEMA, help="queries over one set of tables")
    parser.add_argument("--shrink", type=float, default=20, help="seconds to make a difference small, 0 to leave it")
    parser.add_argument("--most", type=int, default=20, help="differences after which a process stops")
    parser.add_argument("--only", help="SCHEMA:QUERY, one query of the seed")
    parser.add_argument("--keep", action="store_true", help="leaves the tables")
    parser.add_argument("--no-postgres", action="store_true")
    options = parser.parse_args()
    if options.queries is None:
        options.queries = 10**9 if options.seconds else 10000
    if options.only:
        options.only = tuple(int(part) for part in options.only.split(":"))
    return options


def main():
    options = parsed()
    options.started = time.time()
    started = time.monotonic()
    instance = None if options.no_postgres else engines.Instance()
    try:
        options.postgres = instance.parameters() if instance else None
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        workers = [context.Process(target=work, args=(options, number, results)) for number in range(options.jobs)]
        for worker in workers:
            worker.start()
        count, unsupported, found, broken = collections.Counter(), collections.Counter(), [], []
        for _ in workers:
            counts, refused, findings, error = results.get()
            count += counts
            unsupported += refused
            found += findings
            if error:
                broken.append(error)
        for worker in workers:
            worker.join()
    finally:
        if instance is not None:
            instance.stop()
    for what, number in sorted(count.items()):
        print(f"{number:8} {what}")
    for what, number in unsupported.most_common(12):
        print(f"{number:8} refused: {what}")
    for error in broken:
        print(error)
    seconds = time.monotonic() - started
    references = "DuckDB and PostgreSQL" if options.postgres else "DuckDB"
    print(f"seed {options.seed}: {count['queries']} queries against {references} in {seconds:.0f} s, {len(found)} differ")
    sys.exit(1 if found or broken else 0)


if __name__ == "__main__":
    main()
