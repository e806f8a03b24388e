with items as (

    select * from {{ ref('stg_till__order_items') }}

),

totals as (

    select
        order_id,
        sum(line_total) as order_total,
        sum(quantity) as piece_count,
        count(*) as line_count,
        max(unit_price) as highest_unit_price
    from items
    where quantity > 0
    group by order_id

)

select * from totals
