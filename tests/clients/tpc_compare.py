"""TPC-H's 22 and TPC-DS's 99 queries through the Postgres door and through DuckDB, row by row.

Both read the same Parquet files. What is compared, and how:

- Number of rows, number of columns, and every value. Column names are the engines' own and are not compared.
- Text, dates, booleans, integers, NULLs: equal. A decimal that both sides have: equal as a number.
- Two binary floats: equal to 1e-9 of their size (FLOATS).
- A decimal and a float (of an average or a quotient one engine makes the one, one the other): equal to 1e-6
  (MIXED), as a sum of quotients sums what each was rounded by, or to one unit in the decimal's last place.
- Order: the rows in order; rows that are out of place must be peers, that is, both engines must agree on the
  columns of ORDER BY at that place (as far as it names output columns).
- LIMIT and OFFSET may cut through peers: such a query is run on both sides without them, and compared in full. What
  was cut out must be rows of the whole, as many as DuckDB has, and of the same places as far as ORDER BY says.

The result: one line a query, a list of the queries that are empty on both sides, and failure unless exactly
the queries of tests/tpc/known_failures.txt fail.
"""

import argparse
import datetime
import json
import math
import re
import sys
import time
from decimal import Decimal
from pathlib import Path

FLOATS = 1e-9
MIXED = 1e-6

HERE = Path(__file__).resolve().parent
QUERIES = HERE.parent / "tpc"
KNOWN_FAILURES = QUERIES / "known_failures.txt"
SUITES = {"tpch": 22, "tpcds": 99}
LIMIT = re.compile(r"\s+LIMIT\s+\d+(?:\s+OFFSET\s+(\d+))?\s*$", re.IGNORECASE)


def text_of(path):
    """Returns the query of a file, without comments."""
    lines = path.read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("--")).strip().rstrip(";")


def query_text(suite, number):
    return text_of(QUERIES / suite / f"q{number:02}.sql")


def without_limit(sql):
    """The query without its last LIMIT and OFFSET, and how many rows it skips, None if it has no LIMIT."""
    found = LIMIT.search(sql)
    return (sql, None) if found is None else (sql[: found.start()], int(found[1] or 0))


def same(left, right):
    if left is None or right is None:
        return left is right
    if isinstance(left, str) and isinstance(right, str):
        return left.rstrip(" ") == right.rstrip(" ")
    left, right = plain(left), plain(right)
    if isinstance(left, (int, Decimal)) and isinstance(right, (int, Decimal)):
        return left == right
    if isinstance(left, (int, float, Decimal)) and isinstance(right, (int, float, Decimal)):
        place = max(last_place(left), last_place(right))
        a, b = float(left), float(right)
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        relative = MIXED if place else FLOATS
        return abs(a - b) <= max(relative * max(abs(a), abs(b)), place)
    return left == right


def plain(value):
    if isinstance(value, bool):
        return value
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None)
    return value


def last_place(value):
    """One unit of a decimal's last place (a hair more, as it is compared in floats), 0 for other numbers."""
    if isinstance(value, Decimal):
        return float(Decimal(1).scaleb(value.as_tuple().exponent)) * 1.000001
    return 0.0


def same_row(left, right):
    return len(left) == len(right) and all(map(same, left, right))


def sort_key(row):
    """Coarse enough that values equal by tolerance mostly sort alike; `match` does not depend on it.

    Whole numbers order what is alike otherwise, as numbers of many digits are.
    """
    key, whole = [], []
    for value in row:
        value = plain(value)
        if value is None:
            key.append((0, ""))
        elif isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            key.append((1, f"{float(value):.4e}"))
            if math.isfinite(value) and value == int(value):
                whole.append(int(value))
        else:
            key.append((2, str(value).rstrip(" ")))
    return tuple(key), tuple(whole)


def match(left, right):
    """None if the two lists hold the same rows in whatever order, else a row that has no partner."""
    left, right = sorted(left, key=sort_key), sorted(right, key=sort_key)
    if all(map(same_row, left, right)):
        return None
    pool = {}
    for row in right:
        pool.setdefault(exact_part(row), []).append(row)
    for row in left:
        candidates = pool.get(exact_part(row), [])
        for i, candidate in enumerate(candidates):
            if same_row(row, candidate):
                del candidates[i]
                break
        else:
            return row
    return None


