-- Statements in the shapes that tools, drivers and object mappers send, each with the columns that
-- PostgreSQL 15 describes it with, and whether it has rows there over tables like those of the demo.
-- `tests/clients/test_tool_statements.py` reads this file: what it says of a statement stands above it,
-- and an empty line ends it.

-- Django, inspectdb: tables and views
-- columns: relname name, case text, obj_description text
-- rows: some
SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END, obj_description(c.oid, 'pg_class')
FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_table_is_visible(c.oid)

-- Django, inspectdb: columns
-- columns: attname name, nullable bool, initial text, collation name, is_identity bool
-- rows: some
SELECT a.attname, NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)) AS nullable, pg_get_expr(d.adbin, d.adrelid) AS initial,
  CASE WHEN collname = 'default' THEN NULL ELSE collname END AS collation, a.attidentity != '' AS is_identity
FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum LEFT JOIN pg_collation l ON a.attcollation = l.oid
  JOIN pg_type t ON a.atttypid = t.oid JOIN pg_class c ON a.attrelid = c.oid
WHERE c.relname = 'orders' AND pg_table_is_visible(c.oid) AND a.attnum > 0

-- Django, inspectdb: constraints
-- columns: conname name, columns name[], contype char, reloptions text[]
-- rows: none
SELECT c.conname, array(SELECT attname FROM unnest(c.conkey) WITH ORDINALITY k(number, place) JOIN pg_attribute a ON a.attnum = k.number
    WHERE a.attrelid = c.conrelid ORDER BY k.place) AS columns, c.contype, r.reloptions
FROM pg_constraint c JOIN pg_class r ON c.conrelid = r.oid WHERE r.relname = 'orders'

-- Django, inspectdb: indexes
-- columns: name name, array_agg name[], indisunique bool, array_agg text[], amname name
-- rows: none
SELECT name, array_agg(attname ORDER BY place), indisunique, array_agg(direction ORDER BY place), amname FROM (
  SELECT i.relname AS name, x.*, a.attname, m.amname, CASE m.amname WHEN 'btree' THEN CASE (option & 1) WHEN 1 THEN 'DESC' ELSE 'ASC' END END AS direction
  FROM (SELECT * FROM pg_index p, unnest(p.indkey, p.indoption) WITH ORDINALITY k(key, option, place)) x
    LEFT JOIN pg_class t ON x.indrelid = t.oid LEFT JOIN pg_class i ON x.indexrelid = i.oid LEFT JOIN pg_am m ON i.relam = m.oid
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.key
  WHERE t.relname = 'orders') s GROUP BY name, indisunique, amname

-- Rails: types
-- columns: oid oid, typname name, typelem oid, typdelim char, typinput regproc, rngsubtype oid, typtype char, typbasetype oid
-- rows: some
SELECT t.oid, t.typname, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typtype, t.typbasetype FROM pg_type AS t LEFT JOIN pg_range AS r ON oid = rngtypid
WHERE t.typname IN ('int4', 'numeric') OR t.typtype IN ('r', 'd') OR t.typinput = 'array_in(cstring,oid,integer)'::regprocedure

-- Rails: primary key
-- columns: attname name
-- rows: none
SELECT a.attname FROM (SELECT indrelid, indkey, generate_subscripts(indkey, 1) place FROM pg_index WHERE indrelid = '"orders"'::regclass AND indisprimary) i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[i.place] ORDER BY i.place

-- Sequelize: columns
-- columns: Field name, Null varchar, Type text, special name[], comment text
-- rows: some
SELECT c.column_name AS "Field", c.is_nullable AS "Null",
  (CASE WHEN c.udt_name = 'hstore' THEN c.udt_name ELSE c.data_type END) || (CASE WHEN c.character_maximum_length IS NOT NULL THEN '(' || c.character_maximum_length || ')' ELSE '' END) AS "Type",
  (SELECT array_agg(e.enumlabel) FROM pg_type t JOIN pg_enum e ON t.oid = e.enumtypid WHERE t.typname = c.udt_name) AS special,
  (SELECT d.description FROM pg_statio_all_tables s JOIN pg_description d ON d.objoid = s.relid WHERE c.ordinal_position = d.objsubid AND c.table_name = s.relname) AS comment
FROM information_schema.columns c WHERE c.table_name = 'orders' AND c.table_schema = 'curated'

-- Sequelize: indexes
-- columns: name name, primary bool, keys int2[], included int2[], columns name[], pg_get_indexdef text
-- rows: none
SELECT i.relname AS name, x.indisprimary AS primary, x.indkey[:x.indnkeyatts-1] AS keys, x.indkey[x.indnkeyatts:] AS included, array_agg(a.attname) AS columns, pg_get_indexdef(x.indexrelid)
FROM pg_class t, pg_class i, pg_index x, pg_attribute a WHERE t.oid = x.indrelid AND i.oid = x.indexrelid AND a.attrelid = t.oid AND t.relname = 'orders'
GROUP BY i.relname, x.indexrelid, x.indisprimary, x.indkey, x.indnkeyatts ORDER BY i.relname

-- Sequelize: ranges
-- columns: typname name, typtype char, oid oid, typarray oid, name name, list oid
-- rows: some
WITH ranges AS (SELECT r.rngtypid, t.typname AS name, t.typarray AS list, r.rngsubtype FROM pg_range r LEFT JOIN pg_type t ON t.oid = r.rngtypid)
SELECT t.typname, t.typtype, t.oid, t.typarray, ranges.name, ranges.list FROM pg_type t LEFT JOIN ranges ON t.oid = ranges.rngsubtype WHERE (t.typtype IN ('b', 'e'))

-- TypeORM: columns
-- columns: column_name name, ordinal_position int4, numeric_scale int4, regtype text, format_type text
-- rows: some
SELECT "columns"."column_name", "columns"."ordinal_position", "columns"."numeric_scale", ('"' || "udt_schema" || '"."' || "udt_name" || '"')::"regtype"::text AS "regtype", format_type("a"."atttypid", "a"."atttypmod") AS "format_type"
FROM "information_schema"."columns" LEFT JOIN "pg_attribute" AS "a" ON "a"."attname" = "columns"."column_name" AND "a"."attrelid" = (
  SELECT "c"."oid" FROM "pg_class" AS "c" LEFT JOIN "pg_namespace" AS "n" ON "n"."oid" = "c"."relnamespace" WHERE "c"."relname" = "columns"."table_name" AND "n"."nspname" = "columns"."table_schema")
WHERE "table_schema" = 'curated' AND "table_name" = 'orders'

-- TypeORM: foreign keys
-- columns: conname name, column name, on_delete text
-- rows: none
SELECT "k"."conname", "b"."attname" AS "column", "k"."confdeltype" AS "on_delete" FROM (
  SELECT UNNEST ("f"."conkey") AS "parent", UNNEST ("f"."confkey") AS "child", "f"."confrelid", "f"."conrelid", "f"."conname", CASE "f"."confdeltype" WHEN 'a' THEN 'NO ACTION' WHEN 'c' THEN 'CASCADE' END AS "confdeltype"
  FROM "pg_class" "t" INNER JOIN "pg_constraint" "f" ON "f"."conrelid" = "t"."oid" WHERE "f"."contype" = 'f') "k"
INNER JOIN "pg_attribute" "a" ON "a"."attrelid" = "k"."confrelid" AND "a"."attnum" = "k"."child" INNER JOIN "pg_class" "t" ON "t"."oid" = "k"."confrelid" AND "t"."relispartition" = 'f'
INNER JOIN "pg_attribute" "b" ON "b"."attrelid" = "k"."conrelid" AND "b"."attnum" = "k"."parent"

-- TypeORM: indexes
-- columns: name name, attname name, is_unique text, condition text
-- rows: none
SELECT "i"."relname" AS "name", "a"."attname", CASE "x"."indisunique" WHEN 't' THEN 'TRUE' ELSE 'FALSE' END AS "is_unique", pg_get_expr("x"."indpred", "x"."indrelid") AS "condition"
FROM "pg_class" "t" INNER JOIN "pg_index" "x" ON "x"."indrelid" = "t"."oid" INNER JOIN "pg_attribute" "a" ON "a"."attrelid" = "t"."oid" AND "a"."attnum" = ANY ("x"."indkey")
INNER JOIN "pg_class" "i" ON "i"."oid" = "x"."indexrelid" LEFT JOIN "pg_constraint" "c" ON "c"."conname" = "i"."relname" WHERE "c"."contype" IS NULL AND "t"."relname" = 'orders'

-- Knex, schema inspector: columns
-- columns: name name, schema text, data_type text, max_length int4, precision int4
-- rows: some
SELECT a.attname AS name, r.relnamespace::regnamespace::text AS schema, a.atttypid::regtype::text AS data_type,
  CASE WHEN a.atttypid IN (1042, 1043) THEN (a.atttypmod - 4)::int4 ELSE NULL END AS max_length,
  CASE a.atttypid WHEN 23 THEN 32 WHEN 1700 THEN CASE WHEN a.atttypmod = -1 THEN NULL ELSE (((a.atttypmod - 4) >> 16) & 65535)::int4 END ELSE NULL END AS precision
FROM pg_attribute a LEFT JOIN pg_class r ON a.attrelid = r.oid LEFT JOIN pg_attrdef d ON (a.attrelid, a.attnum) = (d.adrelid, d.adnum) LEFT JOIN pg_description c ON (a.attrelid, a.attnum) = (c.objoid, c.objsubid)
WHERE r.relnamespace IN ('curated'::regnamespace) AND r.relname = 'orders' AND a.attnum > 0 ORDER BY a.attnum

-- Drizzle: tables and views
-- columns: table_schema name, table_name name, type text, rls_enabled bool
-- rows: some
SELECT n.nspname AS table_schema, c.relname AS table_name, CASE WHEN c.relkind = 'r' THEN 'table' WHEN c.relkind = 'v' THEN 'view' END AS type, c.relrowsecurity AS rls_enabled
FROM pg_class c JOIN pg_namespace n ON n.oid::text = c.relnamespace::text WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname IN ('curated')

-- Prisma: tables
-- columns: table_name name, namespace name, is_partition bool, reloptions text[]
-- rows: some
SELECT t.relname AS table_name, n.nspname AS namespace, (t.relhassubclass AND t.relkind = 'p') AS is_partition, reloptions FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE ((t.relkind = 'r' AND t.relispartition = 'f') OR t.relkind = 'p') AND n.nspname = ANY ('{curated}') ORDER BY namespace, table_name

