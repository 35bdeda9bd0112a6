{{ config(write_compression='ZSTD') }}

select product_id, sum(quantity) as quantity, sum(total) as revenue
from {{ ref('stg_orders') }}
group by product_id
