"""The rows that the functions are asked about, and their values as literals of each engine.

Values of the columns of one type are drawn from one pool with few members, so that two columns are often equal, one text is
often a part of the other, and a key is often in the map.
"""

import datetime
import json
import math
from decimal import Decimal

import pyarrow as pa

LETTERS = ["a", "b", "c", "A", "B", "1", "0", " ", ",", ".", "-", "_", "%", "\\", "'", "é", "É", "ß", "ſ", "ı", "Σ", "σ", "ς", "Я", "日", "本"]
LETTERS += ["🙂", "𝒳", "𐐨", "𐐀", "\u0301", "\u00a0", "\u2003", "\u3000", "\t", "\n", "ǆ", "ÿ"]
ASCII = list("aaabbc01 ,.-_%AB#")
LIKES = ["%", "_", "a", "b", "\\", "🙂", "é", "#%", "#_", "##", "aa", "."]
ZONES = ["UTC", "America/New_York", "Asia/Kolkata"]

# Of each column: its type in Athena's DDL, in casts of Trino's, in DuckDB's, and in Arrow's.
TYPES = {
    "text": ("STRING", "varchar", "VARCHAR", pa.string()),
    "bigint": ("BIGINT", "bigint", "BIGINT", pa.int64()),
    "int": ("INT", "integer", "INTEGER", pa.int32()),
    "tinyint": ("TINYINT", "tinyint", "TINYINT", pa.int8()),
    "double": ("DOUBLE", "double", "DOUBLE", pa.float64()),
    "real": ("FLOAT", "real", "FLOAT", pa.float32()),
    "decimal": ("DECIMAL(18,4)", "decimal(18,4)", "DECIMAL(18,4)", pa.decimal128(18, 4)),
    "date": ("DATE", "date", "DATE", pa.date32()),
    "timestamp": ("TIMESTAMP", "timestamp(6)", "TIMESTAMP", pa.timestamp("us")),
    "boolean": ("BOOLEAN", "boolean", "BOOLEAN", pa.bool_()),
    "binary": ("BINARY", "varbinary", "BLOB", pa.binary()),
    "bigints": ("ARRAY<BIGINT>", "array(bigint)", "BIGINT[]", pa.list_(pa.int64())),
    "doubles": ("ARRAY<DOUBLE>", "array(double)", "DOUBLE[]", pa.list_(pa.float64())),
    "texts": ("ARRAY<STRING>", "array(varchar)", "VARCHAR[]", pa.list_(pa.string())),
    "dates": ("ARRAY<DATE>", "array(date)", "DATE[]", pa.list_(pa.date32())),
    "nested": ("ARRAY<ARRAY<BIGINT>>", "array(array(bigint))", "BIGINT[][]", pa.list_(pa.list_(pa.int64()))),
    "map": ("MAP<STRING,BIGINT>", "map(varchar, bigint)", "MAP(VARCHAR, BIGINT)", pa.map_(pa.string(), pa.int64())),
    "struct": ("STRUCT<f:BIGINT,g:STRING>", "row(f bigint, g varchar)", "STRUCT(f BIGINT, g VARCHAR)", pa.struct([("f", pa.int64()), ("g", pa.string())])),
}

# Every column: what is drawn for it, and its type.
COLUMNS = {
    "s": ("text", "text"), "t": ("part", "text"), "u": ("part", "text"),
    "a": ("ascii", "text"), "c": ("ascii", "text"), "p": ("like", "text"), "h": ("hex", "text"), "j": ("json", "text"),
    "dt": ("written date", "text"), "url": ("url", "text"),
    "n": ("bigint", "bigint"), "m": ("bigint", "bigint"), "l": ("small", "bigint"), "cp": ("code point", "bigint"),
    "i": ("small", "int"), "k": ("small", "int"), "q": ("int", "int"), "w": ("tinyint", "tinyint"),
    "x": ("double", "double"), "y": ("double", "double"), "o": ("unit", "double"), "v": ("quarter", "double"), "r": ("real", "real"),
    "dc": ("decimal", "decimal"), "dd": ("decimal", "decimal"),
    "d": ("date", "date"), "e": ("date", "date"), "ts": ("timestamp", "timestamp"), "us": ("timestamp", "timestamp"),
    "f": ("boolean", "boolean"), "f2": ("boolean", "boolean"), "bin": ("binary", "binary"),
    "ln": ("bigints", "bigints"), "lm": ("bigints", "bigints"), "lx": ("doubles", "doubles"), "lv": ("quarters", "doubles"), "lw": ("quarters", "doubles"),
    "ls": ("texts", "texts"), "lt": ("texts", "texts"), "ld": ("dates", "dates"), "ll": ("nested", "nested"),
    "mp": ("map", "map"), "mq": ("map", "map"), "st": ("struct", "struct"),
}  # fmt: skip

