"""Python's libraries over drivers of PostgreSQL: what each can do is in docs/postgres-compatibility.md."""

import datetime
import os
import subprocess
import sys
from decimal import Decimal

import pytest

from conftest import parameters, postgres_uri
from postgres import FOREVER, MIDDAY, UTC, lake_database, lake_table, stopped


@pytest.fixture
def alchemy(demo):
    import sqlalchemy

    engine = sqlalchemy.create_engine(postgres_uri(demo).replace("postgresql:", "postgresql+psycopg:"))
    yield engine
    engine.dispose()


@pytest.mark.client("pandas", "pandas")
class TestPandas:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    @pytest.mark.shows("results of all types")
    @pytest.mark.shows("parameters of all types")
    def test_read_sql(self, alchemy):
        import pandas
        from sqlalchemy import text

        frame = pandas.read_sql(
            text(
                "SELECT 1::int AS i, 2::bigint AS b, 2.5::double precision AS d, true AS t, 'x'::text AS s,"
                " CAST('12.50' AS numeric(10,2)) AS n, CAST(:at AS timestamp) AS at, CAST(:z AS timestamptz) AS z,"
                " DATE '2024-02-29' AS day"
            ),
            alchemy,
            params={"at": MIDDAY, "z": MIDDAY.replace(tzinfo=UTC)},
        )
        assert [str(kind) for kind in frame.dtypes[:4]] == ["int64", "int64", "float64", "bool"]
        assert frame.iloc[0].tolist() == [
            1, 2, 2.5, True, "x", 12.5, pandas.Timestamp(MIDDAY), pandas.Timestamp(MIDDAY, tz="UTC"), datetime.date(2024, 2, 29),
        ]

    @pytest.mark.shows("reading a result in pieces")
    def test_chunks(self, alchemy):
        import pandas

        with alchemy.connect().execution_options(stream_results=True) as connection:
            chunks = pandas.read_sql("SELECT x FROM generate_series(1, 2500) t(x) ORDER BY x", connection, chunksize=1000)
            sizes = [(len(chunk), int(chunk["x"].iloc[-1])) for chunk in chunks]
        assert sizes == [(1000, 1000), (1000, 2000), (500, 2500)]

    @pytest.mark.shows("tables and columns")
    def test_read_sql_table(self, alchemy):
        import pandas

        frame = pandas.read_sql_table("products", alchemy, schema="curated")
        counted = pandas.read_sql("SELECT count(*) AS n FROM curated.products", alchemy)
        assert len(frame) == counted["n"][0] > 0

    @pytest.mark.shows("bulk load")
    @pytest.mark.parametrize("method", [None, "multi"])
    def test_to_sql_appends(self, alchemy, connect, method):
        import pandas

        with lake_table(connect, "of_pandas") as admin:
            frame = pandas.DataFrame({"id": [1, 2], "name": ["one", None], "at": [MIDDAY, None]})
            frame.to_sql("things", alchemy, schema="of_pandas", if_exists="append", index=False, method=method)
            rows = admin.execute("SELECT id, name, at FROM of_pandas.things ORDER BY id").fetchall()
            assert rows == [(1, "one", MIDDAY), (2, None, None)]

    @pytest.mark.shows("creating a table")
    def test_to_sql_creates(self, alchemy, connect):
        import pandas

        frame = pandas.DataFrame({
            "id": [1, 2], "name": ["one", None], "at": [MIDDAY, None], "ok": [True, False], "x": [1.5, None],
            "day": [datetime.date(2024, 2, 29)] * 2,
        })
        with lake_database(connect, "of_pandas_made") as admin:
            into = {"con": alchemy, "schema": "of_pandas_made", "index": False}
            frame.to_sql("made", **into)
            with pytest.raises(ValueError, match="already exists"):
                frame.to_sql("made", **into)
            frame.to_sql("made", if_exists="replace", method="multi", **into)
            frame.to_sql("made", if_exists="append", **into)
            assert admin.execute("SELECT count(*) FROM of_pandas_made.made").fetchone() == (4,)
            frame.to_sql("made", if_exists="delete_rows", **into)
            rows = admin.execute("SELECT * FROM of_pandas_made.made ORDER BY id").fetchall()
            day = datetime.date(2024, 2, 29)
            assert rows == [(1, "one", MIDDAY, True, 1.5, day), (2, None, None, False, None, day)]
            read = pandas.read_sql_table("made", alchemy, schema="of_pandas_made")
            assert read["id"].sum() == 3 and list(read.columns) == list(frame.columns)

    def test_to_sql_asks_for_an_index(self, alchemy, connect):
        """The index of a frame becomes a column, on which pandas makes an index of the database."""
        import pandas

        frame = pandas.DataFrame({"name": ["one", "two"]}, index=pandas.Index([1, 2], name="id"))
        with lake_database(connect, "of_pandas_index") as admin:
            for if_exists in ("fail", "replace", "append"):
                frame.to_sql("made", alchemy, schema="of_pandas_index", if_exists=if_exists)
            rows = admin.execute("SELECT id, name FROM of_pandas_index.made ORDER BY 1").fetchall()
            assert rows == [(1, "one"), (1, "one"), (2, "two"), (2, "two")]

    def test_to_sql_without_a_schema_writes_to_the_search_path(self, demo, connect):
        import pandas
        import sqlalchemy

        url = postgres_uri(demo).replace("postgresql:", "postgresql+psycopg:")
        frame = pandas.DataFrame({"id": [1]})
        with lake_database(connect, "of_pandas_path") as admin:
            engine = sqlalchemy.create_engine(url, connect_args={"options": "-csearch_path=of_pandas_path"})
            frame.to_sql("made", engine, index=False)
            engine.dispose()
            assert admin.execute("SELECT id FROM of_pandas_path.made").fetchall() == [(1,)]