-- Prisma: indexes
-- columns: index_name name, opcname name, column_order text
-- rows: none
WITH raw AS (SELECT indrelid, indexrelid, indisunique, unnest(indkey) AS key, generate_subscripts(indkey, 1) AS place, unnest(indclass) AS class, unnest(indoption) AS option FROM pg_index WHERE indpred IS NULL AND NOT indisexclusion)
SELECT i.relname AS index_name, o.opcname, CASE raw.option & 1 WHEN 1 THEN 'DESC' ELSE 'ASC' END AS column_order FROM raw JOIN pg_class i ON i.oid = raw.indexrelid LEFT JOIN pg_opclass o ON o.oid = raw.class
JOIN pg_class t ON t.oid = raw.indrelid WHERE t.relname = 'orders' AND NOT EXISTS (SELECT indrelid FROM pg_index AS x WHERE x.indexrelid = raw.indexrelid AND (indkey::int2[])[0] = 0) ORDER BY 1

-- postgrex: types
-- columns: oid oid, typname name, typsend regproc, typreceive regproc, typoutput regproc, typinput regproc, coalesce oid, coalesce oid, array oid[]
-- rows: some
SELECT t.oid, t.typname, t.typsend, t.typreceive, t.typoutput, t.typinput, coalesce(d.typelem, t.typelem), coalesce(r.rngsubtype, 0),
  ARRAY (SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
FROM pg_type AS t LEFT JOIN pg_type AS d ON t.typbasetype = d.oid LEFT JOIN pg_range AS r ON r.rngtypid = t.oid OR r.rngmultitypid = t.oid OR (t.typbasetype <> 0 AND r.rngtypid = t.typbasetype)
WHERE (t.typrelid = 0) AND (t.typelem = 0 OR NOT EXISTS (SELECT 1 FROM pg_type s WHERE s.typrelid != 0 AND s.oid = t.typelem))

-- EF Core, scaffolding: tables
-- columns: nspname name, relname name, relkind char, description text, reloptions text[]
-- rows: some
SELECT nspname, relname, relkind, description, reloptions FROM pg_class AS r JOIN pg_namespace AS n ON n.oid = r.relnamespace LEFT OUTER JOIN pg_description AS d ON d.objoid = r.oid AND d.objsubid = 0
WHERE r.relkind IN ('r', 'v', 'm', 'f') AND n.nspname = 'curated' AND NOT EXISTS (SELECT 1 FROM pg_depend
  WHERE classid = (SELECT r.oid FROM pg_class AS r JOIN pg_namespace AS n ON n.oid = r.relnamespace WHERE relname = 'pg_class' AND n.nspname = 'pg_catalog') AND objid = r.oid AND deptype IN ('e', 'x'))

-- EF Core, scaffolding: columns
-- columns: typname name, attname name, description text, collname name, attidentity text, attcompression text, written text, base text, kind char, initial text, seqtype text, seqstart int8, seqcycle bool
-- rows: some
SELECT typ.typname, attname, description, collname, attidentity::text, attcompression::text, format_type(typ.oid, atttypmod) AS written, format_type(base.oid, typ.typtypmod) AS base,
  CASE WHEN pg_proc.proname = 'array_recv' THEN 'a' ELSE typ.typtype END AS kind, CASE WHEN atthasdef THEN (SELECT pg_get_expr(adbin, r.oid) FROM pg_attrdef WHERE adrelid = r.oid AND adnum = a.attnum) END AS initial,
  format_type(seqtypid, 0) AS seqtype, seqstart, seqcycle
FROM pg_class AS r LEFT JOIN pg_attribute AS a ON attrelid = r.oid LEFT JOIN pg_type AS typ ON a.atttypid = typ.oid LEFT JOIN pg_proc ON pg_proc.oid = typ.typreceive LEFT JOIN pg_type AS base ON base.oid = typ.typbasetype
  LEFT JOIN pg_description AS d ON d.objoid = r.oid AND d.objsubid = attnum LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
  LEFT JOIN pg_depend AS dep ON dep.refobjid = r.oid AND dep.refobjsubid = a.attnum AND dep.deptype = 'i' LEFT JOIN pg_sequence AS s ON s.seqrelid = dep.objid
WHERE r.oid = 'curated.orders'::regclass AND attnum > 0 ORDER BY attnum

-- Npgsql: composite types
-- columns: oid oid, attname name, atttypid oid
-- rows: none
SELECT t.oid, a.attname, a.atttypid FROM pg_type AS t JOIN pg_class AS c ON (c.oid = t.typrelid) JOIN pg_attribute AS a ON (a.attrelid = t.typrelid)
WHERE (t.typtype = 'c' AND c.relkind = 'c') AND attnum > 0 AND NOT attisdropped ORDER BY t.oid, a.attnum

-- Npgsql: columns of a result
-- columns: typoid oid, nspname name, relname name, attname name, attrelid oid, attnum int2, is_identity bool, typmod int4, is_key bool, is_unique bool
-- rows: some
SELECT t.oid AS typoid, nspname, relname, attname, attrelid, attnum, attidentity != '' AS is_identity, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE atttypmod END AS typmod,
  EXISTS (SELECT * FROM pg_index WHERE pg_index.indrelid = c.oid AND pg_index.indisprimary AND attnum = ANY (indkey)) AS is_key,
  EXISTS (SELECT * FROM pg_index WHERE pg_index.indrelid = c.oid AND pg_index.indisunique AND pg_index.indnkeyatts = 1 AND attnum = pg_index.indkey[0]) AS is_unique
FROM pg_attribute AS a JOIN pg_type AS t ON a.atttypid = t.oid JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE atttypid <> 0 AND relkind IN ('r', 'v', 'm') AND NOT attisdropped AND attnum > 0 AND ((a.attrelid = 'curated.orders'::regclass AND a.attnum = 1) OR (a.attrelid = 'curated.orders'::regclass AND a.attnum = 2)) ORDER BY attnum

-- pgjdbc: a type by its name
-- columns: is_array bool, typtype char, typname name, oid oid
-- rows: some
SELECT typinput = 'pg_catalog.array_in'::regproc AS is_array, typtype, typname, pg_type.oid FROM pg_type
LEFT JOIN (SELECT n.oid AS number, n.nspname, r.r FROM pg_namespace AS n JOIN (SELECT s.r, (current_schemas(false))[s.r] AS nspname FROM generate_series(1, array_upper(current_schemas(false), 1)) AS s(r)) AS r USING (nspname)) AS p ON p.number = typnamespace
WHERE typname = 'int4' ORDER BY p.r, pg_type.oid DESC

-- pgjdbc: columns
-- columns: relname name, attname name, attnotnull bool, attnum int8, attidentity char, typtype char
-- rows: some
SELECT * FROM (SELECT c.relname, a.attname, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS attnotnull, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum, nullif(a.attidentity, '') AS attidentity, t.typtype
  FROM pg_class c JOIN pg_attribute a ON (a.attrelid = c.oid) JOIN pg_type t ON (a.atttypid = t.oid) WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND c.relname LIKE 'ord%') c WHERE true ORDER BY c.relname, attnum

-- pgjdbc: primary keys
-- columns: PK_NAME name
-- rows: none
SELECT r.name AS "PK_NAME" FROM (SELECT a.attname AS name, (information_schema._pg_expandarray(i.indkey)).n AS place, information_schema._pg_expandarray(i.indkey) AS keys, a.attnum
  FROM pg_class t JOIN pg_attribute a ON t.oid = a.attrelid JOIN pg_index i ON a.attrelid = i.indrelid WHERE t.relname = 'orders' AND i.indisprimary) r WHERE r.attnum = (r.keys).x ORDER BY r.place

-- psqlODBC: indexes
-- columns: relname name, indkey int2vector, indisunique bool, amname name, case int4
-- rows: none
SELECT c.relname, i.indkey, i.indisunique, a.amname, CASE WHEN i.indexprs IS NULL THEN NULL ELSE 0 END FROM pg_index i, pg_class c, pg_class d, pg_am a
WHERE d.relname = 'orders' AND d.oid OPERATOR(pg_catalog.=) i.indrelid AND i.indexrelid OPERATOR(pg_catalog.=) c.oid AND c.relam OPERATOR(pg_catalog.=) a.oid ORDER BY i.indisprimary DESC, c.relname

-- dbt: catalog
-- columns: table_schema name, table_name name, table_type text, column_name name, column_index int2, column_type text, table_owner name
-- rows: some
SELECT s.nspname AS table_schema, t.relname AS table_name, CASE t.relkind WHEN 'v' THEN 'VIEW' ELSE 'BASE TABLE' END AS table_type, c.attname AS column_name, c.attnum AS column_index, format_type(c.atttypid, c.atttypmod) AS column_type, pg_get_userbyid(t.relowner) AS table_owner
FROM pg_namespace s JOIN pg_class t ON t.relnamespace = s.oid JOIN pg_attribute c ON c.attrelid = t.oid LEFT OUTER JOIN pg_description d ON (d.objoid = t.oid AND d.objsubid = c.attnum)
WHERE (upper(s.nspname) = upper('curated')) AND NOT pg_is_other_temp_schema(s.oid) AND t.relpersistence IN ('p', 'u') AND c.attnum > 0 ORDER BY 1, 2, c.attnum

-- dbt: relations that depend on others
-- columns: dependent name, referenced name
-- rows: none
WITH relation AS (SELECT c.oid AS id, c.relname AS name FROM pg_class c JOIN pg_namespace n ON c.relnamespace = n.oid WHERE n.nspname = 'curated'),
dependency AS (SELECT DISTINCT coalesce(r.ev_class, d.objid) AS dependent, d.refobjid AS referenced FROM pg_depend d LEFT JOIN pg_rewrite r ON d.objid = r.oid WHERE coalesce(r.ev_class, d.objid) != d.refobjid)
SELECT DISTINCT a.name AS dependent, b.name AS referenced FROM dependency JOIN relation b ON dependency.referenced = b.id JOIN relation a ON dependency.dependent = a.id WHERE a.name = 'absent'

-- Metabase: columns
-- columns: name name, database-type text, database-required bool
-- rows: some
SELECT "c"."column_name" AS "name", CASE WHEN "c"."udt_schema" IN ('public', 'pg_catalog') THEN FORMAT('%s', "c"."udt_name") ELSE FORMAT('"%s"."%s"', "c"."udt_schema", "c"."udt_name") END AS "database-type",
  (("column_default" IS NULL) OR (LOWER("column_default") = 'null')) AND ("is_nullable" = 'NO') AND NOT ((("column_default" IS NOT NULL) AND ("column_default" LIKE '%nextval(%')) OR ("is_identity" <> 'NO')) AS "database-required"
FROM "information_schema"."columns" AS "c" WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND ("c"."table_schema" IN ('curated'))
UNION ALL SELECT "a"."attname", FORMAT('%s', "t"."typname"), FALSE FROM "pg_class" AS "m" INNER JOIN "pg_attribute" AS "a" ON "a"."attrelid" = "m"."oid" INNER JOIN "pg_type" AS "t" ON "t"."oid" = "a"."atttypid" WHERE ("m"."relkind" = 'm') AND ("a"."attnum" >= 1)

-- Metabase: foreign keys
-- columns: fk-table-name name, pk-column-name name
-- rows: none
SELECT "t"."relname" AS "fk-table-name", "p"."attname" AS "pk-column-name" FROM "pg_constraint" AS "c" INNER JOIN "pg_class" AS "t" ON "c"."conrelid" = "t"."oid" INNER JOIN "pg_attribute" AS "p" ON "c"."confrelid" = "p"."attrelid"
WHERE ("c"."contype" = 'f'::char) AND ("p"."attnum" = ANY(c.confkey)) ORDER BY "fk-table-name" ASC

-- Metabase: a table's fingerprints
-- columns: order_id text, part text
-- rows: some
SELECT "s"."order_id" AS "order_id", "s"."part" FROM (SELECT "curated"."orders"."order_id" AS "order_id", SUBSTRING("curated"."orders"."customer_id", 1, 1234) AS "part" FROM "curated"."orders" LIMIT 100) AS "s"

-- Metabase: bins
-- columns: price numeric, count int8
-- rows: some
SELECT FLOOR((("curated"."orders"."price" - 0.0) / 12.5)) * 12.5 + 0.0 AS "price", COUNT(*) AS "count" FROM "curated"."orders" GROUP BY FLOOR((("curated"."orders"."price" - 0.0) / 12.5)) * 12.5 + 0.0 ORDER BY 1

-- Metabase: a pivot table
-- columns: m timestamp, sum numeric, pivot-grouping int4
-- rows: some
SELECT "s"."m", "s"."sum", "s"."pivot-grouping" FROM (SELECT DATE_TRUNC('month', "curated"."orders"."created_at") AS "m", ABS(0) AS "pivot-grouping", SUM("curated"."orders"."total") AS "sum" FROM "curated"."orders"
WHERE ("curated"."orders"."created_at" < timestamp with time zone '2030-01-01 00:00Z') GROUP BY DATE_TRUNC('month', "curated"."orders"."created_at"), ABS(0)) AS "s" ORDER BY 1

-- Superset, Redash: columns
-- columns: table_schema name, table_name name, column_name name, data_type regtype
-- rows: some
SELECT s.nspname AS table_schema, c.relname AS table_name, a.attname AS column_name, a.atttypid::regtype AS data_type FROM pg_class c JOIN pg_namespace s ON c.relnamespace = s.oid AND s.nspname NOT IN ('pg_catalog', 'information_schema')
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE c.relkind = 'm' AND has_table_privilege(s.nspname || '.' || c.relname, 'select')
UNION SELECT table_schema, table_name, column_name, data_type::regtype FROM information_schema.columns WHERE table_schema = 'curated' AND data_type <> 'ARRAY'

-- Looker: times
-- columns: d date, t float8, m text
-- rows: some
SELECT DATE(o.created_at AT TIME ZONE 'UTC' AT TIME ZONE 'America/Los_Angeles') AS d, COALESCE(SUM(CAST(o.total AS DOUBLE PRECISION)), 0) AS t, TO_CHAR(DATE_TRUNC('month', o.created_at), 'YYYY-MM') AS m FROM curated.orders AS o
WHERE ((( o.created_at ) >= ((SELECT (DATE_TRUNC('day', TIMESTAMP '2024-03-01') + (-29 || ' day')::INTERVAL))) AND ( o.created_at ) < ((SELECT ((DATE_TRUNC('day', TIMESTAMP '2024-03-01') + (-29 || ' day')::INTERVAL) + (30 || ' day')::INTERVAL)))))
GROUP BY (1), (3) ORDER BY 1 DESC FETCH NEXT 500 ROWS ONLY

-- Looker: running statements
-- columns: pid int4, elapsed int4, query text
-- rows: some
SELECT pid, EXTRACT(EPOCH FROM (CURRENT_TIMESTAMP - query_start))::integer AS elapsed, query FROM pg_stat_activity WHERE state = 'active'

-- Cube: types
-- columns: oid oid, typcategory char, typname name
-- rows: some
SELECT oid, typcategory, typname FROM pg_type WHERE typcategory IN ('N', 'E')

-- Cube: a series of days
-- columns: from timestamp, to timestamp
-- rows: some
SELECT a::timestamp AS "from", b::timestamp AS "to" FROM (VALUES ('2024-01-01T00:00:00.000', '2024-01-01T23:59:59.999'), ('2024-01-02T00:00:00.000', '2024-01-02T23:59:59.999')) AS dates (a, b)

-- Cube: a day of a time zone
-- columns: day timestamp, count int8
-- rows: some
SELECT date_trunc('day', ("o".created_at::timestamptz AT TIME ZONE 'UTC')) "day", count("o".order_id) "count" FROM curated.orders AS "o" WHERE ("o".created_at >= '2024-01-01T00:00:00.000Z'::timestamptz) GROUP BY 1 ORDER BY 1 ASC LIMIT 10000

-- Hasura: tables as JSON
-- columns: tables json
-- rows: some
SELECT COALESCE(json_agg(row_to_json(i)), '[]'::json) AS tables FROM (SELECT t.table_name, jsonb_agg(jsonb_build_object('name', c.column_name, 'position', c.ordinal_position, 'nullable', c.is_nullable::boolean)) AS columns
FROM information_schema.tables t JOIN information_schema.columns c ON c.table_schema = t.table_schema AND c.table_name = t.table_name WHERE t.table_schema = 'curated' GROUP BY t.table_name) i

-- Hasura: rows as JSON
-- columns: root json
-- rows: some
SELECT coalesce(json_agg("root"), '[]') AS "root" FROM (SELECT row_to_json((SELECT "e" FROM (SELECT "b"."order_id" AS "order_id", "b"."quantity" AS "quantity") AS "e")) AS "root" FROM (SELECT * FROM "curated"."orders" WHERE ('true') LIMIT 3) AS "b") AS "_root"

-- PostgREST: rows as JSON
-- columns: total int8, page int8, body json, headers text
-- rows: some
WITH source AS (SELECT "curated"."orders"."order_id", "curated"."orders"."quantity" FROM "curated"."orders" WHERE "curated"."orders"."quantity" > '2' ORDER BY "curated"."orders"."order_id" LIMIT 5 OFFSET 0)
SELECT null::bigint AS total, pg_catalog.count(t) AS page, coalesce(json_agg(t), '[]') AS body, nullif(current_setting('response.headers', true), '') AS headers FROM (SELECT * FROM source) t

-- PostgREST: settings of a request
-- columns: set_config text, set_config text, set_config text
-- rows: some
SELECT set_config('search_path', 'curated', true), set_config('role', current_user, true), set_config('request.jwt.claims', '{}', true)

-- PostgREST: base types
-- columns: typname name, base oid
-- rows: some
WITH base AS (WITH RECURSIVE r AS (SELECT oid, typbasetype, COALESCE(NULLIF(typbasetype, 0), oid) AS base FROM pg_type
  UNION SELECT t.oid, b.typbasetype, COALESCE(NULLIF(b.typbasetype, 0), b.oid) FROM r t JOIN pg_type b ON t.typbasetype = b.oid) SELECT oid, base FROM r WHERE typbasetype = 0)
SELECT t.typname, base.base FROM base JOIN pg_type t ON t.oid = base.oid WHERE t.typname = 'int4'

-- postgres-meta: columns
-- columns: table_id int8, id text, data_type text, enums json, is_updatable bool
-- rows: some
SELECT c.oid :: int8 AS table_id, (c.oid || '.' || a.attnum) AS id, CASE WHEN t.typelem <> 0 :: oid AND t.typlen = -1 THEN 'ARRAY' WHEN nt.nspname = 'pg_catalog' THEN format_type(a.atttypid, NULL) ELSE 'USER-DEFINED' END AS data_type,
  array_to_json(array(SELECT enumlabel FROM pg_enum e WHERE e.enumtypid = coalesce(b.oid, t.oid) OR e.enumtypid = coalesce(b.typelem, t.typelem) ORDER BY e.enumsortorder)) AS enums,
  (c.relkind IN ('r', 'p') OR c.relkind IN ('v', 'f') AND pg_column_is_updatable(c.oid, a.attnum, FALSE)) AS is_updatable
FROM pg_attribute a JOIN (pg_class c JOIN pg_namespace n ON c.relnamespace = n.oid) ON a.attrelid = c.oid JOIN (pg_type t JOIN pg_namespace nt ON t.typnamespace = nt.oid) ON a.atttypid = t.oid
  LEFT JOIN (pg_type b JOIN pg_namespace nb ON b.typnamespace = nb.oid) ON t.typtype = 'd' AND t.typbasetype = b.oid
  LEFT JOIN (SELECT DISTINCT ON (tab, num) conrelid AS tab, conkey[1] AS num FROM pg_constraint WHERE contype = 'u' AND cardinality(conkey) = 1) u ON u.tab = c.oid AND u.num = a.attnum
WHERE n.nspname IN ('curated') AND a.attnum > 0 AND (pg_has_role(c.relowner, 'USAGE') OR has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))