NULLS = 0.12


def value(rng, what, row):
    """A value of what a column holds, never NULL. `row` has the values so far."""
    choice, chance, whole = rng.choice, rng.random, rng.randint
    if what == "text":
        return "".join(choice(LETTERS) for _ in range(choice([0, 1, 2, 3, 5, 8, 13, 40])))
    if what == "part":
        whole_text = row.get("s") or ""
        if whole_text and chance() < 0.5:
            start = whole(0, len(whole_text) - 1)
            return whole_text[start : start + choice([1, 1, 2, 3])]
        return "".join(choice(LETTERS) for _ in range(whole(0, 2)))
    if what == "ascii":
        return "".join(choice(ASCII) for _ in range(choice([0, 1, 2, 4, 7, 12, 30])))
    if what == "like":
        return "".join(choice(LIKES) for _ in range(whole(0, 5)))
    if what == "hex":
        return "".join(choice("0123456789abcdefABCDEF") for _ in range(2 * whole(0, 6)))
    if what == "json":
        return written(rng, json_value(rng, 0))
    if what == "url":
        return "https://example.com/" + "".join(choice(["a", "%41", "+", "%F0%9F%99%82", "%20", "b", "/", "?x=1", "&"]) for _ in range(whole(0, 5)))
    if what == "written date":
        day = value(rng, "date", row)
        return day.isoformat()
    if what == "bigint":
        if chance() < 0.25:
            return choice([-(2**63), 2**63 - 1, 2**62, -(2**31), 2**31 - 1, 2**53 + 1])
        return choice([whole(-3, 5), whole(-3, 5), whole(-1000, 1000), whole(-(2**40), 2**40)])
    if what == "int":
        return choice([-(2**31), 2**31 - 1, 0, 1, -1]) if chance() < 0.2 else whole(-5000, 5000)
    if what == "tinyint":
        return choice([-128, 127, 0, whole(-128, 127)])
    if what == "small":
        return whole(-6, 12)
    if what == "code point":
        return ord(choice(LETTERS)) if chance() < 0.9 else choice([-1, 0xD800, 0x110000, 0x10FFFF, 1])
    if what == "double":
        if chance() < 0.3:
            return choice([math.inf, -math.inf, math.nan, 0.0, -0.0, 1e300, -1e300, 5e-324, 1e-300, 2.0**53 + 2])
        return choice([whole(-20, 20) / 4, whole(-20, 20) / 4, rng.uniform(-1e6, 1e6), rng.gauss(0, 1)])
    if what == "unit":
        return choice([-1.0, 1.0, 0.0, -0.0, 0.5, rng.uniform(-1, 1), rng.uniform(-1, 1)])
    if what == "quarter":
        return whole(-4000, 4000) / 4
    if what == "real":
        return choice([math.inf, -math.inf, math.nan, -0.0, 3.0e38]) if chance() < 0.2 else whole(-400, 400) / 8
    if what == "decimal":
        return Decimal(choice([whole(-50000, 50000), whole(-(10**12), 10**12), 0, 5000, -5000, 10**18 - 1])).scaleb(-4)
    if what == "date":
        if chance() < 0.2:
            return choice([datetime.date(1, 1, 1), datetime.date(9999, 12, 31), datetime.date(1582, 10, 10), datetime.date(1900, 2, 28), datetime.date(1969, 12, 31)])
        if chance() < 0.4:
            return datetime.date(choice([2000, 2023, 2024]), choice([1, 2, 12]), choice([1, 2, 27, 28])) + datetime.timedelta(whole(0, 4))
        return datetime.date(2024, 1, 1) + datetime.timedelta(whole(-9000, 9000))
    if what == "timestamp":
        day = value(rng, "date", row)
        time = choice([(0, 0, 0, 0), (23, 59, 59, 999999), (12, 0, 0, 0), (whole(0, 23), whole(0, 59), whole(0, 59), choice([0, 1000, 500000, 123456]))])
        return datetime.datetime(day.year, day.month, day.day, *time)
    if what == "boolean":
        return chance() < 0.5
    if what == "binary":
        return bytes(choice([0, 1, 127, 128, 255, whole(0, 255)]) for _ in range(whole(0, 9)))
    items = {"bigints": "few", "doubles": "double", "quarters": "quarter", "texts": "part", "dates": "date", "nested": "bigints"}
    if what == "few":
        return choice([1, 2, 3, 3, -1, 0, 2**40])
    if what in items:
        nulls = choice([0, 0, 0.25]) if what != "quarters" else 0
        length = whole(0, 5) if what != "quarters" else 3
        return [None if chance() < nulls else value(rng, items[what], row) for _ in range(length)]
    if what == "map":
        return [(key, None if chance() < 0.15 else whole(-3, 9)) for key in rng.sample(["", "a", "b", "🙂", "é", "key"], whole(0, 4))]
    assert what == "struct", what
    return {"f": choice([None, 1, -1, 2**40]), "g": choice([None, "", "a", "🙂"])}


