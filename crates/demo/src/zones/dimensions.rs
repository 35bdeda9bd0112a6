//! Users, products and customers: raw and curated.

use std::path::Path;

use arrow::array::RecordBatch;
use serde::Serialize;

use super::columns::{
    booleans, dates, decimals, ints, optional_strings, strings, timestamp_text, timestamps,
};
use super::{batches, schemas, table_folder};
use crate::error::Result;
use crate::files::{push_json_line, write, write_parquet};
use crate::shop::{Customer, Product, Shop, User, customer_id, product_id, user_id};

/// Each writes one table.
pub(super) const FILES: [fn(&Shop, &Path) -> Result<()>; 5] = [
    raw_users,
    raw_products,
    curated_users,
    curated_products,
    curated_customers,
];

#[derive(Serialize)]
struct RawUser {
    user_id: String,
    customer_id: Option<String>,
    name: RawName,
    email: String,
    country: &'static str,
    active: bool,
    created_at: String,
    devices: Vec<&'static str>,
    preferences: RawPreferences,
}

#[derive(Serialize)]
struct RawName {
    given: &'static str,
    family: &'static str,
}

/// A map of strings to its readers.
#[derive(Serialize)]
struct RawPreferences {
    language: &'static str,
    newsletter: &'static str,
}

/// Users who bought something are customers.
fn customer_of_user(shop: &Shop, user: u32) -> Option<String> {
    (user < shop.customers).then(|| customer_id(user))
}

fn raw_users(shop: &Shop, dir: &Path) -> Result<()> {
    let path = table_folder(dir, "raw", "users")?.join("part-0000.json");
    let mut lines = Vec::new();
    for index in 0..shop.users {
        let user = User::of(index, shop.customers, shop.first_day);
        let line = RawUser {
            user_id: user_id(index),
            customer_id: customer_of_user(shop, index),
            name: RawName {
                given: user.person.given_name,
                family: user.person.family_name,
            },
            country: user.person.home.country(),
            email: user.person.email,
            active: user.is_active,
            created_at: timestamp_text(user.created_at),
            devices: user.devices,
            preferences: RawPreferences {
                language: user.language,
                newsletter: if user.newsletter { "weekly" } else { "off" },
            },
        };
        push_json_line(&mut lines, &line, &path)?;
    }
    write(&path, &lines)
}

fn raw_products(shop: &Shop, dir: &Path) -> Result<()> {
    let path = table_folder(dir, "raw", "products")?.join("products.csv");
    let mut text = String::from(
        "product_id,name,category,brand,price,weight_grams,description,active,launched_on\n",
    );
    for index in 0..shop.products {
        let product = Product::of(index, shop.first_day);
        let cents = product.price_cents;
        let fields = [
            product_id(index),
            quoted(&product.name),
            quoted(product.category),
            product.brand.map_or_else(String::new, quoted),
            format!("{}.{:02}", cents / 100, cents % 100),
            product.weight_grams.to_string(),
            quoted(&product.description()),
            product.is_active.to_string(),
            product.launched_on.to_string(),
        ];
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    write(&path, text.as_bytes())
}

fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

fn curated_users(shop: &Shop, dir: &Path) -> Result<()> {
    let path = table_folder(dir, "curated", "users")?.join("part-0000.parquet");
    let schema = schemas::curated_users();
    let rows = batches(shop.users).map(|indexes| {
        let users: Vec<User> = indexes
            .clone()
            .map(|index| User::of(index, shop.customers, shop.first_day))
            .collect();
        let columns = vec![
            strings(indexes.clone().map(user_id)),
            optional_strings(indexes.map(|index| customer_of_user(shop, index))),
            strings(users.iter().map(|user| user.person.full_name())),
            strings(users.iter().map(|user| &user.person.email)),
            strings(users.iter().map(|user| user.person.home.country())),
            strings(users.iter().map(|user| user.language)),
            booleans(users.iter().map(|user| user.is_active)),
            timestamps(users.iter().map(|user| Some(user.created_at))),
        ];
        RecordBatch::try_new(schema.clone(), columns)
    });
    write_parquet(&path, schema.clone(), rows)
}

fn curated_products(shop: &Shop, dir: &Path) -> Result<()> {
    let path = table_folder(dir, "curated", "products")?.join("part-0000.parquet");
    let schema = schemas::curated_products();
    let rows = batches(shop.products).map(|indexes| {
        let products: Vec<Product> = indexes
            .clone()
            .map(|index| Product::of(index, shop.first_day))
            .collect();
        let columns = vec![
            strings(indexes.map(product_id)),
            strings(products.iter().map(|product| &product.name)),
            strings(products.iter().map(|product| product.category)),
            optional_strings(products.iter().map(|product| product.brand)),
            decimals(10, products.iter().map(|product| Some(product.price_cents)))?,
            ints(products.iter().map(|product| Some(product.weight_grams))),
            booleans(products.iter().map(|product| product.is_active)),
            dates(products.iter().map(|product| product.launched_on)),
        ];
        RecordBatch::try_new(schema.clone(), columns)
    });
    write_parquet(&path, schema.clone(), rows)
}

fn curated_customers(shop: &Shop, dir: &Path) -> Result<()> {
    let path = table_folder(dir, "curated", "customers")?.join("part-0000.parquet");
    let schema = schemas::customers();
    let rows = batches(shop.customers).map(|indexes| {
        let customers: Vec<Customer> = indexes.clone().map(Customer::of).collect();
        let columns = vec![
            strings(indexes.map(customer_id)),
            strings(customers.iter().map(|customer| customer.segment)),
            strings(customers.iter().map(|customer| customer.home.region())),
            strings(customers.iter().map(|customer| &customer.email)),
            strings(customers.iter().map(|customer| &customer.phone)),
            strings(customers.iter().map(Customer::address)),
        ];
        RecordBatch::try_new(schema.clone(), columns)
    });
    write_parquet(&path, schema.clone(), rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_inside_a_field_are_doubled() {
        assert_eq!(quoted("Oak Desk, 24\" wide"), "\"Oak Desk, 24\"\" wide\"");
    }
}