@pytest.mark.client("polars", "polars")
class TestPolars:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    @pytest.mark.shows("results of all types")
    @pytest.mark.parametrize("engine_name", ["connectorx", "adbc"])
    def test_read_database_uri(self, demo, engine_name):
        import polars

        address = postgres_uri(demo) if engine_name == "adbc" else connectorx_uri(demo)
        frame = polars.read_database_uri(
            "SELECT quantity, total, order_date, order_id FROM curated.orders WHERE order_date = DATE '2024-05-05'",
            address,
            engine=engine_name,
        )
        counted = polars.read_database_uri(
            "SELECT count(*) AS n FROM curated.orders WHERE order_date = DATE '2024-05-05'", address, engine=engine_name
        )
        assert frame.height == counted["n"][0] > 0
        assert frame["quantity"].dtype == polars.Int32 and frame["order_date"].unique().to_list() == [datetime.date(2024, 5, 5)]

    @pytest.mark.shows("parameters of all types")
    def test_read_database(self, alchemy):
        import polars

        frame = polars.read_database(
            "SELECT CAST(:i AS int) AS i, CAST(:d AS date) AS d, CAST(:s AS text) AS s",
            alchemy,
            execute_options={"parameters": {"i": 7, "d": datetime.date(2024, 2, 29), "s": "ß"}},
        )
        assert frame.rows() == [(7, datetime.date(2024, 2, 29), "ß")]

    @pytest.mark.shows("bulk load")
    @pytest.mark.parametrize("engine_name", ["sqlalchemy", "adbc"])
    def test_write_database_appends(self, demo, alchemy, connect, engine_name):
        import polars

        with lake_table(connect, "of_polars") as admin:
            frame = polars.DataFrame({"id": [1, 2], "name": ["one", None]}, schema={"id": polars.Int32, "name": polars.String})
            to = alchemy if engine_name == "sqlalchemy" else postgres_uri(demo)
            frame.write_database("of_polars.things", to, if_table_exists="append", engine=engine_name)
            rows = admin.execute("SELECT id, name FROM of_polars.things ORDER BY id").fetchall()
            assert rows == [(1, "one"), (2, None)]

    @pytest.mark.shows("creating a table")
    @pytest.mark.parametrize("engine_name", ["sqlalchemy", "adbc"])
    def test_write_database_creates(self, demo, alchemy, connect, engine_name):
        import polars

        database = f"of_polars_{engine_name}"
        frame = polars.DataFrame({"id": [1, 2], "name": ["one", None], "day": [datetime.date(2024, 2, 29)] * 2})
        to = alchemy if engine_name == "sqlalchemy" else postgres_uri(demo)
        with lake_database(connect, database) as admin:
            frame.write_database(f"{database}.made", to, engine=engine_name)
            with pytest.raises(Exception, match="already exists"):
                frame.write_database(f"{database}.made", to, engine=engine_name)
            frame.write_database(f"{database}.made", to, engine=engine_name, if_table_exists="replace")
            frame.write_database(f"{database}.made", to, engine=engine_name, if_table_exists="append")
            rows = admin.execute(f"SELECT DISTINCT id, name, day FROM {database}.made ORDER BY id").fetchall()
            day = datetime.date(2024, 2, 29)
            assert rows == [(1, "one", day), (2, None, day)]
            assert admin.execute(f"SELECT count(*) FROM {database}.made").fetchone() == (4,)


