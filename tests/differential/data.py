"""Random schemas and rows, and the Parquet files that hold them.

A [`Table`] is rows of Python values. Every engine gets the same rows: Lakegate as files in several layouts, which it must
read alike (see `LAYOUTS`), the references as tables of their own.
"""

import datetime
import decimal
import os
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

decimal.getcontext().prec = 80

INTS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}
DECIMALS = [(5, 1), (9, 2), (10, 0), (18, 4), (28, 6), (38, 2)]

# How a table's files are laid out; the rows are the same in each.
#   main: several files and partitions, tiny row groups and pages, written by pyarrow or DuckDB, whatever the dice say
#   bare: one file of one row group without statistics, dictionaries or page index, and no partitions
#   own:  written by Lakegate itself, through bulk ingestion
LAYOUTS = ("main", "bare", "own")


@dataclass(frozen=True)
class Type:
    """A column type, by Athena's name; decimals have a precision and a scale."""

    name: str
    precision: int = 0
    scale: int = 0

    def sql(self, dialect):
        if self.name == "decimal":
            return f"DECIMAL({self.precision},{self.scale})"
        if self.name == "array":
            return "ARRAY<INT>" if dialect == "ddl" else "INT[]"
        if self.name == "struct":
            return "STRUCT<f:INT,g:STRING>" if dialect == "ddl" else "STRUCT(f INT, g VARCHAR)"
        names = {"varchar": {"ddl": "STRING"}, "tinyint": {"pg": "SMALLINT"}, "double": {"pg": "DOUBLE PRECISION"}}
        names["float"] = {"pg": "REAL", "lake": "FLOAT"}
        return names.get(self.name, {}).get(dialect, self.name.upper())

    def arrow(self):
        if self.name == "decimal":
            return pa.decimal128(self.precision, self.scale)
        return {
            "tinyint": pa.int8(),
            "smallint": pa.int16(),
            "int": pa.int32(),
            "bigint": pa.int64(),
            "float": pa.float32(),
            "double": pa.float64(),
            "varchar": pa.string(),
            "date": pa.date32(),
            "timestamp": pa.timestamp("us"),
            "boolean": pa.bool_(),
            "array": pa.list_(pa.int32()),
            "struct": pa.struct([("f", pa.int32()), ("g", pa.string())]),
        }[self.name]

    @property
    def is_int(self):
        return self.name in INTS

    @property
    def is_float(self):
        return self.name in ("float", "double")


BIGINT, INT, DOUBLE, BOOLEAN = Type("bigint"), Type("int"), Type("double"), Type("boolean")
VARCHAR, DATE, TIMESTAMP = Type("varchar"), Type("date"), Type("timestamp")
WIDE = Type("decimal", 38, 4)

TEXTS = [
    "", "a", "A", "b", "ab", "abc", "a%b", "a_b", "ä", "Ä", "ß", "日本", "🙂", "it's", '"q"', "x" * 300, " a ", "NULL", "0",
    "10", "9", "-1", "e\u0301", "é", "z", "zz", "B", "%", "_", "a\tb", "a\nb", "true", "~", "\u00a0",
]  # fmt: skip
SAFE_TEXTS = [text for text in TEXTS if text]


