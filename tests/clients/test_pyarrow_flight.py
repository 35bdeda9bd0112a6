"""pyarrow.flight by itself: Flight SQL's commands as protobuf, written by hand."""

import base64
import json
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import ca_of, flight_uri, password_of
from pyarrow import flight

pytestmark = pytest.mark.client("pyarrow.flight", "pyarrow")
shows = pytest.mark.shows


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


@shows("token of an identity provider")
def test_token_logs_in(flight_client, identity):
    bearer = (b"authorization", b"Bearer " + identity["token"].encode())
    table, _ = fetch(flight_client, flight.FlightCallOptions(headers=[bearer]), "SELECT current_user")
    assert table.to_pylist() == [{"current_user": "analyst"}]


@shows("client certificate")
def test_certificate_logs_in(demo, identity):
    client = flight.FlightClient(
        flight_uri(demo),
        tls_root_certs=ca_of(demo),
        cert_chain=Path(identity["certificate"]).read_bytes(),
        private_key=Path(identity["key"]).read_bytes(),
    )
    with client:
        table, _ = fetch(client, flight.FlightCallOptions(), "SELECT current_user")
    assert table.to_pylist() == [{"current_user": "analyst"}]


@shows("TLS with certificate verification")
@shows("user and password")
@shows("error for a wrong password")
@shows("query")
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


@shows("query cost in the last message")
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


def ask(client, options, name, content=b""):
    """The answer to a command of the catalog."""
    info = client.get_flight_info(flight.FlightDescriptor.for_command(command(name, content)), options)
    return client.do_get(info.endpoints[0].ticket, options).read_all()


@shows("catalogs, databases, tables")
@shows("table types")
def test_catalog_is_listed(flight_client, demo):
    options = log_in(flight_client, demo)
    assert ask(flight_client, options, "CommandGetCatalogs").to_pylist() == [{"catalog_name": "awsdatacatalog"}]
    schemas = ask(flight_client, options, "CommandGetDbSchemas").column("db_schema_name").to_pylist()
    assert {"raw", "curated", "analytics"} <= set(schemas)
    tables = ask(flight_client, options, "CommandGetTables", field(2, b"curated") + field(3, b"ord%"))
    assert [table["table_name"] for table in tables.to_pylist()] == ["orders"]
    types = ask(flight_client, options, "CommandGetTableTypes").column("table_type").to_pylist()
    assert set(types) == {"TABLE", "VIEW", "SYSTEM TABLE"}


@shows("columns")
def test_columns_have_their_types_and_their_metadata(flight_client, demo):
    options = log_in(flight_client, demo)
    include_schema = varint(5 << 3) + varint(1)
    (row,) = ask(
        flight_client, options, "CommandGetTables", field(2, b"curated") + field(3, b"orders") + include_schema
    ).to_pylist()
    total = pa.ipc.read_schema(pa.py_buffer(row["table_schema"])).field("total")
    assert total.type == pa.decimal128(10, 2)
    assert total.metadata[b"ARROW:FLIGHT:SQL:TYPE_NAME"] == b"decimal(10,2)"
    assert total.metadata[b"ARROW:FLIGHT:SQL:PRECISION"] == b"10"


@shows("primary and foreign keys (always empty)")
def test_keys_are_answered_with_nothing(flight_client, demo):
    options = log_in(flight_client, demo)
    for name in ["CommandGetPrimaryKeys", "CommandGetExportedKeys", "CommandGetImportedKeys"]:
        assert ask(flight_client, options, name, field(3, b"orders")).num_rows == 0


@shows("information about the server")
@shows("type information of the server")
def test_server_tells_about_itself(flight_client, demo):
    options = log_in(flight_client, demo)
    facts = {row["info_name"]: row["value"] for row in ask(flight_client, options, "CommandGetSqlInfo").to_pylist()}
    assert facts[0] == "Lakegate" and len(facts) > 80
    types = ask(flight_client, options, "CommandGetXdbcTypeInfo").column("type_name").to_pylist()
    assert {"bigint", "decimal", "string", "timestamp"} <= set(types)


@shows("schema of a result without execution")
def test_schema_is_told_without_running(flight_client, demo):
    options = log_in(flight_client, demo)
    schema = flight_client.get_schema(statement("SELECT random() AS r, 1::bigint AS n"), options).schema
    assert schema.names == ["r", "n"] and schema.types == [pa.float64(), pa.int64()]


@shows("nested types")
@shows("result as Arrow data")
def test_result_is_arrow(flight_client, demo):
    sql = "SELECT order_id, shipping, items, attributes FROM raw.orders LIMIT 3"
    table, _ = fetch(flight_client, log_in(flight_client, demo), sql)
    text, shipping, items, attributes = table.schema.types
    assert table.num_rows == 3 and text == pa.string()
    assert pa.types.is_struct(shipping) and pa.types.is_list(items) and pa.types.is_map(attributes)


@shows("reading a result in pieces")
@shows("cancel")
def test_stream_is_read_in_pieces_and_cancelled(flight_client, demo):
    options = log_in(flight_client, demo)
    sql = "SELECT a.x FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y)"
    reader = flight_client.do_get(flight_client.get_flight_info(statement(sql), options).endpoints[0].ticket, options)
    assert reader.read_chunk().data.num_rows > 0
    timer = threading.Timer(0.3, reader.cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises((pa.ArrowCancelled, flight.FlightCancelledError)):
        while True:
            reader.read_chunk()
    timer.join()
    assert time.monotonic() - started < 30


@shows("message and position of an error")
def test_bad_sql_says_what(flight_client, demo):
    options = log_in(flight_client, demo)
    with pytest.raises(pa.ArrowException, match='relation "curated.absent" does not exist'):
        fetch(flight_client, options, "SELECT * FROM curated.absent")


@shows("SQLSTATE of an error")
@pytest.mark.xfail(strict=True, reason="its exceptions for statement errors contain only the message")
def test_error_details_have_the_sqlstate(flight_client, demo):
    options = log_in(flight_client, demo)
    with pytest.raises(pa.ArrowInvalid) as failed:
        fetch(flight_client, options, "SELECT no_such FROM")
    assert b"42601" in getattr(failed.value, "extra_info", b"")


@shows("statement that returns no rows")
@shows("current catalog and database")
@shows("session settings")
def test_use_holds_for_the_session(flight_client, demo):
    options = log_in(flight_client, demo)
    fetch(flight_client, options, "USE curated")
    assert fetch(flight_client, options, "SELECT count(*) FROM products")[0].num_rows == 1
    assert fetch(flight_client, options, "SHOW search_path")[0].column(0).to_pylist() == ["curated"]
    fetch(flight_client, options, "SET statement_timeout = '30s'")
    assert fetch(flight_client, options, "SHOW statement_timeout")[0].column(0).to_pylist() == ["30s"]
