"""A running demo, from $LAKEGATE_CONNECTION: the JSON that `lakegate demo --connection-file` writes."""

import json
import os
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import pytest

# Clients are imported where they are used: not every venv has all of them.


# What works with which client, for docs/flight-clients.md and docs/postgres-compatibility.md: a test says what it shows by
# `@pytest.mark.shows("capability")` and whose client it is by `@pytest.mark.client("name", "distribution")`.
# What cannot work is `xfail(strict=True)` with its reason.


def pytest_configure(config):
    config.addinivalue_line("markers", "client(name, distribution): whose client the test is of")
    config.addinivalue_line("markers", "shows(capability): what a client can do, if the test passes")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    client = item.get_closest_marker("client")
    if client is None or "LAKEGATE_SHOWN" not in os.environ or report.when != "call":
        return report
    name, distribution = client.args
    # The machine's package, of whatever version it is.
    number = distribution if distribution == "Debian's" else version(distribution)
    expected_failure = report.skipped and hasattr(report, "wasxfail")
    if report.passed or expected_failure:
        with open(os.environ["LAKEGATE_SHOWN"], "a") as file:
            for mark in item.iter_markers("shows"):
                line = {
                    "client": name,
                    "version": number,
                    "capability": mark.args[0],
                    "fails_because": report.wasxfail if expected_failure else None,
                }
                file.write(json.dumps(line) + "\n")
    return report


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


def variables(demo, user="admin", database="awsdatacatalog", **more):
    """libpq's variables for one of the users."""
    p = {k: str(v) for k, v in (parameters(demo, user, database) | more).items()}
    return {
        **os.environ,
        "PGHOST": p["host"], "PGPORT": p["port"], "PGUSER": p["user"], "PGPASSWORD": p["password"],
        "PGDATABASE": p["dbname"], "PGSSLMODE": p["sslmode"], "PGSSLROOTCERT": p["sslrootcert"], "PGCONNECT_TIMEOUT": "20",
    }


@pytest.fixture
def connect(demo):
    import psycopg

    opened = []

    def connect(user="admin", database="awsdatacatalog", **more):
        connection = psycopg.connect(**parameters(demo, user, database), **more)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture(scope="session")
def other_ca():
    """The file of the certificate of an authority that the server's is not from."""
    return os.environ["LAKEGATE_OTHER_CA"]


def postgres_uri(demo, user="admin", database="awsdatacatalog"):
    p = parameters(demo, user, database)
    return (
        f"postgresql://{user}:{quote(p['password'], safe='')}@{p['host']}:{p['port']}/{database}"
        f"?sslmode=verify-full&sslrootcert={quote(p['sslrootcert'], safe='')}"
    )


def password_of(demo, user):
    return next(u["password"] for u in demo["users"] if u["name"] == user)


def flight_uri(demo):
    return f"grpc+tls://{demo['flight']['host']}:{demo['flight']['port']}"


@pytest.fixture(scope="session")
def identity():
    """How the demo's analyst logs in without a password: a provider's token, and the files of a certificate and its key."""
    return json.loads(os.environ["LAKEGATE_IDENTITY"])


def ca_of(demo):
    return Path(demo["tls"]["ca_file"]).read_bytes()


@pytest.fixture
def adbc(demo):
    """Connections of ADBC's Flight SQL driver, over verified TLS."""
    import adbc_driver_flightsql.dbapi as flightsql
    from adbc_driver_flightsql import DatabaseOptions

    opened = []

    def connect(user="admin", password=None, **options):
        connection = flightsql.connect(
            flight_uri(demo),
            db_kwargs={
                "username": user,
                "password": password or password_of(demo, user),
                DatabaseOptions.TLS_ROOT_CERTS.value: ca_of(demo).decode(),
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
    from pyarrow import flight

    client = flight.FlightClient(flight_uri(demo), tls_root_certs=ca_of(demo))
    yield client
    client.close()
