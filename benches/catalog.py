#!/usr/bin/env python3
"""Times what clients ask of the catalog in a lake of 20,000 tables of 100 columns, beside PostgreSQL with the same tables.

    pip install -r tests/clients/requirements.txt
    target/release/lakegate demo --dir L --scale 0.0001 --connection-file F &
    benches/catalog.py --connection-file F [--postgres "host=127.0.0.1 port=5432 user=postgres"] [--tables 20000] [--runs 7]

The tables are made in the first run, in blocks; their locations are only names. Later runs find them. Each question is what a
client sends: psql's `\\d bench_catalog.t_00042` is timed statement by statement. Lakegate is asked as an administrator and as a
user who is granted ten of the tables. Lakegate and PostgreSQL run each statement in turns, so that what else the machine does
falls on both alike; printed are the medians in milliseconds and the median of the ratios of the pairs, Lakegate's time through
PostgreSQL's.

The goal is 50 ms for all statements of `\\d` together.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import psycopg

SCHEMA, USER, PASSWORD = "bench_catalog", "bench_catalog_reader", "a password of ten tables"
TYPES = [("BIGINT", "bigint"), ("STRING", "text"), ("DOUBLE", "double precision"), ("TIMESTAMP", "timestamp"), ("DATE", "date")]
GRANTED = 10

# What psql sends for `\d schema.table`; {oid} is what the first statement answers.
PSQL_D = {
    r"\d: the table": """
SELECT c.oid, n.nspname, c.relname
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname OPERATOR(pg_catalog.~) '^({table})$' COLLATE pg_catalog.default
  AND n.nspname OPERATOR(pg_catalog.~) '^({schema})$' COLLATE pg_catalog.default
ORDER BY 2, 3""",
    r"\d: its kind": """
SELECT c.relchecks, c.relkind, c.relhasindex, c.relhasrules, c.relhastriggers, c.relrowsecurity, c.relforcerowsecurity,
  false AS relhasoids, c.relispartition, '', c.reltablespace,
  CASE WHEN c.reloftype = 0 THEN '' ELSE c.reloftype::pg_catalog.regtype::pg_catalog.text END, c.relpersistence,
  c.relreplident, am.amname
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class tc ON (c.reltoastrelid = tc.oid)
LEFT JOIN pg_catalog.pg_am am ON (c.relam = am.oid)
WHERE c.oid = '{oid}'""",
    r"\d: its columns": """
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
  (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d
   WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef),
  a.attnotnull,
  (SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t
   WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation) AS attcollation,
  a.attidentity, a.attgenerated
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = '{oid}' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum""",
    r"\d: its policies": """
SELECT pol.polname, pol.polpermissive,
  CASE WHEN pol.polroles = '{{0}}' THEN NULL ELSE pg_catalog.array_to_string(array(
    select rolname from pg_catalog.pg_roles where oid = any (pol.polroles) order by 1), ',') END,
  pg_catalog.pg_get_expr(pol.polqual, pol.polrelid), pg_catalog.pg_get_expr(pol.polwithcheck, pol.polrelid),
  CASE pol.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' END AS cmd
FROM pg_catalog.pg_policy pol WHERE pol.polrelid = '{oid}' ORDER BY 1""",
    r"\d: its statistics": """
SELECT oid, stxrelid::pg_catalog.regclass, stxnamespace::pg_catalog.regnamespace::pg_catalog.text AS nsp, stxname,
  pg_catalog.pg_get_statisticsobjdef_columns(oid) AS columns, 'd' = any(stxkind) AS ndist_enabled,
  'f' = any(stxkind) AS deps_enabled, 'm' = any(stxkind) AS mcv_enabled, stxstattarget
FROM pg_catalog.pg_statistic_ext WHERE stxrelid = '{oid}' ORDER BY nsp, stxname""",
    r"\d: its publications": """
SELECT pubname, NULL, NULL FROM pg_catalog.pg_publication p
  JOIN pg_catalog.pg_publication_namespace pn ON p.oid = pn.pnpubid
  JOIN pg_catalog.pg_class pc ON pc.relnamespace = pn.pnnspid
WHERE pc.oid = '{oid}' and pg_catalog.pg_relation_is_publishable('{oid}')
UNION
SELECT pubname, pg_get_expr(pr.prqual, c.oid),
  (CASE WHEN pr.prattrs IS NOT NULL THEN
     (SELECT string_agg(attname, ', ') FROM pg_catalog.generate_series(0, pg_catalog.array_upper(pr.prattrs::pg_catalog.int2[], 1)) s,
        pg_catalog.pg_attribute WHERE attrelid = pr.prrelid AND attnum = prattrs[s])
   ELSE NULL END)
FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel pr ON p.oid = pr.prpubid
  JOIN pg_catalog.pg_class c ON c.oid = pr.prrelid
WHERE pr.prrelid = '{oid}'
UNION
SELECT pubname, NULL, NULL FROM pg_catalog.pg_publication p
WHERE p.puballtables AND pg_catalog.pg_relation_is_publishable('{oid}')
ORDER BY 1""",
    r"\d: its parents": """
SELECT c.oid::pg_catalog.regclass FROM pg_catalog.pg_class c, pg_catalog.pg_inherits i
WHERE c.oid = i.inhparent AND i.inhrelid = '{oid}' AND c.relkind != 'p' AND c.relkind != 'I' ORDER BY inhseqno""",
    r"\d: its children": """
SELECT c.oid::pg_catalog.regclass, c.relkind, inhdetachpending, pg_catalog.pg_get_expr(c.relpartbound, c.oid)
FROM pg_catalog.pg_class c, pg_catalog.pg_inherits i
WHERE c.oid = i.inhrelid AND i.inhparent = '{oid}'
ORDER BY pg_catalog.pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', c.oid::pg_catalog.regclass::pg_catalog.text""",
}

# Statement and parameters.
OTHERS = {
    r"\d t_00042": ("""
SELECT c.oid, n.nspname, c.relname
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname OPERATOR(pg_catalog.~) '^({table})$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid)
ORDER BY 2, 3""", []),
    r"\dt": ("""
SELECT n.nspname as "Schema", c.relname as "Name",
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index'
    WHEN 'S' THEN 'sequence' WHEN 't' THEN 'TOAST table' WHEN 'f' THEN 'foreign table' WHEN 'p' THEN 'partitioned table'
    WHEN 'I' THEN 'partitioned index' END as "Type",
  pg_catalog.pg_get_userbyid(c.relowner) as "Owner"
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
WHERE c.relkind IN ('r','p','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema'
  AND pg_catalog.pg_table_is_visible(c.oid)
ORDER BY 1,2""", []),
    "SQLAlchemy: has_table": ("""
SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class
JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
WHERE pg_catalog.pg_class.relname = %s
  AND pg_catalog.pg_class.relkind = ANY (ARRAY[%s, %s, %s, %s, %s]) AND pg_catalog.pg_namespace.nspname = %s""",
        ["{table}", "r", "p", "f", "v", "m", "{schema}"]),
    "SQLAlchemy: get_table_names": ("""
SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class
JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
WHERE pg_catalog.pg_class.relkind = ANY (ARRAY[%s, %s]) AND pg_catalog.pg_class.relpersistence != %s
  AND pg_catalog.pg_namespace.nspname = %s""", ["r", "p", "t", "{schema}"]),
    "SQLAlchemy: get_columns": ("""
SELECT pg_catalog.pg_attribute.attname AS name,
  pg_catalog.format_type(pg_catalog.pg_attribute.atttypid, pg_catalog.pg_attribute.atttypmod) AS format_type,
  (SELECT pg_catalog.pg_get_expr(pg_catalog.pg_attrdef.adbin, pg_catalog.pg_attrdef.adrelid) AS pg_get_expr_1
   FROM pg_catalog.pg_attrdef
   WHERE pg_catalog.pg_attrdef.adrelid = pg_catalog.pg_attribute.attrelid
     AND pg_catalog.pg_attrdef.adnum = pg_catalog.pg_attribute.attnum AND pg_catalog.pg_attribute.atthasdef) AS "default",
  pg_catalog.pg_attribute.attnotnull AS not_null, pg_catalog.pg_class.relname AS table_name,
  pg_catalog.pg_description.description AS comment, pg_catalog.pg_attribute.attgenerated AS generated
FROM pg_catalog.pg_class
LEFT OUTER JOIN pg_catalog.pg_attribute ON pg_catalog.pg_class.oid = pg_catalog.pg_attribute.attrelid
  AND pg_catalog.pg_attribute.attnum > %s AND NOT pg_catalog.pg_attribute.attisdropped
LEFT OUTER JOIN pg_catalog.pg_description ON pg_catalog.pg_description.objoid = pg_catalog.pg_attribute.attrelid
  AND pg_catalog.pg_description.objsubid = pg_catalog.pg_attribute.attnum
JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
WHERE pg_catalog.pg_class.relkind = ANY (ARRAY[%s, %s, %s, %s, %s]) AND pg_catalog.pg_class.relname IN (%s)
  AND pg_catalog.pg_namespace.nspname = %s
ORDER BY pg_catalog.pg_class.relname, pg_catalog.pg_attribute.attnum""",
        ["0", "r", "p", "f", "v", "m", "{table}", "{schema}"]),
    "SQLAlchemy: get_table_comment": ("""
SELECT pg_catalog.pg_class.relname, pg_catalog.pg_description.description FROM pg_catalog.pg_class
LEFT OUTER JOIN pg_catalog.pg_description ON pg_catalog.pg_class.oid = pg_catalog.pg_description.objoid
  AND pg_catalog.pg_description.objsubid = %s AND pg_catalog.pg_description.classoid = CAST(%s AS REGCLASS)
JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
WHERE pg_catalog.pg_class.relkind = ANY (ARRAY[%s, %s]) AND pg_catalog.pg_namespace.nspname = %s
  AND pg_catalog.pg_class.relname IN (%s)""", ["0", "pg_catalog.pg_class", "r", "p", "{schema}", "{table}"]),
    "pgjdbc: getTables": ("""
SELECT current_database() AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME,
  CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema' WHEN true THEN 'SYSTEM TABLE' ELSE
    CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' ELSE NULL END END AS TABLE_TYPE,
  d.description AS REMARKS, '' as TYPE_CAT, '' as TYPE_SCHEM, '' as TYPE_NAME, '' AS SELF_REFERENCING_COL_NAME, '' AS REF_GENERATION
FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 and d.classoid = 'pg_class'::regclass)
WHERE c.relnamespace = n.oid AND n.nspname LIKE '{schema}' AND c.relname LIKE '{table}'
  AND (false OR (c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'))
ORDER BY TABLE_TYPE, TABLE_SCHEM, TABLE_NAME""", []),
    "pgjdbc: getColumns": ("""
SELECT * FROM (SELECT current_database() AS current_database, n.nspname, c.relname, a.attname, a.atttypid,
  a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS attnotnull, a.atttypmod, a.attlen, t.typtypmod,
  row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum, nullif(a.attidentity, '') as attidentity,
  nullif(a.attgenerated, '') as attgenerated, pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc, dsc.description,
  t.typbasetype, t.typtype
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid)
  JOIN pg_catalog.pg_attribute a ON (a.attrelid=c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid)
  LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid=def.adrelid AND a.attnum = def.adnum)
  LEFT JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid)
  LEFT JOIN pg_catalog.pg_class dc ON (dc.oid=dsc.classoid AND dc.relname='pg_class')
  LEFT JOIN pg_catalog.pg_namespace dn ON (dc.relnamespace=dn.oid AND dn.nspname='pg_catalog')
WHERE c.relkind in ('r','p','v','f','m') and a.attnum > 0 AND NOT a.attisdropped
  AND n.nspname LIKE '{schema}' AND c.relname LIKE '{table}') c
WHERE true ORDER BY nspname,c.relname,attnum""", []),
    "pg_dump: columns": ("""
SELECT a.attrelid, a.attnum, a.attname, pg_catalog.format_type(t.oid, a.atttypmod) AS atttypname
FROM unnest('{{{oid}}}'::pg_catalog.oid[]) AS src(tbloid) JOIN pg_catalog.pg_attribute a ON (src.tbloid = a.attrelid)
  LEFT JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid)
WHERE a.attnum > 0::pg_catalog.int2 ORDER BY a.attrelid, a.attnum""", []),
    "a type": ("SELECT typname, typtype, typelem FROM pg_catalog.pg_type WHERE oid = 1043", []),
    "columns of a table": ("""
SELECT column_name, data_type, is_nullable FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position""", ["{schema}", "{table}"]),
    "tables of a schema": ("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", ["{schema}"]),
    "regclass": ("SELECT '{schema}.{table}'::regclass::oid", []),
}


