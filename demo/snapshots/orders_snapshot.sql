{% snapshot orders_snapshot %}
{{ config(target_schema='main_snapshots', unique_key='order_id', strategy='check', check_cols=['order_status']) }}
select order_id, customer_id, order_status from {{ ref('stg_till__orders') }}
{% endsnapshot %}
