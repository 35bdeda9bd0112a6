-- Outer joins one after the other, of which a filter makes the last an inner one.
SELECT c_mktsegment, count(l_orderkey)
FROM customer LEFT JOIN orders ON o_custkey = c_custkey AND o_orderpriority = '1-URGENT'
  LEFT JOIN lineitem ON l_orderkey = o_orderkey
WHERE l_shipmode = 'AIR'
GROUP BY c_mktsegment
