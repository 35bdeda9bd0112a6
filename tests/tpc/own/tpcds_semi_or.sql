-- EXISTS under OR: mark joins.
SELECT count(*)
FROM customer, customer_address
WHERE c_current_addr_sk = ca_address_sk AND ca_county LIKE 'W%'
  AND (EXISTS (SELECT 1 FROM web_sales WHERE ws_bill_customer_sk = c_customer_sk)
    OR EXISTS (SELECT 1 FROM catalog_sales WHERE cs_ship_customer_sk = c_customer_sk))
