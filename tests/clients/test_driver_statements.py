"""Statements like those that drivers send on their own, of drivers that the tests cannot run."""

import json

import pytest

# What Npgsql 8 sends when it connects, in one message: kinds of types with those that they consist of, fields, labels.
NPGSQL_TYPES = """SELECT version();
SELECT s.nspname, t.oid, t.typname, t.kind, t.typnotnull, t.element FROM (
    -- An array has kind b, and is known by its function.
    SELECT y.oid, y.typnamespace, y.typname, y.kind, y.typnotnull, y.relkind, e.oid AS element, e.typname AS element_name,
        ec.relkind AS element_relkind, CASE WHEN ep.proname = 'array_recv' THEN 'a' ELSE e.typtype END AS element_kind
    FROM (
        SELECT i.oid, typnamespace, typname, typrelid, typnotnull, relkind, typelem,
            CASE WHEN p.proname = 'array_recv' THEN 'a' ELSE i.typtype END AS kind,
            CASE
                WHEN p.proname = 'array_recv' THEN i.typelem
                WHEN i.typtype = 'r' THEN rngsubtype
                WHEN i.typtype = 'm' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid = i.oid)
                WHEN i.typtype = 'd' THEN i.typbasetype
            END AS element_oid
        FROM pg_type AS i
        LEFT JOIN pg_class AS c ON (c.oid = i.typrelid)
        LEFT JOIN pg_proc AS p ON p.oid = i.typreceive
        LEFT JOIN pg_range ON (pg_range.rngtypid = i.oid)
    ) AS y
    LEFT JOIN pg_type AS e ON e.oid = element_oid
    LEFT JOIN pg_class AS ec ON (ec.oid = e.typrelid)
    LEFT JOIN pg_proc AS ep ON ep.oid = e.typreceive
) AS t
JOIN pg_namespace AS s ON (s.oid = typnamespace)
WHERE
    kind IN ('b', 'r', 'm', 'e', 'd') OR -- base, range, multirange, enum, domain
    (kind = 'c' AND relkind = 'c') OR
    (kind = 'p' AND typname IN ('record', 'void')) OR
    (kind = 'a' AND (
        element_kind IN ('b', 'r', 'm', 'e', 'd') OR
        (element_kind = 'p' AND element_name IN ('record', 'void')) OR
        (element_kind = 'c' AND element_relkind = 'c')
    ))
ORDER BY CASE
       WHEN kind IN ('b', 'e', 'p') THEN 0
       WHEN kind = 'r' THEN 1
       WHEN kind = 'm' THEN 2
       WHEN kind = 'c' THEN 3
       WHEN kind = 'd' AND element_kind <> 'a' THEN 4
       WHEN kind = 'a' THEN 5
       WHEN kind = 'd' AND element_kind = 'a' THEN 6
END;
-- Fields of types that are no table's.
SELECT t.oid, a.attname, a.atttypid
FROM pg_type AS t
JOIN pg_namespace AS s ON (s.oid = t.typnamespace)
JOIN pg_class AS c ON (c.oid = t.typrelid)
JOIN pg_attribute AS a ON (a.attrelid = t.typrelid)
WHERE (t.typtype = 'c' AND c.relkind = 'c') AND attnum > 0 AND NOT attisdropped
ORDER BY t.oid, a.attnum;
SELECT pg_type.oid, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid ORDER BY oid, enumsortorder;
"""

# What Npgsql asks about the columns of a result, for GetColumnSchema.
NPGSQL_COLUMNS = """SELECT
     t.oid AS typoid, nspname, relname, attname, attrelid, attnum, attnotnull,
     attidentity != '' AS isidentity,
     CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE atttypmod END AS typmod,
     CASE WHEN atthasdef THEN (SELECT pg_get_expr(adbin, c.oid) FROM pg_attrdef WHERE adrelid = c.oid AND adnum = a.attnum) ELSE NULL END AS default,
     CASE WHEN ((c.relkind = ANY (ARRAY['r'::"char", 'p'::"char"]))
               OR ((c.relkind = ANY (ARRAY['v'::"char", 'f'::"char"])) AND pg_column_is_updatable((c.oid)::regclass, a.attnum, false)))
          AND a.attidentity NOT IN ('a') THEN 'true'::boolean ELSE 'false'::boolean END AS is_updatable,
     EXISTS (SELECT * FROM pg_index WHERE pg_index.indrelid = c.oid AND pg_index.indisprimary AND attnum = ANY (indkey)) AS isprimarykey,
     EXISTS (SELECT * FROM pg_index WHERE pg_index.indrelid = c.oid AND pg_index.indisunique AND pg_index.indnkeyatts = 1
             AND attnum = pg_index.indkey[0]) AS isunique
FROM pg_attribute AS a
JOIN pg_type AS t ON a.atttypid = t.oid
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS s ON s.oid = c.relnamespace
WHERE atttypid <> 0 AND relkind IN ('r', 'v', 'm', 'p') AND NOT attisdropped AND nspname NOT IN ('pg_catalog', 'information_schema')
  AND attnum > 0 AND ({})
ORDER BY attnum"""