def connectorx_uri(demo, user="admin"):
    """connectorx knows no sslmode=verify-full: with `sslrootcert`, it verifies with sslmode=require."""
    return postgres_uri(demo, user).replace("verify-full", "require")


@pytest.mark.client("connectorx", "connectorx")
class TestConnectorx:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    @pytest.mark.parametrize("protocol", ["binary", "csv", "cursor", "simple"])
    def test_each_protocol(self, demo, protocol):
        import connectorx

        frame = connectorx.read_sql(
            connectorx_uri(demo), "SELECT 1::int AS i, 'x'::text AS s, NULL::bigint AS n", protocol=protocol, return_type="polars"
        )
        assert frame.rows() == [(1, "x", None)]

    @pytest.mark.shows("results of all types")
    def test_types(self, demo):
        import connectorx

        frame = connectorx.read_sql(
            connectorx_uri(demo),
            "SELECT true AS t, 1::smallint AS h, 2::int AS i, 3::bigint AS b, 1.5::real AS r, 2.5::double precision AS d,"
            " CAST('12.50' AS numeric(10,2)) AS n, 'ß'::text AS s, DATE '2024-02-29' AS day,"
            " TIMESTAMP '2024-02-29 12:34:56.789' AS at, '2024-02-29 12:34:56.789+00'::timestamptz AS z, '\\x00ff'::bytea AS y",
            return_type="polars",
        )
        row = frame.rows()[0]
        assert row[:6] == (True, 1, 2, 3, 1.5, 2.5)
        assert Decimal(str(row[6])) == Decimal("12.50")
        assert row[7:10] == ("ß", datetime.date(2024, 2, 29), MIDDAY)
        assert row[10] == MIDDAY.replace(tzinfo=UTC) and row[11] == b"\x00\xff"

    @pytest.mark.shows("reading a result in pieces")
    def test_partitions(self, demo):
        import connectorx

        sql = "SELECT quantity, order_id FROM curated.orders"
        frame = connectorx.read_sql(
            connectorx_uri(demo), sql, partition_on="quantity", partition_num=3, return_type="polars"
        )
        whole = connectorx.read_sql(connectorx_uri(demo), sql, return_type="polars")
        assert sorted(frame["order_id"].to_list()) == sorted(whole["order_id"].to_list()) != []


@pytest.fixture
def adbc_postgres(demo):
    import adbc_driver_postgresql.dbapi

    opened = []

    def connect(user="admin", **more):
        connection = adbc_driver_postgresql.dbapi.connect(postgres_uri(demo, user), **more)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


