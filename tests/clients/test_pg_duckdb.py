"""DuckDB reads a lake by its extension for PostgreSQL: `ATTACH … (TYPE postgres)`."""

import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from conftest import parameters
from postgres import LAKE_ROWS, lake_database, lake_table

pytestmark = pytest.mark.client("DuckDB (ATTACH)", "duckdb")


@pytest.fixture
def duck(demo):
    import duckdb
    import duckdb_extension_postgres_scanner

    (extension,) = Path(duckdb_extension_postgres_scanner.__file__).parent.glob("extensions/*/*.duckdb_extension")
    connections = []

    def attach(user="admin", **more):
        p = {k: str(v) for k, v in (parameters(demo, user) | more).items()}
        connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        connection.load_extension(str(extension))
        dsn = " ".join(f"{name}={value}" for name, value in p.items())
        connection.execute(f"ATTACH '{dsn}' AS lake (TYPE postgres)")
        connections.append(connection)
        return connection

    yield attach
    for connection in connections:
        connection.close()


@pytest.mark.shows("TLS with certificate verification")
@pytest.mark.shows("simple query")
def test_attaches(duck, other_ca):
    assert duck().execute("SELECT count(*) FROM lake.curated.products").fetchone()[0] > 0
    with pytest.raises(Exception, match="certificate verify failed"):
        duck(sslrootcert=other_ca)


@pytest.mark.shows("error for a wrong password")
def test_wrong_password(duck):
    with pytest.raises(Exception, match="password authentication failed"):
        duck(password="wrong")


@pytest.mark.shows("tables and columns")
def test_lists_tables_and_columns(duck):
    connection = duck()
    tables = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'lake' AND table_schema = 'curated' ORDER BY 1"
    ).fetchall()
    assert [name for (name,) in tables] == ["customers", "orders", "products", "users"]
    described = {row[0]: row[1] for row in connection.execute("DESCRIBE lake.curated.orders").fetchall()}
    assert (described["quantity"], described["total"], described["order_date"]) == ("INTEGER", "DECIMAL(10,2)", "DATE")


@pytest.mark.shows("results of all types")
@pytest.mark.shows("views and comments")
@pytest.mark.shows("reading a result in pieces")
def test_reads_by_copy_in_parallel(duck, connect):
    with lake_table(connect, "of_duckdb") as admin:
        insert = "INSERT INTO of_duckdb.things VALUES (" + ", ".join(["%s"] * 9) + ")"
        admin.cursor().executemany(insert, LAKE_ROWS)
        connection = duck()
        assert connection.execute("SELECT * FROM lake.of_duckdb.things ORDER BY id").fetchall() == LAKE_ROWS
        assert connection.execute("SELECT * FROM lake.of_duckdb.named").fetchall() == [(1, "d'ß")]
    orders = connect(autocommit=True).execute(
        "SELECT count(*), sum(total), min(order_date) FROM curated.orders WHERE order_date >= DATE '2024-06-01'"
    ).fetchone()
    sql = "SELECT count(*), sum(total), min(order_date) FROM lake.curated.orders WHERE order_date >= DATE '2024-06-01'"
    found = duck().execute(sql).fetchone()
    assert found == orders and isinstance(found[1], Decimal) and isinstance(found[2], datetime.date)


def test_postgres_query_runs_on_the_server(duck):
    row = duck().execute("SELECT * FROM postgres_query('lake', 'SELECT current_user::text AS u, 7::int AS i')").fetchone()
    assert row == ("admin", 7)


@pytest.mark.shows("bulk load")
@pytest.mark.shows("transaction with rollback")
def test_inserts(duck, connect):
    with lake_table(connect, "of_duckdb") as admin:
        connection = duck()
        connection.execute("BEGIN")
        connection.execute("INSERT INTO lake.of_duckdb.things (id, name) SELECT range, 'x' FROM range(3)")
        connection.execute("ROLLBACK")
        connection.execute("INSERT INTO lake.of_duckdb.things (id, name) SELECT range, 'n' || range FROM range(3)")
        rows = admin.execute("SELECT id, name FROM of_duckdb.things ORDER BY id").fetchall()
        assert rows == [(0, "n0"), (1, "n1"), (2, "n2")]


@pytest.mark.shows("creating a table")
def test_creates_tables(duck, connect):
    with lake_database(connect, "of_duckdb_made") as admin:
        connection = duck()

        def run(sql):
            return connection.execute(sql.format("lake.of_duckdb_made")).fetchall()

        run("CREATE TABLE {}.made (id INTEGER NOT NULL, name VARCHAR, price DECIMAL(10, 2), made_at TIMESTAMP, raw BLOB, many INTEGER[])")
        run("INSERT INTO {}.made VALUES (1, 'one', 12.5, '2024-02-29 12:34:56', '\\x00'::BLOB, [1, 2])")
        found = admin.execute("SELECT id, name, price, raw, many FROM of_duckdb_made.made").fetchall()
        assert found == [(1, "one", Decimal("12.50"), b"\x00", [1, 2])]
        run("CREATE INDEX by_id ON {}.made (id)")
        run("ALTER TABLE {}.made ADD COLUMN IF NOT EXISTS note VARCHAR")
        run("ALTER TABLE {}.made DROP COLUMN raw")
        run("CREATE TABLE {0}.again AS SELECT id, name FROM {0}.made UNION ALL SELECT range, 'x' FROM range(2, 5)")
        assert run("SELECT count(*), max(id) FROM {}.again") == [(4, 4)]
        run("CREATE OR REPLACE TABLE {}.again AS SELECT 7 AS seven")
        run("CREATE TABLE IF NOT EXISTS {}.again (other INTEGER)")
        assert admin.execute("SELECT * FROM of_duckdb_made.again").fetchall() == [(7,)]
        # Made, filled and read in one block.
        run("BEGIN")
        run("CREATE TABLE {}.third (id INTEGER)")
        run("INSERT INTO {}.third VALUES (3)")
        assert run("SELECT id FROM {}.third") == [(3,)]
        run("COMMIT")
        assert admin.execute("SELECT id FROM of_duckdb_made.third").fetchall() == [(3,)]
        run("DROP TABLE {}.third")


@pytest.mark.shows("columns without a grant are hidden")
def test_hidden_columns(duck):
    described = duck("scientist").execute("DESCRIBE lake.curated.customers").fetchall()
    assert [row[0] for row in described] == ["customer_id", "segment", "region"]
