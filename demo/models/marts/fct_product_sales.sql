with items as (

    select * from {{ ref('stg_till__order_items') }}

),

products as (

    select * from {{ ref('stg_products') }}

)

select
    products.sku,
    products.name as product_name,
    products.kind,
    sum(items.quantity) as pieces_sold,
    sum(items.line_total) as revenue
from products
left join items on products.sku = items.sku
group by 1, 2, 3
