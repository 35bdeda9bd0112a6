select customer_id, segment, region
from {{ source('curated', 'customers') }}