# What Npgsql sends when a connection with prepared statements goes back to its pool.
NPGSQL_RESET = "CLOSE ALL;SET SESSION AUTHORIZATION DEFAULT;RESET ALL;UNLISTEN *;SELECT pg_advisory_unlock_all();DISCARD SEQUENCES;DISCARD TEMP"

# What the model builder of Entity Framework asks about tables and columns.
EF_TABLES = """SELECT nspname, relname, relkind, description, CASE WHEN relkind = 'v' THEN pg_get_viewdef(c.oid) END AS definition
FROM pg_class AS c
JOIN pg_namespace AS s ON s.oid = c.relnamespace
LEFT OUTER JOIN pg_description AS d ON d.objoid = c.oid AND d.objsubid = 0
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND s.nspname NOT IN ('pg_catalog', 'information_schema')
  AND c.relname <> '__EFMigrationsHistory'
  AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE classid = (SELECT oid FROM pg_class WHERE relname = 'pg_class') AND objid = c.oid
    AND refclassid = (SELECT oid FROM pg_class WHERE relname = 'pg_extension') AND deptype IN ('e', 'x'))
  AND s.nspname IN ('curated') AND c.relname = ANY (ARRAY['orders', 'products'])"""
EF_COLUMNS = """SELECT nspname, c.relname, t.typname, b.typname AS basetypname, attname, attisdropped, attidentity::text, attnotnull,
  CASE WHEN attgenerated = 's' THEN NULL ELSE pg_get_expr(adbin, adrelid) END AS default_sql, n.collname,
  format_type(t.oid, atttypmod) AS formatted_typname, format_type(b.oid, t.typtypmod) AS formatted_basetypname,
  CASE WHEN p.proname = 'array_recv' THEN 'a' ELSE t.typtype END AS typtype, d.description,
  seqstart, seqmin, seqmax, seqincrement, seqcycle, seqcache
FROM pg_class AS c
JOIN pg_namespace AS s ON s.oid = c.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid
LEFT JOIN pg_type AS t ON a.atttypid = t.oid
LEFT JOIN pg_proc AS p ON p.oid = t.typreceive
LEFT JOIN pg_type AS b ON b.oid = t.typbasetype
LEFT JOIN pg_description AS d ON d.objoid = c.oid AND d.objsubid = a.attnum AND d.classoid = 'pg_class'::regclass
LEFT JOIN pg_attrdef AS f ON f.adrelid = c.oid AND f.adnum = a.attnum
LEFT JOIN pg_collation AS n ON n.oid = a.attcollation
LEFT JOIN pg_depend AS e ON e.refobjid = c.oid AND e.refobjsubid = a.attnum AND e.deptype = 'i'
LEFT JOIN pg_sequence AS q ON q.seqrelid = e.objid
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND nspname = 'curated' AND c.relname = 'orders' AND attnum > 0
ORDER BY attnum"""


@pytest.fixture
def admin(connect):
    return connect(autocommit=True, prepare_threshold=None)


def columns_of(result):
    return [(result.ftable(i), result.ftablecol(i)) for i in range(result.nfields)]


def test_npgsql_connects(admin):
    cursor = admin.execute(NPGSQL_TYPES)
    assert "PostgreSQL" in cursor.fetchone()[0]
    assert cursor.nextset()
    kinds, seen = {}, set()
    for schema, oid, name, kind, required, element in cursor:
        # A type comes after the one that it consists of.
        assert kind in ("b", "p") or element in seen, name
        seen.add(oid)
        if schema == "pg_catalog":
            kinds[name] = kind
    expected = {"int4": "b", "numeric": "b", "timestamptz": "b", "json": "b", "record": "p", "void": "p", "int4range": "r", "_int4": "a", "_record": "a"}
    assert expected.items() <= kinds.items()
    # None of its own types has fields or labels.
    for _ in range(2):
        assert cursor.nextset()
        cursor.fetchall()
    assert not cursor.nextset()


def test_npgsql_describes_columns(admin):
    result = admin.pgconn.exec_(b"SELECT order_id, total, order_date, 1 AS one FROM curated.orders LIMIT 0")
    columns = columns_of(result)
    assert columns[3] == (0, 0) and all(table and column for table, column in columns[:3])
    which = " OR ".join(f"(a.attrelid={table} AND a.attnum={column})" for table, column in columns[:3])
    rows = admin.execute(NPGSQL_COLUMNS.format(which)).fetchall()
    assert sorted((row[3], row[0], row[8]) for row in rows) == [("order_date", 1082, -1), ("order_id", 25, -1), ("total", 1700, (10 << 16 | 2) + 4)]
    assert {(row[1], row[2], row[7], row[9], row[11], row[12]) for row in rows} == {("curated", "orders", False, None, False, False)}


