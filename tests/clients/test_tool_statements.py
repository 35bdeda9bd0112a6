"""What tools, drivers and object mappers send: each statement of `tool_statements.sql` runs, and is described as there."""

from pathlib import Path

import pytest


def statements():
    """Yields (title, columns, whether there are rows, SQL)."""
    _, *blocks = Path(__file__).with_name("tool_statements.sql").read_text().split("\n\n")
    for block in blocks:
        title, columns, rows, sql = block.strip().split("\n", 3)
        yield title.removeprefix("-- "), columns.removeprefix("-- columns: "), rows == "-- rows: some", sql


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
    assert ", ".join(map(described, cursor.description)) == columns
    assert bool(cursor.fetchall()) == has_rows


@pytest.mark.parametrize(("columns", "sql"), [pytest.param(columns, sql, id=title) for title, columns, _, sql in statements()])
def test_prepared_statement(connect, columns, sql):
    """Drivers that prepare a statement read its columns before it runs."""
    cursor = connect(database="curated", autocommit=True).execute(sql, prepare=True)
    assert ", ".join(map(described, cursor.description)) == columns
