"""Clients in Ruby, R, Perl and PHP against a running demo: a script each, in parts."""

from pathlib import Path

import pytest

from conftest import variables
from postgres import lake_table, run

HERE = Path(__file__).parent


def part(name, *capabilities):
    """A part of a script, and what it shows."""
    return pytest.param(name, marks=[pytest.mark.shows(capability) for capability in capabilities], id=name)


@pytest.mark.client("Ruby's pg", "Debian's")
class TestRuby:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    @pytest.mark.shows("results of all types")
    @pytest.mark.shows("parameters of all types")
    @pytest.mark.shows("prepared statement")
    @pytest.mark.shows("reading a result in pieces")
    @pytest.mark.shows("transaction with rollback")
    @pytest.mark.shows("SQLSTATE and position of an error")
    @pytest.mark.shows("cancel")
    @pytest.mark.shows("bulk load")
    @pytest.mark.shows("COPY TO")
    def test_client(self, demo, connect):
        with lake_table(connect, "of_ruby"):
            assert "all passed" in run(["ruby", HERE / "client.rb"], variables(demo))


@pytest.mark.client("Rails' ActiveRecord", "Debian's")
@pytest.mark.parametrize(
    "name",
    [
        part("connects", "TLS with certificate verification", "simple query"),
        part("reads_types", "results of all types"),
        part("queries", "parameters of all types", "prepared statement"),
        part("writes", "bulk load", "transaction with rollback"),
        part("schema", "tables and columns", "views and comments"),
        part("makes_a_table", "creating a table"),
        part("errors", "SQLSTATE and position of an error", "timeout"),
        part("pool", "pool"),
    ],
)
def test_active_record(demo, connect, name):
    with lake_table(connect, "of_rails"):
        assert "all passed" in run(["ruby", HERE / "active_record.rb", name], variables(demo, database="of_rails"))


@pytest.mark.client("Rails' ActiveRecord", "Debian's")
@pytest.mark.shows("columns without a grant are hidden")
def test_active_record_sees_granted_columns(demo):
    assert "all passed" in run(["ruby", HERE / "active_record.rb", "hidden"], variables(demo, "scientist"))


def script(demo, name, *command, user="admin", database="awsdatacatalog"):
    # R converts texts to the locale of the machine.
    environment = {**variables(demo, user, database), "LC_ALL": "C.UTF-8"}
    assert "all passed" in run([*command, name], environment)


R = ["Rscript", "--vanilla", HERE / "client.R"]
PERL = ["perl", HERE / "client.pl"]
PHP = ["php", HERE / "client.php"]


@pytest.mark.client("R's RPostgreSQL", "Debian's")
@pytest.mark.parametrize(
    "name",
    [
        part("connects", "TLS with certificate verification"),
        part("refuses", "error for a wrong password"),
        part("errors", "simple query"),
        part("reads_types", "results of all types"),
        part("parameters", "parameters of all types"),
        part("pieces", "reading a result in pieces"),
        part("lists", "tables and columns"),
        part("writes", "creating a table", "bulk load"),
        part("transactions", "transaction with rollback"),
        part("timeout", "timeout"),
    ],
)
def test_rpostgresql(demo, connect, name):
    with lake_table(connect, "of_r"):
        script(demo, name, *R, database="of_r")


@pytest.mark.client("R's RPostgreSQL", "Debian's")
@pytest.mark.shows("columns without a grant are hidden")
def test_rpostgresql_sees_granted_columns(demo):
    script(demo, "hidden", *R, user="scientist")


PARTS = [
    part("connects", "TLS with certificate verification", "simple query"),
    part("refuses", "error for a wrong password"),
    part("reads_types", "results of all types"),
    part("parameters", "parameters of all types", "prepared statement"),
    part("pieces", "reading a result in pieces"),
    part("transactions", "transaction with rollback"),
    part("errors", "SQLSTATE and position of an error"),
    part("timeout", "timeout"),
    part("cancels", "cancel"),
    part("lists", "tables and columns", "views and comments"),
    part("writes", "bulk load"),
    part("copies", "COPY TO"),
]


@pytest.mark.client("Perl's DBD::Pg", "Debian's")
@pytest.mark.parametrize("name", PARTS)
def test_dbd_pg(demo, connect, name):
    with lake_table(connect, "of_perl"):
        script(demo, name, *PERL, database="of_perl")


@pytest.mark.client("Perl's DBD::Pg", "Debian's")
@pytest.mark.shows("columns without a grant are hidden")
def test_dbd_pg_sees_granted_columns(demo):
    script(demo, "hidden", *PERL, user="scientist")


@pytest.mark.client("PHP's PDO", "Debian's")
@pytest.mark.parametrize("name", PARTS)
def test_php(demo, connect, name):
    with lake_table(connect, "of_php"):
        script(demo, name, *PHP, database="of_php")


@pytest.mark.client("PHP's PDO", "Debian's")
@pytest.mark.shows("columns without a grant are hidden")
def test_php_sees_granted_columns(demo):
    script(demo, "hidden", *PHP, user="scientist")
