"""Logs in by an identity provider's token and by a client certificate: ADBC, pyarrow.flight, psycopg.

Prints "all logged in" when each has; a client that gets in where it must not, or stays out, is an exception.
"""

import json
import os
from pathlib import Path

import adbc_driver_flightsql.dbapi as flightsql
import psycopg
from adbc_driver_flightsql import DatabaseOptions
from pyarrow import flight

connection = json.loads(os.environ["LAKEGATE_CONNECTION"])
uri = f"grpc+tls://{connection['flight']['host']}:{connection['flight']['port']}"
ca = Path(connection["tls"]["ca_file"]).read_text()
certificate, key = Path(os.environ["CERTIFICATE"]), Path(os.environ["KEY"])
WHO = "SELECT current_user"


def adbc(**options):
    return flightsql.connect(uri, db_kwargs={DatabaseOptions.TLS_ROOT_CERTS.value: ca, **options}, autocommit=True)


def refused(what, *words):
    try:
        what()
    except Exception as error:
        assert any(word in str(error) for word in words), error
    else:
        raise AssertionError(f"was let in, where one of {words} was expected")


def by_token(token, **more):
    options = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}", **more}
    with adbc(**options) as connected, connected.cursor() as cursor:
        cursor.execute(WHO)
        assert cursor.fetchone() == ("analyst",)
        cursor.execute("SELECT count(*) FROM curated.orders WHERE quantity >= ?", (1,))
        assert cursor.fetchone()[0] > 0
        return connected.adbc_get_objects(depth="db_schemas").read_all().num_rows


assert by_token(os.environ["ANALYST_TOKEN"]) == 1
refused(lambda: by_token(os.environ["EXPIRED_TOKEN"]), "not accepted")

# With cookies, the token's user has a session.
cookies = {DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true"}
by_token(os.environ["ANALYST_TOKEN"], **cookies)

# By certificate.
mtls = {
    DatabaseOptions.MTLS_CERT_CHAIN.value: certificate.read_text(),
    DatabaseOptions.MTLS_PRIVATE_KEY.value: key.read_text(),
}
with adbc(**mtls) as connected, connected.cursor() as cursor:
    cursor.execute(WHO)
    assert cursor.fetchone() == ("analyst",)
by_token(os.environ["ANALYST_TOKEN"], **mtls)


def another(**options):
    user = next(u for u in connection["users"] if u["name"] == "admin")
    with adbc(username="admin", password=user["password"], **options) as connected, connected.cursor() as cursor:
        cursor.execute(WHO)
        assert cursor.fetchone() == ("admin",)


another()
refused(lambda: another(**mtls), "another user")

client = flight.FlightClient(uri, tls_root_certs=ca, cert_chain=certificate.read_bytes(), private_key=key.read_bytes())
assert len(list(client.list_actions())) > 0
client.close()
client = flight.FlightClient(uri, tls_root_certs=ca)
refused(lambda: list(client.list_actions()), "no credentials")
bearer = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {os.environ['ANALYST_TOKEN']}".encode())])
assert len(list(client.list_actions(bearer))) > 0
client.close()

# libpq: what PostgreSQL calls `cert`.
to_postgres = {
    "host": connection["postgres"]["host"],
    "port": connection["postgres"]["port"],
    "dbname": "curated",
    "sslmode": "verify-full",
    "sslrootcert": connection["tls"]["ca_file"],
    "sslcert": str(certificate),
    "sslkey": str(key),
    "autocommit": True,
}
with psycopg.connect(user="analyst", **to_postgres) as connected:
    assert connected.execute(WHO).fetchone() == ("analyst",)
refused(lambda: psycopg.connect(user="admin", **to_postgres), "certificate authentication failed")

print("all logged in")
