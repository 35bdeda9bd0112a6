-- The next day: run it when new folders have arrived.
MSCK REPAIR TABLE shop_raw.orders;

INSERT INTO shop.rejected_orders
SELECT
  order_id,
  CASE
    WHEN order_id IS NULL THEN 'no order_id'
    WHEN price IS NULL THEN 'no price'
    ELSE 'no time'
  END AS reason,
  arrived
FROM shop.typed_orders
WHERE (order_id IS NULL OR price IS NULL OR ordered_at IS NULL)
  AND arrived > (SELECT max(arrived) FROM shop.orders);

INSERT INTO shop.orders
WITH newest AS (
  SELECT t.*, row_number() OVER (
      PARTITION BY order_id
      ORDER BY updated_at DESC NULLS LAST, arrived DESC, price, quantity, status
    ) AS copy
  FROM shop.typed_orders t
  WHERE order_id IS NOT NULL AND price IS NOT NULL AND ordered_at IS NOT NULL
    AND arrived > (SELECT max(arrived) FROM shop.orders)
)
SELECT
  order_id,
  coalesce(customer_id, 'unknown') AS customer_id,
  coalesce(product_id, 'unknown') AS product_id,
  coalesce(quantity, 1) AS quantity,
  price,
  coalesce(discount, CAST(0 AS decimal(10,2))) AS discount,
  CAST(price * coalesce(quantity, 1) - coalesce(discount, CAST(0 AS decimal(10,2)))
    AS decimal(12,2)) AS total,
  coalesce(status, 'unknown') AS status,
  ordered_at,
  arrived,
  CAST(ordered_at AS date) AS order_date
FROM newest n
WHERE copy = 1
  -- An order that was loaded before stays as it is.
  AND NOT EXISTS (SELECT 1 FROM shop.orders o WHERE o.order_id = n.order_id);

-- The metrics are small: all of them again, in one step for readers, with orders that came late.
INSERT OVERWRITE shop_metrics.daily_orders
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
