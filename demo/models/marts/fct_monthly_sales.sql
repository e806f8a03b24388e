select
    order_month,
    store_code,
    count(distinct customer_id) as customer_count,
    count(*) as order_count,
    sum(order_total) as revenue,
    avg(order_total) as average_order_total
from {{ ref('fct_orders') }}
where order_status <> 'returned'
group by order_month, store_code
