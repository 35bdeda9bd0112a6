-- Raw: JSON lines as they arrive, a folder a day. Every column is text: a value that is not what it
-- should be is still there. A line that is not JSON becomes a row of NULLs.
CREATE DATABASE shop_raw COMMENT 'orders as they arrive';

CREATE EXTERNAL TABLE shop_raw.orders (
  order_id STRING, customer_id STRING, product_id STRING, quantity STRING, price STRING,
  discount STRING, status STRING, ordered_at STRING, updated_at STRING
)
PARTITIONED BY (arrived DATE)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')
LOCATION 's3://datalake/raw/shop_orders/';

MSCK REPAIR TABLE shop_raw.orders;
