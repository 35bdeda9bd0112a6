"""Arrow Flight SQL as notebooks use it: ADBC's driver with its DB-API, and pyarrow.flight by itself."""

import base64
import datetime
import json
import threading
import time
from decimal import Decimal

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow as pa
import pytest
from adbc_driver_flightsql import DatabaseOptions
from conftest import password_of
from pyarrow import flight

FOREVER = (
    "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y),"
    " generate_series(1, 100000) c(z) WHERE x + y > z"
)


# ADBC


def test_wrong_password_fails_when_connecting(adbc, connect):
    connect(autocommit=True).execute("CREATE USER pyflier WITH PASSWORD 'a secret phrase'")
    with pytest.raises(flightsql.Error, match="password authentication failed"):
        adbc("pyflier", password="wrong")
    assert adbc("pyflier", password="a secret phrase").execute("SELECT current_user").fetchone() == ("pyflier",)


def test_rows_come_as_python_values(adbc):
    row = adbc().execute(
        "SELECT 1::smallint, 2::int, 3::bigint, 2.5::double precision, 'x', true, NULL::int, DATE '2024-02-29',"
        " TIMESTAMP '2024-02-29 12:34:56.789', CAST('12.50' AS DECIMAL(10,2)), ARRAY[1, 2, NULL]"
    ).fetchone()
    assert row[:8] == (1, 2, 3, 2.5, "x", True, None, datetime.date(2024, 2, 29))
    assert row[8].replace(tzinfo=None) == datetime.datetime(2024, 2, 29, 12, 34, 56, 789000)
    assert row[9:] == (Decimal("12.50"), [1, 2, None])


def test_result_is_an_arrow_table(adbc, connect):
    table = adbc().execute("SELECT order_id, total, order_date FROM curated.orders").fetch_arrow_table()
    assert table.num_rows == connect(autocommit=True).execute("SELECT count(*) FROM curated.orders").fetchone()[0]
    assert table.schema.types == [pa.string(), pa.decimal128(10, 2), pa.date32()]


def test_nested_types_arrive_as_they_are(adbc):
    table = adbc().execute(
        "SELECT shipping, items, attributes FROM raw.orders WHERE year = 2024 AND month = 12 AND day = 31 LIMIT 5"
    ).fetch_arrow_table()
    shipping, items, attributes = table.schema.types
    assert pa.types.is_struct(shipping) and pa.types.is_list(items) and pa.types.is_map(attributes)
    assert "city" in table.column("shipping").to_pylist()[0]["address"]


def test_result_streams(adbc):
    cursor = adbc().execute(
        "SELECT a.x FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y)"
    )
    reader = cursor.fetch_record_batch()
    assert sum(reader.read_next_batch().num_rows for _ in range(3)) > 0
    reader.close()
    cursor.close()


def test_parameters_are_typed(adbc):
    connection = adbc()
    sql = "SELECT count(*) FROM curated.orders WHERE order_date = ? AND quantity >= ? AND total < ?"
    count = connection.execute(sql, (datetime.date(2024, 5, 5), 1, Decimal("1000000.00"))).fetchone()[0]
    same = connection.execute("SELECT count(*) FROM curated.orders WHERE order_date = DATE '2024-05-05'").fetchone()[0]
    assert count == same > 0
    assert connection.execute("SELECT ?, ?", (42, "x")).fetchone() == (42, "x")
    with pytest.raises(flightsql.Error, match=r"\$2"):
        connection.execute(sql, (datetime.date(2024, 5, 5), "many", Decimal("1.00"))).fetchone()


def test_rows_of_parameters_give_results_one_after_the_other(adbc):
    given = pa.record_batch([pa.array([1, 2, 3], pa.int64())], names=["0"])
    table = adbc().execute("SELECT ? * 10 AS tens", given).fetch_arrow_table()
    assert table.column(0).to_pylist() == [10, 20, 30]


def test_executemany_runs_each_row(adbc):
    cursor = adbc().cursor()
    cursor.executemany("SELECT ?", [(1,), (2,), (3,)])
    cursor.execute("SELECT 1")
    assert cursor.fetchone() == (1,)


def test_commands_are_done_when_execute_returns(adbc):
    cursor = adbc().cursor()
    cursor.execute("CREATE DATABASE flight_python")
    cursor.execute("USE flight_python")
    assert cursor.execute("SHOW search_path").fetchone() == ("flight_python",)
    with pytest.raises(flightsql.Error, match="already exists"):
        cursor.execute("CREATE DATABASE flight_python")
    cursor.execute("DROP DATABASE flight_python")


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


