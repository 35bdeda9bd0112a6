-- A chain of six tables, filtered at both ends.
SELECT r_name, count(*), sum(l_quantity)
FROM lineitem, orders, customer, nation, region, supplier
WHERE l_orderkey = o_orderkey AND o_custkey = c_custkey AND c_nationkey = n_nationkey
  AND n_regionkey = r_regionkey AND l_suppkey = s_suppkey
  AND r_name = 'EUROPE' AND s_acctbal > 9000 AND o_orderdate >= DATE '1997-01-01'
GROUP BY r_name
