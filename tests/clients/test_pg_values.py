"""Values of each type in the text and the binary format, byte by byte as PostgreSQL 15 sends them."""

from pathlib import Path

import pytest
from psycopg.pq import ExecStatus, Format

RECORDED = Path(__file__).parents[1] / "data" / "postgres_values.tsv"
LINES = [line.split("\t") for line in RECORDED.read_text().splitlines() if not line.startswith("#")]


@pytest.fixture(scope="module")
def results(demo):
    import psycopg
    from conftest import parameters

    with psycopg.connect(**parameters(demo, "analyst"), autocommit=True) as connection:
        connection.execute("SET struct_output = 'composite'")

        def results(sql, form, values=(), types=None, formats=None):
            return connection.pgconn.exec_params(sql.encode(), values, types, formats, result_format=form)

        yield results


def sent(result):
    assert result.status == ExecStatus.TUPLES_OK, result.error_message
    value = result.get_value(0, 0)
    return str(result.ftype(0)), str(result.fmod(0)), "NULL" if value is None else bytes(value).hex()


def test_values_are_recorded():
    assert len(LINES) > 60


@pytest.mark.parametrize(("oid", "modifier", "type", "text", "binary", "expression"), LINES)
def test_value(results, oid, modifier, type, text, binary, expression):
    assert sent(results(f"SELECT {expression}", Format.TEXT)) == (oid, modifier, text)
    assert sent(results(f"SELECT {expression}", Format.BINARY)) == (oid, modifier, binary)


# PostgreSQL takes no records as parameters either. docs/postgres-compatibility.md says what casts to the others are.
OTHERS = {"record", "record[]", "regtype", "json[]", "jsonb[]", "uuid[]", "name[]", "oid[]", "int4range[]"}
TAKEN = [line for line in LINES if line[2] not in OTHERS and line[3] != "NULL"]


@pytest.mark.parametrize(("oid", "modifier", "type", "text", "binary", "expression"), TAKEN)
def test_parameter_comes_back(results, oid, modifier, type, text, binary, expression):
    if expression.endswith("[][]"):
        type += "[]"
    for value, form in [(text, Format.TEXT), (binary, Format.BINARY)]:
        result = results(f"SELECT $1::{type}", Format.BINARY, [bytes.fromhex(value)], [int(oid)], [form])
        assert sent(result) == (oid, modifier, binary)
