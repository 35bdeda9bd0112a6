"""Bulk ingestion: ADBC's adbc_ingest, and DoPut of a stream by pyarrow.flight."""

import datetime
import os

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow as pa
import pytest
from pyarrow import flight
from test_pyarrow_flight import command, field, log_in, varint

shows = pytest.mark.shows
# Runs of the two classes beside each other do not meet.
DATABASE = f"flight_ingest_{os.getpid()}"


@pytest.fixture(scope="module", autouse=True)
def database(demo):
    """A database of these tests' own, which goes with all that they left in it."""
    import psycopg
    from conftest import parameters

    with psycopg.connect(**parameters(demo, "admin"), autocommit=True) as connection:
        connection.execute(f"GRANT DATA_LOCATION ON 's3://datalake/{DATABASE}/' TO engineer")
    with psycopg.connect(**parameters(demo, "engineer"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} CASCADE")
        connection.execute(f"CREATE DATABASE {DATABASE} LOCATION 's3://datalake/{DATABASE}/'")
        yield
        connection.execute(f"DROP DATABASE {DATABASE} CASCADE")


def numbers(*values, kind=None):
    values = list(values)
    return pa.table({"n": pa.array(values, kind or pa.int64()), "word": [f"w{value}" for value in values]})


@pytest.mark.client("ADBC (Python)", "adbc-driver-flightsql")
class TestIngest:
    @pytest.fixture
    def ingest(self, adbc):
        connection = adbc("engineer")

        def ingest(table, data, mode, **more):
            more = {"db_schema_name": DATABASE, **more}
            with connection.cursor() as cursor:
                return cursor.adbc_ingest(table, data, mode=mode, **more)

        return ingest

    @pytest.fixture
    def rows(self, adbc):
        connection = adbc("engineer")
        return lambda table: connection.execute(f"SELECT * FROM {DATABASE}.{table} ORDER BY 1").fetchall()

    @shows("bulk ingestion")
    def test_create_makes_the_table(self, ingest, rows, adbc):
        assert ingest("made", numbers(1, 2, 3), "create") == 3
        assert rows("made") == [(1, "w1"), (2, "w2"), (3, "w3")]
        schema = adbc("engineer").adbc_get_table_schema("made", db_schema_filter=DATABASE)
        assert schema.names == ["n", "word"] and schema.types == [pa.int64(), pa.string()]

    def test_table_that_is_there_is_an_error(self, ingest, rows):
        ingest("twice", numbers(1), "create")
        with pytest.raises(flightsql.Error, match='"?twice"? already exists'):
            ingest("twice", numbers(2), "create")
        assert rows("twice") == [(1, "w1")]

    @shows("bulk ingestion")
    def test_append_adds_rows(self, ingest, rows):
        ingest("grown", numbers(1, 2), "create")
        assert ingest("grown", numbers(3), "append") == 1
        assert [n for n, _ in rows("grown")] == [1, 2, 3]

    def test_append_to_a_table_that_is_not_there_is_an_error(self, ingest):
        with pytest.raises(flightsql.Error, match="absent.* does not exist"):
            ingest("absent", numbers(1), "append")

    @shows("bulk ingestion")
    def test_replace_leaves_only_the_new_rows(self, ingest, rows):
        ingest("replaced", numbers(1, 2), "create")
        ingest("replaced", pa.table({"other": ["x", "y"]}), "replace")
        assert rows("replaced") == [("x",), ("y",)]
        ingest("replaced_anew", numbers(7), "replace")
        assert rows("replaced_anew") == [(7, "w7")]

    @shows("bulk ingestion")
    def test_create_append_does_either(self, ingest, rows):
        ingest("either", numbers(1), "create_append")
        ingest("either", numbers(2), "create_append")
        assert [n for n, _ in rows("either")] == [1, 2]

    @pytest.mark.parametrize(
        ("data", "column"),
        [
            (pa.table({"n": ["no number"], "word": ["x"]}), "n"),
            (pa.table({"n": [1], "elsewhere": ["x"]}), "elsewhere"),
            (pa.table({"n": [1], "word": ["x"], "more": [1.5]}), "more"),
        ],
    )
    def test_another_schema_is_an_error_that_names_the_column(self, ingest, rows, data, column):
        ingest("strict", numbers(1), "replace")
        with pytest.raises(flightsql.Error, match=column):
            ingest("strict", data, "append")
        assert rows("strict") == [(1, "w1")]

    def test_smaller_integers_widen(self, ingest, rows):
        ingest("wide", numbers(1), "create")
        ingest("wide", numbers(2, kind=pa.int32()), "append")
        assert [n for n, _ in rows("wide")] == [1, 2]

    def test_user_without_the_right_is_refused(self, ingest, adbc, connect):
        ingest("guarded", numbers(1), "create")
        admin = connect(autocommit=True)
        admin.execute(f"GRANT SELECT ON DATABASE {DATABASE} TO data_analysts")
        for mode in ("append", "replace", "create_append"):
            with adbc("analyst").cursor() as cursor, pytest.raises(flightsql.Error, match="(?i)permission|denied|privilege"):
                cursor.adbc_ingest("guarded", numbers(2), mode=mode, db_schema_name=DATABASE)
        with adbc("analyst").cursor() as cursor, pytest.raises(flightsql.Error, match="(?i)permission|denied|privilege"):
            cursor.adbc_ingest("fresh", numbers(2), mode="create", db_schema_name=DATABASE)
        assert connect(autocommit=True).execute(f"SELECT count(*) FROM {DATABASE}.guarded").fetchone() == (1,)

    def test_temporary_tables_are_refused(self, ingest):
        with pytest.raises(flightsql.Error, match="temporary"):
            ingest("fleeting", numbers(1), "create", temporary=True, db_schema_name=None)

    def test_rows_go_into_partitions(self, ingest, rows, connect):
        admin = connect(autocommit=True)
        admin.execute(
            f"CREATE EXTERNAL TABLE {DATABASE}.daily (n BIGINT) PARTITIONED BY (day DATE)"
            f" STORED AS PARQUET LOCATION 's3://datalake/{DATABASE}/daily/'"
        )
        days = [datetime.date(2024, 5, 5), datetime.date(2024, 5, 6)]
        data = pa.table({"n": [1, 2, 3], "day": [days[0], days[1], days[0]]})
        assert ingest("daily", data, "append") == 3
        assert rows("daily") == [(1, days[0]), (2, days[1]), (3, days[0])]
        assert admin.execute(f"SHOW PARTITIONS {DATABASE}.daily").fetchall() == [("day=2024-05-05",), ("day=2024-05-06",)]
        plan = str(admin.execute(f"EXPLAIN SELECT n FROM {DATABASE}.daily WHERE day = DATE '2024-05-06'").fetchall())
        assert "partitions: 1 of 2" in plan

    def test_types_come_back_as_they_went(self, ingest, rows):
        from decimal import Decimal

        row = {
            "b": True,
            "i": 7,
            "f": 2.5,
            "s": "dß",
            "d": datetime.date(2024, 2, 29),
            "t": datetime.datetime(2024, 2, 29, 12, 34, 56, 789012),
            "m": Decimal("12.50"),
            "x": b"\x00\xff",
            "l": [1, None],
            "r": {"city": "Bern"},
            "nothing": None,
        }
        schema = pa.schema(
            [
                ("b", pa.bool_()),
                ("i", pa.int32()),
                ("f", pa.float64()),
                ("s", pa.string()),
                ("d", pa.date32()),
                ("t", pa.timestamp("us")),
                ("m", pa.decimal128(10, 2)),
                ("x", pa.binary()),
                ("l", pa.list_(pa.int64())),
                ("r", pa.struct([("city", pa.string())])),
                ("nothing", pa.int64()),
            ]
        )
        ingest("typed", pa.Table.from_pylist([row], schema=schema), "create")
        assert rows("typed") == [tuple(row.values())]

    @pytest.mark.xfail(strict=True, reason="the driver sends no message if there is no batch, so the server is told of no table")
    def test_empty_stream_makes_an_empty_table(self, ingest, rows):
        assert ingest("empty", numbers(), "create") == 0
        assert rows("empty") == []

    def test_stream_that_breaks_leaves_nothing(self, ingest, rows):
        ingest("whole", numbers(1), "create")
        schema = numbers().schema

        def batches():
            yield from numbers(2, 3).to_batches()
            raise ValueError("the source broke")

        # The driver words it in its own way.
        with pytest.raises(flightsql.Error):
            ingest("whole", pa.RecordBatchReader.from_batches(schema, batches()), "append")
        assert rows("whole") == [(1, "w1")]


# The numbers of TableNotExistOption and TableExistsOption.
CREATE, FAIL_IF_ABSENT = 1, 2
FAIL_IF_THERE, APPEND, REPLACE = 1, 2, 3


@pytest.mark.client("pyarrow.flight", "pyarrow")
class TestDoPut:
    def put(self, client, options, table, batches, if_absent, if_there):
        definition = varint(1 << 3) + varint(if_absent) + varint(2 << 3) + varint(if_there)
        content = field(1, definition) + field(2, table.encode()) + field(3, DATABASE.encode())
        descriptor = flight.FlightDescriptor.for_command(command("CommandStatementIngest", content))
        return self.send(client, options, descriptor, batches)

    def send(self, client, options, descriptor, batches):
        """Gives the number of rows that the server has counted."""
        writer, reader = client.do_put(descriptor, batches[0].schema, options)
        with writer:
            for batch in batches:
                writer.write_batch(batch)
            writer.done_writing()
            result = reader.read().to_pybytes()
        # DoPutUpdateResult has the number as its only field; none is 0.
        number, shift = 0, 0
        for byte in result[1:]:
            number |= (byte & 0x7F) << shift
            shift += 7
        return number

    @shows("bulk ingestion")
    def test_stream_becomes_a_table_and_grows(self, flight_client, demo, adbc):
        options = log_in(flight_client, demo, "engineer")
        batches = [batch for start in (0, 100) for batch in numbers(*range(start, start + 100)).to_batches()]
        assert self.put(flight_client, options, "put", batches, CREATE, FAIL_IF_THERE) == 200
        assert self.put(flight_client, options, "put", batches[:1], FAIL_IF_ABSENT, APPEND) == 100
        count = f"SELECT count(*), max(n) FROM {DATABASE}.put"
        assert adbc("engineer").execute(count).fetchone() == (300, 199)
        path = flight.FlightDescriptor.for_path(DATABASE, "put")
        assert self.send(flight_client, options, path, batches[1:]) == 100
        assert adbc("engineer").execute(count).fetchone() == (400, 199)
        assert self.put(flight_client, options, "put", batches[:1], CREATE, REPLACE) == 100
        assert adbc("engineer").execute(count).fetchone() == (100, 99)

    def test_errors_are_told(self, flight_client, demo):
        options = log_in(flight_client, demo, "engineer")
        batches = numbers(1).to_batches()
        with pytest.raises(pa.ArrowException, match="does not exist"):
            self.put(flight_client, options, "put_absent", batches, FAIL_IF_ABSENT, APPEND)
        self.put(flight_client, options, "put_there", batches, CREATE, FAIL_IF_THERE)
        with pytest.raises(pa.ArrowException, match="already exists"):
            self.put(flight_client, options, "put_there", batches, CREATE, FAIL_IF_THERE)
