-- Silver: cleaned, without duplicates, partitioned, with the time of the load.
CREATE DATABASE silver COMMENT 'cleaned and without duplicates';

-- A line of a receipt is known by its receipt and its item; a file that was delivered twice has it
-- twice. Lines without a date cannot be reported and stay in bronze.
CREATE TABLE silver.sales
WITH (format = 'PARQUET', write_compression = 'ZSTD',
      partitioned_by = ARRAY['sale_year', 'sale_month']) AS
WITH numbered AS (
  SELECT s.*, row_number() OVER (
      PARTITION BY ss_ticket_number, ss_item_sk
      ORDER BY ss_sold_date_sk NULLS LAST, ss_net_paid NULLS LAST, ss_customer_sk NULLS LAST
    ) AS copy
  FROM bronze.store_sales s
)
SELECT
  n.ss_ticket_number AS ticket_number,
  n.ss_item_sk AS item_sk,
  n.ss_customer_sk AS customer_sk,
  n.ss_store_sk AS store_sk,
  d.d_date AS sale_date,
  coalesce(n.ss_quantity, 0) AS quantity,
  n.ss_sales_price AS unit_price,
  coalesce(n.ss_ext_sales_price, CAST(0 AS decimal(7,2))) AS revenue,
  coalesce(n.ss_net_paid, CAST(0 AS decimal(7,2))) AS net_paid,
  coalesce(n.ss_net_profit, CAST(0 AS decimal(7,2))) AS profit,
  CAST(current_timestamp AS timestamp) AS loaded_at,
  d.d_year AS sale_year,
  d.d_moy AS sale_month
FROM numbered n
JOIN bronze.date_dim d ON d.d_date_sk = n.ss_sold_date_sk
WHERE n.copy = 1;

CREATE TABLE silver.customers AS
SELECT
  c_customer_sk AS customer_sk,
  c_customer_id AS customer_id,
  coalesce(nullif(trim(c_first_name), ''), 'unknown') AS first_name,
  coalesce(nullif(trim(c_last_name), ''), 'unknown') AS last_name,
  coalesce(nullif(trim(upper(c_birth_country)), ''), 'UNKNOWN') AS country,
  lower(trim(c_email_address)) AS email,
  CAST(current_timestamp AS timestamp) AS loaded_at
FROM (
  SELECT c.*, row_number() OVER (PARTITION BY c_customer_id ORDER BY c_customer_sk DESC) AS copy
  FROM bronze.customer c
) numbered
WHERE copy = 1;

CREATE TABLE silver.products AS
SELECT
  i_item_sk AS item_sk,
  i_item_id AS item_id,
  coalesce(nullif(trim(i_product_name), ''), 'unknown') AS product_name,
  coalesce(nullif(trim(i_brand), ''), 'unknown') AS brand,
  coalesce(nullif(trim(i_category), ''), 'unknown') AS category,
  CAST(current_timestamp AS timestamp) AS loaded_at
FROM bronze.item;
