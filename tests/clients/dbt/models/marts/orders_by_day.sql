{{ config(
    materialized='incremental',
    incremental_strategy='overwrite_partitions',
    partitioned_by=['order_date']
) }}

select order_id, customer_id, total, order_date
from {{ ref('stg_orders') }}
{% if is_incremental() %}
-- The last day again, as orders may have arrived late, and all days after it.
where order_date >= (select max(order_date) from {{ this }})
{% endif %}
