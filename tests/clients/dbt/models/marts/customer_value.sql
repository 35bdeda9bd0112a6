select
    c.customer_id,
    c.segment,
    s.priority,
    count(o.order_id) as order_count,
    coalesce(sum(o.total), 0) as total_spent,
    min(o.order_date) as first_order,
    max(o.order_date) as last_order
from {{ ref('stg_customers') }} c
left join {{ ref('stg_orders') }} o on o.customer_id = c.customer_id
left join {{ ref('segments') }} s on s.segment = c.segment
group by c.customer_id, c.segment, s.priority