def test_current_schema_is_a_session_option(adbc):
    connection = adbc()
    assert connection.adbc_current_catalog == "awsdatacatalog"
    connection.adbc_current_db_schema = "curated"
    assert connection.adbc_current_db_schema == "curated"
    assert connection.execute("SELECT count(*) FROM orders").fetchone()[0] > 0
    with pytest.raises(flightsql.Error, match="invalid value"):
        connection.adbc_current_db_schema = "no_such_database"


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


# pyarrow.flight


def varint(number):
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def field(number, content):
    """A length-delimited field of protobuf."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def command(name, content=b""):
    """A message of Flight SQL in its Any."""
    url = f"type.googleapis.com/arrow.flight.protocol.sql.{name}"
    return field(1, url.encode()) + field(2, content)


def statement(sql):
    return flight.FlightDescriptor.for_command(command("CommandStatementQuery", field(1, sql.encode())))


def log_in(client, demo, user="admin"):
    return flight.FlightCallOptions(headers=[client.authenticate_basic_token(user, password_of(demo, user))])


def basic(demo, user, strip=False):
    token = base64.b64encode(f"{user}:{password_of(demo, user)}".encode())
    token = token.rstrip(b"=") if strip else token
    return flight.FlightCallOptions(headers=[(b"authorization", b"Basic " + token)])


def fetch(client, options, sql):
    """The table, and what the last message tells."""
    info = client.get_flight_info(statement(sql), options)
    reader = client.do_get(info.endpoints[0].ticket, options)
    batches, usage = [], None
    for chunk in reader:
        if chunk.data is not None:
            batches.append(chunk.data)
        usage = json.loads(chunk.app_metadata.to_pybytes()) if chunk.app_metadata else None
    return pa.Table.from_batches(batches), usage


def test_handshake_gives_a_bearer_token(flight_client, demo):
    header, token = flight_client.authenticate_basic_token("analyst", password_of(demo, "analyst"))
    assert header == b"authorization" and token.startswith(b"Bearer ")
    options = flight.FlightCallOptions(headers=[(header, token)])
    assert fetch(flight_client, options, "SELECT current_user")[0].column(0).to_pylist() == ["analyst"]
    with pytest.raises(flight.FlightUnauthenticatedError):
        flight_client.authenticate_basic_token("nobody_at_all", "wrong")
    with pytest.raises(flight.FlightUnauthenticatedError):
        flight_client.get_flight_info(statement("SELECT 1"))


@pytest.mark.parametrize("strip", [False, True])
def test_basic_on_each_call_with_padding_and_without(flight_client, demo, strip):
    options = basic(demo, "analyst", strip)
    assert fetch(flight_client, options, "SELECT 1")[0].num_rows == 1


def test_set_without_a_session_says_so(flight_client, demo):
    with pytest.raises(Exception, match="session"):
        fetch(flight_client, basic(demo, "admin"), "SET search_path = curated")


def test_cost_is_told_with_the_last_message(flight_client, demo):
    options = log_in(flight_client, demo)
    sql = "SELECT count(*), max(total) FROM curated.orders"
    fetch(flight_client, options, sql)
    table, usage = fetch(flight_client, options, sql)
    assert table.num_rows == 1
    assert usage["cache_hit"] is True and usage["bytes_scanned"] == 0 and usage["rows"] == 1
    assert usage["query_id"]


def test_used_up_and_foreign_tickets(flight_client, demo):
    admin, analyst = log_in(flight_client, demo), log_in(flight_client, demo, "analyst")
    ticket = flight_client.get_flight_info(statement("SELECT random()"), admin).endpoints[0].ticket
    with pytest.raises(Exception, match="unknown, has expired, or is another user's"):
        flight_client.do_get(ticket, analyst).read_all()
    assert flight_client.do_get(ticket, admin).read_all().num_rows == 1
    with pytest.raises(Exception, match="used up"):
        flight_client.do_get(ticket, admin).read_all()


def test_actions_are_listed(flight_client, demo):
    names = {action.type for action in flight_client.list_actions(log_in(flight_client, demo))}
    assert {"CreatePreparedStatement", "CancelFlightInfo", "SetSessionOptions", "CloseSession"} <= names
