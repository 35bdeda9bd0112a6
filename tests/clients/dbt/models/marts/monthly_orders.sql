select
    date_trunc('month', order_date) as month,
    count(*) as order_count,
    current_timestamp as loaded_at
from {{ ref('stg_orders') }}
group by 1
