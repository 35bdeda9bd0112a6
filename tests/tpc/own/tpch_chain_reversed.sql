-- The chain of tpch_chain_unfiltered, written from its smallest table.
SELECT r_name, count(*)
FROM region JOIN nation ON n_regionkey = r_regionkey JOIN customer ON c_nationkey = n_nationkey
  JOIN orders ON o_custkey = c_custkey JOIN lineitem ON l_orderkey = o_orderkey
GROUP BY r_name
