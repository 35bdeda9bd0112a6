-- Gold: what reports read.
CREATE DATABASE gold COMMENT 'for reports';

CREATE TABLE gold.daily_sales_summary
WITH (partitioned_by = ARRAY['sale_year']) AS
SELECT
  sale_date,
  count(DISTINCT ticket_number) AS receipts,
  count(*) AS lines,
  count(DISTINCT customer_sk) AS customers,
  sum(quantity) AS units,
  sum(revenue) AS revenue,
  sum(net_paid) AS net_paid,
  sum(profit) AS profit,
  CAST(sum(revenue) AS double precision) / count(DISTINCT ticket_number) AS revenue_per_receipt,
  sale_year
FROM silver.sales
GROUP BY sale_year, sale_date;

-- One row a customer, also for those without a purchase.
CREATE TABLE gold.customer_lifetime_value AS
WITH purchases AS (
  SELECT
    customer_sk,
    count(DISTINCT ticket_number) AS receipts,
    sum(quantity) AS units,
    sum(net_paid) AS lifetime_value,
    sum(profit) AS lifetime_profit,
    min(sale_date) AS first_purchase,
    max(sale_date) AS last_purchase
  FROM silver.sales
  WHERE customer_sk IS NOT NULL
  GROUP BY customer_sk
)
SELECT
  c.customer_id,
  c.first_name,
  c.last_name,
  c.country,
  coalesce(p.receipts, 0) AS receipts,
  coalesce(p.units, 0) AS units,
  coalesce(p.lifetime_value, CAST(0 AS decimal(17,2))) AS lifetime_value,
  coalesce(p.lifetime_profit, CAST(0 AS decimal(17,2))) AS lifetime_profit,
  p.first_purchase,
  p.last_purchase,
  p.last_purchase - p.first_purchase AS active_days,
  CASE
    WHEN p.lifetime_value IS NULL THEN 'none'
    WHEN p.lifetime_value >= 200000 THEN 'high'
    WHEN p.lifetime_value >= 100000 THEN 'medium'
    ELSE 'low'
  END AS tier,
  rank() OVER (ORDER BY coalesce(p.lifetime_value, CAST(0 AS decimal(17,2))) DESC) AS value_rank
FROM silver.customers c
LEFT JOIN purchases p ON p.customer_sk = c.customer_sk;

CREATE TABLE gold.product_performance AS
SELECT
  p.item_id,
  p.product_name,
  p.brand,
  p.category,
  count(*) AS lines,
  count(DISTINCT s.customer_sk) AS customers,
  sum(s.quantity) AS units,
  sum(s.revenue) AS revenue,
  sum(s.profit) AS profit,
  rank() OVER (PARTITION BY p.category ORDER BY sum(s.revenue) DESC NULLS LAST, p.item_id) AS rank_in_category
FROM silver.sales s
JOIN silver.products p ON p.item_sk = s.item_sk
GROUP BY p.item_id, p.product_name, p.brand, p.category;

CREATE TABLE gold.monthly_trends AS
WITH months AS (
  SELECT
    sale_year,
    sale_month,
    count(DISTINCT ticket_number) AS receipts,
    count(DISTINCT customer_sk) AS customers,
    sum(revenue) AS revenue,
    sum(profit) AS profit
  FROM silver.sales
  GROUP BY sale_year, sale_month
)
SELECT
  sale_year,
  sale_month,
  receipts,
  customers,
  revenue,
  profit,
  lag(revenue) OVER (ORDER BY sale_year, sale_month) AS revenue_month_before,
  revenue - lag(revenue) OVER (ORDER BY sale_year, sale_month) AS change,
  sum(revenue) OVER (PARTITION BY sale_year ORDER BY sale_month) AS revenue_of_year_to_date
FROM months;
