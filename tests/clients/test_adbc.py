"""Arrow Flight SQL as notebooks use it: ADBC's driver with its DB-API."""

import datetime
import threading
import time
from decimal import Decimal
from pathlib import Path

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow as pa
import pytest
from adbc_driver_flightsql import DatabaseOptions
from adbc_driver_manager import AdbcStatusCode
from conftest import ca_of, flight_uri, password_of

pytestmark = pytest.mark.client("ADBC (Python)", "adbc-driver-flightsql")
shows = pytest.mark.shows

FOREVER = (
    "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y),"
    " generate_series(1, 100000) c(z) WHERE x + y > z"
)


@shows("error for a wrong password")
def test_wrong_password_fails_when_connecting(adbc, connect):
    admin = connect(autocommit=True)
    admin.execute("CREATE USER pyflier WITH PASSWORD 'a secret phrase'")
    with pytest.raises(flightsql.Error, match="password authentication failed"):
        adbc("pyflier", password="wrong")
    assert adbc("pyflier", password="a secret phrase").execute("SELECT current_user").fetchone() == ("pyflier",)
    admin.execute("DROP USER pyflier")


@shows("TLS with certificate verification")
@shows("user and password")
@shows("query")
def test_rows_come_as_python_values(adbc):
    row = adbc().execute(
        "SELECT 1::smallint, 2::int, 3::bigint, 2.5::double precision, 'x', true, NULL::int, DATE '2024-02-29',"
        " TIMESTAMP '2024-02-29 12:34:56.789', CAST('12.50' AS DECIMAL(10,2)), ARRAY[1, 2, NULL]"
    ).fetchone()
    assert row[:8] == (1, 2, 3, 2.5, "x", True, None, datetime.date(2024, 2, 29))
    assert row[8].replace(tzinfo=None) == datetime.datetime(2024, 2, 29, 12, 34, 56, 789000)
    assert row[9:] == (Decimal("12.50"), [1, 2, None])


def who(demo, **options):
    """The user of a connection that has no password."""
    options[DatabaseOptions.TLS_ROOT_CERTS.value] = ca_of(demo).decode()
    with flightsql.connect(flight_uri(demo), db_kwargs=options, autocommit=True) as connection:
        with connection.cursor() as cursor:
            return cursor.execute("SELECT current_user").fetchone()


