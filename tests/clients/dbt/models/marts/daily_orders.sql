{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns'
) }}

select
    order_date,
    count(*) as order_count,
    sum(total) as revenue
    {%- if var('count_customers') %},
    count(distinct customer_id) as customers
    {%- endif %}
from {{ ref('stg_orders') }}
{% if is_incremental() %}
where order_date > (select coalesce(max(order_date), date '1900-01-01') from {{ this }})
{% endif %}
group by order_date