def test_npgsql_resets(admin):
    admin.execute("SET statement_timeout = '17s'")
    cursor = admin.execute(NPGSQL_RESET)
    while cursor.nextset():
        pass
    assert admin.execute("SHOW statement_timeout").fetchone() == ("0",)


def test_entity_framework_reads_the_schema(admin):
    tables = {name: (schema, kind) for schema, name, kind, *_ in admin.execute(EF_TABLES)}
    assert tables == {"orders": ("curated", "r"), "products": ("curated", "r")}
    columns = {row[4]: row for row in admin.execute(EF_COLUMNS)}
    assert {name: columns[name][10] for name in ("order_id", "total", "created_at", "order_date")} == {
        "order_id": "text", "total": "numeric(10,2)", "created_at": "timestamp without time zone", "order_date": "date",
    }
    assert {(row[5], row[6], row[8], row[12]) for row in columns.values()} == {(False, "", None, "b")}


def prepared(admin, sql, types=()):
    """A statement of the protocol, and the description of its result, as sqlx prepares one."""
    result = admin.pgconn.prepare(b"sqlx_s_1", sql.encode(), types)
    assert result.status == 1, result.error_message
    return admin.pgconn.describe_prepared(b"sqlx_s_1")


def test_sqlx_asks_what_may_be_null(admin):
    """The macros of sqlx ask at compile time, with the types of the parameters that they bind: none has a name of its own."""
    described = prepared(admin, "SELECT o.order_id, p.product_id, count(*) AS n FROM curated.orders o"
                         " LEFT JOIN curated.products p ON p.product_id = o.order_id WHERE o.quantity > $1 AND o.order_date = $2 GROUP BY 1, 2")
    assert [described.param_type(i) for i in range(2)] == [23, 1082]
    assert [described.ftype(i) for i in range(3)] == [25, 25, 20]
    columns = columns_of(described)
    assert columns[2] == (0, 0)
    # Places of tables and columns, or NULL: the first row of a UNION gives the names.
    asked = " UNION ALL ".join(f"( SELECT ${3 * i + 1}::int4 AS idx, ${3 * i + 2}::int4 AS table_id, ${3 * i + 3}::int2 AS col_idx ) " for i in range(3))
    sql = (
        f"SELECT NOT attnotnull FROM ( {asked}) AS col LEFT JOIN pg_catalog.pg_attribute"
        " ON table_id IS NOT NULL AND attrelid = table_id AND attnum = col_idx ORDER BY idx"
    )
    values = [text for i, (table, column) in enumerate(columns) for text in (i, table or None, column or None)]
    texts = [None if value is None else str(value).encode() for value in values]
    found = admin.pgconn.exec_params(sql.encode(), texts, [23, 26, 21] * 3)
    assert found.error_message == "" or found.status == 2, found.error_message
    assert [found.get_value(i, 0) for i in range(3)] == [b"t", b"t", None]
    name = "SELECT $1::oid::regclass::text, attname FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum = $2"
    table, column = columns[0]
    [found] = [admin.pgconn.exec_params(name.encode(), [str(table).encode(), str(column).encode()], [26, 21])]
    assert (found.get_value(0, 0), found.get_value(0, 1)) == (b"curated.orders", b"order_id"), found.error_message
    plan = admin.pgconn.exec_(b"EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE sqlx_s_1(NULL, NULL)")
    assert plan.ftype(0) == 114, plan.error_message
    [explained] = json.loads(plan.get_value(0, 0))
    assert "Node Type" in explained["Plan"]


def test_sqlx_asks_for_types(admin):
    """Of a type that sqlx does not know: it reads an i8 from a "char", and an Oid from an oid."""
    known = admin.pgconn.exec_params(
        b"SELECT oid::regtype::text, typtype, typcategory, typrelid, typelem, typbasetype FROM pg_catalog.pg_type WHERE oid = $1", [b"2249"], [26]
    )
    assert [known.ftype(i) for i in range(6)] == [25, 18, 18, 26, 26, 26]
    assert [known.get_value(0, i) for i in range(6)] == [b"record", b"p", b"P", b"0", b"0", b"0"]
    array = admin.pgconn.exec_params(b"SELECT oid, typarray FROM pg_catalog.pg_type WHERE oid = $1::regtype::oid", [b"int4"], [25])
    assert (array.ftype(1), array.get_value(0, 1)) == (26, b"1007"), array.error_message
