-- Lines of pg_proc.tsv, from a PostgreSQL server of the version whose catalog is shown: the functions
-- with these names. Lines of signatures that do not exist here are left out. All functions are written in
-- the language internal here.
--
--   psql -XAt -F$'\t' -P null='\N' -v names='{lower,now}' -f procedures.sql
SELECT oid, proname, 12, procost, prorows, provariadic, prosupport::oid, prokind, proleakproof,
       proisstrict, proretset, provolatile, proparallel, pronargs, pronargdefaults, prorettype,
       proargtypes, array_to_string(proallargtypes, ','), array_to_string(proargmodes, ','),
       array_to_string(proargnames, ','), CASE prolang WHEN 12 THEN prosrc ELSE proname END,
       pg_get_function_arguments(oid), pg_get_function_identity_arguments(oid),
       pg_get_function_result(oid)
FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY (:'names')
ORDER BY oid;
