-- names of columns
SELECT 1, 'a' AS b, count(*), 1 + 1 "X y", sum(x) FROM (VALUES 1) t(x)
SELECT x, x + 1, t.x, upper(y), CAST(x AS bigint) FROM (VALUES (1, 'a')) t(x, y)
SELECT * FROM (VALUES (1, 'a'), (2, NULL)) ORDER BY 1
SELECT * FROM (VALUES 1) AS "T" ("Mixed Case")
SELECT t.*, t.* FROM (VALUES 1) t(x)
SELECT r.x FROM (SELECT CAST(ROW(1, 2) AS ROW(x INTEGER, y INTEGER)) AS r)
SELECT r.* FROM (SELECT CAST(ROW(1, 2) AS ROW(x INTEGER, y INTEGER)) AS r) t
VALUES (1, 'a'), (2, 'b')
VALUES 1, 2
-- unnest
SELECT * FROM UNNEST(ARRAY[1, NULL, 3]) WITH ORDINALITY
SELECT * FROM UNNEST(ARRAY[1, 2], ARRAY['a']) AS u(x, y) ORDER BY 1
SELECT * FROM UNNEST(MAP(ARRAY['a', 'b'], ARRAY[1, 2])) AS u(k, v) ORDER BY 1
SELECT * FROM UNNEST(ARRAY[ROW(1, 'a'), NULL, ROW(2, 'b')]) AS u(x, y) ORDER BY 1
SELECT a, x, n FROM (VALUES (1, ARRAY[5, 6]), (2, NULL), (3, ARRAY[])) t(a, xs) {[ CROSS ; LEFT ; INNER ]} JOIN UNNEST(xs) WITH ORDINALITY AS u(x, n) {[ ON TRUE ; ]} ORDER BY a, x
SELECT a, x FROM (VALUES (1, ARRAY[5, 6]), (2, NULL)) t(a, xs) {[ FULL ; RIGHT ]} JOIN UNNEST(xs) AS u(x) ON TRUE ORDER BY a, x
SELECT * FROM UNNEST(ARRAY[])
SELECT * FROM UNNEST(CAST(NULL AS ARRAY(INTEGER))) AS u(x)
-- order
SELECT x FROM (VALUES 2, NULL, 1) t(x) ORDER BY x
SELECT x FROM (VALUES 2, NULL, 1) t(x) ORDER BY x DESC
SELECT x FROM (VALUES 2, NULL, 1) t(x) ORDER BY x {[ NULLS FIRST ; DESC NULLS FIRST ; DESC NULLS LAST ]}
SELECT x FROM (VALUES 1e0, nan(), infinity(), -infinity(), NULL) t(x) ORDER BY x
SELECT x FROM (VALUES 'b', 'A', 'a', 'é', '', ' ') t(x) ORDER BY x
SELECT x FROM (VALUES 3, 1, 2) t(x) ORDER BY x {[ LIMIT 1 ; LIMIT ALL ; OFFSET 1 ; OFFSET 1 LIMIT 1 ; OFFSET 1 ROW FETCH NEXT 1 ROW ONLY ; FETCH FIRST ROW ONLY ; FETCH FIRST 2 ROWS WITH TIES ; LIMIT 0 ]}
-- grouping
SELECT x, y, count(*), grouping(x, y) FROM (VALUES (1, 'a'), (1, 'b'), (2, 'a')) t(x, y) GROUP BY {[ ROLLUP (x, y) ; CUBE (x, y) ; GROUPING SETS ((x), (y), ()) ; GROUPING SETS ((x, y)) ]} ORDER BY 1, 2, 4
SELECT x, count(*) FROM (VALUES 1, 2, 2) t(x) GROUP BY {[ 1 ; ALL x ; DISTINCT x ; (x) ]} ORDER BY 1
SELECT x, count(*) FROM (VALUES 1, 2, 2) t(x) GROUP BY x HAVING count(*) > 1
SELECT count(*) FROM (VALUES 1) t(x) GROUP BY ()
SELECT x FROM (VALUES nan(), nan(), 0e0, -0e0, NULL, NULL) t(x) GROUP BY x ORDER BY 1
SELECT DISTINCT x FROM (VALUES ARRAY[1], ARRAY[1], NULL) t(x) ORDER BY 1
-- set operations
SELECT x FROM (VALUES 1, 2, 2, NULL) t(x) {[ UNION ; UNION ALL ; INTERSECT ; EXCEPT ; INTERSECT ALL ; EXCEPT ALL ]} SELECT x FROM (VALUES 2, NULL, NULL) t(x) ORDER BY 1
SELECT 1 UNION SELECT 2.5 ORDER BY 1
SELECT 1 AS a UNION ALL SELECT 2 AS b ORDER BY 1
-- joins
SELECT a.x, b.x FROM (VALUES 1, 2, NULL) a(x) {[ JOIN ; LEFT JOIN ; RIGHT JOIN ; FULL JOIN ]} (VALUES 2, 3, NULL) b(x) ON a.x = b.x ORDER BY 1, 2
SELECT * FROM (VALUES (1, 'a')) a(k, x) JOIN (VALUES (1, 'b')) b(k, y) USING (k)
SELECT k, a.x FROM (VALUES (1, 'a')) a(k, x) NATURAL JOIN (VALUES (1, 'b')) b(k, y)
SELECT * FROM (VALUES 1) a(x), LATERAL (SELECT a.x + 1 AS y)
SELECT a.x FROM (VALUES 1, 2) a(x) WHERE EXISTS (SELECT 1 FROM (VALUES 2) b(x) WHERE b.x = a.x)
SELECT (SELECT max(x) FROM (VALUES 1, 2) t(x))
SELECT (SELECT x FROM (VALUES 1, 2) t(x))
SELECT x IN (SELECT y FROM (VALUES 1, NULL) u(y)) FROM (VALUES 1, 2, NULL) t(x) ORDER BY x
-- with
WITH a AS (SELECT 1 AS x), b (y) AS (SELECT x + 1 FROM a) SELECT * FROM a, b
WITH RECURSIVE n(i) AS (VALUES 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT i FROM n ORDER BY i
-- literals
U&'\00e9\+01d4b3'
U&'!00e9' UESCAPE '!'
X'00 ff'
0xff
0b101
0o17
1_000_000
1e2
.5
'it''s'
-- clauses of the documentation
WITH SESSION query_max_execution_time = '2h' SELECT 1
WITH FUNCTION twice(x bigint) RETURNS bigint RETURN x * 2 SELECT twice(21)
SELECT * FROM (VALUES (1, 'ann')) AS t (id, name) UNION ALL CORRESPONDING SELECT * FROM (VALUES ('ben', 2)) AS t (name, id) ORDER BY 1
SELECT * FROM JSON_TABLE('[1, 2]', 'lax $[*]' COLUMNS (x bigint PATH 'lax $')) ORDER BY 1
SELECT (ROW(1, true)).*
SELECT x FROM (VALUES 1, 2) t (x) WINDOW w AS (PARTITION BY x) ORDER BY sum(x) OVER w DESC
SELECT user, t.user FROM (VALUES 5) t (user)
SELECT name FROM (SELECT u.name FROM (VALUES (1, CAST(ROW('Bob') AS ROW(name VARCHAR)))) t (id, u))
SELECT x, y, z FROM UNNEST(ARRAY[ROW(1, 2)], ARRAY[ROW(3)]) t (x, y, z)
SELECT json_format(x) FROM UNNEST(CAST(json_parse('["a", {"b": 1}]') AS ARRAY(JSON))) t (x) ORDER BY 1
SELECT * FROM (SELECT count(*), 1 + 1 FROM (VALUES 1) t (x))
WITH a AS (SELECT x, count(*) FROM (VALUES 1) t (x) GROUP BY x) SELECT * FROM a
