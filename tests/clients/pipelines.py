"""The pipelines of docs/pipelines: their scripts run by psql, and their tables compared with DuckDB's.

DuckDB runs the same statements over the same files: an external table is a view over its folder, and what
CREATE TABLE AS, INSERT and INSERT OVERWRITE select is the same text. All rows and columns of every table are
compared but `loaded_at`, which must be there: floats to 1e-9 of their size, everything else exactly.
"""

import argparse
import json
import math
import random
import re
import shutil
import subprocess
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg

PIPELINES = Path(__file__).resolve().parents[2] / "docs" / "pipelines"


def statements(script):
    text = re.sub(r"--[^\n]*", "", script.read_text())
    return [statement.strip() for statement in text.split(";") if statement.strip()]


class Flow:
    """A Lakegate and a DuckDB that run the same scripts."""

    def __init__(self, dsn, lake):
        self.dsn, self.lake = dsn, lake
        self.duck = duckdb.connect()
        self.tables = []

    def run(self, script):
        path = PIPELINES / script
        psql = ["psql", self.dsn, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(path)]
        ran = subprocess.run(psql, capture_output=True, text=True)
        if ran.returncode != 0:
            sys.exit(f"psql on {path} ended with {ran.returncode}\n{ran.stdout}{ran.stderr}")
        for statement in statements(path):
            for translated in self.translated(statement):
                self.duck.execute(translated)

    def translated(self, statement):
        """The statement for DuckDB."""
        words = statement.upper().split()
        if words[:2] == ["CREATE", "DATABASE"]:
            return [f"CREATE SCHEMA {statement.split()[2]}"]
        if words[:3] == ["CREATE", "EXTERNAL", "TABLE"]:
            return [self.external(statement)]
        if words[:2] == ["CREATE", "TABLE"]:
            self.tables.append(statement.split()[2])
            return [re.sub(r"\sWITH \([^()]*(\([^()]*\))?[^()]*\) AS\s", " AS ", statement, count=1)]
        if words[:2] == ["INSERT", "OVERWRITE"]:
            _, _, table, query = statement.split(None, 3)
            return [f"DELETE FROM {table}", f"INSERT INTO {table} {query}"]
        if words[:3] == ["MSCK", "REPAIR", "TABLE"]:
            return []
        return [statement]

    def external(self, statement):
        name = statement.split()[3]
        location = re.search(r"LOCATION 's3://datalake/([^']*)'", statement).group(1)
        folder = self.lake / location
        columns = re.search(r"\((.*?)\)\s*(STORED|PARTITIONED)", statement, flags=re.DOTALL).group(1)
        names = re.findall(r"(\w+) [A-Z]+(?:\([\d,]+\))?", columns)
        if "STORED AS PARQUET" in statement:
            return f"CREATE VIEW {name} AS SELECT {', '.join(names)} FROM read_parquet('{folder}/*.parquet')"
        types = ", ".join(f"'{column}': 'VARCHAR'" for column in names)
        return (
            f"CREATE VIEW {name} AS SELECT {', '.join(names)}, arrived FROM read_json('{folder}/*/*.json', "
            f"format='newline_delimited', columns={{{types}}}, ignore_errors=true, hive_partitioning=true, "
            "hive_types={'arrived': DATE})"
        )

    def compare(self):
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for table in self.tables:
                compare(connection, self.duck, table)


def compare(connection, duck, table):
    cursor = connection.execute(f"SELECT * FROM {table}")
    names = [column.name for column in cursor.description]
    found = cursor.fetchall()
    answer = duck.execute(f"SELECT * FROM {table}")
    expected_names = [column[0] for column in answer.description]
    expected = answer.fetchall()
    if names != expected_names:
        sys.exit(f"{table}: columns {names}, and DuckDB's {expected_names}")
    if "loaded_at" in names:
        at = names.index("loaded_at")
        if any(row[at] is None for row in found):
            sys.exit(f"{table}: a row without loaded_at")
        found, expected = ([row[:at] + row[at + 1 :] for row in rows] for rows in (found, expected))
    if not expected:
        sys.exit(f"{table} is empty, which shows nothing")
    if len(found) != len(expected):
        sys.exit(f"{table}: {len(found)} rows, and DuckDB has {len(expected)}")
    for row, other in zip(sorted(found, key=key), sorted(expected, key=key)):
        if not all(map(same, row, other)):
            sys.exit(f"{table}:\n  {row}\nDuckDB:\n  {other}")
    print(f"{table}: {len(found)} rows are the same")