def json_value(rng, depth):
    kind = rng.choice(["scalar"] if depth > 3 else ["scalar", "object", "object", "array"] if depth else ["scalar", "object", "object", "object", "array", "array"])
    if kind == "scalar":
        return rng.choice([None, True, False, 0, 1, -7, 12345678901, 1.5, -0.25, "", "a", "1", "é🙂", 'q"\\/\n', "\u0001"])
    if kind == "array":
        return [json_value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    return {key: json_value(rng, depth + 1) for key in rng.sample(["a", "b", "c d", "é", "", "A"], rng.randint(0, 4))}


def written(rng, value):
    """JSON in one of its ways of writing."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, separators=rng.choice([(",", ":"), (", ", ": "), (" ,\n", " :\t")]))
    return rng.choice(["", " "]) + text


def rows(rng, count):
    made = []
    for number in range(count):
        row = {}
        for name, (what, _) in COLUMNS.items():
            row[name] = None if rng.random() < NULLS else value(rng, what, row)
        made.append({"id": number, "grp": rng.choice([0, 1, 1, 2, 3, 4, 5, None]), **row})
    return made


def arrow(made):
    schema = pa.schema([("id", pa.int64()), ("grp", pa.int64()), *((name, TYPES[kind][3]) for name, (_, kind) in COLUMNS.items())])
    return pa.Table.from_pylist(made, schema)


def ddl():
    columns = ["id BIGINT", "grp BIGINT", *(f"{name} {TYPES[kind][0]}" for name, (_, kind) in COLUMNS.items())]
    return ", ".join(columns)


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def literal(dialect, kind, value):
    """The value as a constant expression of "lake" (Trino's dialect) or "duck"."""
    lake = dialect == "lake"
    cast = TYPES[kind][1 if lake else 2]
    if value is None:
        return f"CAST(NULL AS {cast})"
    if kind == "text":
        return quoted(value)
    if kind in ("bigint", "int", "tinyint"):
        return f"CAST({value if abs(value) < 2**31 else quoted(str(value))} AS {cast})"
    if kind in ("double", "real", "decimal"):
        if isinstance(value, float) and not math.isfinite(value):
            text = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        else:
            text = repr(value) if isinstance(value, float) else str(value)
        return f"CAST('{text}' AS {cast})"
    if kind == "date":
        return f"DATE '{value.isoformat()}'"
    if kind == "timestamp":
        return f"TIMESTAMP '{value.isoformat(' ', 'microseconds')}'"
    if kind == "boolean":
        return str(value).lower()
    if kind == "binary":
        return f"X'{value.hex()}'" if lake else f"from_hex('{value.hex()}')"
    items = {"bigints": "bigint", "doubles": "double", "texts": "text", "dates": "date", "nested": "bigints"}
    if kind in items:
        return f"CAST({sequence(dialect, items[kind], value)} AS {cast})"
    if kind == "map":
        keys = sequence(dialect, "text", [key for key, _ in value])
        values = sequence(dialect, "bigint", [item for _, item in value])
        return f"CAST(map({keys}, {values}) AS {cast})"
    assert kind == "struct", kind
    fields = [literal(dialect, "bigint", value["f"]), literal(dialect, "text", value["g"])]
    return f"CAST(ROW({', '.join(fields)}) AS {cast})"


def sequence(dialect, kind, items):
    listed = ", ".join(literal(dialect, kind, item) for item in items)
    return f"ARRAY[{listed}]" if dialect == "lake" else f"[{listed}]"
