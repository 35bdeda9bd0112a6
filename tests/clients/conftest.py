"""A running demo, from $LAKEGATE_CONNECTION: the JSON that `lakegate demo --connection-file` writes."""

import json
import os
from pathlib import Path
from urllib.parse import quote

import adbc_driver_flightsql.dbapi as flightsql
import psycopg
import pytest
from adbc_driver_flightsql import DatabaseOptions
from pyarrow import flight


@pytest.fixture(scope="session")
def demo():
    if "LAKEGATE_CONNECTION" not in os.environ:
        pytest.fail("start `lakegate demo --connection-file F` and set LAKEGATE_CONNECTION to what F holds")
    return json.loads(os.environ["LAKEGATE_CONNECTION"])


def parameters(demo, user, database="awsdatacatalog"):
    password = next(u["password"] for u in demo["users"] if u["name"] == user)
    return {
        "host": demo["postgres"]["host"],
        "port": demo["postgres"]["port"],
        "user": user,
        "password": password,
        "dbname": database,
        "sslmode": "verify-full",
        "sslrootcert": demo["tls"]["ca_file"],
        "connect_timeout": 20,
    }


@pytest.fixture
def connect(demo):
    opened = []

    def connect(user="admin", database="awsdatacatalog", **more):
        connection = psycopg.connect(**parameters(demo, user, database), **more)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def url(demo):
    def url(user="admin", database="awsdatacatalog"):
        p = parameters(demo, user, database)
        return (
            f"postgresql+psycopg://{user}:{quote(p['password'], safe='')}@{p['host']}:{p['port']}/{database}"
            f"?sslmode=verify-full&sslrootcert={quote(p['sslrootcert'], safe='')}"
        )

    return url


def password_of(demo, user):
    return next(u["password"] for u in demo["users"] if u["name"] == user)


def flight_uri(demo):
    return f"grpc+tls://{demo['flight']['host']}:{demo['flight']['port']}"


@pytest.fixture
def adbc(demo):
    """Connections of ADBC's Flight SQL driver, over verified TLS."""
    opened = []

    def connect(user="admin", password=None, **options):
        connection = flightsql.connect(
            flight_uri(demo),
            db_kwargs={
                "username": user,
                "password": password or password_of(demo, user),
                DatabaseOptions.TLS_ROOT_CERTS.value: Path(demo["tls"]["ca_file"]).read_text(),
                **options,
            },
            autocommit=True,
        )
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def flight_client(demo):
    """pyarrow.flight, without credentials."""
    client = flight.FlightClient(flight_uri(demo), tls_root_certs=Path(demo["tls"]["ca_file"]).read_bytes())
    yield client
    client.close()
