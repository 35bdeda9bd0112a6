-- A star with an optional dimension.
SELECT d_year, count(p_promo_sk), count(*)
FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
  LEFT JOIN promotion ON ss_promo_sk = p_promo_sk AND p_channel_tv = 'N'
  JOIN item ON ss_item_sk = i_item_sk
WHERE i_manufact_id = 77
GROUP BY d_year