def exact_part(row):
    """What must be equal to the letter in a row."""
    return tuple(
        value.rstrip(" ") if isinstance(value, str) else value
        for value in map(plain, row)
        if value is None or isinstance(value, (str, datetime.date))
    )


def order_by(sql, columns):
    """Places of the output columns by which the whole result is ordered, as far as they are output columns.

    Reads the last top-level ORDER BY: names, aliases and ordinals; an expression ends the list, as what comes
    behind it decides only among its peers.
    """
    depth, at = 0, None
    for word in re.finditer(r"[()]|'(?:[^']|'')*'|\border\s+by\b", sql, flags=re.IGNORECASE):
        text = word.group().lower()
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        elif text.startswith("order") and depth == 0:
            at = word.end()
    if at is None:
        return []
    tail = LIMIT.sub("", sql[at:])
    places, depth, item, items = [], 0, "", []
    for character in tail:
        if character == "," and depth == 0:
            items.append(item)
            item = ""
            continue
        depth += (character == "(") - (character == ")")
        item += character
    items.append(item)
    for item in items:
        name = re.sub(r"\s+(asc|desc)?\s*(nulls\s+(first|last))?\s*$", "", item.strip() + " ", flags=re.IGNORECASE).strip()
        name = re.sub(r"\s+(asc|desc)$", "", name, flags=re.IGNORECASE).strip().lower()
        bare = name.split(".")[-1].strip('"')
        if name.isdigit():
            places.append(int(name) - 1)
        elif bare in columns:
            places.append(columns.index(bare))
        else:
            break
    return places


def difference(sql, left_columns, left, right):
    """None if the results are the same, else what differs, in a line."""
    if len(left) != len(right):
        return f"{len(left)} rows, DuckDB has {len(right)}"
    if left and len(left[0]) != len(right[0]):
        return f"{len(left[0])} columns, DuckDB has {len(right[0])}"
    wrong = next((i for i, (a, b) in enumerate(zip(left, right)) if not same_row(a, b)), None)
    if wrong is None:
        return None
    stray = match(left, right)
    if stray is not None:
        partner = right[wrong] if left[wrong] == stray else "(elsewhere)"
        return f"row {stray} is not in DuckDB's result; there row {wrong + 1} is {partner}"
    places = order_by(sql, [name.lower() for name in left_columns])
    for i, (a, b) in enumerate(zip(left, right)):
        if not all(same(a[place], b[place]) for place in places):
            return f"order: row {i + 1} is {a}, DuckDB's is {b}"
    return None


def compare(left, right, suite, numbers, known, report=print, text=query_text):
    """`left` and `right` run a query: (suite, sql) -> (column names, rows). Gives the number of wrong verdicts.

    `text` gives the query of a number: (suite, number) -> sql.
    """
    wrong, empty = 0, []
    for number in numbers:
        name = f"{suite} q{number:02}"
        sql = text(suite, number)
        full, skipped = without_limit(sql)
        started = time.monotonic()
        try:
            columns, ours = left(suite, sql)
            seconds = time.monotonic() - started
            theirs = right(suite, sql)[1]
            problem = difference(sql, columns, ours, theirs)
            if problem and skipped is not None and len(ours) == len(theirs):
                # Peers at the cut: the whole results decide, and what LIMIT left must be a part of the whole.
                columns, whole = left(suite, full)
                problem = difference(full, columns, whole, right(suite, full)[1])
                if problem is None and not is_cut(sql, columns, ours, whole, skipped):
                    problem = "LIMIT gives other rows than the whole result has there"
            if not theirs and not ours:
                empty.append(name)
        except Exception as error:  # whatever a query does, the others are still compared
            seconds = time.monotonic() - started
            problem = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            ours = []
        reason = known.pop(name, None)
        if problem is None and reason is None:
            report(f"ok    {name}  {len(ours)} rows  {seconds:.2f} s")
        elif problem is not None and reason is not None:
            report(f"known {name}  {reason}: {problem}")
        elif problem is not None:
            wrong += 1
            report(f"FAIL  {name}  {problem}")
        else:
            wrong += 1
            report(f"FAIL  {name}  passes, but known_failures.txt lists it: {reason}")
    report(f"{suite}: empty on both sides: {', '.join(empty) if empty else 'none'}")
    return wrong


