-- Metrics: one row a day.
CREATE DATABASE shop_metrics COMMENT 'orders by day';

CREATE TABLE shop_metrics.daily_orders AS
SELECT
  order_date,
  count(*) AS orders,
  count(DISTINCT customer_id) AS customers,
  sum(quantity) AS units,
  sum(total) AS revenue,
  sum(discount) AS discounts,
  max(total) AS largest_order,
  count(CASE WHEN status = 'cancelled' THEN 1 END) AS cancelled
FROM shop.orders
GROUP BY order_date;
