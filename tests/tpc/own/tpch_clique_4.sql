-- Every two of four tables share a key.
SELECT count(*)
FROM lineitem l, partsupp ps, part p, lineitem m
WHERE l.l_partkey = ps.ps_partkey AND l.l_partkey = p.p_partkey AND l.l_partkey = m.l_partkey
  AND ps.ps_partkey = p.p_partkey AND ps.ps_partkey = m.l_partkey AND p.p_partkey = m.l_partkey
  AND p.p_size = 15 AND m.l_shipdate < DATE '1992-03-01'
