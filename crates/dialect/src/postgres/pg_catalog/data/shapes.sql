-- The lines of pg_catalog.txt, from a PostgreSQL server of the version whose catalog is shown. Put
-- information_schema for pg_catalog to get those of information_schema.txt, to whose columns
-- Athena's comment and extra_info are added.
--
--   psql -XAt -F' ' -f shapes.sql
SELECT c.relname, c.relkind, c.oid,
       string_agg(a.attname || ':' || coalesce(e.typname || '[]', t.typname)
                  || CASE WHEN a.attnotnull THEN '!' ELSE '' END, ' ' ORDER BY a.attnum)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typname LIKE '\_%'
WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v')
GROUP BY c.relname, c.relkind, c.oid
ORDER BY c.relname;

-- The lines of table_functions.txt: functions that return rows, and none of which has any here. Those
-- of the control file (pg_control_%) are added, which return one row.
SELECT p.proname, 'v', 0,
       string_agg(p.proargnames[o] || ':' || coalesce(e.typname || '[]', t.typname), ' ' ORDER BY o)
FROM pg_proc p, unnest(p.proallargtypes) WITH ORDINALITY AS arguments(type, o)
JOIN pg_type t ON t.oid = type
LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typname LIKE '\_%'
WHERE p.proretset AND p.pronamespace = 'pg_catalog'::regnamespace AND p.proargmodes[o] = 'o'
GROUP BY p.oid, p.proname
ORDER BY p.proname;