def random_value(rng, kind, wild):
    """A value of the type. `wild` ones are extremes too, which arithmetic could not take."""
    if kind.is_int:
        bits = INTS[kind.name]
        if wild and rng.random() < 0.3:
            return rng.choice([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0, -1, 1])
        return rng.choice([rng.randint(-3, 5), rng.randint(-3, 5), rng.randint(-100, 100)])
    if kind.is_float:
        special = [float("inf"), float("-inf"), -0.0, 0.0, float("nan"), float("nan")]
        if wild and rng.random() < 0.35:
            return rng.choice(special + ([1e300, -1e300, 5e-324] if kind.name == "double" else []))
        if rng.random() < 0.06:
            return rng.choice(special)
        # Quarters: sums of these are exact, whatever their order.
        return rng.choice([rng.randint(-8, 8), rng.randint(-4000, 4000)]) / 4
    if kind.name == "decimal":
        digits = kind.precision if wild and rng.random() < 0.2 else min(kind.precision, kind.scale + 2)
        top = 10**digits - 1
        unscaled = rng.choice([-top, top, 0, 1, -1]) if rng.random() < 0.3 else rng.randint(-top, top)
        return Decimal(unscaled).scaleb(-kind.scale)
    if kind.name == "varchar":
        return rng.choice(TEXTS if wild else TEXTS[:12])
    if kind.name == "date":
        if wild and rng.random() < 0.3:
            return rng.choice([datetime.date(1, 1, 1), datetime.date(9999, 12, 31), datetime.date(1582, 10, 10), datetime.date(1969, 12, 31)])
        return datetime.date(2024, 1, 1) + datetime.timedelta(days=rng.choice([rng.randint(0, 5), rng.randint(-900, 900)]))
    if kind.name == "timestamp":
        if wild and rng.random() < 0.3:
            return rng.choice(
                [
                    datetime.datetime(1, 1, 1),
                    datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
                    datetime.datetime(1969, 12, 31, 23, 59, 59, 500001),
                    datetime.datetime(1677, 1, 1, 1, 1, 1, 1),
                ]
            )
        base = datetime.datetime(2024, 2, 28, 23, 0, 0)
        return base + datetime.timedelta(hours=rng.randint(0, 5), microseconds=rng.choice([0, 0, 1, 500000, 999999]))
    if kind.name == "boolean":
        return rng.random() < 0.5
    if kind.name == "array":
        return [rng.choice([None, 1, 2, 3]) for _ in range(rng.randint(0, 3))]
    return {"f": rng.choice([None, 1, 2]), "g": rng.choice([None, "", "a"])}


@dataclass
class Column:
    name: str
    type: Type
    wild: bool = False


@dataclass
class Table:
    """Rows of columns; the last `keys` columns are partition keys of the main layout."""

    name: str
    columns: list
    keys: int
    rows: list

    def arrow(self, columns=None):
        columns = self.columns if columns is None else columns
        places = [self.columns.index(column) for column in columns]
        arrays = [pa.array([row[place] for row in self.rows], column.type.arrow()) for place, column in zip(places, columns)]
        return pa.table(dict(zip([column.name for column in columns], arrays)))


KINDS = (
    [Type(name) for name in INTS] * 2
    + [DOUBLE, DOUBLE, Type("float")]
    + [VARCHAR, VARCHAR, DATE, TIMESTAMP, BOOLEAN]
    + [Type("decimal", *decimal) for decimal in DECIMALS]
)
KEY_KINDS = [INT, BIGINT, VARCHAR, DATE, BOOLEAN, Type("decimal", 9, 2)]


def random_table(rng, name):
    columns = [Column("k", rng.choice([INT, BIGINT])), Column("s", VARCHAR, rng.random() < 0.5)]
    for place in range(rng.randint(2, 5)):
        columns.append(Column(f"c{place}", rng.choice(KINDS), rng.random() < 0.5))
    if rng.random() < 0.25:
        columns.append(Column("l", Type("array")))
    if rng.random() < 0.25:
        columns.append(Column("r", Type("struct")))
    keys = rng.choice([0, 0, 1, 1, 2])
    for place in range(keys):
        columns.append(Column(f"p{place}", rng.choice(KEY_KINDS)))
    count = rng.choice([0, 1, *[rng.randint(2, 8)] * 3, *[rng.randint(8, 40)] * 5, *[rng.randint(30, 60)] * 3])
    nulls = [rng.choice([0, 0.1, 0.3, 1 if rng.random() < 0.1 else 0.2]) for _ in columns]
    # A partition key has few values, and an empty text cannot be one.
    pools = [None] * (len(columns) - keys)
    for column in columns[len(columns) - keys :]:
        pools.append([random_value(rng, column.type, False) or ("z" if column.type == VARCHAR else 0) for _ in range(3)])
        if column.type in (BOOLEAN, DATE) or column.type.name == "decimal":
            pools[-1] = [random_value(rng, column.type, False) for _ in range(3)]
    rows = []
    for _ in range(count):
        if rows and rng.random() < 0.1:
            rows.append(rng.choice(rows))
            continue
        row = []
        for column, null, pool in zip(columns, nulls, pools):
            if rng.random() < null:
                row.append(None)
            else:
                row.append(rng.choice(pool) if pool else random_value(rng, column.type, column.wild))
        rows.append(tuple(row))
    table = Table(name, columns, keys, rows)
    if rng.random() < 0.4:
        # In order of some column, so that row groups and pages can be skipped.
        place = rng.randrange(len(columns))
        if columns[place].type.is_int or columns[place].type in (VARCHAR, DATE, TIMESTAMP):
            rows.sort(key=lambda row: (row[place] is None, "" if row[place] is None else row[place]))
    return table


