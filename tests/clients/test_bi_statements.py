"""Statements like those that BI tools send, in the shapes that their published sources have, with the demo's tables."""

import datetime

import pytest

# The search path as Grafana's query editor reads it.
ON_THE_PATH = """quote_ident(table_schema) IN (
    SELECT CASE WHEN trim(p[i]) = '"$user"' THEN user ELSE trim(p[i]) END
    FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1),
                         array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i,
         string_to_array(current_setting('search_path'), ',') p)"""


@pytest.fixture
def ask(connect):
    connection = connect(database="curated", autocommit=True, prepare_threshold=None)
    return lambda sql: connection.execute(sql).fetchall()


def value(ask, sql):
    [(value,)] = ask(sql)
    return value


def test_metabase_sync(ask):
    ask("SELECT nspname, typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid IN (SELECT enumtypid FROM pg_enum)")
    tables = ask(
        """SELECT n.nspname, c.relname, CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' END AS kind, d.description, s.n_live_tup
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid
        LEFT JOIN pg_catalog.pg_description d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
        LEFT JOIN pg_stat_user_tables s ON n.nspname = s.schemaname AND c.relname = s.relname
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'f', 'm') ORDER BY kind, 1, 2"""
    )
    assert ("curated", "orders", "TABLE") in [row[:3] for row in tables]
    columns = ask(
        """SELECT c.column_name, format('%s', c.udt_name) AS "database-type", c.ordinal_position - 1 AS "database-position",
          k.column_name IS NOT NULL AS "pk?",
          col_description(CAST(CAST(format('%I.%I', CAST(c.table_schema AS text), CAST(c.table_name AS text)) AS regclass) AS oid), c.ordinal_position)
        FROM information_schema.columns c LEFT JOIN (
          SELECT t.table_schema, t.table_name, u.column_name FROM information_schema.table_constraints t
          JOIN information_schema.key_column_usage u ON t.constraint_name = u.constraint_name AND t.table_name = u.table_name
          WHERE t.constraint_type = 'PRIMARY KEY') k
        ON c.table_schema = k.table_schema AND c.table_name = k.table_name AND c.column_name = k.column_name
        WHERE c.table_schema !~ '^information_schema|pg_' AND c.table_schema IN ('curated') AND c.table_name = 'orders'
        UNION ALL
        SELECT a.attname, format('%s', t.typname), a.attnum - 1, false, NULL FROM pg_class m
        JOIN pg_attribute a ON a.attrelid = m.oid JOIN pg_type t ON t.oid = a.atttypid WHERE m.relkind = 'm' AND a.attnum >= 1
        ORDER BY "database-position" """
    )
    assert [(name, kind) for name, kind, *_ in columns if name in ("order_id", "total", "order_date")] == [
        ("order_id", "text"), ("total", "numeric"), ("order_date", "date"),
    ]
    assert ask(
        """SELECT trim(BOTH '"' FROM pg_catalog.pg_get_indexdef(x.oid, x.place, false)) FROM (
          SELECT i.indexrelid AS oid, (information_schema._pg_expandarray(i.indkey)).n AS place FROM pg_catalog.pg_index i
          JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE pg_catalog.pg_get_expr(i.indpred, i.indrelid) IS NULL AND n.nspname !~ '^information_schema|pg_') x WHERE x.place = 1"""
    ) == []


def test_metabase_asks_what_it_may(connect):
    connection = connect("scientist", autocommit=True)
    allowed = connection.execute(
        """SELECT t.schemaname, t.name, pg_catalog.has_any_column_privilege(current_user, '"' || t.schemaname || '"."' || t.name || '"', 'select') AS "select",
          pg_catalog.has_table_privilege(current_user, '"' || t.schemaname || '"."' || t.name || '"', 'delete') AS "delete"
        FROM (SELECT schemaname, tablename AS name FROM pg_catalog.pg_tables UNION SELECT schemaname, viewname FROM pg_views
              UNION SELECT schemaname, matviewname FROM pg_matviews) t
        WHERE t.schemaname !~ '^pg_' AND t.schemaname <> 'information_schema' AND pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage')"""
    ).fetchall()
    assert ("curated", "customers", True, False) in allowed
    assert all(schema != "raw" for schema, *_ in allowed)


def test_metabase_buckets_of_time(ask):
    week = "(date_trunc('week', (created_at + INTERVAL '1 day')) + INTERVAL '-1 day')"
    weeks = ask(f"SELECT {week} AS week, count(*) FROM orders GROUP BY {week} ORDER BY {week} ASC")
    assert {start.isoweekday() for start, _ in weeks} == {7}
    assert sum(count for _, count in weeks) == value(ask, "SELECT count(*) FROM orders")
    of_date = "CAST((CAST(date_trunc('week', CAST((order_date + INTERVAL '1 day') AS date)) AS date) + INTERVAL '-1 day') AS date)"
    dates = ask(f"SELECT {of_date}, count(*) FROM orders GROUP BY {of_date} ORDER BY 1")
    assert {start.isoweekday() for start, _ in dates} == {7} and all(type(start) is datetime.date for start, _ in dates)
    assert [hour for hour, _ in ask("SELECT CAST(extract(hour FROM created_at) AS integer) h, count(*) FROM orders GROUP BY 1 ORDER BY 1")] == list(range(24))
    running = ask("SELECT sum(sum(total)) OVER (ORDER BY date_trunc('month', created_at) ROWS UNBOUNDED PRECEDING) FROM orders GROUP BY date_trunc('month', created_at) ORDER BY 1")
    assert running[-1] == ask("SELECT sum(total) FROM orders")[0]
    assert ask("SELECT true FROM orders WHERE 1 <> 1 LIMIT 0") == []


