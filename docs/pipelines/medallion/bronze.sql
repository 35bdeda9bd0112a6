-- Bronze: tables over the files as they arrived. Nothing is copied.
-- Parquet columns are found by name, so that a table declares only those that it needs.
CREATE DATABASE bronze COMMENT 'as it arrived';

CREATE EXTERNAL TABLE bronze.store_sales (
  ss_sold_date_sk INT, ss_item_sk INT, ss_customer_sk INT, ss_store_sk INT,
  ss_ticket_number BIGINT, ss_quantity INT, ss_sales_price DECIMAL(7,2),
  ss_ext_sales_price DECIMAL(7,2), ss_net_paid DECIMAL(7,2), ss_net_profit DECIMAL(7,2)
) STORED AS PARQUET LOCATION 's3://datalake/tpcds/store_sales/';

CREATE EXTERNAL TABLE bronze.customer (
  c_customer_sk INT, c_customer_id STRING, c_first_name STRING, c_last_name STRING,
  c_birth_country STRING, c_email_address STRING
) STORED AS PARQUET LOCATION 's3://datalake/tpcds/customer/';

CREATE EXTERNAL TABLE bronze.item (
  i_item_sk INT, i_item_id STRING, i_product_name STRING, i_brand STRING, i_category STRING
) STORED AS PARQUET LOCATION 's3://datalake/tpcds/item/';

CREATE EXTERNAL TABLE bronze.date_dim (
  d_date_sk INT, d_date DATE, d_year INT, d_moy INT
) STORED AS PARQUET LOCATION 's3://datalake/tpcds/date_dim/';
