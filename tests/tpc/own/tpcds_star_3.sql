-- A star whose three dimensions are all filtered.
SELECT i_brand, sum(ss_ext_sales_price)
FROM store_sales, date_dim, item, store
WHERE ss_sold_date_sk = d_date_sk AND ss_item_sk = i_item_sk AND ss_store_sk = s_store_sk
  AND d_year = 2000 AND d_moy = 11 AND i_category = 'Music' AND s_state = 'TN'
GROUP BY i_brand
