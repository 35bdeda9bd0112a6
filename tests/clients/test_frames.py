"""Data frames and engines on top of ADBC: they read what it gives, and only that is tested of them."""

import pytest

shows = pytest.mark.shows
client = pytest.mark.client

SPENT = "SELECT customer_id, total, order_date FROM curated.orders WHERE order_date = DATE '2024-05-05'"


@pytest.fixture
def orders(adbc):
    """Number of rows and sum of totals of [SPENT]."""
    return adbc().execute(f"SELECT count(*), sum(total) FROM ({SPENT}) AS spent").fetchone()


# polars


@client("polars", "polars")
class TestPolars:
    @shows("query")
    @shows("result as Arrow data")
    def test_reads_a_query(self, adbc, orders):
        import polars

        frame = polars.read_database(SPENT, adbc())
        assert frame.schema == {"customer_id": polars.String, "total": polars.Decimal(10, 2), "order_date": polars.Date}
        assert (frame.height, frame["total"].sum()) == orders

    @shows("TLS with certificate verification")
    @shows("user and password")
    def test_cursor_gives_a_frame(self, adbc):
        frame = adbc("analyst").execute("SELECT current_user AS name").fetch_polars()
        assert frame["name"].to_list() == ["analyst"]

    @shows("parameters of all types")
    def test_takes_parameters(self, adbc):
        import polars

        frame = polars.read_database(
            "SELECT ? AS number, ? AS word, CAST(? AS date) AS day",
            adbc(),
            execute_options={"parameters": (42, "x", "2024-05-05")},
        )
        assert frame.row(0)[:2] == (42, "x") and frame["day"].dtype == polars.Date

    @shows("nested types")
    def test_nested_types_are_structs_and_lists(self, adbc):
        import polars

        frame = polars.read_database("SELECT shipping, items FROM raw.orders LIMIT 3", adbc())
        assert isinstance(frame.schema["shipping"], polars.Struct) and isinstance(frame.schema["items"], polars.List)
        assert frame["shipping"].struct.field("address").struct.field("city").null_count() == 0

    @shows("reading a result in pieces")
    def test_reads_in_pieces(self, adbc):
        import polars

        pieces = polars.read_database(SPENT, adbc(), iter_batches=True, batch_size=10)
        assert sum(piece.height for piece in pieces) == polars.read_database(SPENT, adbc()).height

    @shows("message and position of an error")
    def test_errors_come_through(self, adbc):
        import polars

        with pytest.raises(Exception, match='column "no_such" does not exist'):
            polars.read_database("SELECT no_such FROM curated.orders", adbc())


# pandas


@client("pandas", "pandas")
class TestPandas:
    @shows("TLS with certificate verification")
    @shows("user and password")
    @shows("query")
    def test_reads_a_query(self, adbc, orders):
        import pandas

        frame = pandas.read_sql(SPENT, adbc())
        assert (len(frame), frame["total"].sum()) == orders

    @shows("result as Arrow data")
    def test_keeps_the_arrow_types(self, adbc):
        import pandas
        import pyarrow as pa

        frame = pandas.read_sql(SPENT, adbc(), dtype_backend="pyarrow")
        types = [kind.pyarrow_dtype for kind in frame.dtypes]
        assert types == [pa.string(), pa.decimal128(10, 2), pa.date32()]

    @shows("parameters of all types")
    def test_cursor_takes_parameters(self, adbc):
        frame = adbc().execute("SELECT ? AS number, ? AS word, ? AS share", (42, "x", 2.5)).fetch_df()
        assert frame.iloc[0].to_list() == [42, "x", 2.5]

    @shows("message and position of an error")
    def test_errors_come_through(self, adbc):
        import pandas

        with pytest.raises(Exception, match='column "no_such" does not exist'):
            pandas.read_sql("SELECT no_such FROM curated.orders", adbc())


# DuckDB


@client("DuckDB", "duckdb")
class TestDuckDB:
    @shows("query")
    @shows("result as Arrow data")
    def test_queries_a_result(self, adbc, orders):
        import duckdb

        spent = adbc().execute(SPENT).fetch_arrow_table()
        assert duckdb.execute("SELECT count(*), sum(total) FROM spent").fetchone() == orders

    @shows("reading a result in pieces")
    def test_reads_a_result_as_it_streams(self, adbc, orders):
        import duckdb

        cursor = adbc().execute(SPENT)
        spent = cursor.fetch_record_batch()
        assert duckdb.execute("SELECT count(*), sum(total) FROM spent").fetchone() == orders

    @shows("nested types")
    def test_nested_types_are_queried(self, adbc):
        import duckdb

        raw = adbc().execute("SELECT order_id, shipping, items, attributes FROM raw.orders LIMIT 20").fetch_arrow_table()
        lines = sum(len(items) for items in raw.column("items").to_pylist())
        assert duckdb.execute("SELECT count(*) FROM (SELECT unnest(items) FROM raw)").fetchone() == (lines,)
        assert duckdb.execute("SELECT count(*) FROM raw WHERE shipping.address.city IS NOT NULL").fetchone() == (20,)

    def test_joins_a_result_with_a_local_table(self, adbc):
        import duckdb

        products = adbc().execute("SELECT product_id FROM curated.products").fetch_arrow_table()
        local = duckdb.sql("SELECT product_id, 7 AS stock FROM products LIMIT 3")
        assert duckdb.execute("SELECT sum(stock) FROM local JOIN products USING (product_id)").fetchone() == (21,)


# ibis


@client("ibis", "ibis-framework")
class TestIbis:
    @shows("query")
    @shows("result as Arrow data")
    def test_expressions_over_a_result(self, adbc, orders):
        import ibis

        spent = ibis.memtable(adbc().execute(SPENT).fetch_arrow_table())
        assert dict(spent.schema().items())["total"] == ibis.dtype("decimal(10, 2)")
        counted = spent.aggregate(count=spent.count(), total=spent.total.sum()).to_pyarrow().to_pylist()[0]
        assert (counted["count"], counted["total"]) == orders

    @shows("nested types")
    def test_nested_types_are_unpacked(self, adbc):
        import ibis

        raw = ibis.memtable(adbc().execute("SELECT shipping FROM raw.orders LIMIT 20").fetch_arrow_table())
        cities = raw.mutate(city=raw.shipping.address.city).city.to_pyarrow()
        assert len(cities) == 20 and cities.null_count == 0
