with source as (

    select * from {{ source('till', 'customers') }}

)

select
    id as customer_id,
    first_name,
    last_name,
    first_name || ' ' || last_name as full_name,
    lower(email) as email,
    country,
    created_at as registered_at
from source
