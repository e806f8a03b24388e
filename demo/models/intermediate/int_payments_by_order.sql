with payments as (

    select * from {{ ref('stg_till__payments') }}

)

select
    order_id,
    sum(amount) as total_paid,
    sum(case when payment_method = 'card' then amount else 0 end) as card_amount,
    sum(case when payment_method = 'voucher' then amount else 0 end) as voucher_amount,
    count(*) as payment_count,
    count(distinct payment_method) as payment_method_count,
    min(paid_at) as first_paid_at,
    max(paid_at) as last_paid_at
from payments
group by order_id
