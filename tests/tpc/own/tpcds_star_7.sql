-- A star of seven dimensions, of which two are filtered.
SELECT count(*)
FROM store_sales, date_dim, time_dim, item, store, customer, household_demographics, promotion
WHERE ss_sold_date_sk = d_date_sk AND ss_sold_time_sk = t_time_sk AND ss_item_sk = i_item_sk
  AND ss_store_sk = s_store_sk AND ss_customer_sk = c_customer_sk AND ss_hdemo_sk = hd_demo_sk
  AND ss_promo_sk = p_promo_sk AND t_hour = 12 AND hd_dep_count = 3