@pytest.mark.client("ADBC (PostgreSQL)", "adbc-driver-postgresql")
class TestAdbc:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    @pytest.mark.shows("results of all types")
    @pytest.mark.parametrize("copy", [True, False])
    def test_query(self, adbc_postgres, copy):
        import pyarrow

        with adbc_postgres().cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": str(copy).lower()})
            cursor.execute(
                "SELECT true AS t, 1::smallint AS h, 2::int AS i, 3::bigint AS b, 1.5::real AS r, 2.5::double precision AS d,"
                " CAST('12.50' AS numeric(10,2)) AS n, 'ß'::text AS s, DATE '2024-02-29' AS day,"
                " TIMESTAMP '2024-02-29 12:34:56.789' AS at, '2024-02-29 12:34:56.789+00'::timestamptz AS z,"
                " '\\x00ff'::bytea AS y, ARRAY[1, 2] AS a, NULL::int AS z0"
            )
            table = cursor.fetch_arrow_table()
        assert table.schema.field("i").type == pyarrow.int32() and table.schema.field("z").type == pyarrow.timestamp("us", "UTC")
        assert list(table.to_pylist()[0].values()) == [
            True, 1, 2, 3, 1.5, 2.5, "12.50", "ß", datetime.date(2024, 2, 29), MIDDAY, MIDDAY.replace(tzinfo=UTC),
            b"\x00\xff", [1, 2], None,
        ]

    @pytest.mark.shows("parameters of all types")
    @pytest.mark.shows("prepared statement")
    def test_parameters(self, adbc_postgres):
        with adbc_postgres().cursor() as cursor:
            sql = "SELECT $1::bigint, $2::double precision, $3::text, $4::date, $5::timestamp, $6::bytea"
            values = (7, 2.5, "ß", datetime.date(2024, 2, 29), MIDDAY, b"\x00\xff")
            for _ in range(2):
                cursor.execute(sql, values)
                assert cursor.fetchall() == [values]

    @pytest.mark.shows("reading a result in pieces")
    def test_reader(self, adbc_postgres):
        with adbc_postgres().cursor() as cursor:
            cursor.execute("SELECT x FROM generate_series(1, 5000) t(x)")
            assert sum(batch.num_rows for batch in cursor.fetch_record_batch()) == 5000

    @pytest.mark.shows("transaction with rollback")
    @pytest.mark.shows("bulk load")
    def test_ingest(self, adbc_postgres, connect):
        import pyarrow

        with lake_table(connect, "of_adbc") as admin:
            connection = adbc_postgres()
            rows = pyarrow.table({"id": pyarrow.array([1, 2], pyarrow.int32()), "name": ["one", None]})
            with connection.cursor() as cursor:
                cursor.adbc_ingest("things", rows, mode="append", db_schema_name="of_adbc")
                connection.rollback()
                cursor.adbc_ingest("things", rows, mode="append", db_schema_name="of_adbc")
                connection.commit()
            assert admin.execute("SELECT id, name FROM of_adbc.things ORDER BY id").fetchall() == [(1, "one"), (2, None)]

    @pytest.mark.shows("creating a table")
    def test_ingest_creates(self, adbc_postgres, connect):
        import pyarrow

        rows = pyarrow.table({
            "id": pyarrow.array([1, 2], pyarrow.int32()), "name": ["one", None], "n": [2**40, None], "x": [1.5, 2.5],
            "ok": [True, None], "day": [datetime.date(2024, 2, 29)] * 2,
            "at": pyarrow.array([MIDDAY, None], pyarrow.timestamp("us")), "raw": [b"\x00\xff", None],
            "many": pyarrow.array([[1, 2], None], pyarrow.list_(pyarrow.int32())),
        })
        with lake_database(connect, "of_adbc_made") as admin, adbc_postgres().cursor() as cursor:
            count = "SELECT count(*) FROM of_adbc_made.made"

            def ingest(mode):
                cursor.adbc_ingest("made", rows, mode=mode, db_schema_name="of_adbc_made")
                cursor.connection.commit()
                return admin.execute(count).fetchone()[0]

            assert [ingest(mode) for mode in ("create", "append", "replace", "create_append")] == [2, 4, 2, 4]
            with pytest.raises(Exception, match="already exists"):
                ingest("create")
            cursor.connection.rollback()
            assert ingest("replace") == 2
            made = admin.execute("SELECT * FROM of_adbc_made.made ORDER BY id").fetchall()
            day = datetime.date(2024, 2, 29)
            assert made == [
                (1, "one", 2**40, 1.5, True, day, MIDDAY, b"\x00\xff", [1, 2]),
                (2, None, None, 2.5, None, day, None, None, None),
            ]
            # A table of a block that is rolled back was never there.
            cursor.adbc_ingest("other", rows, mode="create", db_schema_name="of_adbc_made")
            cursor.connection.rollback()
            listed = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'of_adbc_made'"
            assert admin.execute(listed).fetchall() == [("made",)]

    @pytest.mark.shows("SQLSTATE and position of an error")
    def test_error(self, adbc_postgres):
        with adbc_postgres().cursor() as cursor:
            with pytest.raises(Exception, match='relation "no_such" does not exist') as raised:
                cursor.execute("SELECT * FROM no_such")
        assert raised.value.sqlstate == "42P01"

    @pytest.mark.shows("cancel")
    def test_cancel(self, adbc_postgres, connect):
        with adbc_postgres(autocommit=True).cursor() as cursor:
            with stopped(connect, "adbc-cancel", cursor.adbc_cancel), pytest.raises(Exception, match="cancel"):
                cursor.execute(FOREVER.format("adbc-cancel"))
                cursor.fetchall()

    @pytest.mark.shows("tables and columns")
    def test_objects(self, adbc_postgres):
        connection = adbc_postgres()
        objects = connection.adbc_get_objects(db_schema_filter="curated", depth="all").read_all().to_pylist()
        schemas = [s for catalog in objects for s in catalog["catalog_db_schemas"] or []]
        tables = {t["table_name"]: t for s in schemas for t in s["db_schema_tables"]}
        assert set(tables) == {"customers", "orders", "products", "users"}
        assert "quantity" in [c["column_name"] for c in tables["orders"]["table_columns"]]
        schema = connection.adbc_get_table_schema("orders", db_schema_filter="curated")
        assert str(schema.field("quantity").type) == "int32"


