"""Logs in by an identity provider's token and by a client certificate: ADBC, pyarrow.flight, psycopg.

Prints "all logged in" when each has; a client that gets in where it must not, or stays out, is an exception.
"""

import json
import os
import socket
import ssl
import struct
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

# Users that are set to send a secret, inside TLS. Others are never asked for it.
without = {name: value for name, value in to_postgres.items() if name not in ("sslcert", "sslkey")}
admin = next(u for u in connection["users"] if u["name"] == "admin")
analyst = next(u for u in connection["users"] if u["name"] == "analyst")
administrator = psycopg.connect(user="admin", password=admin["password"], **without)


def by_password(password, **more):
    with psycopg.connect(user="analyst", password=password, **without, **more) as connected:
        assert connected.execute(WHO).fetchone() == ("analyst",)


def by_bearer(token, user="analyst"):
    """Logs in as libpq 18 does, without its browser. Returns None, or the error."""
    with socket.create_connection((to_postgres["host"], to_postgres["port"]), timeout=60) as tcp:
        tcp.sendall(struct.pack("!ii", 8, 80877103))
        assert tcp.recv(1) == b"S"
        tls = ssl.create_default_context(cafile=connection["tls"]["ca_file"])
        with tls.wrap_socket(tcp, server_hostname=to_postgres["host"]) as link, link.makefile("rb") as answers:

            def send(tag, body):
                link.sendall(tag + struct.pack("!i", len(body) + 4) + body)

            def receive():
                tag, length = answers.read(1), struct.unpack("!i", answers.read(4))[0]
                return tag, answers.read(length - 4)

            send(b"", struct.pack("!i", 196608) + f"user\0{user}\0database\0curated\0\0".encode())
            assert receive() == (b"R", struct.pack("!i", 10) + b"OAUTHBEARER\0\0")
            response = f"n,,\x01auth={token}\x01\x01".encode()
            send(b"p", b"OAUTHBEARER\0" + struct.pack("!i", len(response)) + response)
            tag, body = receive()
            if (tag, body) == (b"R", struct.pack("!i", 0)):
                return None
            assert tag == b"R" and body[:4] == struct.pack("!i", 11)
            assert json.loads(body[4:])["openid-configuration"].endswith("/.well-known/openid-configuration")
            send(b"p", b"\x01")
            tag, body = receive()
            assert tag == b"E"
            return body.decode()


by_password(analyst["password"], require_auth="scram-sha-256")
refused(lambda: by_password(os.environ["ANALYST_TOKEN"]), "password authentication failed")
refused(lambda: by_password(analyst["password"], require_auth="password"), "SCRAM", "SASL")

administrator.execute("ALTER USER analyst SET AUTHENTICATION password")
by_password(analyst["password"], require_auth="password")
by_password(os.environ["ANALYST_TOKEN"])
refused(lambda: by_password("wrong"), "password authentication failed")
refused(lambda: by_password(os.environ["EXPIRED_TOKEN"]), "not accepted")
refused(lambda: psycopg.connect(user="nobody", password="x", **without, require_auth="password"), "SCRAM", "SASL")

administrator.execute("ALTER USER analyst SET AUTHENTICATION oauth")
assert by_bearer(f"Bearer {os.environ['ANALYST_TOKEN']}") is None
assert "not accepted" in by_bearer(f"Bearer {os.environ['EXPIRED_TOKEN']}")
assert "no token was sent" in by_bearer("")
refused(lambda: by_password(analyst["password"]), "OAUTH", "oauth", "OAuth", "SASL")
# A token is its user's.
administrator.execute("ALTER USER engineer SET AUTHENTICATION oauth")
assert "not accepted" in by_bearer(f"Bearer {os.environ['ANALYST_TOKEN']}", user="engineer")
# A certificate does not need more.
with psycopg.connect(user="analyst", **to_postgres) as connected:
    assert connected.execute(WHO).fetchone() == ("analyst",)

shown = {row[0]: row[4] for row in administrator.execute("SHOW USERS").fetchall()}
assert (shown["admin"], shown["analyst"]) == ("scram", "oauth")
administrator.execute("ALTER USER analyst RESET AUTHENTICATION")
by_password(analyst["password"], require_auth="scram-sha-256")

print("all logged in")
