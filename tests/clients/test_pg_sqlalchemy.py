"""SQLAlchemy over each driver of PostgreSQL: what it can do is in docs/postgres-compatibility.md."""

import asyncio
import datetime
from decimal import Decimal

import pytest

from conftest import parameters
from postgres import LAKE_ROWS, MIDDAY, lake_database, lake_table, verified

ORDERS = {"order_id": "TEXT", "quantity": "INTEGER", "price": "NUMERIC(10, 2)", "order_date": "DATE"}


@pytest.fixture(params=["psycopg", "psycopg2", "asyncpg", "pg8000"])
def engine(demo, request):
    """An engine of SQLAlchemy over each driver."""
    import sqlalchemy
    from sqlalchemy.pool import NullPool

    driver = request.param
    engines = []

    def engine(user="admin", **more):
        p = parameters(demo, user)
        url = sqlalchemy.URL.create(
            f"postgresql+{driver}", user, p["password"], p["host"], p["port"], p["dbname"],
        )
        context = verified(p["sslrootcert"])
        arguments = {
            "psycopg": {"sslmode": "verify-full", "sslrootcert": p["sslrootcert"]},
            "psycopg2": {"sslmode": "verify-full", "sslrootcert": p["sslrootcert"]},
            "asyncpg": {"ssl": context},
            "pg8000": {"ssl_context": context},
        }[driver]
        if driver != "asyncpg":
            made = sqlalchemy.create_engine(url, connect_args=arguments, **more)
        else:
            # The synchronous face of the asynchronous engine, in the thread of the test.
            from sqlalchemy.ext.asyncio import create_async_engine

            made = create_async_engine(url, connect_args=arguments, poolclass=NullPool, **more)
        engines.append(made)
        return made

    yield engine
    for made in engines:
        if driver != "asyncpg":
            made.dispose()


def work(engine, body):
    """Runs `body` with a connection of the engine, be it asynchronous or not."""
    if hasattr(engine, "sync_engine"):

        async def main():
            async with engine.connect() as connection:
                return await connection.run_sync(body)

        return asyncio.run(main())
    with engine.connect() as connection:
        return body(connection)