-- postgres-meta: privileges
-- columns: name name, privileges jsonb
-- rows: some
SELECT c.relname AS name, coalesce(jsonb_agg(jsonb_build_object('grantor', g.rolname, 'privilege_type', p.privilege_type, 'is_grantable', p.is_grantable)) FILTER (WHERE p IS NOT NULL), '[]') AS privileges
FROM pg_class c LEFT JOIN LATERAL (SELECT grantor, grantee, privilege_type, is_grantable FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner)))) AS p ON true LEFT JOIN pg_roles AS g ON g.oid = p.grantor
WHERE c.oid = 'curated.orders'::regclass GROUP BY c.relname

-- postgres-meta: settings
-- columns: name text, setting text, group text, unit text, enumvals text[], pending_restart bool
-- rows: some
SELECT name, setting, TRIM(split_part(category, '/', 1)) AS group, unit, enumvals, pending_restart FROM pg_settings ORDER BY category, name LIMIT 20

-- pgAdmin: databases
-- columns: did oid, name name, spcname name, datallowconn bool, encoding name, cancreate bool, datistemplate bool, comment text, acl text, datacl text
-- rows: some
SELECT d.oid AS did, d.datname AS name, ta.spcname, d.datallowconn, pg_encoding_to_char(d.encoding) AS encoding, has_database_privilege(d.oid, 'CREATE') AS cancreate, d.datistemplate, shobj_description(d.oid, 'pg_database') AS comment,
  (SELECT array_to_string(ARRAY(SELECT array_to_string(defaclacl::text[], ', ') FROM pg_default_acl WHERE defaclobjtype = 'r'), ', ')) AS acl, array_to_string(d.datacl::text[], ', ') AS datacl