@shows("token of an identity provider")
def test_token_logs_in(demo, identity):
    bearer = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {identity['token']}"}
    assert who(demo, **bearer) == ("analyst",)
    with pytest.raises(flightsql.Error, match="not accepted"):
        who(demo, **{DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {identity['token']}x"})


@shows("client certificate")
def test_certificate_logs_in(demo, identity):
    certificate = {
        DatabaseOptions.MTLS_CERT_CHAIN.value: Path(identity["certificate"]).read_text(),
        DatabaseOptions.MTLS_PRIVATE_KEY.value: Path(identity["key"]).read_text(),
    }
    assert who(demo, **certificate) == ("analyst",)


@shows("result as Arrow data")
def test_result_is_an_arrow_table(adbc, connect):
    table = adbc().execute("SELECT order_id, total, order_date FROM curated.orders").fetch_arrow_table()
    assert table.num_rows == connect(autocommit=True).execute("SELECT count(*) FROM curated.orders").fetchone()[0]
    assert table.schema.types == [pa.string(), pa.decimal128(10, 2), pa.date32()]


@shows("nested types")
def test_nested_types_arrive_as_they_are(adbc):
    table = adbc().execute(
        "SELECT shipping, items, attributes FROM raw.orders WHERE year = 2024 AND month = 12 AND day = 31 LIMIT 5"
    ).fetch_arrow_table()
    shipping, items, attributes = table.schema.types
    assert pa.types.is_struct(shipping) and pa.types.is_list(items) and pa.types.is_map(attributes)
    assert "city" in table.column("shipping").to_pylist()[0]["address"]


@shows("reading a result in pieces")
def test_result_streams(adbc):
    cursor = adbc().execute(
        "SELECT a.x FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y)"
    )
    reader = cursor.fetch_record_batch()
    assert sum(reader.read_next_batch().num_rows for _ in range(3)) > 0
    reader.close()
    cursor.close()


@shows("prepared statement")
def test_parameters_are_typed(adbc):
    connection = adbc()
    sql = "SELECT count(*) FROM curated.orders WHERE order_date = ? AND quantity >= ? AND total < ?"
    count = connection.execute(sql, (datetime.date(2024, 5, 5), 1, Decimal("1000000.00"))).fetchone()[0]
    same = connection.execute("SELECT count(*) FROM curated.orders WHERE order_date = DATE '2024-05-05'").fetchone()[0]
    assert count == same > 0
    assert connection.execute("SELECT ?, ?", (42, "x")).fetchone() == (42, "x")
    with pytest.raises(flightsql.Error, match=r"\$2"):
        connection.execute(sql, (datetime.date(2024, 5, 5), "many", Decimal("1.00"))).fetchone()


@shows("several rows of parameters")
def test_rows_of_parameters_give_results_one_after_the_other(adbc):
    given = pa.record_batch([pa.array([1, 2, 3], pa.int64())], names=["0"])
    table = adbc().execute("SELECT ? * 10 AS tens", given).fetch_arrow_table()
    assert table.column(0).to_pylist() == [10, 20, 30]


def test_executemany_runs_each_row(adbc):
    cursor = adbc().cursor()
    cursor.executemany("SELECT ?", [(1,), (2,), (3,)])
    cursor.execute("SELECT 1")
    assert cursor.fetchone() == (1,)


@shows("statement that returns no rows")
def test_commands_are_done_when_execute_returns(adbc):
    cursor = adbc().cursor()
    cursor.execute("CREATE DATABASE flight_python")
    cursor.execute("USE flight_python")
    assert cursor.execute("SHOW search_path").fetchone() == ("flight_python",)
    with pytest.raises(flightsql.Error, match="already exists"):
        cursor.execute("CREATE DATABASE flight_python")
    cursor.execute("DROP DATABASE flight_python")


@shows("catalogs, databases, tables")
@pytest.mark.parametrize("depth", ["catalogs", "db_schemas", "tables", "all"])
def test_get_objects_at_every_depth(adbc, depth):
    catalogs = adbc().adbc_get_objects(depth=depth).read_all().to_pylist()
    assert [c["catalog_name"] for c in catalogs] == ["awsdatacatalog"]
    if depth == "catalogs":
        return
    schemas = {s["db_schema_name"]: s["db_schema_tables"] for s in catalogs[0]["catalog_db_schemas"]}
    assert {"raw", "curated", "analytics", "system"} <= set(schemas)
    if depth == "db_schemas":
        return
    orders = next(t for t in schemas["curated"] if t["table_name"] == "orders")
    assert orders["table_type"] == "TABLE"
    if depth == "all":
        columns = [c["column_name"] for c in sorted(orders["table_columns"], key=lambda c: c["ordinal_position"])]
        assert {"order_id", "quantity", "total"} <= set(columns) and columns[-1] == "order_date"
        total = next(c for c in orders["table_columns"] if c["column_name"] == "total")
        assert total["xdbc_type_name"] == "decimal(10,2)"


@shows("columns")
@shows("columns without a grant are hidden")
def test_scientist_sees_three_columns(adbc):
    connection = adbc("scientist")
    objects = connection.adbc_get_objects(depth="all", db_schema_filter="curated", table_name_filter="customers")
    (table,) = objects.read_all().to_pylist()[0]["catalog_db_schemas"][0]["db_schema_tables"]
    names = ["customer_id", "segment", "region"]
    assert [c["column_name"] for c in table["table_columns"]] == names
    assert connection.adbc_get_table_schema("customers", db_schema_filter="curated").names == names
    assert connection.execute("SELECT * FROM curated.customers LIMIT 1").fetch_arrow_table().schema.names == names
    with pytest.raises(flightsql.Error, match='"email" does not exist'):
        connection.execute("SELECT email FROM curated.customers").fetchone()


@shows("schema of a table")
@shows("table types")
@shows("information about the server")
def test_table_schema_and_types_and_info(adbc):
    connection = adbc()
    schema = connection.adbc_get_table_schema("orders", db_schema_filter="curated")
    selected = connection.execute("SELECT * FROM curated.orders LIMIT 0").fetch_arrow_table().schema
    assert schema.names == selected.names and schema.types == selected.types
    with pytest.raises(flightsql.Error):
        connection.adbc_get_table_schema("absent", db_schema_filter="curated")
    assert set(connection.adbc_get_table_types()) == {"TABLE", "VIEW", "SYSTEM TABLE"}
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "Lakegate" and info["vendor_version"]


def test_view_is_listed_and_read_as_one(adbc, connect):
    admin = connect(autocommit=True)
    admin.execute("CREATE DATABASE adbc_views")
    admin.execute("CREATE VIEW adbc_views.mail AS SELECT customer_id, email AS mail, region FROM curated.customers")
    admin.execute("GRANT SELECT (customer_id, region) ON TABLE adbc_views.mail TO scientist")
    for user, names in [("admin", ["customer_id", "mail", "region"]), ("scientist", ["customer_id", "region"])]:
        connection = adbc(user)
        for types in [["VIEW"], ["VIEW", "TABLE"], None]:
            objects = connection.adbc_get_objects(
                depth="all", db_schema_filter="adbc_views", table_types_filter=types
            ).read_all().to_pylist()
            ((table,),) = [s["db_schema_tables"] for s in objects[0]["catalog_db_schemas"]]
            assert (table["table_name"], table["table_type"]) == ("mail", "VIEW")
            assert [c["column_name"] for c in table["table_columns"]] == names
        schema = connection.adbc_get_table_schema("mail", db_schema_filter="adbc_views")
        selected = connection.execute("SELECT * FROM adbc_views.mail LIMIT 3").fetch_arrow_table()
        assert schema.names == selected.schema.names == names and schema.types == selected.schema.types
        assert selected.num_rows == 3
    with pytest.raises(flightsql.Error, match="mail does not exist"):
        adbc("scientist").execute("SELECT v.mail FROM adbc_views.mail v").fetchone()
    admin.execute("DROP DATABASE adbc_views CASCADE")


@shows("current catalog and database")
def test_current_schema_is_a_session_option(adbc):
    connection = adbc()
    assert connection.adbc_current_catalog == "awsdatacatalog"
    connection.adbc_current_db_schema = "curated"
    assert connection.adbc_current_db_schema == "curated"
    assert connection.execute("SELECT count(*) FROM orders").fetchone()[0] > 0
    with pytest.raises(flightsql.Error, match="invalid value"):
        connection.adbc_current_db_schema = "no_such_database"


@shows("message and position of an error")
def test_bad_sql_says_what_and_where(adbc):
    connection = adbc()
    for sql, message in [
        ("SELEC 1", "syntax|expected|SELEC"),
        ("SELECT * FROM curated.absent", 'relation "curated.absent" does not exist'),
        ("SELECT no_such FROM curated.orders", 'column "no_such" does not exist'),
        ("SELECT 1; SELECT 2", "one by one"),
    ]:
        with pytest.raises(flightsql.Error, match=message):
            connection.execute(sql).fetchone()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_cutoff_stops_the_query(adbc, connect):
    admin = connect(autocommit=True)
    admin.execute("CREATE WORKGROUP flight_small WITH (bytes_scanned_cutoff_per_query = 10)")
    connection = adbc()
    connection.cursor().execute("SET result_reuse = off")
    connection.cursor().execute("SET workgroup = 'flight_small'")
    with pytest.raises(flightsql.Error, match="flight_small"):
        connection.execute("SELECT sum(total) FROM curated.orders").fetchone()
    connection.cursor().execute("RESET workgroup")
    admin.execute("DROP WORKGROUP flight_small")


@shows("cancel")
def test_cancel_from_another_thread(adbc):
    connection = adbc()
    cursor = connection.execute(FOREVER)
    timer = threading.Timer(0.5, cursor.adbc_cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises((flightsql.Error, pa.ArrowException, OSError)):
        cursor.fetch_arrow_table()
    timer.join()
    assert time.monotonic() - started < 60
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_cookie_middleware_is_taken(adbc):
    connection = adbc(**{DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true"})
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_rows_are_fetched_in_every_way(adbc):
    cursor = adbc().cursor()
    sql = "SELECT x, 'row ' || x AS name FROM generate_series(1, 5) a(x) ORDER BY x"
    cursor.execute(sql)
    assert [column[0] for column in cursor.description] == ["x", "name"]
    assert cursor.fetchone() == (1, "row 1")
    assert cursor.fetchmany(2) == [(2, "row 2"), (3, "row 3")]
    assert cursor.fetchall() == [(4, "row 4"), (5, "row 5")]
    assert cursor.fetchone() is None
    assert [row[0] for row in cursor.execute(sql)] == [1, 2, 3, 4, 5]
    assert cursor.execute(sql).fetch_record_batch().read_all().num_rows == 5
    assert cursor.execute(sql).fetchallarrow().column("x").to_pylist() == [1, 2, 3, 4, 5]


@shows("parameters of all types")
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("smallint", 7),
        ("bigint", 2**40),
        ("double precision", 2.5),
        ("decimal(10,2)", Decimal("12.50")),
        ("boolean", True),
        ("string", "dß 'quoted'"),
        ("bytea", b"\x00\xff"),
        ("date", datetime.date(2024, 2, 29)),
        ("timestamp", datetime.datetime(2024, 2, 29, 12, 34, 56, 789012)),
        ("int", None),
    ],
)
def test_parameter_of_each_type_comes_back(adbc, kind, value):
    connection = adbc()
    assert connection.execute(f"SELECT CAST(? AS {kind})", (value,)).fetchone() == (value,)
    if value is not None:
        assert connection.execute("SELECT ?", (value,)).fetchone() == (value,)


def test_prepared_statement_tells_its_parameters(adbc):
    cursor = adbc().cursor()
    sql = "SELECT order_id FROM curated.orders WHERE order_date = ? AND quantity > ? LIMIT 1"
    assert cursor.adbc_prepare(sql).types == [pa.date32(), pa.int32()]
    cursor.execute(sql, (datetime.date(2024, 5, 5), 0))
    assert len(cursor.fetchall()) == 1
    with pytest.raises(flightsql.Error, match="2 parameters"):
        cursor.execute("SELECT ?, ?", (1,))


def test_statement_that_is_not_supported_says_so_when_it_is_prepared(adbc):
    with pytest.raises(flightsql.Error, match="(?i)tsvector"):
        adbc().execute("SELECT CAST(? AS tsvector)", ("x",))


@shows("schema of a result without execution")
def test_schema_of_a_result_is_told_without_running(adbc):
    cursor = adbc().cursor()
    assert cursor.adbc_execute_schema(FOREVER).types == [pa.int64()]


def test_executemany_runs_an_update_for_each_row(adbc, connect):
    cursor = adbc().cursor()
    cursor.executemany("SELECT * FROM curated.orders WHERE order_id = ?", [("a",), ("b",)])
    cursor.execute("CREATE DATABASE flight_many")
    cursor.execute("CREATE EXTERNAL TABLE flight_many.t (a INT) PARTITIONED BY (p INT) STORED AS PARQUET"
                   " LOCATION 's3://datalake/flight_many/'")
    for number in (1, 2):
        cursor.execute(f"ALTER TABLE flight_many.t ADD PARTITION (p = {number})")
    assert connect(autocommit=True).execute("SHOW PARTITIONS flight_many.t").fetchall() == [("p=1",), ("p=2",)]
    cursor.execute("DROP TABLE flight_many.t")
    cursor.execute("DROP DATABASE flight_many")


def test_get_objects_is_filtered(adbc):
    connection = adbc()

    def names(**filters):
        found = connection.adbc_get_objects(depth="all", **filters).read_all().to_pylist()
        return {
            (schema["db_schema_name"], table["table_name"], column["column_name"])
            for catalog in found
            for schema in catalog["catalog_db_schemas"] or []
            for table in schema["db_schema_tables"] or []
            for column in table["table_columns"] or []
        }

    by_column = names(db_schema_filter="cur%", column_name_filter="%_date")
    assert ("curated", "orders", "order_date") in by_column
    assert all(schema == "curated" and column.endswith("_date") for schema, _, column in by_column)
    assert names(catalog_filter="elsewhere") == set()
    assert names(table_name_filter="orders", table_types_filter=["VIEW"]) == set()
    system = names(table_types_filter=["SYSTEM TABLE"], db_schema_filter="system")
    assert {table for _, table, _ in system} >= {"queries"}


@shows("reading partitions of a result elsewhere")
def test_partitions_are_read_by_another_connection_of_the_user(adbc):
    cursor = adbc().cursor()
    partitions, schema = cursor.adbc_execute_partitions("SELECT count(*) AS n FROM curated.products")
    assert schema.names == ["n"] and len(partitions) == 1
    other = adbc().cursor()
    other.adbc_read_partition(partitions[0])
    assert other.fetchone()[0] > 0


@shows("session settings")
def test_settings_are_session_options(adbc):
    connection = adbc()
    options = connection.adbc_connection
    prefix = "adbc.flight.sql.session.option."
    options.set_options(**{prefix + "statement_timeout": "30s", prefix + "result_reuse": "off"})
    assert options.get_option(prefix + "statement_timeout") == "30s"
    assert connection.execute("SHOW result_reuse").fetchone() == ("off",)
    assert '"catalog"' in options.get_option("adbc.flight.sql.session.options")
    with pytest.raises(flightsql.Error, match="invalid (name|value)"):
        options.set_options(**{prefix + "no_such_setting": "1"})
    options.set_options(**{prefix + "arrow_types": "native"})
    native = connection.execute("SELECT customer_id FROM curated.orders LIMIT 1").fetch_arrow_table()
    assert native.num_rows == 1


@shows("error for a transaction")
def test_autocommit_cannot_be_switched_off(adbc, demo):
    ca = Path(demo["tls"]["ca_file"]).read_text()
    options = {
        "username": "analyst",
        "password": password_of(demo, "analyst"),
        DatabaseOptions.TLS_ROOT_CERTS.value: ca,
    }
    with pytest.warns(Warning, match="Cannot disable autocommit"):
        connection = flightsql.connect(flight_uri(demo), db_kwargs=options)
    assert connection.execute("SELECT 1").fetchone() == (1,)
    connection.close()


@shows("SQLSTATE of an error")
def test_errors_have_details_for_programs(adbc):
    with pytest.raises(flightsql.Error) as failed:
        adbc().execute("SELECT * FROM curated.absent").fetchone()
    assert failed.value.status_code == AdbcStatusCode.NOT_FOUND
    assert any(b"42P01" in value for _, value in failed.value.details), failed.value.details
