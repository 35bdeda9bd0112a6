-- Two small tables without a key of their own, between which a large one stands.
SELECT count(*)
FROM nation, part, lineitem, supplier
WHERE l_partkey = p_partkey AND l_suppkey = s_suppkey AND s_nationkey = n_nationkey
  AND n_name = 'PERU' AND p_brand = 'Brand#12'
