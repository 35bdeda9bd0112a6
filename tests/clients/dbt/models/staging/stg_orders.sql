select order_id, customer_id, product_id, quantity, price, total, order_date
from {{ source('curated', 'orders') }}
where order_date <= date '{{ var("until") }}'