def lakegate(to, user="admin", password=None):
    known = {each["name"]: each["password"] for each in to["users"]}
    connection = psycopg.connect(
        host=to["postgres"]["host"], port=to["postgres"]["port"], user=user, password=password or known[user],
        dbname="awsdatacatalog", sslmode="verify-full", sslrootcert=to["tls"]["ca_file"], autocommit=True,
    )  # fmt: skip
    connection.prepare_threshold = None
    return connection


def columns(index):
    return ", ".join(f"c_{number:03} {TYPES[number % len(TYPES)][index]}" for number in range(100))


def make(connection, tables, create, block=100):
    """Makes those of the tables that are missing."""
    there = connection.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [SCHEMA])
    missing = sorted({f"t_{number:05}" for number in range(tables)} - {name for (name,) in there})
    began = time.perf_counter()
    for first in range(0, len(missing), block):
        with connection.transaction():
            for name in missing[first : first + block]:
                connection.execute(create(name))
    if missing:
        print(f"{len(missing)} tables made in {time.perf_counter() - began:.0f} s", flush=True)


def timed(connection, sql, parameters):
    started = time.perf_counter()
    rows = connection.execute(sql, parameters or None).fetchall()
    return (time.perf_counter() - started) * 1e3, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", required=True)
    parser.add_argument("--postgres", help="how to connect to a PostgreSQL server; a database is made in it")
    parser.add_argument("--tables", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", default="", help="only what has this in its name")
    arguments = parser.parse_args()

    to = json.loads(Path(arguments.connection_file).read_text())
    admin = lakegate(to)
    admin.execute(f"CREATE DATABASE IF NOT EXISTS {SCHEMA} LOCATION 's3://datalake/{SCHEMA}/'")
    make(admin, arguments.tables, lambda name: (
        f"CREATE EXTERNAL TABLE {SCHEMA}.{name} ({columns(0)}) STORED AS PARQUET LOCATION 's3://datalake/{SCHEMA}/{name}/'"
    ))  # fmt: skip
    if not admin.execute("SELECT 1 FROM pg_user WHERE usename = %s", [USER]).fetchall():
        admin.execute(f"CREATE USER {USER} PASSWORD '{PASSWORD}'")
        for number in range(GRANTED):
            admin.execute(f"GRANT SELECT ON TABLE {SCHEMA}.t_{40 + number:05} TO {USER}")
    servers = {"admin": admin, "reader": lakegate(to, USER, PASSWORD)}
    if arguments.postgres:
        with psycopg.connect(arguments.postgres, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [SCHEMA]).fetchall():
                connection.execute(f"CREATE DATABASE {SCHEMA}")
        postgres = psycopg.connect(arguments.postgres, dbname=SCHEMA, autocommit=True, prepare_threshold=None)
        postgres.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        make(postgres, arguments.tables, lambda name: f"CREATE TABLE {SCHEMA}.{name} ({columns(1)})")
        postgres.execute("VACUUM ANALYZE")
        servers["postgres"] = postgres
    for connection in servers.values():
        connection.execute(f"SET search_path = {SCHEMA}")
    # What is about this table is asked about another one each time, as far as all may see it.
    oids = {}
    for name, connection in servers.items():
        found = connection.execute(
            "SELECT c.relname, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            f" WHERE n.nspname = '{SCHEMA}' AND c.relkind IN ('r', 'v')"
        )
        oids[name] = dict(found.fetchall())

    print(f"{'':32}" + "".join(f"{name:>12}" for name in servers) + ("   ratio admin, reader" if arguments.postgres else ""))
    sums = {name: [0.0] * arguments.runs for name in servers}
    questions = [(name, sql, []) for name, sql in PSQL_D.items()]
    questions += [(name, sql, parameters) for name, (sql, parameters) in OTHERS.items()]
    for question, sql, parameters in questions:
        if arguments.only not in question:
            continue
        times = {name: [] for name in servers}
        for run in range(-1, arguments.runs):
            table = f"t_{40 + run % GRANTED:05}"
            answers = {}
            for name, connection in servers.items():
                fill = {"schema": SCHEMA, "table": table, "oid": oids[name][table]}
                took, rows = timed(connection, sql.format(**fill), [value.format(**fill) for value in parameters])
                answers[name] = len(rows)
                if run >= 0:
                    times[name].append(took)
                    if question in PSQL_D:
                        sums[name][run] += took
            if answers["admin"] != answers.get("postgres", answers["admin"]):
                print(f"  {question}: {answers} rows")
        show(question, times)
    show(r"\d: all", sums)


def show(question, times):
    line = f"{question:32}" + "".join(f"{statistics.median(values):12.2f}" for values in times.values())
    if "postgres" in times:
        for name in ("admin", "reader"):
            ratios = [ours / max(theirs, 1e-6) for ours, theirs in zip(times[name], times["postgres"], strict=True)]
            line += f"{statistics.median(ratios):10.1f}"
    print(line, flush=True)


if __name__ == "__main__":
    main()
