-- A full join of two filtered tables.
SELECT count(c_custkey), count(o_orderkey)
FROM (SELECT * FROM customer WHERE c_acctbal > 5000) c
  FULL JOIN (SELECT * FROM orders WHERE o_totalprice > 300000) o ON o_custkey = c_custkey
