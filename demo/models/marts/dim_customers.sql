with customers as (

    select * from {{ ref('stg_till__customers') }}

),

orders as (

    select
        customer_id,
        count(*) as order_count,
        sum(order_total) as lifetime_value,
        min(ordered_at) as first_ordered_at,
        max(ordered_at) as last_ordered_at,
        count(case when is_returned then 1 end) as returned_order_count
    from {{ ref('fct_orders') }}
    group by customer_id

)

select
    customers.customer_id,
    customers.full_name,
    customers.email,
    customers.country,
    customers.registered_at,
    orders.order_count,
    orders.lifetime_value,
    orders.first_ordered_at,
    orders.last_ordered_at,
    coalesce(orders.returned_order_count, 0) as returned_order_count,
    case when orders.order_count > 1 then 'returning' else 'new' end as customer_type
from customers
left join orders on customers.customer_id = orders.customer_id