FROM pg_database d LEFT OUTER JOIN pg_tablespace ta ON d.dattablespace = ta.oid WHERE d.datname = current_database()

-- pgAdmin: a table
-- columns: oid oid, name name, spcoid oid, spcname name, triggers int8, is_partitioned bool, acl bool, fillfactor text, autovacuum bool
-- rows: some
SELECT r.oid, r.relname AS name, r.reltablespace AS spcoid, CASE WHEN length(s.spcname::text) > 0 OR r.relkind = 'p' THEN s.spcname ELSE (SELECT sp.spcname FROM pg_database d JOIN pg_tablespace sp ON d.dattablespace = sp.oid WHERE d.datname = current_database()) END AS spcname,
  (SELECT count(*) FROM pg_trigger WHERE tgrelid = r.oid AND tgisinternal = FALSE) AS triggers, (CASE WHEN r.relkind = 'p' THEN true ELSE false END) AS is_partitioned, array_to_string(r.relacl::text[], ', ') IS NULL AS acl,
  substring(array_to_string(r.reloptions, ',') FROM 'fillfactor=([0-9]*)') AS fillfactor, (substring(array_to_string(r.reloptions, ',') FROM 'autovacuum_enabled=([a-z|0-9]*)'))::boolean AS autovacuum
FROM pg_class r LEFT OUTER JOIN pg_tablespace s ON s.oid = r.reltablespace LEFT JOIN pg_class toast ON toast.oid = r.reltoastrelid WHERE r.oid = 'curated.orders'::regclass

-- pgAdmin: statistics of a table
-- columns: Sequential scans int8, Tuples inserted int8, Live tuples int8, Heap blocks read int8, Index blocks hit int8, Last vacuum timestamptz, Autoanalyze counter int8
-- rows: some
SELECT seq_scan AS "Sequential scans", n_tup_ins AS "Tuples inserted", n_live_tup AS "Live tuples", heap_blks_read AS "Heap blocks read", idx_blks_hit AS "Index blocks hit", last_vacuum AS "Last vacuum", autoanalyze_count AS "Autoanalyze counter"
FROM pg_stat_all_tables s JOIN pg_statio_all_tables io ON s.relid = io.relid WHERE s.relid = 'curated.orders'::regclass

-- pgAdmin: the dashboard
-- columns: chart text, data json
-- rows: some
SELECT 'tps' AS chart, row_to_json(t) AS data FROM (SELECT (SELECT sum(xact_commit) + sum(xact_rollback) FROM pg_stat_database) AS "Transactions", (SELECT sum(blks_hit) FROM pg_stat_database) AS "Hits") t
UNION ALL SELECT 'sessions', row_to_json(t) FROM (SELECT (SELECT count(*) FROM pg_stat_activity WHERE state = 'idle') AS "Idle") t

-- Datadog, Prometheus: the writer
-- columns: checkpoints_timed int8, buffers_alloc int8, stats_reset timestamptz
-- rows: some
SELECT checkpoints_timed, buffers_alloc, stats_reset FROM pg_stat_bgwriter

-- Datadog, Prometheus: the archiver and the log
-- columns: archived_count int8, last_archived_wal text, wal_records int8, wal_bytes numeric
-- rows: some
SELECT archived_count, last_archived_wal, wal_records, wal_bytes FROM pg_stat_archiver, pg_stat_wal

-- Datadog, Prometheus: databases
-- columns: datname name, xact_commit int8, tup_returned int8, blk_read_time float8, temp_bytes int8, confl_lock int8
-- rows: some
SELECT datname, xact_commit, tup_returned, blk_read_time, temp_bytes, confl_lock FROM pg_stat_database JOIN pg_stat_database_conflicts USING (datid, datname) WHERE datname = current_database()

-- Choosing a time zone
-- columns: name text, abbrev text, utc_offset interval, is_dst bool
-- rows: some
SELECT name, abbrev, utc_offset, is_dst FROM pg_timezone_names WHERE name = 'Europe/Berlin'

-- Choosing a time zone, by the function
-- columns: name text, seconds int4
-- rows: some
SELECT name, extract(epoch FROM utc_offset)::int AS seconds FROM pg_timezone_names() WHERE name = 'Asia/Kolkata'

-- DBeaver: columns
-- columns: relname name, attrelid oid, attname name, atttypid oid, attnum int2, attoptions text[], def_value text, description text, objid oid
-- rows: some
SELECT c.relname, a.attrelid, a.attname, a.atttypid, a.attnum, a.attoptions, pg_get_expr(d.adbin, d.adrelid, true) AS def_value, s.description, p.objid FROM pg_attribute a INNER JOIN pg_class c ON (a.attrelid = c.oid) LEFT OUTER JOIN pg_attrdef d ON (a.attrelid = d.adrelid AND a.attnum = d.adnum)
LEFT OUTER JOIN pg_description s ON (c.oid = s.objoid AND a.attnum = s.objsubid) LEFT OUTER JOIN pg_depend p ON p.refobjid = a.attrelid AND p.deptype = 'i' AND p.refobjsubid = a.attnum AND p.classid = p.refclassid
WHERE NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 'c') AND c.oid = 'curated.orders'::regclass ORDER BY a.attnum

-- DBeaver: roles
-- columns: rolname name, rolvaliduntil timestamptz, rolconfig text[], roleid oid, admin_option bool
-- rows: some
SELECT r.rolname, r.rolvaliduntil, r.rolconfig, m.roleid, m.admin_option FROM pg_roles r LEFT OUTER JOIN pg_auth_members m ON m.member = r.oid ORDER BY r.rolname

-- DBeaver: sizes
-- columns: oid oid, relname name, total int8, own int8, attcollation regcollation
-- rows: some
SELECT p.oid, p.relname, pg_total_relation_size(c.oid) AS total, pg_relation_size(c.oid) AS own, a.attcollation::regcollation FROM pg_class c, pg_class p, pg_attribute a WHERE c.oid = p.oid AND a.attrelid = c.oid AND a.attnum = 1 AND c.relname = 'orders'

-- Atlas: columns
-- columns: column_name name, format_type text, identity_start int8, comment text, element char
-- rows: some
SELECT c.column_name, format_type(a.atttypid, a.atttypmod) AS format_type, s.start_value AS identity_start, col_description(r.oid, "ordinal_position") AS comment, (CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN (SELECT e.typtype FROM pg_type e WHERE e.oid = t.typelem) END) AS element
FROM "information_schema"."columns" c JOIN pg_namespace n ON n.nspname = c.table_schema JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = c.table_name JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = c.column_name LEFT JOIN pg_type t ON c.udt_name = t.typname AND t.typnamespace = n.oid
  LEFT JOIN pg_sequences s ON quote_ident(s.schemaname) || '.' || quote_ident(s.sequencename) = pg_get_serial_sequence(quote_ident(c.table_schema) || '.' || quote_ident(c.table_name), c.column_name) WHERE c.table_schema = 'curated' AND c.table_name IN ('orders')

-- Airbyte: transactions
-- columns: wraparound int8, remainder int8
-- rows: some
SELECT (txid_snapshot_xmin(txid_current_snapshot()) >> 32) AS wraparound, (txid_snapshot_xmin(txid_current_snapshot()) % (2^32)::bigint) AS remainder

-- Airbyte: an empty SELECT list
-- columns: null_value bool
-- rows: some
SELECT (EXISTS (SELECT FROM "curated"."orders" WHERE "quantity" IS NULL LIMIT 1)) AS "null_value"

-- golang-migrate: a lock
-- columns: a bool, b name, c bool
-- rows: some
SELECT CURRENT_DATABASE() IS NOT NULL AS a, CURRENT_SCHEMA() AS b, pg_try_advisory_lock(1234567) AS c

-- Adminer: indexes
-- columns: relname name, indisunique int4, indkey int2vector, classes text
-- rows: none
SELECT relname, indisunique::int, indkey, (SELECT string_agg(CASE WHEN opcdefault THEN '' ELSE opcname END, ' ' ORDER BY s) FROM generate_subscripts(indclass, 1) AS s JOIN pg_opclass ON pg_opclass.oid = indclass[s]) AS classes
FROM pg_index JOIN pg_class ON indexrelid = oid WHERE indrelid = 'curated.orders'::regclass ORDER BY indisprimary DESC

-- Adminer: columns
-- columns: field name, attnotnull int4, primary oid, typcategory char
-- rows: some
SELECT a.attname AS field, a.attnotnull::int, i.indrelid AS primary, t.typcategory FROM pg_attribute a LEFT JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_index i ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) AND i.indisprimary
WHERE a.attrelid = (SELECT oid FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relname = 'orders') AND a.attnum > 0 ORDER BY a.attnum

-- Power BI: keys
-- columns: pk_column_name name, fk_name text
-- rows: none
SELECT p.COLUMN_NAME AS PK_COLUMN_NAME, c.CONSTRAINT_SCHEMA || '_' || f.TABLE_NAME || '_' || c.CONSTRAINT_NAME AS FK_NAME FROM (SELECT DISTINCT constraint_schema, unique_constraint_schema, constraint_name, unique_constraint_name FROM INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS) c
INNER JOIN INFORMATION_SCHEMA.KEY_COLUMN_USAGE f ON c.CONSTRAINT_NAME = f.CONSTRAINT_NAME INNER JOIN INFORMATION_SCHEMA.KEY_COLUMN_USAGE p ON c.UNIQUE_CONSTRAINT_NAME = p.CONSTRAINT_NAME WHERE p.TABLE_NAME = 'orders' ORDER BY FK_NAME, f.ORDINAL_POSITION

-- Great Expectations: quantiles
-- columns: q int4[], odd int8, s numeric
-- rows: some
SELECT percentile_disc(ARRAY[0.05, 0.5, 0.95]) WITHIN GROUP (ORDER BY quantity) AS q, sum(CASE WHEN (NOT order_id ~ '^[A-Z]') THEN 1 ELSE 0 END) AS odd, stddev_samp(quantity) AS s FROM orders

