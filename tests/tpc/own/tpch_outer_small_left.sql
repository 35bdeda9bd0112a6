-- The table that is kept whole is much smaller than the other.
SELECT n_name, count(o_orderkey)
FROM nation LEFT JOIN customer ON c_nationkey = n_nationkey LEFT JOIN orders ON o_custkey = c_custkey
GROUP BY n_name