def is_cut(sql, columns, cut, whole, skipped):
    """Whether `cut` has rows of `whole`, which agree with those behind the first `skipped` on the columns of ORDER BY."""
    pool = {}
    for row in whole:
        pool.setdefault(sort_key(row), []).append(row)
    for row in cut:
        candidates = pool.get(sort_key(row), [])
        place = next((i for i, candidate in enumerate(candidates) if same_row(row, candidate)), None)
        if place is None:
            return False
        del candidates[place]
    places = order_by(sql, [name.lower() for name in columns])
    return all(same(a[place], b[place]) for a, b in zip(cut, whole[skipped:]) for place in places)


def known_failures():
    known = {}
    if KNOWN_FAILURES.exists():
        for line in KNOWN_FAILURES.read_text().splitlines():
            line = line.strip()
            if line and not line.startswith("#"):
                suite, number, reason = line.split(None, 2)
                known[f"{suite} {number}"] = reason
    return known


def postgres(connection_file):
    import psycopg

    to = json.loads(Path(connection_file).read_text())
    admin = next(user for user in to["users"] if user["name"] == "admin")
    connections = {}

    def run(suite, sql):
        if suite not in connections or connections[suite].broken:
            connections[suite] = psycopg.connect(
                host=to["postgres"]["host"],
                port=to["postgres"]["port"],
                user=admin["name"],
                password=admin["password"],
                dbname=suite,
                sslmode="verify-full",
                sslrootcert=to["tls"]["ca_file"],
                autocommit=True,
                connect_timeout=20,
            )
            connections[suite].execute("SET statement_timeout = '300s'")
        with connections[suite].cursor(binary=True) as cursor:
            cursor.execute(sql)
            return [column.name for column in cursor.description], cursor.fetchall()

    run.connection = connections.get
    return run


def duckdb(lake, of_arrow=False, suites=tuple(SUITES)):
    """`of_arrow`: a query's rows are an Arrow table, and its columns are not named."""
    import duckdb as engine

    connection = engine.connect()
    # As in PostgreSQL and Trino, 7 / 2 is 3.
    connection.execute("SET integer_division = true")
    # NULLs come first in descending order, as in PostgreSQL.
    connection.execute("SET default_null_order = 'nulls_last_on_asc_first_on_desc'")
    connection.execute("SET threads = 2")
    for suite in suites:
        folder = Path(lake) / suite
        if not folder.is_dir():
            continue
        connection.execute(f"CREATE SCHEMA {suite}")
        for table in sorted(folder.iterdir()):
            if table.is_dir():
                connection.execute(
                    f"CREATE VIEW {suite}.{table.name} AS SELECT * FROM read_parquet('{table}/**/*.parquet')"
                )

    def run(suite, sql):
        connection.execute(f"USE {suite}")
        if of_arrow:
            return [], connection.sql(sql).to_arrow_table()
        result = connection.execute(sql)
        return [column[0] for column in result.description], result.fetchall()

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", required=True, help="what lakegate demo --connection-file wrote")
    parser.add_argument("--lake", required=True, help="the demo's folder, made with --tpch and --tpcds")
    parser.add_argument("--suite", choices=SUITES, action="append")
    parser.add_argument("--query", type=int, action="append", help="only these numbers")
    arguments = parser.parse_args()
    left, right = postgres(arguments.connection_file), duckdb(arguments.lake)
    known, wrong = known_failures(), 0
    for suite in arguments.suite or SUITES:
        numbers = arguments.query or range(1, SUITES[suite] + 1)
        wrong += compare(left, right, suite, numbers, known)
    if known and not (arguments.suite or arguments.query):
        print(f"FAIL  known_failures.txt names queries that do not exist: {', '.join(known)}")
        wrong += 1
    print(f"{wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
