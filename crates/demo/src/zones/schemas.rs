//! The columns of the Parquet tables. The SQL that registers them is derived from these, so that
//! files and catalog cannot differ.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

const TEXT: DataType = DataType::Utf8;
const MICROS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
const PRICE: DataType = DataType::Decimal128(10, 2);
const SUM: DataType = DataType::Decimal128(18, 2);

/// A Parquet table of the shop's zones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ZoneTable {
    pub database: &'static str,
    pub name: &'static str,
    pub schema: fn() -> SchemaRef,
    /// The partition column, a date, if there is one.
    pub partition: Option<&'static str>,
}

pub(crate) const ZONE_TABLES: [ZoneTable; 8] = [
    ZoneTable {
        database: "curated",
        name: "orders",
        schema: curated_orders,
        partition: Some("order_date"),
    },
    ZoneTable {
        database: "curated",
        name: "users",
        schema: curated_users,
        partition: None,
    },
    ZoneTable {
        database: "curated",
        name: "products",
        schema: curated_products,
        partition: None,
    },
    ZoneTable {
        database: "curated",
        name: "customers",
        schema: customers,
        partition: None,
    },
    ZoneTable {
        database: "analytics",
        name: "daily_sales",
        schema: daily_sales,
        partition: None,
    },
    ZoneTable {
        database: "analytics",
        name: "customer_360",
        schema: customer_360,
        partition: None,
    },
    ZoneTable {
        database: "analytics",
        name: "product_performance",
        schema: product_performance,
        partition: None,
    },
    ZoneTable {
        database: "analytics",
        name: "sales_fact",
        schema: sales_fact,
        partition: Some("sale_date"),
    },
];

fn schema<const N: usize>(columns: [(&str, DataType); N]) -> SchemaRef {
    let fields = columns
        .into_iter()
        .map(|(name, kind)| Field::new(name, kind, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

pub(super) fn curated_orders() -> SchemaRef {
    schema([
        ("order_id", TEXT),
        ("customer_id", TEXT),
        ("product_id", TEXT),
        ("quantity", DataType::Int32),
        ("price", PRICE),
        ("total", PRICE),
        ("created_at", MICROS),
    ])
}

pub(super) fn curated_users() -> SchemaRef {
    schema([
        ("user_id", TEXT),
        ("customer_id", TEXT),
        ("full_name", TEXT),
        ("email", TEXT),
        ("country", TEXT),
        ("language", TEXT),
        ("is_active", DataType::Boolean),
        ("created_at", MICROS),
    ])
}

pub(super) fn curated_products() -> SchemaRef {
    schema([
        ("product_id", TEXT),
        ("name", TEXT),
        ("category", TEXT),
        ("brand", TEXT),
        ("price", PRICE),
        ("weight_grams", DataType::Int32),
        ("is_active", DataType::Boolean),
        ("launched_on", DataType::Date32),
    ])
}

pub(super) fn customers() -> SchemaRef {
    schema([
        ("customer_id", TEXT),
        ("segment", TEXT),
        ("region", TEXT),
        ("email", TEXT),
        ("phone", TEXT),
        ("address", TEXT),
    ])
}

pub(super) fn daily_sales() -> SchemaRef {
    schema([
        ("sale_date", DataType::Date32),
        ("total_orders", DataType::Int64),
        ("total_quantity", DataType::Int64),
        ("total_sales", SUM),
        ("average_order_value", PRICE),
        ("unique_customers", DataType::Int64),
    ])
}

pub(super) fn customer_360() -> SchemaRef {
    schema([
        ("customer_id", TEXT),
        ("full_name", TEXT),
        ("segment", TEXT),
        ("region", TEXT),
        ("total_orders", DataType::Int64),
        ("total_quantity", DataType::Int64),
        ("total_spent", SUM),
        ("average_order_value", PRICE),
        ("first_order_at", MICROS),
        ("last_order_at", MICROS),
        ("days_since_last_order", DataType::Int32),
    ])
}

pub(super) fn product_performance() -> SchemaRef {
    schema([
        ("product_id", TEXT),
        ("product_name", TEXT),
        ("category", TEXT),
        ("brand", TEXT),
        ("total_orders", DataType::Int64),
        ("units_sold", DataType::Int64),
        ("revenue", SUM),
        ("average_price", PRICE),
        ("revenue_rank", DataType::Int32),
    ])
}

pub(super) fn sales_fact() -> SchemaRef {
    schema([
        ("customer_id", TEXT),
        ("product_id", TEXT),
        ("quantity", DataType::Int32),
        ("total_amount", PRICE),
    ])
}