@pytest.mark.client("SQLAlchemy", "sqlalchemy")
class TestSqlAlchemy:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    def test_connects(self, engine):
        from sqlalchemy import text

        assert work(engine(), lambda c: c.execute(text("SELECT current_user")).scalar_one()) == "admin"

    @pytest.mark.shows("tables and columns")
    @pytest.mark.shows("views and comments")
    def test_reflects(self, engine, connect, request):
        from sqlalchemy import MetaData, inspect

        database = f"of_alchemy_{request.node.callspec.params['engine']}"

        def reflect(connection):
            inspector = inspect(connection)
            assert {"raw", "curated", "analytics", database} <= set(inspector.get_schema_names())
            columns = {c["name"]: str(c["type"]) for c in inspector.get_columns("orders", schema="curated")}
            assert {name: columns[name] for name in ORDERS} == ORDERS
            assert inspector.get_table_names(schema=database) == ["things"]
            assert inspector.get_view_names(schema=database) == ["named"]
            assert "name is not null" in inspector.get_view_definition("named", schema=database).lower()
            comment = [inspector.get_table_comment(name, schema=database)["text"] for name in ("things", "named")]
            assert comment == ["all the things", "things with a name"]
            comments = {c["name"]: c["comment"] for c in inspector.get_columns("things", schema=database)}
            assert (comments["id"], comments["name"]) == ("the key", None)
            whole = MetaData(schema=database)
            whole.reflect(connection, views=True)
            assert set(whole.tables) == {f"{database}.things", f"{database}.named"}
            things = whole.tables[f"{database}.things"]
            assert [str(c.type) for c in things.columns] == [
                "INTEGER", "BIGINT", "BOOLEAN", "DOUBLE PRECISION", "NUMERIC(10, 2)", "TEXT", "DATE", "TIMESTAMP", "BYTEA",
            ]
            assert not things.primary_key.columns and not things.foreign_keys and not things.indexes

        with lake_table(connect, database):
            work(engine(), reflect)

    @pytest.mark.shows("columns without a grant are hidden")
    def test_reflection_follows_the_grants(self, engine):
        from sqlalchemy import inspect

        def reflect(connection):
            inspector = inspect(connection)
            return (
                inspector.get_table_names(schema="curated"),
                [c["name"] for c in inspector.get_columns("customers", schema="curated")],
            )

        tables, columns = work(engine("scientist"), reflect)
        assert (sorted(tables), columns) == (["customers", "orders"], ["customer_id", "segment", "region"])

    @pytest.mark.shows("parameters of all types")
    def test_expressions_with_parameters(self, engine):
        from sqlalchemy import Date, MetaData, Table, bindparam, func, select

        def ask(connection):
            orders = Table("orders", MetaData(), schema="curated", autoload_with=connection)
            query = (
                select(func.count())
                .select_from(orders)
                .where(orders.c.order_date.between(bindparam("a", type_=Date), datetime.date(2024, 1, 31)))
                .where(orders.c.quantity.in_([1, 2, 3]), orders.c.order_id.like("%0%"))
                .where(orders.c.total < Decimal("100000.00"))
            )
            some = connection.execute(query, {"a": datetime.date(2024, 1, 1)}).scalar_one()
            page = select(orders.c.order_id).order_by(orders.c.order_id).limit(5).offset(5)
            return some, len(connection.execute(page).all())

        some, page = work(engine(), ask)
        assert some > 0 and page == 5

    @pytest.mark.shows("reading a result in pieces")
    def test_stream_results(self, engine):
        from sqlalchemy import text

        made = engine()
        sql = text("SELECT x FROM generate_series(1, 5000) t(x) ORDER BY x")
        if not hasattr(made, "sync_engine"):
            with made.connect().execution_options(stream_results=True, max_row_buffer=200) as connection:
                assert [x for (x,) in connection.execute(sql)] == list(range(1, 5001))
            return

        async def main():
            async with made.connect() as connection:
                return [row[0] async for row in await connection.stream(sql)]

        assert asyncio.run(main()) == list(range(1, 5001))

    @pytest.mark.shows("transaction with rollback")
    @pytest.mark.shows("bulk load")
    def test_inserts_and_rolls_back(self, engine, connect, request):
        from sqlalchemy import MetaData, Table, insert, select

        database = f"of_alchemy_{request.node.callspec.params['engine']}"

        def write(connection):
            things = Table("things", MetaData(), schema=database, autoload_with=connection)
            names = [column.name for column in things.columns]
            rows = [dict(zip(names, row)) for row in LAKE_ROWS]
            connection.rollback()
            with connection.begin():
                savepoint = connection.begin_nested()
                connection.execute(insert(things), [{"id": 7, "name": "seven"}])
                savepoint.rollback()
                connection.execute(insert(things), rows)
            connection.execute(insert(things), [{"id": 8}])
            connection.rollback()
            return [tuple(row) for row in connection.execute(select(things).order_by(things.c.id))]

        with lake_table(connect, database):
            assert work(engine(), write) == LAKE_ROWS

    def test_returning(self, engine, connect, request):
        from sqlalchemy import MetaData, Table, insert

        database = f"of_alchemy_returning_{request.node.callspec.params['engine']}"

        def write(connection):
            things = Table("things", MetaData(), schema=database, autoload_with=connection)
            connection.rollback()
            one = insert(things).values(id=1, name="one").returning(things.c.id, things.c.name)
            assert [tuple(row) for row in connection.execute(one)] == [(1, "one")]
            many = [{"id": 2, "name": "two"}, {"id": 3, "name": None}]
            returned = connection.execute(insert(things).returning(things), many).mappings()
            assert sorted((row["id"], row["name"]) for row in returned) == [(2, "two"), (3, None)]
            connection.rollback()
            return [row for row in connection.execute(things.select())]

        with lake_table(connect, database):
            assert work(engine(), write) == []

    @pytest.mark.shows("creating a table")
    def test_create_all(self, engine, connect, request):
        import sqlalchemy as sa

        database = f"of_alchemy_made_{request.node.callspec.params['engine']}"
        metadata = sa.MetaData(schema=database)
        made = sa.Table(
            "made", metadata, sa.Column("id", sa.BigInteger, nullable=False, index=True), sa.Column("name", sa.String(20)),
            sa.Column("price", sa.Numeric(10, 2)), sa.Column("at", sa.DateTime), sa.Column("ok", sa.Boolean),
            sa.Column("raw", sa.LargeBinary), sa.Column("note", sa.Text, comment="in words"), comment="made by SQLAlchemy",
        )
        row = (1, "one", Decimal("12.50"), MIDDAY, True, b"\x00\xff", None)

        def create(connection):
            metadata.create_all(connection)
            metadata.create_all(connection)
            connection.execute(sa.insert(made), [dict(zip([c.name for c in made.columns], row))])
            connection.commit()
            inspector = sa.inspect(connection)
            columns = {c["name"]: c for c in inspector.get_columns("made", schema=database)}
            assert [name for name, column in columns.items() if not column["nullable"]] == ["id"]
            assert columns["note"]["comment"] == "in words"
            assert inspector.get_table_comment("made", schema=database)["text"] == "made by SQLAlchemy"
            return [tuple(found) for found in connection.execute(sa.select(made))]

        def refuse(connection):
            with pytest.raises(sa.exc.DBAPIError, match="null value in column"):
                connection.execute(sa.insert(made), [{"id": None, "name": "none"}])

        def drop(connection):
            metadata.drop_all(connection)
            connection.commit()
            return sa.inspect(connection).get_table_names(schema=database)

        with lake_database(connect, database):
            assert work(engine(), create) == [row]
            work(engine(), refuse)
            assert work(engine(), drop) == []

    def test_key_of_a_model_is_refused_by_its_name(self, engine, connect, request):
        import sqlalchemy as sa

        database = f"of_alchemy_key_{request.node.callspec.params['engine']}"
        metadata = sa.MetaData(schema=database)
        sa.Table("made", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
        with lake_database(connect, database), pytest.raises(sa.exc.DBAPIError, match="PRIMARY KEY is not supported"):
            work(engine(), metadata.create_all)

    @pytest.mark.shows("SQLSTATE and position of an error")
    def test_error(self, engine):
        from sqlalchemy import text
        from sqlalchemy.exc import ProgrammingError

        with pytest.raises(ProgrammingError) as raised:
            work(engine(), lambda c: c.execute(text("SELECT * FROM no_such")))
        error = raised.value.orig
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or error.args[0]["C"]
        assert state == "42P01"