-- Spark: the columns of a table
-- columns: order_id text, quantity int4, price numeric, created_at timestamp, order_date date
-- rows: none
SELECT * FROM (SELECT order_id, quantity, price, created_at, order_date FROM curated.orders) spark_gen_1 WHERE 1=0

-- pg_dump: schemas
-- columns: tableoid oid, oid oid, nspname name, nspowner oid, acldefault aclitem[]
-- rows: some
SELECT n.tableoid, n.oid, n.nspname, n.nspowner, acldefault('n', n.nspowner) AS acldefault FROM pg_namespace n

-- pganalyze: ages
-- columns: relname name, age int4, mxid_age int4, toast name, reloptions text[]
-- rows: some
SELECT c.relname, age(c.relfrozenxid), mxid_age(c.relminmxid), coalesce(t.relname, 'none') AS toast, c.reloptions FROM pg_class c LEFT JOIN pg_class t ON c.reltoastrelid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'curated'

-- Debezium, Kafka Connect: types
-- columns: oid oid, name name, schema_name name, element oid, parent oid, modifiers int4, category char, labels name[]
-- rows: some
SELECT t.oid AS oid, t.typname AS name, n.nspname AS schema_name, t.typelem AS element, t.typbasetype AS parent, t.typtypmod AS modifiers, t.typcategory AS category, e.labels FROM pg_type t JOIN pg_namespace n ON (t.typnamespace = n.oid)
LEFT JOIN (SELECT t.enumtypid AS id, array_agg(t.enumlabel) AS labels FROM pg_enum t GROUP BY id) e ON (t.oid = e.id) WHERE n.nspname != 'pg_toast' AND t.typcategory <> 'A'

-- pgAdmin: columns
-- columns: schema name, attname name, twice bool, sequence oid, seqrelid oid, seqtypid oid, seqstart int8, seqincrement int8, seqmax int8, seqmin int8, seqcache int8, seqcycle bool
-- rows: some
SELECT DISTINCT ON (a.attnum) (SELECT nspname FROM pg_namespace WHERE oid = t.typnamespace) AS schema, a.attname, (SELECT count(1) FROM pg_type o WHERE o.typname = t.typname) > 1 AS twice,
  (SELECT d.refobjid FROM pg_depend d WHERE d.objid = f.oid AND d.deptype = 'n' ORDER BY d.refobjid LIMIT 1) AS sequence, q.*
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum LEFT JOIN pg_sequence q ON q.seqrelid = a.attrelid WHERE a.attrelid = 'curated.orders'::regclass AND a.attnum > 0 ORDER BY a.attnum

-- pgAdmin: views
-- columns: oid oid, name name, definition text
-- rows: some
SELECT c.oid, c.relname AS name, pg_get_viewdef(c.oid, true) AS definition FROM pg_class c WHERE c.relkind = 'v' AND c.relnamespace = 'information_schema'::regnamespace
AND NOT EXISTS (SELECT 1 FROM pg_rewrite r WHERE r.ev_class = c.oid AND (bpchar(r.ev_type) = '2'::bpchar)) LIMIT 3

-- pgAdmin: default privileges
-- columns: kind text, grantee name, privileges text[]
-- rows: none
(SELECT CASE (a.kind) WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' END AS kind, COALESCE(g.rolname, 'PUBLIC') AS grantee, array_agg(a.privilege_type) AS privileges
FROM (SELECT (acl).grantee AS grantee, (acl).privilege_type AS privilege_type, defaclobjtype AS kind FROM (SELECT defaclobjtype, aclexplode(defaclacl) AS acl FROM pg_default_acl) d) a
LEFT JOIN pg_roles g ON (a.grantee = g.oid) GROUP BY g.rolname, a.kind ORDER BY a.kind)

-- PostGraphile: classes
-- columns: _id oid, relname name, updatable int4
-- rows: some
WITH classes AS (SELECT c.oid AS _id, c.relname, pg_relation_is_updatable(c.oid, true)::bit(8)::int4 AS updatable FROM pg_class c WHERE c.relnamespace = 'curated'::regnamespace) SELECT * FROM classes

-- Drizzle: schemas
-- columns: table_schema name
-- rows: some
SELECT n.nspname AS table_schema FROM pg_namespace n JOIN pg_user u ON u.usesysid = n.nspowner WHERE n.nspname NOT IN ('information_schema', 'pg_catalog', 'public') AND n.nspname NOT LIKE 'pg_toast%'

-- PostgREST: columns
-- columns: relname name, columns bool
-- rows: some
SELECT c.relname, array_agg(row(a.attname, not (a.attnotnull OR t.typtype = 'd' AND t.typnotnull), information_schema._pg_char_max_length(information_schema._pg_truetypid(a.*, t.*), information_schema._pg_truetypmod(a.*, t.*))::integer,
  coalesce((SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = a.atttypid), '{}')) ORDER BY a.attnum) IS NOT NULL AS columns
FROM pg_attribute a JOIN pg_class c ON a.attrelid = c.oid JOIN pg_type t ON a.atttypid = t.oid WHERE c.relnamespace = ANY('{curated}'::regnamespace[]) AND a.attnum > 0 GROUP BY c.relname

-- pgAdmin: privileges of columns
-- columns: attname name, has_row bool, count int4
-- rows: some
SELECT a.attname, row(a.attname, coalesce(a.attacl, '{}')) IS NOT NULL AS has_row, array_length(coalesce(a.attacl, '{}'), 1) AS count FROM pg_attribute a WHERE a.attrelid = 'curated.orders'::regclass AND a.attnum > 0

-- DuckDB: columns and keys of tables
-- columns: relname name, attname name, notnull bool, constraint_type char, constraint_key int2[]
-- rows: some
SELECT relname, attname, attnotnull AS notnull, NULL constraint_type, NULL constraint_key FROM pg_class JOIN pg_attribute ON pg_class.oid = attrelid WHERE attnum > 0 AND relname = 'orders'
UNION ALL SELECT relname, NULL, NULL, contype, conkey FROM pg_class JOIN pg_constraint ON pg_class.oid = conrelid WHERE contype IN ('p', 'u') ORDER BY relname, attname

-- sqlx: types
-- columns: oid oid, pretty_name text, catalog_name name, original_name text, typtype char, typcategory char, typelem oid, typbasetype oid, rngsubtype oid, enum_labels name[]
-- rows: some
SELECT pg_type.oid, pg_type.oid::regtype::text pretty_name, typname catalog_name, original_name, typtype, typcategory, NULLIF(typelem, 0::oid) typelem, NULLIF(typbasetype, 0::oid) typbasetype, rngsubtype,
COALESCE((SELECT array_agg(enumlabel) FROM (SELECT * FROM pg_catalog.pg_enum WHERE enumtypid = pg_type.oid ORDER BY enumsortorder) labels), '{}') enum_labels
FROM (SELECT DISTINCT ON(lookup_oid) original_name, lookup_oid FROM (VALUES (NULL, 2205), (NULL, 2211)) lookup_inner(original_name, lookup_oid) ORDER BY lookup_oid) type_lookup
INNER JOIN pg_catalog.pg_type ON type_lookup.lookup_oid = pg_type.oid LEFT JOIN pg_catalog.pg_range ON pg_type.oid = pg_range.rngtypid

-- PostGraphile: what can be written
-- columns: relname name, isDeletable bool
-- rows: some
SELECT c.relname, (pg_catalog.pg_relation_is_updatable(c.oid, true)::bit(8) OPERATOR(pg_catalog.&) B'00010000') = B'00010000' AS "isDeletable"
FROM pg_catalog.pg_class c WHERE c.relnamespace = 'curated'::regnamespace AND c.relkind = 'r'

-- pg-structure: events of triggers
-- columns: tgname name, events text
-- rows: none
SELECT tgname, (CASE WHEN (tgtype::int::bit(7) & b'0000100')::int = 0 THEN '' ELSE ' insert' END) || (CASE WHEN (tgtype::int::bit(7) & b'0010000')::int = 0 THEN '' ELSE ' update' END) AS events
FROM pg_trigger WHERE NOT tgisinternal

-- check_postgres: databases
-- columns: name name, oid oid, tableoid oid, owner name
-- rows: some
SELECT d.name, d.oid, d.tableoid, pg_get_userbyid(d.owner) AS owner FROM (SELECT oid, tableoid, datname AS name, datdba AS owner FROM pg_database) d WHERE d.name = current_database()

-- vacuumdb, pg_dump: tables of a pattern
-- columns: oid oid, relname name, nspname name
-- rows: some
SELECT c.oid, c.relname, ns.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace ns ON c.relnamespace OPERATOR(pg_catalog.=) ns.oid LEFT JOIN pg_catalog.pg_class t ON c.reltoastrelid OPERATOR(pg_catalog.=) t.oid
WHERE c.relkind OPERATOR(pg_catalog.=) ANY (array['r', 'm']) AND c.relname OPERATOR(pg_catalog.~) '^(orders)$' COLLATE pg_catalog.default AND ns.nspname OPERATOR(pg_catalog.~) '^(curated)$' COLLATE pg_catalog.default

-- Metabase: fields
-- columns: name name, database-type text, database-position int4, pk? bool, field-comment text, database-required bool
-- rows: some
SELECT c.column_name AS name, CASE WHEN c.udt_schema IN ('public', 'pg_catalog') THEN format('%s', c.udt_name) ELSE format('"%s"."%s"', c.udt_schema, c.udt_name) END AS "database-type", c.ordinal_position - 1 AS "database-position",
  pk.column_name IS NOT NULL AS "pk?", col_description(CAST(CAST(format('%I.%I', CAST(c.table_schema AS text), CAST(c.table_name AS text)) AS regclass) AS oid), c.ordinal_position) AS "field-comment",
  ((column_default IS NULL OR lower(column_default) = 'null') AND is_nullable = 'NO' AND NOT ((column_default IS NOT NULL AND column_default LIKE '%nextval(%') OR is_identity <> 'NO')) AS "database-required"
FROM information_schema.columns c LEFT JOIN (SELECT t.table_schema, t.table_name, k.column_name FROM information_schema.table_constraints t JOIN information_schema.key_column_usage k ON t.constraint_name = k.constraint_name AND t.table_schema = k.table_schema AND t.table_name = k.table_name
    WHERE t.constraint_type = 'PRIMARY KEY') pk ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_schema IN ('curated')