def key_text(value):
    """A partition's value as its folder writes it."""
    if value is None:
        return "__HIVE_DEFAULT_PARTITION__"
    if isinstance(value, bool):
        return "true" if value else "false"
    # As Hive: of what is not ASCII, nothing is escaped.
    return "".join(character if ord(character) > 127 else quote(character, safe=" ,~;<>@$!()&|-_.") for character in str(value))


# Files that are as old as this are old enough for results over them to be kept.
AGE = 3600


def settle(folder):
    for directory, _, files in os.walk(folder):
        for file in files:
            path = os.path.join(directory, file)
            stat = os.stat(path)
            os.utime(path, (stat.st_atime - AGE, stat.st_mtime - AGE))


def write_file(rng, arrow, path, duck):
    """One Parquet file with the dice's choice of writer, row groups, pages, codec and encodings."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if duck is not None and rng.random() < 0.3 and len(arrow.schema) > 0:
        duck.register("to_write", arrow)
        codec = rng.choice(["snappy", "zstd", "uncompressed", "gzip"])
        duck.execute(f"COPY to_write TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {rng.choice([2048, 4096])}, COMPRESSION {codec})")
        duck.unregister("to_write")
        return
    options = {
        "row_group_size": rng.choice([1, 2, 3, 7, 1000]),
        "data_page_size": rng.choice([1, 64, 1 << 20]),
        "write_batch_size": rng.choice([1, 3, 1024]),
        "use_dictionary": rng.random() < 0.5,
        "compression": rng.choice(["snappy", "zstd", "none", "gzip"]),
        "data_page_version": rng.choice(["1.0", "2.0"]),
        "write_statistics": rng.random() < 0.8,
        "write_page_index": rng.random() < 0.5,
    }
    if rng.random() < 0.3:
        options["store_decimal_as_integer"] = True
    pq.write_table(arrow, path, **options)


def write_main(rng, table, folder, duck):
    """The main layout's files: folders of partitions, one to three files each. Gives whether anything was written."""
    data = table.columns[: len(table.columns) - table.keys]
    groups = {}
    for row in table.rows:
        groups.setdefault(tuple(row[len(data) :]), []).append(row)
    if not table.keys and not groups:
        groups[()] = []
    for values, rows in groups.items():
        names = [column.name for column in table.columns[len(data) :]]
        parts = [f"{name}={key_text(value)}" for name, value in zip(names, values)]
        pieces = rng.choice([1, 1, 2, 3])
        step = max(1, -(-len(rows) // pieces))
        for number, start in enumerate(range(0, max(1, len(rows)), step)):
            piece = Table(table.name, table.columns, table.keys, rows[start : start + step])
            write_file(rng, piece.arrow(data), os.path.join(folder, *parts, f"f{number}.parquet"), duck)
    os.makedirs(folder, exist_ok=True)
    settle(folder)


def write_bare(table, folder):
    os.makedirs(folder, exist_ok=True)
    pq.write_table(
        table.arrow(), os.path.join(folder, "f.parquet"), write_statistics=False, use_dictionary=False, compression="none"
    )
    settle(folder)


def ddl(name, table, location, keys):
    """CREATE EXTERNAL TABLE with the last `keys` columns as partition keys."""
    split = len(table.columns) - keys

    def described(columns):
        return ", ".join(f"{column.name} {column.type.sql('ddl')}" for column in columns)

    partitioned = f" PARTITIONED BY ({described(table.columns[split:])})" if keys else ""
    return (
        f"CREATE EXTERNAL TABLE {name} ({described(table.columns[:split])}){partitioned} STORED AS PARQUET LOCATION '{location}'"
    )
