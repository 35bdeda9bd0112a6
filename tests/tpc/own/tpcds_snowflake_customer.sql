-- A snowflake: the filters are two keys away from the facts.
SELECT ca_state, sum(ss_net_paid)
FROM store_sales, customer, customer_address, customer_demographics, date_dim
WHERE ss_customer_sk = c_customer_sk AND c_current_addr_sk = ca_address_sk
  AND c_current_cdemo_sk = cd_demo_sk AND ss_sold_date_sk = d_date_sk
  AND ca_state IN ('TX', 'GA') AND cd_education_status = 'College' AND d_year = 2001
GROUP BY ca_state