UNION ALL SELECT a.attname, format('%s', t.typname), a.attnum - 1, FALSE, NULL, FALSE FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid JOIN pg_catalog.pg_type t ON t.oid = a.atttypid WHERE c.relkind = 'm' AND a.attnum >= 1
ORDER BY "database-position" ASC

-- Npgsql: types
-- columns: nspname name, oid oid, typname name, typtype char, typnotnull bool, elemtypoid oid, typcategory char
-- rows: some
SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid, t.typcategory FROM (
  SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, e.oid AS elemtypoid, e.typname AS elemtypname, CASE WHEN r.proname = 'array_recv' THEN 'a' ELSE e.typtype END AS elemtyptype, typ.typcategory
  FROM (SELECT typ.oid, typnamespace, typname, typrelid, typnotnull, CASE WHEN p.proname = 'array_recv' THEN 'a' ELSE typ.typtype END AS typtype, typ.typcategory,
      CASE WHEN p.proname = 'array_recv' THEN typ.typelem WHEN typ.typtype = 'r' THEN rngsubtype WHEN typ.typtype = 'm' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid = typ.oid) WHEN typ.typtype = 'd' THEN typ.typbasetype END AS elemtypoid
    FROM pg_type typ LEFT JOIN pg_proc p ON p.oid = typ.typreceive LEFT JOIN pg_range ON (pg_range.rngtypid = typ.oid)) typ LEFT JOIN pg_type e ON e.oid = elemtypoid LEFT JOIN pg_proc r ON r.oid = e.typreceive) t JOIN pg_namespace ns ON (ns.oid = typnamespace)
WHERE (ns.nspname IN ('pg_catalog', 'information_schema') OR typcategory = 'U') AND (typtype IN ('b', 'r', 'm', 'e', 'd') OR (typtype = 'p' AND typname IN ('record', 'void', 'unknown')) OR (typtype = 'a' AND (elemtyptype IN ('b', 'r', 'm', 'e', 'd') OR (elemtyptype = 'p' AND elemtypname IN ('record', 'void')))))
ORDER BY CASE WHEN typtype IN ('b', 'e', 'p') THEN 0 WHEN typtype = 'r' THEN 2 WHEN typtype = 'd' AND elemtyptype <> 'a' THEN 4 WHEN typtype = 'a' THEN 5 END

-- DataGrip: schemas
-- columns: id int8, state_number xid, name name, description text, owner name
-- rows: some
SELECT n.oid::bigint AS id, n.xmin AS state_number, nspname AS name, d.description, pg_catalog.pg_get_userbyid(n.nspowner) AS "owner" FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_description d ON n.oid = d.objoid
ORDER BY CASE WHEN nspname = pg_catalog.current_schema() THEN -1::bigint ELSE n.oid::bigint END

-- DataGrip: tables
-- columns: table_kind char, table_name name, table_id oid, table_state_number xid, options text[], ancestors varchar, is_partition bool, partition_key text, acl aclitem[]
-- rows: some
SELECT t.relkind AS table_kind, t.relname AS table_name, t.oid AS table_id, t.xmin AS table_state_number, t.reloptions AS options, (SELECT pg_catalog.array_agg(inhparent::bigint ORDER BY inhseqno)::varchar FROM pg_catalog.pg_inherits WHERE t.oid = inhrelid) AS ancestors,
  t.relispartition AS is_partition, pg_catalog.pg_get_partkeydef(t.oid) AS partition_key, t.relacl AS acl
FROM pg_catalog.pg_class t WHERE relnamespace = 'curated'::regnamespace::oid AND relkind IN ('r', 'm', 'v', 'f', 'p') AND pg_catalog.age(t.xmin) <= coalesce(nullif(greatest(pg_catalog.age('1'::varchar::xid), -1), -1), 2147483647) ORDER BY table_kind, table_id

-- DataGrip: operators
-- columns: op_id oid, op_name name, arg_left_type_id oid, main_id oid, main_name varchar, com_name varchar, merges bool
-- rows: some
SELECT o.oid AS op_id, oprname AS op_name, oprleft AS arg_left_type_id, oprcode::oid AS main_id, oprcode::varchar AS main_name, oprcom::regoper::varchar AS com_name, oprcanmerge AS merges FROM pg_catalog.pg_operator o WHERE oprnamespace = 'pg_catalog'::regnamespace ORDER BY op_id

-- HeidiSQL: tables
-- columns: table_name name, data_length int8, reltuples float4, comment text
-- rows: some
SELECT t.table_name, pg_table_size(QUOTE_IDENT(t.TABLE_SCHEMA) || '.' || QUOTE_IDENT(t.TABLE_NAME))::bigint AS data_length, c.reltuples, obj_description(c.oid) AS comment FROM "information_schema"."tables" AS t
LEFT JOIN "pg_namespace" n ON t.table_schema = n.nspname LEFT JOIN "pg_class" c ON n.oid = c.relnamespace AND c.relname = t.table_name WHERE t."table_schema" = 'curated'

-- HeidiSQL: columns
-- columns: column_name name, attnum int2, atttypid oid, data_type text, is_nullable text, column_comment text, character_maximum_length text
-- rows: some
SELECT DISTINCT a.attname AS column_name, a.attnum, a.atttypid, FORMAT_TYPE(a.atttypid, a.atttypmod) AS data_type, CASE a.attnotnull WHEN false THEN 'YES' ELSE 'NO' END AS IS_NULLABLE, com.description AS column_comment, NULL AS character_maximum_length
FROM pg_attribute AS a JOIN pg_class AS pgc ON pgc.oid = a.attrelid LEFT JOIN pg_description AS com ON (pgc.oid = com.objoid AND a.attnum = com.objsubid) WHERE a.attnum > 0 AND pg_table_is_visible(pgc.oid) AND pgc.relname = 'orders' ORDER BY a.attnum

-- QGIS: tables without geometry
-- columns: relname name, nspname name, relkind char, obj_description text, count int8
-- rows: some
SELECT c.relname, n.nspname, c.relkind, obj_description(c.oid), COUNT(CASE WHEN t.typname IN ('geometry', 'geography', 'raster') THEN 1 ELSE NULL END) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_type t ON t.oid = a.atttypid
WHERE n.nspname NOT IN ('information_schema', 'pg_catalog') AND has_schema_privilege(n.nspname, 'usage') AND has_table_privilege('"' || n.nspname || '"."' || c.relname || '"', 'select') AND c.relkind IN ('v', 'r', 'm', 'p', 'f') GROUP BY 1, 2, 3, 4

-- QGIS: columns
-- columns: attrelid oid, attnum int2, format_type text, col_description text, atttypid oid, attnotnull int4, indisunique int4
-- rows: some
SELECT attrelid, attnum, pg_catalog.format_type(atttypid, atttypmod), pg_catalog.col_description(attrelid, attnum), atttypid, attnotnull::int, indisunique::int FROM pg_attribute LEFT OUTER JOIN (SELECT DISTINCT indrelid, indkey, indisunique FROM pg_index WHERE indisunique) uniq
ON attrelid = indrelid AND attnum::text = indkey::text WHERE attrelid IN ('curated.orders'::regclass)

-- Grafana: tables of the search path
-- columns: table text
-- rows: some
SELECT quote_ident(table_name) AS "table" FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog') AND quote_ident(table_schema) IN (
  SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
  FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i, string_to_array(current_setting('search_path'), ',') s)

-- SeaORM: columns
-- columns: column_name name, generation_expression varchar, is_identity varchar, numeric_precision int4, interval_type varchar, datetime_precision int4, udt_name regtype
-- rows: some
SELECT "column_name", "generation_expression", "is_identity", "numeric_precision", "interval_type", "datetime_precision", "udt_name"::regtype FROM "information_schema"."columns" WHERE "table_schema" = 'curated' AND "table_name" = 'orders'

-- SeaORM: tables
-- columns: table_name name, user_defined_type_schema name
-- rows: some
SELECT "table_name", "user_defined_type_schema" FROM "information_schema"."tables" WHERE "table_schema" = CURRENT_SCHEMA() AND "table_type" = 'BASE TABLE'
AND "table_name" NOT IN (SELECT "pg_class"."relname" FROM "pg_inherits" JOIN "pg_class" ON "pg_inherits"."inhrelid" = "pg_class"."oid" AND "pg_class"."relkind" = 'r')

-- Soda: a profile
-- columns: metric_ text, index_ int8, value_ int4, frequency_ int8
-- rows: some
WITH values AS (SELECT quantity AS value_, COUNT(*) AS frequency_ FROM orders GROUP BY quantity), mins AS (SELECT value_, ROW_NUMBER() OVER (ORDER BY value_ ASC) AS index_, frequency_, 'mins'::text AS metric_ FROM values WHERE value_ IS NOT NULL ORDER BY value_ ASC LIMIT 5),
  frequent AS (SELECT value_, ROW_NUMBER() OVER (ORDER BY frequency_ DESC) AS index_, frequency_, 'frequent'::text AS metric_ FROM values WHERE value_ IS NOT NULL ORDER BY frequency_ DESC LIMIT 10), result_values AS (SELECT * FROM mins UNION SELECT * FROM frequent)
SELECT metric_, index_, value_, frequency_ FROM result_values ORDER BY metric_ ASC, index_ ASC

-- LibreOffice: columns
-- columns: nspname name, relname name, attname name, typname name, atttypmod int4, typdefault text, description text
-- rows: some
SELECT n.nspname, c.relname, a.attname, t.typname, a.atttypmod, t.typdefault, s.description FROM pg_class c, pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum LEFT JOIN pg_description s ON a.attrelid = s.objoid AND a.attnum = s.objsubid, pg_type t, pg_namespace n
WHERE a.attrelid = c.oid AND a.atttypid = t.oid AND c.relnamespace = n.oid AND n.nspname LIKE 'curated' AND c.relname LIKE '%' ORDER BY n.nspname || c.relname || a.attname

-- Flyway: whether a schema is empty
-- columns: exists bool
-- rows: some
SELECT EXISTS (SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_depend d ON d.objid = c.oid AND d.deptype = 'e' WHERE n.nspname = 'curated' AND d.objid IS NULL AND c.relkind IN ('r', 'v', 'S', 't')
  UNION ALL SELECT n.nspname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'curated' AND t.typcategory NOT IN ('A', 'C'))

-- Liquibase: sequences
-- columns: SEQUENCE_NAME name, MIN_VALUE int8, WILL_CYCLE bool, SEQ_TYPE text
-- rows: none
SELECT c.relname AS "SEQUENCE_NAME", s.seqmin AS "MIN_VALUE", s.seqcycle AS "WILL_CYCLE", pg_catalog.format_type(s.seqtypid, NULL) AS "SEQ_TYPE" FROM pg_class c JOIN pg_namespace ns ON c.relnamespace = ns.oid JOIN pg_sequence s ON c.oid = s.seqrelid
WHERE c.relkind = 'S' AND ns.nspname = 'curated' AND c.oid NOT IN (SELECT d.objid FROM pg_depend d WHERE d.refobjsubid > 0)

