"""flightsql-dbapi: a DB-API over pyarrow.flight that reads whole results into pandas."""

import datetime
from pathlib import Path

import pyarrow as pa
import pytest

pytest.importorskip("flightsql", reason="its venv is another, which ./test makes")

import flightsql
from conftest import ca_of, password_of
from flightsql import FlightSQLClient
from pyarrow import flight

pytestmark = pytest.mark.client("flightsql-dbapi", "flightsql-dbapi")
shows = pytest.mark.shows


def client_by(demo, **credentials):
    return FlightSQLClient(
        host=demo["flight"]["host"], port=demo["flight"]["port"], tls_root_certs=ca_of(demo), **credentials
    )


def client_of(demo, user="admin", password=None):
    return client_by(demo, user=user, password=password or password_of(demo, user))


@pytest.fixture
def client(demo):
    client = client_of(demo)
    yield client
    client.close()


@pytest.fixture
def connection(client):
    with flightsql.connect(client) as connection:
        yield connection


def read(client, info):
    return client.do_get(info.endpoints[0].ticket).read_all()


@shows("token of an identity provider")
def test_token_logs_in(demo, identity):
    with flightsql.connect(client_by(demo, token=identity["token"])) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ["analyst"]


@shows("client certificate")
@pytest.mark.xfail(
    strict=True, reason="without a password or a token, it sends the bearer token \"None\"; also pass a token of the same user"
)
def test_certificate_logs_in(demo, identity):
    client = client_by(
        demo,
        cert_chain=Path(identity["certificate"]).read_bytes(),
        private_key=Path(identity["key"]).read_bytes(),
    )
    with flightsql.connect(client) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ["analyst"]


@shows("TLS with certificate verification")
@shows("user and password")
@shows("query")
def test_rows_come_as_python_values(connection):
    cursor = connection.execute(
        "SELECT 1::bigint AS n, 'x' AS s, 2.5::double precision, true, DATE '2024-02-29',"
        " TIMESTAMP '2024-02-29 12:34:56' ORDER BY 1"
    )
    assert [name for name, _ in cursor.description][:2] == ["n", "s"]
    row = cursor.fetchone()
    assert row[:4] == [1, "x", 2.5, True]
    assert row[4].date() == datetime.date(2024, 2, 29)
    assert row[5].to_pydatetime() == datetime.datetime(2024, 2, 29, 12, 34, 56)
    assert cursor.fetchone() is None
    cursor.execute("SELECT x FROM generate_series(1, 5) a(x) ORDER BY x")
    assert cursor.fetchmany(2) == [[1], [2]] and cursor.fetchall() == [[3], [4], [5]]


@shows("error for a wrong password")
def test_wrong_password_is_an_error(demo):
    with pytest.raises(flight.FlightUnauthenticatedError, match="password authentication failed"):
        client_of(demo, "nobody_dbapi", "wrong")


@shows("result as Arrow data")
def test_client_gives_arrow(client):
    table = read(client, client.execute("SELECT total, order_date FROM curated.orders LIMIT 3"))
    assert table.num_rows == 3 and table.schema.types == [pa.decimal128(10, 2), pa.date32()]


@shows("statement that returns no rows")
@shows("current catalog and database")
@shows("session settings")
def test_statements_without_rows(client, connection):
    assert client.execute_update("USE curated") == 0
    assert connection.execute("SELECT count(*) FROM products").fetchone()[0] > 0
    assert connection.execute("SHOW search_path").fetchall() == [["curated"]]
    client.execute_update("SET statement_timeout = '30s'")
    assert connection.execute("SHOW statement_timeout").fetchall() == [["30s"]]


@shows("prepared statement")
def test_prepared_statement_runs_again_and_again(client):
    with client.prepare("SELECT count(*) FROM curated.products") as prepared:
        counts = {read(client, prepared.execute(None)).column(0)[0].as_py() for _ in range(2)}
    assert len(counts) == 1


@shows("parameters of all types")
@shows("several rows of parameters")
def test_parameters_travel_as_unions(connection):
    for value in (42, 2.5, "x", True, b"\x00\xff"):
        assert connection.execute("SELECT ?", (value,)).fetchall() == [[value]]
    sql = "SELECT count(*) FROM curated.orders WHERE quantity >= ? AND order_id <> ?"
    assert connection.execute(sql, (1, "x")).fetchone()[0] > 0
    connection.executemany(sql, [(1, "x"), (2, "y")])


@shows("catalogs, databases, tables")
@shows("columns")
@shows("table types")
def test_catalog_is_listed(client, connection):
    assert read(client, client.get_catalogs()).column(0).to_pylist() == ["awsdatacatalog"]
    assert {"raw", "curated", "analytics"} <= set(connection.flightsql_get_schema_names())
    assert {"customers", "orders"} <= set(connection.flightsql_get_table_names("curated"))
    columns = {column["name"]: column["type"].__name__ for column in connection.flightsql_get_columns("orders", "curated")}
    assert columns["order_id"] == "TEXT" and columns["total"] == "DECIMAL" and columns["order_date"] == "DATE"
    types = read(client, client.get_table_types()).column(0).to_pylist()
    assert set(types) == {"TABLE", "VIEW", "SYSTEM TABLE"}


@shows("primary and foreign keys (always empty)")
def test_keys_are_answered_with_nothing(connection):
    assert connection.flightsql_get_primary_keys("orders", "curated") == []
    assert connection.flightsql_get_foreign_keys("orders", "curated") == []


@shows("information about the server")
@shows("type information of the server")
def test_server_tells_about_itself(client, connection):
    assert connection.flightsql_get_sql_info([0, 2])[0] == "Lakegate"
    assert "bigint" in read(client, client.get_xdbc_type_info(None)).column("type_name").to_pylist()


@shows("message and position of an error")
def test_bad_sql_says_what(connection):
    with pytest.raises(pa.ArrowException, match='column "no_such" does not exist'):
        connection.execute("SELECT no_such FROM curated.orders")
