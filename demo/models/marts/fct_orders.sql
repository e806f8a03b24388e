with orders as (

    select * from {{ ref('stg_till__orders') }}

),

totals as (

    select * from {{ ref('int_order_totals') }}

),

payments as (

    select * from {{ ref('int_payments_by_order') }}

),

numbered as (

    select * from {{ ref('int_orders_numbered') }}

),

joined as (

    select
        orders.order_id,
        orders.customer_id,
        orders.store_code,
        orders.order_status,
        orders.ordered_at,
        orders.order_month,
        orders.is_returned,
        totals.order_total,
        totals.piece_count,
        coalesce(payments.total_paid, 0) as total_paid,
        payments.card_amount,
        totals.order_total - coalesce(payments.total_paid, 0) as open_amount,
        numbered.customer_order_number,
        numbered.customer_order_number = 1 as is_first_order
    from orders
    left join totals on orders.order_id = totals.order_id
    left join payments on orders.order_id = payments.order_id
    left join numbered on orders.order_id = numbered.order_id

)

select * from joined