-- Lightdash: columns
-- columns: table_catalog name, table_schema name, table_name name, column_name name, data_type varchar
-- rows: some
SELECT table_catalog, table_schema, table_name, column_name, data_type FROM information_schema.columns WHERE table_catalog = current_database() AND (table_schema, table_name) IN (('curated', 'orders'), ('curated', 'users')) AND table_schema NOT IN ('pg_catalog')

-- SchemaSpy: routines
-- columns: routine_name name, strict bool, routine_type varchar, lanname name, arguments text
-- rows: none
SELECT r.routine_name, CASE WHEN p.proisstrict THEN true ELSE false END AS strict, r.routine_type, l.lanname, pg_get_function_identity_arguments(p.oid) AS arguments FROM information_schema.routines r
LEFT JOIN pg_catalog.pg_proc p ON r.specific_name = p.proname || '_' || p.oid LEFT JOIN pg_language l ON l.oid = p.prolang WHERE r.routine_schema = 'curated'

-- Datadog: schemas and tables
-- columns: schema_id oid, schema_name name, schema_owner regrole, table_id oid, table_name name
-- rows: some
SELECT schemas.schema_id, schema_name, schema_owner, tables.table_id, tables.name AS table_name FROM (SELECT n.oid AS schema_id, nspname AS schema_name, nspowner :: regrole AS schema_owner FROM pg_namespace n WHERE nspname = 'curated') schemas
LEFT JOIN (SELECT c.oid AS table_id, c.relnamespace AS schema_id, c.relname AS name, c.relowner :: regrole AS owner FROM pg_class c LEFT JOIN pg_class t ON c.reltoastrelid = t.oid WHERE c.relkind IN ('r', 'p', 'f') AND c.relispartition != 't') tables USING (schema_id)

-- Prometheus: locks
-- columns: datname name, mode text, count int8
-- rows: some
SELECT d.datname, m.mode, COALESCE(count, 0) AS count FROM (VALUES ('accesssharelock'), ('rowsharelock')) AS m(mode) CROSS JOIN pg_database d LEFT JOIN (SELECT database, lower(mode) AS mode, count(*) AS count FROM pg_locks WHERE database IS NOT NULL GROUP BY database, lower(mode)) AS l
ON m.mode = l.mode AND d.oid = l.database ORDER BY 1

-- Bun: keys
-- columns: schema_name name, table_name name, columns name[]
-- rows: none
WITH keys AS (SELECT s.nspname AS schema_name, c.relname AS table_name, a.attname AS column_name, k.place FROM pg_constraint co JOIN pg_class c ON c.oid = co.conrelid JOIN pg_namespace s ON s.oid = c.relnamespace, LATERAL unnest(co.conkey) WITH ORDINALITY AS k(number, place),
  LATERAL (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = k.number) a WHERE s.nspname = 'curated') SELECT schema_name, table_name, array_agg(column_name ORDER BY place) AS columns FROM keys GROUP BY 1, 2

-- DBeaver: extensions
-- columns: oid oid, tables text[], extname name
-- rows: none
SELECT e.oid, c.tables, e.extname FROM pg_catalog.pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace LEFT JOIN (SELECT ARRAY_AGG(ns.nspname || '.' || cls.relname) tables, extension
  FROM (SELECT unnest(x.extconfig) oid, x.oid extension FROM pg_catalog.pg_extension x) c JOIN pg_class cls ON cls.oid = c.oid JOIN pg_namespace ns ON ns.oid = cls.relnamespace GROUP BY extension) c ON c.extension = e.oid WHERE e.extnamespace = 'curated'::regnamespace ORDER BY e.oid

-- phpPgAdmin: databases
-- columns: datname name, owner name, encoding name, comment text, datcollate text
-- rows: some
SELECT d.datname, r.rolname AS owner, pg_encoding_to_char(encoding) AS encoding, (SELECT description FROM pg_catalog.pg_shdescription s WHERE d.oid = s.objoid AND s.classoid = 'pg_database'::regclass) AS comment, d.datcollate FROM pg_catalog.pg_database d LEFT JOIN pg_catalog.pg_roles r ON (d.datdba = r.oid)
WHERE NOT d.datistemplate ORDER BY d.datname

-- Postgrex: types
-- columns: oid oid, typname name, typsend regproc, typreceive regproc, typoutput regproc, typinput regproc, coalesce oid, coalesce oid, array oid[]
-- rows: some
SELECT t.oid, t.typname, t.typsend, t.typreceive, t.typoutput, t.typinput, coalesce(d.typelem, t.typelem), coalesce(r.rngsubtype, 0), ARRAY (SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) FROM pg_type AS t LEFT JOIN pg_type AS d ON t.typbasetype = d.oid LEFT JOIN pg_range AS r ON r.rngtypid = t.oid OR r.rngmultitypid = t.oid OR (t.typbasetype <> 0 AND r.rngtypid = t.typbasetype) WHERE (t.typrelid = 0) AND (t.typelem = 0 OR NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type s WHERE s.typrelid != 0 AND s.oid = t.typelem))

-- Npgsql 8: types
-- columns: nspname name, oid oid, typname name, typtype char, typnotnull bool, elemtypoid oid
-- rows: some
SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid FROM ( SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.relkind, elemtyp.oid AS elemtypoid, elemtyp.typname AS elemtypname, elemcls.relkind AS elemrelkind, CASE WHEN elemproc.proname='array_recv' THEN 'a' ELSE elemtyp.typtype END AS elemtyptype, typ.typcategory FROM (SELECT typ.oid, typnamespace, typname, typrelid, typnotnull, relkind, typelem AS elemoid, CASE WHEN proc.proname='array_recv' THEN 'a' ELSE typ.typtype END AS typtype, CASE WHEN proc.proname='array_recv' THEN typ.typelem WHEN typ.typtype='r' THEN rngsubtype WHEN typ.typtype='m' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid = typ.oid) WHEN typ.typtype='d' THEN typ.typbasetype END AS elemtypoid, typ.typcategory FROM pg_type AS typ LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid) LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive LEFT JOIN pg_range ON (pg_range.rngtypid = typ.oid)) AS typ LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = elemtypoid LEFT JOIN pg_class AS elemcls ON (elemcls.oid = elemtyp.typrelid) LEFT JOIN pg_proc AS elemproc ON elemproc.oid = elemtyp.typreceive) AS t JOIN pg_namespace AS ns ON (ns.oid = typnamespace) WHERE (typtype IN ('b', 'r', 'm', 'e', 'd') OR (typtype = 'c' AND relkind='c') OR (typtype = 'p' AND typname IN ('record', 'void', 'unknown')) OR (typtype = 'a' AND (elemtyptype IN ('b', 'r', 'm', 'e', 'd') OR (elemtyptype = 'p' AND elemtypname IN ('record', 'void')) OR (elemtyptype = 'c' AND elemrelkind='c')))) ORDER BY CASE WHEN typtype IN ('b', 'e', 'p') THEN 0 WHEN typtype = 'c' THEN 1 WHEN typtype = 'r' THEN 2 WHEN typtype = 'm' THEN 3 WHEN typtype = 'd' AND elemtyptype <> 'a' THEN 4 WHEN typtype = 'a' THEN 5 WHEN typtype = 'd' AND elemtyptype = 'a' THEN 6 END

-- Npgsql 8: columns of rows
-- columns: oid oid, attname name, atttypid oid
-- rows: none
SELECT typ.oid, att.attname, att.atttypid FROM pg_type AS typ JOIN pg_namespace AS ns ON (ns.oid = typ.typnamespace) JOIN pg_class AS cls ON (cls.oid = typ.typrelid) JOIN pg_attribute AS att ON (att.attrelid = typ.typrelid) WHERE (typ.typtype = 'c' AND cls.relkind='c') AND attnum > 0 AND NOT attisdropped ORDER BY typ.oid, att.attnum

-- usql: tables and sizes
-- columns: Schema name, Name name, Type text, Rows int8, Size text, Description text
-- rows: some
SELECT n.nspname as "Schema", c.relname as "Name", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 's' THEN 'special' WHEN 'f' THEN 'foreign table' WHEN 'p' THEN 'partitioned table' WHEN 'I' THEN 'partitioned index' ELSE 'unknown' END as "Type", COALESCE((c.reltuples / NULLIF(c.relpages, 0)) * (pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::int), 0)::bigint as "Rows", pg_catalog.pg_size_pretty(pg_catalog.pg_table_size(c.oid)) as "Size", COALESCE(pg_catalog.obj_description(c.oid, 'pg_class'), '') as "Description" FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'pg_catalog' ORDER BY 1,3,2

-- DBeaver: types
-- columns: oid oid, oid oid, typname name, typnamespace oid, typowner oid, typlen int2, typbyval bool, typtype char, typcategory char, typispreferred bool, typisdefined bool, typdelim char, typrelid oid, typsubscript regproc, typelem oid, typarray oid, typinput regproc, typoutput regproc, typreceive regproc, typsend regproc, typmodin regproc, typmodout regproc, typanalyze regproc, typalign char, typstorage char, typnotnull bool, typbasetype oid, typtypmod int4, typndims int4, typcollation oid, typdefaultbin 194, typdefault text, typacl aclitem[], relkind char, base_type_name text, description text
-- rows: some
SELECT t.oid,t.*,c.relkind,format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid=t.typelem LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid=t.typrelid LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid=d.objoid WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C') ORDER BY t.oid

-- DBeaver: sizes
-- columns: oid oid, total_rel_size int8, rel_size int8
-- rows: some
SELECT c.oid, pg_catalog.pg_total_relation_size(c.oid) as total_rel_size, pg_catalog.pg_relation_size(c.oid) as rel_size FROM pg_class c WHERE c.relnamespace=(select oid from pg_namespace where nspname='curated')

-- Diesel: a type and its array
-- columns: oid oid, typarray oid
-- rows: some
SELECT "pg_type"."oid", "pg_type"."typarray" FROM "pg_type" INNER JOIN "pg_namespace" ON "pg_type"."typnamespace" = "pg_namespace"."oid" WHERE "pg_type"."typname" = 'orders' AND "pg_namespace"."nspname" = 'curated' LIMIT 1

