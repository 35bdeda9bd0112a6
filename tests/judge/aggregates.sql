-- any_value
SELECT any_value(x), arbitrary(x) FROM (VALUES NULL, 7) t(x)
SELECT any_value(x) FROM (VALUES CAST(NULL AS integer)) t(x)
-- array_agg
SELECT array_agg(x ORDER BY x), array_agg(x ORDER BY x DESC), array_agg(DISTINCT x ORDER BY x), array_agg(x ORDER BY x) FILTER (WHERE x > 1) FROM (VALUES 2, 1, NULL, 2) t(x)
SELECT array_agg(x) FROM (VALUES 1) t(x) WHERE false
-- avg
SELECT avg(x), avg(DISTINCT x) FROM (VALUES 1, 2, 2, NULL) t(x)
SELECT avg(x) FROM (VALUES {[ 1.5, 2.25 ; 1e0, nan() ; REAL '1.5', REAL '2' ; INTERVAL '1' DAY, INTERVAL '2' DAY ; CAST(NULL AS bigint), NULL ; 1e308, 1e308 ]}) t(x)
-- sum
SELECT sum(x) FROM (VALUES {[ 1, 2 ; 1.5, 2.25 ; 1e0, nan() ; REAL '1.5', REAL '2' ; INTERVAL '1' DAY, INTERVAL '2' DAY ; CAST(NULL AS bigint), NULL ; 9223372036854775807, 1 ; TINYINT '100', TINYINT '100' ; INTERVAL '1' MONTH, INTERVAL '2' MONTH ]}) t(x)
-- count
SELECT count(*), count(x), count(DISTINCT x), count_if(x > 1) FROM (VALUES 1, 2, 2, NULL) t(x)
-- bool_and
SELECT bool_and(x), bool_or(x), every(x) FROM (VALUES {[ true, false ; true, NULL ; CAST(NULL AS boolean), NULL ]}) t(x)
-- bitwise_and_agg
SELECT bitwise_and_agg(x), bitwise_or_agg(x), bitwise_xor_agg(x) FROM (VALUES {[ 6, 3 ; 6, NULL ; CAST(NULL AS bigint), NULL ; -1, 8 ]}) t(x)
-- checksum
SELECT checksum(x) FROM (VALUES {[ 'a' ; 'a', 'b' ; NULL, 'a' ; CAST(NULL AS varchar) ; '' ; BIGINT '1' ; BIGINT '1', BIGINT '2', NULL ; INTEGER '1' ; TINYINT '1' ; SMALLINT '-1' ; 1.5e0 ; REAL '1.5' ; -0e0 ; nan() ; true ; false ; DATE '2024-02-29' ; TIMESTAMP '2024-02-29 01:02:03' ; TIMESTAMP '2024-02-29 01:02:03.123456' ; TIMESTAMP '2024-02-29 01:02:03.123456789' ; TIMESTAMP '2024-02-29 01:02:03 UTC' ; TIMESTAMP '2024-02-29 01:02:03.123 Asia/Tokyo' ; TIME '01:02:03' ; DECIMAL '1.50' ; DECIMAL '12345678901234567890.12' ; X'0102' ; ARRAY[BIGINT '1', BIGINT '2'] ; ARRAY['a', NULL] ; MAP(ARRAY['a'], ARRAY[BIGINT '1']) ; ROW(BIGINT '1', 'a') ; INTERVAL '1' DAY ; INTERVAL '1' MONTH ; UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59' ; JSON '{"a": 1}' ; ARRAY[ARRAY[BIGINT '1']] ; ARRAY[] ]}) t(x)
SELECT checksum(x) FROM (VALUES 1) t(x) WHERE false
-- entropy
SELECT entropy(c) FROM (VALUES {[ 2, 2 ; 1, 3 ; 0, 5 ; CAST(NULL AS integer), 2 ; 0, 0 ; -1, 2 ]}) t(c)
-- geometric_mean
SELECT geometric_mean(x) FROM (VALUES {[ 2, 8 ; 2e0, NULL ; 0, 5 ; -1, 4 ; REAL '2', REAL '8' ; 1.5, 2.5 ]}) t(x)
-- histogram
SELECT histogram(x) FROM (VALUES {[ 'a', 'b', 'a' ; 'a', NULL, 'a' ; CAST(NULL AS varchar), NULL, NULL ; 1, 2, 1 ; nan(), nan(), 1e0 ]}) t(x)
-- moments
SELECT skewness(x), kurtosis(x), stddev(x), stddev_pop(x), stddev_samp(x), variance(x), var_pop(x), var_samp(x) FROM (VALUES {[ 1, 2, 6, 9 ; 1, 2, NULL, NULL ; 1, NULL, NULL, NULL ; CAST(NULL AS integer), NULL, NULL, NULL ; 1e0, nan(), 2, 3 ; 5, 5, 5, 5 ; 1e15, 1e15 + 1, 1e15 + 2, 1e15 + 7 ]}) t(x)
-- regression
SELECT corr(y, x), covar_pop(y, x), covar_samp(y, x), regr_slope(y, x), regr_intercept(y, x) FROM (VALUES {[ (1, 2), (2, 3), (3, 7) ; (1, 2), (NULL, 3), (3, NULL) ; (1, 2), (2, 2), (3, 2) ; (CAST(NULL AS integer), CAST(NULL AS integer)) ; (1e0, 2), (2, nan()), (3, 1) ]}) t(y, x)
SELECT {[ regr_avgx ; regr_avgy ; regr_count ; regr_r2 ; regr_sxx ; regr_syy ; regr_sxy ]}(y, x) FROM (VALUES (1, 2), (2, 3), (3, 7)) t(y, x)
-- listagg
SELECT listagg(x, ',') WITHIN GROUP (ORDER BY x), listagg(x) WITHIN GROUP (ORDER BY x DESC), listagg(DISTINCT x, '-') WITHIN GROUP (ORDER BY x) FROM (VALUES 'b', 'a', NULL, 'b') t(x)
SELECT listagg(x, ',' ON OVERFLOW TRUNCATE '...' WITH COUNT) WITHIN GROUP (ORDER BY x) FROM (VALUES 'b', 'a') t(x)
SELECT listagg(x, ',') WITHIN GROUP (ORDER BY x) FILTER (WHERE x > 'a') FROM (VALUES 'b', 'a') t(x)
SELECT listagg(x, ',') WITHIN GROUP (ORDER BY x) FROM (VALUES CAST(NULL AS varchar)) t(x)
-- map_agg
SELECT map_agg(k, v), multimap_agg(k, v) FROM (VALUES {[ ('a', 1), ('b', 2) ; ('a', 1), ('a', 2) ; ('a', NULL), (NULL, 1) ; (CAST(NULL AS varchar), 1), (NULL, 2) ]}) t(k, v)
-- map_union
SELECT map_union(m) FROM (VALUES {[ map(ARRAY['a'], ARRAY[1]), map(ARRAY['b'], ARRAY[2]) ; map(ARRAY['a'], ARRAY[1]), NULL ; CAST(NULL AS map(varchar, integer)), NULL ]}) t(m)
SELECT map_union_sum(m) FROM (VALUES {[ map(ARRAY['a', 'b'], ARRAY[1, 2]), map(ARRAY['b'], ARRAY[5]) ; map(ARRAY['a'], ARRAY[NULL]), map(ARRAY['a'], ARRAY[5]) ]}) t(m)
-- max_by
SELECT max_by(x, y), min_by(x, y), max_by(x, y, 2), min_by(x, y, 2) FROM (VALUES {[ ('a', 1), ('b', 3), ('c', 2) ; ('a', NULL), ('b', 3), (NULL, 5) ; ('a', 1), ('b', 1), ('c', 1) ]}) t(x, y)
SELECT max_by(x, y) FROM (VALUES ('a', nan()), ('b', 1e0)) t(x, y)
SELECT min_by(x, y) FROM (VALUES ('a', nan()), ('b', 1e0)) t(x, y)
-- max
SELECT max(x), min(x), max(x, 2), min(x, 2) FROM (VALUES {[ 1, 2, 3 ; 1, NULL, 3 ; 'a', 'b', 'é' ; 1e0, nan(), 2e0 ; nan(), 1e0, 2e0 ; DATE '2024-01-01', DATE '2023-01-01', NULL ]}) t(x)
SELECT max(x), min(x) FROM (VALUES {[ ARRAY[1, 2], ARRAY[1, 3] ; ROW(1, 'a'), ROW(0, 'b') ; true, false ; X'00', X'01' ; nan(), nan() ]}) t(x)
SELECT max(x, 0) FROM (VALUES 1) t(x)
-- numeric_histogram
SELECT numeric_histogram(2, x) FROM (VALUES {[ 1, 2, 9 ; 1e0, 2e0, 2e0 ; 5, NULL, 5 ]}) t(x)
SELECT numeric_histogram(3, x, w) FROM (VALUES (1, 2), (2, 3), (8, 1), (9, 1), (20, 4)) t(x, w)
SELECT numeric_histogram(4, x) FROM UNNEST(sequence(1, 100)) t(x)
-- set_agg
SELECT array_sort(set_agg(x)) FROM (VALUES 1, 2, NULL, 1) t(x)
SELECT array_sort(set_union(x)) FROM (VALUES {[ ARRAY[1, 2], ARRAY[2, 3] ; ARRAY[1, NULL], NULL ; CAST(NULL AS array(integer)), NULL ]}) t(x)
-- reduce_agg
SELECT reduce_agg(x, 0, (a, b) -> a + b, (a, b) -> a + b) FROM (VALUES 1, 2, 3) t(x)
-- approx_distinct
SELECT approx_distinct(x) FROM UNNEST(sequence(1, {[ 1 ; 10 ; 100 ; 1000 ; 5000 ; 10000 ]})) t(x)
SELECT approx_distinct(x, {[ 0.0040625e0 ; 0.01e0 ; 0.1e0 ; 0.26e0 ; 0.3e0 ; 0.001e0 ]}) FROM UNNEST(sequence(1, 5000)) t(x)
SELECT approx_distinct({[ CAST(x AS varchar) ; CAST(x AS double) ; x % 2 = 0 ; DATE '2024-01-01' + x * INTERVAL '1' DAY ; CAST(x AS decimal(10, 2)) ; CAST(NULL AS bigint) ; CAST(x AS integer) ; CAST(x AS real) ; CAST(x AS decimal(30, 2)) ; to_utf8(CAST(x AS varchar)) ; from_unixtime(x) ; TIMESTAMP '2024-01-01 00:00:00' + x * INTERVAL '1' SECOND ]}) FROM UNNEST(sequence(1, 5000)) t(x)
-- approx_set
SELECT approx_set({[ x ; CAST(x AS varchar) ; CAST(x AS double) ]}) FROM UNNEST(sequence(BIGINT '1', {[ 1 ; 10 ; 200 ; 1000 ; 5000 ]})) t(x)
SELECT approx_set(x, 0.1e0) FROM UNNEST(sequence(BIGINT '1', 1000)) t(x)
SELECT cardinality(approx_set({[ x ; CAST(x AS varchar) ; CAST(x AS double) ]})) FROM UNNEST(sequence(BIGINT '1', {[ 1 ; 10 ; 200 ; 1000 ; 5000 ]})) t(x)
SELECT cardinality(merge(s)) FROM (SELECT approx_set(x) s FROM UNNEST(sequence(1, 5000)) t(x) GROUP BY x % 7) u
SELECT merge(s) FROM (SELECT approx_set(BIGINT '1' * x) s FROM UNNEST(sequence(BIGINT '1', 5000)) t(x) GROUP BY x % 7) u
SELECT empty_approx_set(), cardinality(empty_approx_set())
SELECT cardinality(CAST(CAST(approx_set(x) AS varbinary) AS HyperLogLog)) FROM UNNEST(sequence(1, 300)) t(x)
-- approx_percentile
SELECT approx_percentile(x, {[ 0.5e0 ; 0 ; 1 ; 0.01e0 ; 0.99e0 ; ARRAY[0.25e0, 0.75e0] ; 1.5e0 ; NULL ]}) FROM UNNEST(sequence(1, 1000)) t(x)
SELECT approx_percentile(CAST(x AS {[ double ; real ]}), {[ 0.5e0 ; 0.01e0 ; 0.99e0 ; ARRAY[0.25e0, 0.75e0] ]}) FROM UNNEST(sequence(1, 1000)) t(x)
SELECT approx_percentile(x, w, {[ 0.5e0 ; ARRAY[0.25e0, 0.75e0] ]}) FROM (VALUES (1, 1), (2, 5), (3, 1), (4, 2)) t(x, w)
SELECT approx_percentile(x, 0.5e0) FROM (VALUES {[ 1, 2 ; 1e0, 2e0 ; CAST(NULL AS bigint), NULL ; 3, NULL ; 1e0, nan() ; 1.5e0, 2.5e0 ]}) t(x)
-- approx_most_frequent
SELECT approx_most_frequent(2, x, 10) FROM (VALUES {[ 'a', 'b', 'c', 'b', 'a', 'a' ; 'a', NULL, 'b', 'b', NULL, 'a' ]}) t(x)
SELECT approx_most_frequent(3, x % 5, 10) FROM UNNEST(sequence(1, 103)) t(x)
SELECT approx_most_frequent(0, x, 10) FROM (VALUES 1) t(x)
-- tdigest_agg
SELECT tdigest_agg(x) FROM (VALUES {[ 1e0, 2e0, 3e0 ; 5e0, NULL, 5e0 ; 1e0, 1e0, 1e0 ; -1e0, 0e0, 1e300 ]}) t(x)
SELECT tdigest_agg(CAST(x AS double)) FROM UNNEST(sequence(1, {[ 10 ; 100 ; 300 ; 2000 ]})) t(x)
SELECT tdigest_agg(x, w) FROM (VALUES (1e0, 1e0), (2e0, 3e0), (3e0, 0.5e0)) t(x, w)
SELECT value_at_quantile(tdigest_agg(CAST(x AS double)), {[ 0 ; 0.01e0 ; 0.25e0 ; 0.5e0 ; 0.99e0 ; 1 ; 1.1e0 ; -1 ]}) FROM UNNEST(sequence(1, 1000)) t(x)
SELECT values_at_quantiles(tdigest_agg(CAST(x AS double)), {[ ARRAY[0.1e0, 0.5e0, 0.9e0] ; ARRAY[0.9e0, 0.1e0] ]}) FROM UNNEST(sequence(1, {[ 5 ; 1000 ]})) t(x)
SELECT quantile_at_value(tdigest_agg(CAST(x AS double)), {[ 1 ; 500 ; 0 ; 2000 ]}) FROM UNNEST(sequence(1, 1000)) t(x)
SELECT value_at_quantile(merge(d), {[ 0.1e0 ; 0.5e0 ; 0.99e0 ]}) FROM (SELECT tdigest_agg(CAST(x AS double)) d FROM UNNEST(sequence(1, 1000)) t(x) GROUP BY x % 4) u
SELECT destructure_tdigest(tdigest_agg(x)) FROM (VALUES 1e0, 2e0, 3e0, 10e0) t(x)
SELECT merge_tdigests(ARRAY[tdigest_agg(x)]) FROM (VALUES 1e0, 2e0) t(x)
-- qdigest_agg
SELECT qdigest_agg({[ x ; CAST(x AS double) ; CAST(x AS real) ]}) FROM UNNEST(sequence(BIGINT '1', {[ 1 ; 3 ; 10 ; 100 ; 1000 ; 5000 ]})) t(x)
SELECT qdigest_agg(x, {[ 1 ; 3 ]}, {[ 0.01e0 ; 0.1e0 ]}) FROM UNNEST(sequence(BIGINT '1', 500)) t(x)
SELECT value_at_quantile(qdigest_agg(x), {[ 0 ; 0.01e0 ; 0.25e0 ; 0.5e0 ; 0.99e0 ; 1 ; 1.1e0 ]}) FROM UNNEST(sequence(BIGINT '1', {[ 1000 ; 3 ]})) t(x)
SELECT value_at_quantile(qdigest_agg(CAST(x AS {[ double ; real ]}) - 500), {[ 0 ; 0.01e0 ; 0.5e0 ; 0.99e0 ; 1 ]}) FROM UNNEST(sequence(1, 1000)) t(x)
SELECT values_at_quantiles(qdigest_agg(x), ARRAY[0.1e0, 0.5e0, 0.9e0]) FROM UNNEST(sequence(BIGINT '1', 1000)) t(x)
SELECT quantile_at_value(qdigest_agg(x), {[ 1 ; 500 ; 0 ; 2000 ]}) FROM UNNEST(sequence(BIGINT '1', 1000)) t(x)
SELECT value_at_quantile(merge(d), {[ 0.1e0 ; 0.5e0 ; 0.99e0 ]}) FROM (SELECT qdigest_agg(x) d FROM UNNEST(sequence(BIGINT '1', 1000)) t(x) GROUP BY x % 4) u
-- make_set_digest
SELECT cardinality(make_set_digest(x)) FROM UNNEST(sequence(1, 100)) t(x)
SELECT intersection_cardinality(make_set_digest(x), make_set_digest(y)) FROM (VALUES (1, 1), (2, 1), (3, 4)) t(x, y)
SELECT jaccard_index(make_set_digest(x), make_set_digest(y)) FROM (VALUES (1, 1), (2, 1), (3, 4)) t(x, y)
-- window
SELECT x, row_number() OVER w, rank() OVER w, dense_rank() OVER w, percent_rank() OVER w, cume_dist() OVER w, ntile(2) OVER w FROM (VALUES 1, 2, 2, NULL) t(x) WINDOW w AS (ORDER BY x) ORDER BY 1, 2
SELECT x, lag(x) OVER w, lag(x, 2, -1) OVER w, lead(x) OVER w, lead(x, 0) OVER w, first_value(x) OVER w, last_value(x) OVER w, nth_value(x, 2) OVER w FROM (VALUES 1, 2, 3) t(x) WINDOW w AS (ORDER BY x) ORDER BY 1
SELECT x, lag(y) IGNORE NULLS OVER w, lead(y) IGNORE NULLS OVER w, first_value(y) IGNORE NULLS OVER w, last_value(y) IGNORE NULLS OVER w FROM (VALUES (1, NULL), (2, 5), (3, NULL), (4, 6)) t(x, y) WINDOW w AS (ORDER BY x) ORDER BY 1
SELECT x, sum(x) OVER (ORDER BY x {[ ROWS ; RANGE ; GROUPS ]} BETWEEN {[ 1 PRECEDING ; UNBOUNDED PRECEDING ; CURRENT ROW ]} AND {[ 1 FOLLOWING ; CURRENT ROW ]}) FROM (VALUES 1, 2, 2, 4) t(x) ORDER BY 1, 2
SELECT lag(x, {[ -1 ; NULL ]}) OVER (ORDER BY x) FROM (VALUES 1, 2) t(x)
SELECT ntile({[ 0 ; 3 ]}) OVER (ORDER BY x) FROM (VALUES 1, 2) t(x)
SELECT max_by(x, y) OVER (ORDER BY x), array_agg(x) OVER (ORDER BY x) FROM (VALUES (1, 2), (2, 1)) t(x, y)
