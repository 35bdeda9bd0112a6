-- Curated: typed, the newest state of each order, defaults instead of NULLs, partitioned by day.
CREATE DATABASE shop COMMENT 'orders, typed and without duplicates';

-- A text that is not a number or a time becomes NULL.
CREATE VIEW shop.typed_orders AS
SELECT
  nullif(trim(order_id), '') AS order_id,
  nullif(trim(customer_id), '') AS customer_id,
  nullif(trim(product_id), '') AS product_id,
  try_cast(quantity AS integer) AS quantity,
  try_cast(price AS decimal(10,2)) AS price,
  try_cast(discount AS decimal(10,2)) AS discount,
  lower(nullif(trim(status), '')) AS status,
  try_cast(ordered_at AS timestamp) AS ordered_at,
  try_cast(updated_at AS timestamp) AS updated_at,
  arrived
FROM shop_raw.orders;

-- An order without a number, a price or a time cannot be counted.
CREATE TABLE shop.orders
WITH (format = 'PARQUET', write_compression = 'ZSTD', partitioned_by = ARRAY['order_date']) AS
WITH newest AS (
  SELECT t.*, row_number() OVER (
      PARTITION BY order_id
      ORDER BY updated_at DESC NULLS LAST, arrived DESC, price, quantity, status
    ) AS copy
  FROM shop.typed_orders t
  WHERE order_id IS NOT NULL AND price IS NOT NULL AND ordered_at IS NOT NULL
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
FROM newest
WHERE copy = 1;

-- What was left out, with the reason, so that the source can be mended.
CREATE TABLE shop.rejected_orders AS
SELECT
  order_id,
  CASE
    WHEN order_id IS NULL THEN 'no order_id'
    WHEN price IS NULL THEN 'no price'
    ELSE 'no time'
  END AS reason,
  arrived
FROM shop.typed_orders
WHERE order_id IS NULL OR price IS NULL OR ordered_at IS NULL;