-- pgAdmin: sizes
-- columns: Table name name, Tuples inserted int8, Live tuples int8, Total Size text
-- rows: some
SELECT st.relname AS "Table name", n_tup_ins AS "Tuples inserted", n_live_tup AS "Live tuples", pg_catalog.pg_size_pretty(pg_catalog.pg_relation_size(st.relid) + CASE WHEN cl.reltoastrelid = 0 THEN 0 ELSE pg_catalog.pg_relation_size(cl.reltoastrelid) + COALESCE((SELECT SUM(pg_catalog.pg_relation_size(indexrelid)) FROM pg_catalog.pg_index WHERE indrelid=cl.reltoastrelid)::int8, 0) END + COALESCE((SELECT SUM(pg_catalog.pg_relation_size(indexrelid)) FROM pg_catalog.pg_index WHERE indrelid=st.relid)::int8, 0)) AS "Total Size" FROM pg_catalog.pg_stat_all_tables st JOIN pg_catalog.pg_class cl on cl.oid=st.relid and cl.relkind IN ('r','s','t','p') WHERE schemaname = 'curated' ORDER BY st.relname

-- PostgREST: tables
-- columns: table_schema name, table_name name, table_description text, is_view bool, insertable bool, pk_cols name[], columns json
-- rows: some
WITH columns AS ( SELECT c.oid AS relid, a.attname::name AS column_name, d.description AS description, CASE WHEN (t.typbasetype != 0) AND (ad.adbin IS NULL) THEN pg_get_expr(t.typdefaultbin, 0) WHEN a.attidentity = 'd' THEN format('nextval(%s)', quote_literal(seqsch.nspname || '.' || seqclass.relname)) WHEN a.attgenerated = 's' THEN null ELSE pg_get_expr(ad.adbin, ad.adrelid)::text END AS column_default, not (a.attnotnull OR t.typtype = 'd' AND t.typnotnull) AS is_nullable, CASE WHEN t.typtype = 'd' THEN CASE WHEN bt.typnamespace = 'pg_catalog'::regnamespace THEN format_type(bt.oid, null::integer) ELSE format_type(a.atttypid, a.atttypmod) END ELSE CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN format_type(a.atttypid, null::integer) ELSE format_type(a.atttypid, a.atttypmod) END END::text AS data_type, format_type(a.atttypid, a.atttypmod)::text AS nominal_data_type, information_schema._pg_char_max_length(information_schema._pg_truetypid(a.*, t.*), information_schema._pg_truetypmod(a.*, t.*))::integer AS character_maximum_length, bt.oid AS base_type, a.attnum::integer AS position FROM pg_attribute a LEFT JOIN pg_description AS d ON d.objoid = a.attrelid and d.objsubid = a.attnum and d.classoid = 'pg_class'::regclass LEFT JOIN pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum JOIN pg_class c ON a.attrelid = c.oid JOIN pg_type t ON a.atttypid = t.oid LEFT JOIN pg_type bt ON t.typtype = 'd' AND t.typbasetype = bt.oid LEFT JOIN pg_depend seq ON seq.refobjid = a.attrelid AND seq.refobjsubid = a.attnum AND seq.deptype = 'i' LEFT JOIN pg_class seqclass ON seqclass.oid = seq.objid LEFT JOIN pg_namespace seqsch ON seqsch.oid = seqclass.relnamespace WHERE NOT pg_is_other_temp_schema(c.relnamespace) AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind in ('r', 'v', 'f', 'm', 'p') AND c.relnamespace = ANY('{curated}'::regnamespace[]) ), columns_agg AS ( SELECT relid, json_object_agg(column_name, json_build_object('name', column_name, 'type', data_type, 'pos', position) order by position) AS columns FROM columns GROUP BY relid ), tbl_pk_cols AS ( SELECT r.oid AS relid, array_agg(a.attname ORDER BY a.attname) AS pk_cols FROM pg_class r JOIN pg_constraint c ON r.oid = c.conrelid JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = ANY (c.conkey) WHERE c.contype in ('p') AND r.relkind IN ('r', 'p') AND r.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) AND NOT pg_is_other_temp_schema(r.relnamespace) AND NOT a.attisdropped GROUP BY r.oid ) SELECT n.nspname AS table_schema, c.relname AS table_name, d.description AS table_description, c.relkind IN ('v','m') as is_view, (c.relkind IN ('r','p') OR (c.relkind in ('v','f') AND (pg_relation_is_updatable(c.oid::regclass, TRUE) & 8) = 8)) AS insertable, coalesce(tpks.pk_cols, '{}') as pk_cols, coalesce(cols_agg.columns, '{}') as columns FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_description d on d.objoid = c.oid and d.objsubid = 0 and d.classoid = 'pg_class'::regclass LEFT JOIN tbl_pk_cols tpks ON c.oid = tpks.relid LEFT JOIN columns_agg cols_agg ON c.oid = cols_agg.relid WHERE c.relkind IN ('v','r','m','f','p') AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) AND not c.relispartition ORDER BY table_schema, table_name

-- Kysely: tables
-- columns: column name, not_null bool, has_default bool, table name, table_type char, schema name, type name, type_schema name, column_description text, auto_incrementing text
-- rows: some
select "a"."attname" as "column", "a"."attnotnull" as "not_null", "a"."atthasdef" as "has_default", "c"."relname" as "table", "c"."relkind" as "table_type", "ns"."nspname" as "schema", "typ"."typname" as "type", "dtns"."nspname" as "type_schema", col_description(a.attrelid, a.attnum) as "column_description", pg_get_serial_sequence(quote_ident(ns.nspname) || '.' || quote_ident(c.relname), a.attname) as "auto_incrementing" from "pg_catalog"."pg_attribute" as "a" inner join "pg_catalog"."pg_class" as "c" on "a"."attrelid" = "c"."oid" inner join "pg_catalog"."pg_namespace" as "ns" on "c"."relnamespace" = "ns"."oid" inner join "pg_catalog"."pg_type" as "typ" on "a"."atttypid" = "typ"."oid" inner join "pg_catalog"."pg_namespace" as "dtns" on "typ"."typnamespace" = "dtns"."oid" where "c"."relkind" in ('r', 'v', 'p') and "ns"."nspname" !~ '^pg_' and "ns"."nspname" != 'information_schema' and "ns"."nspname" != 'crdb_internal' and has_schema_privilege(ns.nspname, 'USAGE') and "a"."attnum" >= 0 and "a"."attisdropped" != true order by "ns"."nspname", "c"."relname", "a"."attnum"

-- jOOQ: types of rows
-- columns: nspname name, typname name, attname name, attnum int2, attnotnull bool, format_type text, typname name
-- rows: some
select "n"."nspname", "t"."typname", "a"."attname", "a"."attnum", "a"."attnotnull", format_type("a"."atttypid", "a"."atttypmod"), "bt"."typname" from pg_type t join pg_namespace n on n.oid = t.typnamespace join pg_attribute a on a.attrelid = t.typrelid join pg_type bt on bt.oid = a.atttypid where t.typtype = 'c' and n.nspname = 'curated' and a.attnum > 0 order by 1,2,4

-- Airbyte: size in blocks
-- columns: current_setting int4, pg_relation_size int8
-- rows: some
WITH block_sz AS (SELECT current_setting('block_size')::int), rel_sz AS (select pg_relation_size('"curated"."orders"')) SELECT * from block_sz, rel_sz

-- pgAdmin: types
-- columns: oid oid, name name
-- rows: none
SELECT t.oid, t.typname AS name FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type e ON e.oid=t.typelem LEFT OUTER JOIN pg_catalog.pg_class ct ON ct.oid=t.typrelid AND ct.relkind <> 'c' WHERE t.typtype != 'd' AND t.typname NOT LIKE E'\\_%' AND t.typnamespace = (select oid from pg_namespace where nspname='curated')::oid AND ct.oid is NULL ORDER BY t.typname

-- DataGrip: types
-- columns: type_id oid, type_state_number xid, type_name name, type_sub_kind char, type_category char, class_id oid, base_type_id oid, type_def text, dimensions_number int4, default_expression text, mandatory bool, owner name
-- rows: none
select T.oid as type_id, T.xmin as type_state_number, T.typname as type_name, T.typtype as type_sub_kind, T.typcategory as type_category, T.typrelid as class_id, T.typbasetype as base_type_id, case when T.typtype in ('c','e') then null else pg_catalog.format_type(T.typbasetype, T.typtypmod) end as type_def, T.typndims as dimensions_number, T.typdefault as default_expression, T.typnotnull as mandatory, pg_catalog.pg_get_userbyid(T.typowner) as "owner" from pg_catalog.pg_type T where T.typnamespace = 'curated'::regnamespace::oid and (T.typtype in ('d','e') or T.typtype = 'b' and T.typelem = 0::oid or (select relkind from pg_catalog.pg_class C where C.oid = T.typrelid) = 'c'::"char" or T.typtype = 'p' and not T.typisdefined ) order by 1

-- PostGraphile: types of rows of the system
-- columns: name name, typeId oid, type name, arrayItemTypeId oid, array name, isPgArray bool, classId oid
-- rows: some
SELECT c.relname AS name, c.reltype AS "typeId", t.typname AS type, nullif(t.typelem, 0) AS "arrayItemTypeId", a.typname AS array, (a.typelem <> 0 AND a.typlen = -1) AS "isPgArray", nullif(a.typrelid, 0) AS "classId" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_type t ON t.oid = c.reltype AND t.typrelid = c.oid JOIN pg_catalog.pg_type a ON a.oid = t.typarray AND a.typelem = t.oid WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v')

-- pg_dump: types
-- columns: tableoid oid, oid oid, typname name, typnamespace oid, typacl aclitem[], acldefault aclitem[], typowner oid, typelem oid, typrelid oid, typarray oid, typrelkind char, typtype char, typisdefined bool, isarray bool
-- rows: some
SELECT tableoid, oid, typname, typnamespace, typacl, acldefault('T', typowner) AS acldefault, typowner, typelem, typrelid, typarray, CASE WHEN typrelid = 0 THEN ' '::"char" ELSE (SELECT relkind FROM pg_class WHERE oid = typrelid) END AS typrelkind, typtype, typisdefined, typname[0] = '_' AND typelem != 0 AND (SELECT typarray FROM pg_type te WHERE oid = pg_type.typelem) = oid AS isarray FROM pg_type

-- pg_dump: privileges that are there from the start
-- columns: objoid oid, classoid oid, objsubid int4, privtype char, initprivs aclitem[]
-- rows: some
SELECT objoid, classoid, objsubid, privtype, initprivs FROM pg_init_privs
