select
    order_id,
    customer_id,
    ordered_at,
    row_number() over (partition by customer_id order by ordered_at) as customer_order_number,
    lag(ordered_at) over (partition by customer_id order by ordered_at) as previous_ordered_at
from {{ ref('stg_till__orders') }}
