//! The orders of one day: raw by the hour, curated, and as facts.

use std::path::Path;

use arrow::array::RecordBatch;
use chrono::{Datelike, NaiveDate};
use serde::Serialize;

use super::columns::{decimals, ints, strings, timestamp_text, timestamps};
use super::schemas;
use super::totals::Totals;
use crate::error::Result;
use crate::files::{folder, push_json_line, write_gzip, write_parquet};
use crate::random::Random;
use crate::shop::{COLOURS, Home, Order, Shop, customer_id, product_id};

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// Writes the day into all three zones and adds it to the totals.
pub(super) fn write_day(shop: &Shop, day: usize, dir: &Path, totals: &mut Totals) -> Result<()> {
    let date = shop.date(day);
    let orders = shop.orders(day);
    let ids: Vec<String> = (1..=orders.len())
        .map(|number| order_id(date, number))
        .collect();
    totals.add_day(day, &orders);
    write_raw(dir, date, &orders, &ids)?;
    write_curated(dir, date, &orders, &ids)?;
    write_facts(dir, date, &orders)
}

fn order_id(date: NaiveDate, number: usize) -> String {
    format!("ORD-{}-{number:06}", date.format("%Y%m%d"))
}

/// An order as the web shop's events tell it.
#[derive(Serialize)]
struct RawOrder<'a> {
    order_id: &'a str,
    customer_id: String,
    product_id: String,
    quantity: i32,
    price: f64,
    total: f64,
    status: &'static str,
    created_at: String,
    items: Vec<RawItem>,
    shipping: RawShipping<'a>,
    attributes: RawAttributes,
    note: Option<&'static str>,
}

/// The quantities of an order's items add up to the order's.
#[derive(Serialize)]
struct RawItem {
    sku: String,
    colour: &'static str,
    quantity: i32,
    price: f64,
}

#[derive(Serialize)]
struct RawShipping<'a> {
    method: &'static str,
    address: RawAddress<'a>,
}

#[derive(Serialize)]
struct RawAddress<'a> {
    city: &'static str,
    postal_code: &'a str,
    country: &'static str,
}

/// A map of strings to its readers; the coupon is there or not.
#[derive(Serialize)]
struct RawAttributes {
    channel: &'static str,
    payment: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    coupon: Option<&'static str>,
}

fn write_raw(dir: &Path, date: NaiveDate, orders: &[Order], ids: &[String]) -> Result<()> {
    let day_folder = dir.join("raw/orders").join(format!(
        "year={:04}/month={:02}/day={:02}",
        date.year(),
        date.month(),
        date.day()
    ));
    let hour_of = |order: &Order| order.created_at.div_euclid(MICROS_PER_HOUR);
    let mut lines = Vec::new();
    let mut ids = ids.iter();
    for hour in orders.chunk_by(|one, next| hour_of(one) == hour_of(next)) {
        let Some(first) = hour.first() else { continue };
        let name = format!("hour={:02}", hour_of(first).rem_euclid(24));
        let path = folder(day_folder.join(name))?.join("part-0000.json.gz");
        lines.clear();
        for (order, id) in hour.iter().zip(ids.by_ref()) {
            let home = Home::of(order.customer);
            push_json_line(&mut lines, &raw_order(order, id, &home), &path)?;
        }
        write_gzip(&path, &lines)?;
    }
    Ok(())
}

fn raw_order<'a>(order: &Order, id: &'a str, home: &'a Home) -> RawOrder<'a> {
    let mut details = order.details();
    RawOrder {
        order_id: id,
        customer_id: customer_id(order.customer),
        product_id: product_id(order.product),
        quantity: order.quantity,
        price: amount(order.price_cents),
        total: amount(order.total_cents()),
        status: order.status,
        created_at: timestamp_text(order.created_at),
        items: raw_items(order, &mut details),
        shipping: RawShipping {
            method: details.pick(&["standard", "standard", "standard", "express", "pickup"]),
            address: RawAddress {
                city: home.city(),
                postal_code: &home.postal_code,
                country: home.country(),
            },
        },
        attributes: RawAttributes {
            channel: details.pick(&["web", "web", "ios", "android", "store"]),
            payment: details.pick(&["card", "card", "card", "paypal", "invoice"]),
            coupon: details
                .percent(12)
                .then(|| details.pick(&["SPRING10", "WELCOME5", "VIP20"])),
        },
        note: details.percent(4).then(|| {
            details.pick(&[
                "gift wrap, please",
                "leave at \"reception\"",
                "schöne Grüße",
            ])
        }),
    }
}

/// The pieces of an order, shared out over one to three colours.
fn raw_items(order: &Order, details: &mut Random) -> Vec<RawItem> {
    let mut items = Vec::new();
    let mut left = order.quantity;
    while left > 0 {
        let colour = details.pick(&COLOURS);
        let quantity = if items.len() == 2 {
            left
        } else {
            1 + details.below(left.unsigned_abs().into()) as i32
        };
        left -= quantity;
        let sku = format!(
            "{}-{}",
            product_id(order.product),
            colour.to_ascii_uppercase()
        );
        items.push(RawItem {
            sku,
            colour,
            quantity,
            price: amount(order.price_cents),
        });
    }
    items
}

/// The number nearest to the amount, which prints with two digits at most.
fn amount(cents: i64) -> f64 {
    cents as f64 / 100.0
}

fn write_curated(dir: &Path, date: NaiveDate, orders: &[Order], ids: &[String]) -> Result<()> {
    let name = format!("order_date={date}");
    let path = folder(dir.join("curated/orders").join(name))?.join("part-0000.parquet");
    let schema = schemas::curated_orders();
    let rows = orders
        .chunks(super::BATCH_ROWS as usize)
        .zip(ids.chunks(super::BATCH_ROWS as usize));
    let rows = rows.map(|(orders, ids)| {
        let columns = vec![
            strings(ids.iter()),
            strings(orders.iter().map(|order| customer_id(order.customer))),
            strings(orders.iter().map(|order| product_id(order.product))),
            ints(orders.iter().map(|order| Some(order.quantity))),
            decimals(10, orders.iter().map(|order| Some(order.price_cents)))?,
            decimals(10, orders.iter().map(|order| Some(order.total_cents())))?,
            timestamps(orders.iter().map(|order| Some(order.created_at))),
        ];
        RecordBatch::try_new(schema.clone(), columns)
    });
    write_parquet(&path, schema.clone(), rows)
}

fn write_facts(dir: &Path, date: NaiveDate, orders: &[Order]) -> Result<()> {
    let name = format!("sale_date={date}");
    let path = folder(dir.join("analytics/sales_fact").join(name))?.join("part-0000.parquet");
    let schema = schemas::sales_fact();
    let rows = orders.chunks(super::BATCH_ROWS as usize).map(|orders| {
        let columns = vec![
            strings(orders.iter().map(|order| customer_id(order.customer))),
            strings(orders.iter().map(|order| product_id(order.product))),
            ints(orders.iter().map(|order| Some(order.quantity))),
            decimals(10, orders.iter().map(|order| Some(order.total_cents())))?,
        ];
        RecordBatch::try_new(schema.clone(), columns)
    });
    write_parquet(&path, schema.clone(), rows)
}