def test_grafana_editor(ask):
    assert value(ask, "SELECT current_setting('server_version_num')::int/100 AS version") >= 1200
    assert ask("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'") == []
    tables = ask(
        f"""SELECT CASE WHEN {ON_THE_PATH} THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table"
        FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog')
        ORDER BY CASE WHEN {ON_THE_PATH} THEN 0 ELSE 1 END, 1"""
    )
    names = [name for (name,) in tables]
    assert "orders" in names and "analytics.sales_fact" in names and names.index("orders") < names.index("analytics.sales_fact")
    for table in ("orders", "curated.orders"):
        columns = ask(
            f"""SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns
            WHERE CASE WHEN array_length(parse_ident('{table}'), 1) = 2
              THEN quote_ident(table_schema) = (parse_ident('{table}'))[1] AND quote_ident(table_name) = (parse_ident('{table}'))[2]
              ELSE quote_ident(table_name) = '{table}' AND {ON_THE_PATH} END"""
        )
        assert ("created_at", "timestamp without time zone") in columns, table


def test_grafana_macros(ask):
    within = "created_at BETWEEN '2024-01-01T00:00:00Z' AND '2024-02-01T00:00:00.123456789Z'"
    days = ask(f'SELECT floor(extract(epoch from created_at)/86400)*86400 AS "time", count(*) AS "value" FROM orders WHERE {within} GROUP BY 1 ORDER BY 1')
    assert days[0][0] == 1704067200 and len(days) <= 32
    assert sum(count for _, count in days) == value(ask, f"SELECT count(*) FROM orders WHERE {within}")
    seconds = "extract(epoch from created_at)"
    assert ask(f'SELECT floor(({seconds})/300)*300 AS "time", avg(total) FROM orders WHERE {seconds} >= 1704067200 AND {seconds} <= 1706745600 GROUP BY 1 LIMIT 3')


NPGSQL_TYPES = """SELECT n.nspname, t.oid, t.typname, t.kind, t.element FROM (
    SELECT y.oid, y.typnamespace, y.typname, CASE WHEN p.proname = 'array_recv' THEN 'a' ELSE y.typtype END AS kind,
      CASE WHEN p.proname = 'array_recv' THEN y.typelem WHEN y.typtype = 'r' THEN rngsubtype
        WHEN y.typtype = 'm' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid = y.oid)
        WHEN y.typtype = 'd' THEN y.typbasetype END AS element
    FROM pg_type y LEFT JOIN pg_class c ON c.oid = y.typrelid LEFT JOIN pg_proc p ON p.oid = y.typreceive
    LEFT JOIN pg_range ON pg_range.rngtypid = y.oid) t
  JOIN pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_type e ON e.oid = t.element
  WHERE t.kind IN ('b', 'r', 'm', 'e', 'd') OR (t.kind = 'a' AND e.typtype IN ('b', 'r', 'm', 'e', 'd')) ORDER BY CASE WHEN t.kind IN ('b', 'e', 'p') THEN 0 WHEN t.kind = 'r' THEN 1 WHEN t.kind = 'm' THEN 2 WHEN t.kind = 'd' THEN 3 ELSE 4 END"""


def test_power_bi(ask):
    """Npgsql knows an array only if the type of its items came before."""
    kinds, seen = {}, set()
    for _, oid, name, kind, element in ask(NPGSQL_TYPES):
        assert kind != "a" or element in seen, name
        seen.add(oid)
        kinds[name] = kind
    assert {"int4": "b", "text": "b", "numeric": "b", "timestamptz": "b", "_int4": "a", "int4range": "r"}.items() <= kinds.items()
    ask("SELECT character_set_name FROM INFORMATION_SCHEMA.character_sets")
    assert ask('select "_"."quantity" as "q", cast(count(1) as decimal(18, 0)) as "a0" from "curated"."orders" "_" group by "_"."quantity" order by 1 limit 1000001')


def test_tableau(ask):
    assert ask(
        """SELECT CAST(date_trunc('QUARTER', CAST("orders"."created_at" AS TIMESTAMP)) AS date) AS "tqr:created_at:ok", SUM("orders"."total") AS "sum:total:ok"
        FROM "curated"."orders" "orders" GROUP BY 1 ORDER BY 1"""
    )
    assert ask('SELECT * FROM "curated"."orders" LIMIT 0') == []


def test_schema_of_rest_servers(ask):
    """Rows in aggregates, as PostgREST builds them."""
    [(table, columns)] = ask(
        """SELECT c.table_name, array_length(array_agg((lower(c.column_name), c.ordinal_position, coalesce(NULL::text, '')) ORDER BY c.ordinal_position), 1)
        FROM information_schema.columns c WHERE c.table_schema = 'curated' AND c.table_name = 'orders' GROUP BY c.table_name"""
    )
    assert table == "orders" and columns == value(
        ask, "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'curated' AND table_name = 'orders'"
    )


def test_sqltools(ask):
    [(detail,)] = ask("SELECT quote_ident(f.proname) || '(' || oidvectortypes(f.proargtypes)::text || ')' FROM pg_catalog.pg_proc f WHERE f.oid = 750")
    assert detail == "array_in(cstring, oid, integer)"
