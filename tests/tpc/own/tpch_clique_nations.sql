-- Customers and suppliers of one nation: a cycle of keys through six tables.
SELECT n_name, sum(l_extendedprice * (1 - l_discount))
FROM customer, orders, lineitem, supplier, nation, partsupp
WHERE c_custkey = o_custkey AND o_orderkey = l_orderkey AND l_suppkey = s_suppkey
  AND c_nationkey = s_nationkey AND s_nationkey = n_nationkey AND c_nationkey = n_nationkey
  AND ps_suppkey = s_suppkey AND ps_partkey = l_partkey AND ps_supplycost < 100
GROUP BY n_name