def key(row):
    return tuple((value is not None, "" if isinstance(value, float) else str(exact(value))) for value in row)


def exact(value):
    """A value whose text does not depend on the scale of a decimal or the kind of a number."""
    return Decimal(value).normalize() if isinstance(value, (int, Decimal)) else value


def same(left, right):
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9)
    return exact(left) == exact(right)


def medallion(flow):
    # A file that was delivered twice: silver must not count its lines twice.
    folder = flow.lake / "tpcds" / "store_sales"
    twice = sorted(folder.glob("*.parquet"))[0]
    shutil.copy(twice, folder / "delivered-again.parquet")
    for script in ["bronze.sql", "silver.sql", "gold.sql"]:
        flow.run(f"medallion/{script}")
    lines, delivered = (
        flow.duck.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        for table in ["silver.sales", "bronze.store_sales WHERE ss_sold_date_sk IS NOT NULL"]
    )
    if not lines < delivered:
        sys.exit("no line was delivered twice: the test shows nothing")
    flow.compare()


BAD = {
    "quantity": [None, "two", ""],
    "price": [None, "free", "12,50", {"amount": 3}],
    "discount": [None, "none", ""],
    "status": [None, "", "PAID ", "Cancelled"],
    "ordered_at": [None, "yesterday", "2024-13-40T00:00:00", ""],
    "order_id": [None, "", "  "],
    "customer_id": [None, ""],
    "product_id": [None],
}


def orders_of(day, number, random):
    """The lines of a day: most are good; some are wrong, changed later, or sent twice."""
    lines = []
    for n in range(number):
        at = datetime(day.year, day.month, day.day) + timedelta(seconds=random.randrange(86400))
        if random.random() < 0.05:
            at -= timedelta(days=1)
        order = {
            "order_id": f"O-{day:%d}-{n}",
            "customer_id": f"C-{random.randrange(40)}",
            "product_id": f"P-{random.randrange(15)}",
            "quantity": random.randrange(1, 9),
            "price": random.choice([f"{random.randrange(1, 99999) / 100:.2f}", random.randrange(1, 500)]),
            "discount": random.choice(["0.00", f"{random.randrange(500) / 100:.2f}"]),
            "status": random.choice(["paid", "shipped", "cancelled"]),
            "ordered_at": at.isoformat(timespec="seconds"),
            "updated_at": at.isoformat(timespec="seconds"),
        }
        for column, values in BAD.items():
            if random.random() < 0.04:
                order[column] = random.choice(values)
                if order[column] is None and random.random() < 0.5:
                    del order[column]
        lines.append(json.dumps(order))
        if random.random() < 0.1:
            lines.append(lines[-1])
        if random.random() < 0.1:
            changed = order | {"status": "shipped", "updated_at": (at + timedelta(hours=30)).isoformat()}
            lines.append(json.dumps(changed))
    lines.append('{"order_id": "broken", "price": ')
    lines.append("not JSON")
    random.shuffle(lines)
    return lines


def orders(flow):
    seeded = random.Random(7)
    first = date(2024, 5, 1)

    def arrive(days):
        for day in days:
            folder = flow.lake / "raw" / "shop_orders" / f"arrived={day}"
            folder.mkdir(parents=True)
            (folder / "part-0.json").write_text("\n".join(orders_of(day, 200, seeded)) + "\n")

    arrive(first + timedelta(days=n) for n in range(5))
    for script in ["raw.sql", "curated.sql", "metrics.sql"]:
        flow.run(f"orders/{script}")
    flow.compare()
    arrive(first + timedelta(days=n) for n in range(5, 7))
    flow.run("orders/next_day.sql")
    flow.compare()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flow", choices=["medallion", "orders"])
    parser.add_argument("--dsn", required=True, help="libpq's connection string of a demo")
    parser.add_argument("--lake", type=Path, required=True, help="the demo's folder, s3://datalake/")
    arguments = parser.parse_args()
    flow = Flow(arguments.dsn, arguments.lake)
    {"medallion": medallion, "orders": orders}[arguments.flow](flow)
    print("all tables are the same")


main()
