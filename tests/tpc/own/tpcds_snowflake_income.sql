-- A snowflake three keys deep.
SELECT ib_lower_bound, count(*)
FROM web_sales, customer, household_demographics, income_band, item
WHERE ws_bill_customer_sk = c_customer_sk AND c_current_hdemo_sk = hd_demo_sk
  AND hd_income_band_sk = ib_income_band_sk AND ws_item_sk = i_item_sk
  AND ib_lower_bound >= 100001 AND i_class = 'pop'
GROUP BY ib_lower_bound
