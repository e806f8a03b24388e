with source as (

    select * from {{ source('till', 'orders') }}

)

select
    id as order_id,
    customer_id,
    store_code,
    status as order_status,
    ordered_at,
    shipped_at,
    cast(ordered_at as date) as order_date,
    date_trunc('month', ordered_at) as order_month,
    status = 'returned' as is_returned
from source