@pytest.mark.client("ibis", "ibis-framework")
class TestIbis:
    @pytest.fixture
    def backend(self, demo):
        import ibis

        p = parameters(demo, "admin", "curated")
        backend = ibis.postgres.connect(
            host=p["host"], port=p["port"], user="admin", password=p["password"], database="awsdatacatalog",
            schema="curated", sslmode="verify-full", sslrootcert=p["sslrootcert"],
        )
        yield backend
        backend.disconnect()

    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("tables and columns")
    def test_lists_tables(self, backend):
        assert {"customers", "orders", "products", "users"} <= set(backend.list_tables(database="curated"))
        orders = backend.table("orders", database="curated")
        assert str(orders.schema()["quantity"]) == "int32"
        assert str(orders.schema()["total"]) == "decimal(10, 2)"

    @pytest.mark.shows("simple query")
    def test_expression(self, backend, connect):
        from ibis import _

        orders = backend.table("orders", database="curated")
        of_the_day = orders.filter(_.order_date == datetime.date(2024, 5, 5))
        expression = of_the_day.group_by("customer_id").agg(spent=_.total.sum(), n=_.count())
        frame = expression.order_by("customer_id").to_pandas()
        rows = connect(autocommit=True).execute(
            "SELECT customer_id, sum(total), count(*) FROM curated.orders WHERE order_date = DATE '2024-05-05'"
            " GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert [tuple(row) for row in frame.itertuples(index=False)] == rows != []

    @pytest.mark.shows("creating a table")
    def test_creates_a_table(self, backend, connect):
        import ibis

        schema = ibis.schema({"id": "int64", "name": "string", "day": "date", "price": "decimal(10, 2)"})
        with lake_database(connect, "of_ibis_made") as admin:
            backend.create_table("made", schema=schema, database="of_ibis_made")
            admin.execute("INSERT INTO of_ibis_made.made VALUES (1, 'one', '2024-02-29', 12.5)")
            backend.create_table("again", backend.table("made", database="of_ibis_made"), database="of_ibis_made")
            rows = admin.execute("SELECT * FROM of_ibis_made.again").fetchall()
            assert rows == [(1, "one", datetime.date(2024, 2, 29), Decimal("12.50"))]


@pytest.mark.client("Django", "django")
class TestDjango:
    """Each test is a process: Django is configured once in one."""

    def run(self, demo, name):
        done = subprocess.run(
            [sys.executable, os.path.join(os.path.dirname(__file__), "django_client.py"), name],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True, timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("tables and columns")
    @pytest.mark.shows("views and comments")
    def test_inspectdb(self, demo, connect):
        with lake_table(connect, "of_django"):
            printed = self.run(demo, "inspectdb")
        assert "class Things(models.Model):" in printed and "class Named(models.Model):" in printed
        assert "price = models.DecimalField(max_digits=10, decimal_places=2" in printed
        assert "at = models.DateTimeField(" in printed and "db_table_comment = 'all the things'" in printed

    @pytest.mark.shows("simple query")
    @pytest.mark.shows("results of all types")
    @pytest.mark.shows("parameters of all types")
    @pytest.mark.shows("reading a result in pieces")
    @pytest.mark.shows("transaction with rollback")
    @pytest.mark.shows("bulk load")
    def test_models(self, demo, connect):
        with lake_table(connect, "of_django"):
            assert "all passed" in self.run(demo, "models")


@pytest.mark.client("pgcli", "pgcli")
class TestPgcli:
    @pytest.fixture
    def executor(self, demo):
        from pgcli.pgexecute import PGExecute

        p = parameters(demo, "admin", "curated")
        return PGExecute(
            "curated", "admin", p["password"], p["host"], p["port"], sslmode="verify-full", sslrootcert=p["sslrootcert"]
        )

    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    def test_runs_statements(self, executor):
        (_, cursor, _, status, *_), = executor.run("SELECT 1 AS one")
        assert cursor.fetchall() == [(1,)] and status == "SELECT 1"

    @pytest.mark.shows("tables and columns")
    @pytest.mark.shows("views and comments")
    def test_completion(self, executor):
        assert ("curated", "orders") in list(executor.tables())
        columns = [(schema, table, name, kind) for schema, table, name, kind, *_ in executor.table_columns()]
        assert ("curated", "orders", "quantity", "integer") in columns
        assert {"curated", "raw"} <= set(executor.schemata()) and "curated" in executor.search_path()
        assert "awsdatacatalog" in executor.databases()
        assert "count" in {function.func_name for function in executor.functions()}
        assert list(executor.foreignkeys()) == []

    @pytest.mark.shows("psql's \\d commands")
    def test_special_commands(self, executor):
        from pgspecial.main import PGSpecial

        for command in ("\\d", "\\dt", "\\d orders", "\\dn", "\\l", "\\du", "\\df", "\\dv", "\\dT"):
            results = list(executor.run(command, PGSpecial()))
            assert results and all(result[5] for result in results), (command, results)
