-- IN within IN: semi joins below a semi join.
SELECT count(*)
FROM customer
WHERE c_custkey IN (
  SELECT o_custkey FROM orders WHERE o_orderkey IN (
    SELECT l_orderkey FROM lineitem WHERE l_quantity > 49))
