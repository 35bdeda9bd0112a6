-- A join without an equality.
SELECT n1.n_name, count(*)
FROM nation n1 JOIN supplier ON s_acctbal > n1.n_nationkey * 400
WHERE n1.n_regionkey = 2
GROUP BY n1.n_name
