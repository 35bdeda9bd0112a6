-- Sales with their returns, by the two columns of their key, and a dimension of each.
SELECT r_reason_desc, sum(sr_return_amt), count(*)
FROM store_sales, store_returns, reason, date_dim
WHERE ss_item_sk = sr_item_sk AND ss_ticket_number = sr_ticket_number AND sr_reason_sk = r_reason_sk
  AND ss_sold_date_sk = d_date_sk AND d_year = 2002
GROUP BY r_reason_desc
