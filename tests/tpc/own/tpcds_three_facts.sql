-- Customers of all three channels: facts joined by a key that is unique in none of them.
SELECT count(*)
FROM (SELECT DISTINCT ss_customer_sk AS c FROM store_sales WHERE ss_quantity > 90) s
  JOIN (SELECT DISTINCT ws_bill_customer_sk AS c FROM web_sales) w ON s.c = w.c
  JOIN (SELECT DISTINCT cs_bill_customer_sk AS c FROM catalog_sales WHERE cs_quantity < 10) g ON s.c = g.c
