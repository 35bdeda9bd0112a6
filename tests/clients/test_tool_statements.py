"""What tools, drivers and object mappers send: each statement of `tool_statements.sql` runs, and is described as there."""

from pathlib import Path

import pytest


def statements():
    """Yields (title, columns, whether there are rows, SQL)."""
    _, *blocks = Path(__file__).with_name("tool_statements.sql").read_text().split("\n\n")
    for block in blocks:
        title, columns, rows, sql = block.strip().split("\n", 3)
        yield title.removeprefix("-- "), columns.removeprefix("-- columns: "), rows == "-- rows: some", sql


# Expressions over columns of the catalog have the types that the engine computes with, which stand for these of PostgreSQL.
ALIKE = [{"name", "char", "text", "varchar"}, {"int4", "int8", "oid"}, {"numeric", "float8"}]


def alike(one, other):
    """Returns whether two columns have one name, and types of one kind."""
    (name, kind), (other_name, other_kind) = one.rsplit(" ", 1), other.rsplit(" ", 1)
    if name != other_name or kind.endswith("[]") != other_kind.endswith("[]"):
        return False
    kinds = {kind.removesuffix("[]"), other_kind.removesuffix("[]")}
    return len(kinds) == 1 or any(kinds <= some for some in ALIKE)


def check(cursor, columns):
    found, expected = [described(column) for column in cursor.description], columns.split(", ")
    assert len(found) == len(expected) and all(map(alike, found, expected)), f"{found} for {expected}"


def described(column):
    """Returns a column's name and type, as the file writes them."""
    from psycopg.postgres import types

    known = types.get(column.type_code)
    if known is None:
        return f"{column.name} {column.type_code}"
    name = known.name.strip('"')
    return f"{column.name} {name}[]" if column.type_code == known.array_oid else f"{column.name} {name}"


@pytest.mark.parametrize(("columns", "has_rows", "sql"), [pytest.param(*rest, id=title) for title, *rest in statements()])
def test_statement(connect, columns, has_rows, sql):
    cursor = connect(database="curated", autocommit=True, prepare_threshold=None).execute(sql)
    check(cursor, columns)
    assert bool(cursor.fetchall()) == has_rows


@pytest.mark.parametrize(("columns", "sql"), [pytest.param(columns, sql, id=title) for title, columns, _, sql in statements()])
def test_prepared_statement(connect, columns, sql):
    """Drivers that prepare a statement read its columns before it runs."""
    cursor = connect(database="curated", autocommit=True).execute(sql, prepare=True)
    check(cursor, columns)
