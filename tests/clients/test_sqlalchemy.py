"""SQLAlchemy 2: connect, reflect, ask."""

import datetime

from sqlalchemy import MetaData, Table, create_engine, func, inspect, select, text


def test_reflects_schemas_tables_and_columns(url):
    engine = create_engine(url())
    inspector = inspect(engine)
    assert {"raw", "curated", "analytics"} <= set(inspector.get_schema_names())
    assert set(inspector.get_table_names(schema="curated")) == {"customers", "orders", "products", "users"}
    columns = {column["name"]: str(column["type"]) for column in inspector.get_columns("orders", schema="curated")}
    assert columns["order_date"] == "DATE" and columns["total"] == "NUMERIC(10, 2)" and columns["quantity"] == "INTEGER"
    assert inspector.get_pk_constraint("orders", schema="curated")["constrained_columns"] == []
    assert inspector.get_foreign_keys("orders", schema="curated") == []
    assert inspector.get_indexes("orders", schema="curated") == []
    assert inspector.get_view_names(schema="curated") == []


def test_asks_a_reflected_table(url):
    engine = create_engine(url())
    orders = Table("orders", MetaData(), schema="curated", autoload_with=engine)
    query = (
        select(orders.c.customer_id, func.sum(orders.c.total).label("spent"))
        .where(orders.c.order_date.between(datetime.date(2024, 1, 1), datetime.date(2024, 1, 31)))
        .group_by(orders.c.customer_id)
        .order_by(text("spent DESC"))
        .limit(5)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    assert len(rows) == 5 and all(a.spent >= b.spent for a, b in zip(rows, rows[1:]))


def test_streams_with_a_server_side_cursor(url):
    engine = create_engine(url(database="curated"))
    with engine.connect().execution_options(stream_results=True, max_row_buffer=200) as connection:
        counted = sum(1 for _ in connection.execute(text("SELECT order_id FROM orders")))
    with engine.connect() as connection:
        assert counted == connection.execute(text("SELECT count(*) FROM orders")).scalar_one()


def test_reflection_follows_the_grants(url):
    inspector = inspect(create_engine(url("scientist")))
    assert set(inspector.get_table_names(schema="curated")) == {"customers", "orders"}
    assert [c["name"] for c in inspector.get_columns("customers", schema="curated")] == ["customer_id", "segment", "region"]
    assert "raw" not in inspector.get_schema_names()
