//! The analytics tables, aggregated from the orders.

use std::cmp::Reverse;
use std::path::Path;

use arrow::array::RecordBatch;

use super::columns::{
    bigints, dates, decimals, ints, mean_cents, optional_strings, strings, timestamps,
};
use super::totals::{CustomerTotal, Sum, Totals};
use super::{batches, schemas, table_folder};
use crate::error::Result;
use crate::files::write_parquet;
use crate::shop::{Customer, Product, Shop, customer_id, product_id};

const MICROS_PER_DAY: i64 = 86_400_000_000;

type WriteTable = fn(&Shop, &Totals, &Path) -> Result<()>;

pub(super) const FILES: [WriteTable; 3] = [daily_sales, customer_360, product_performance];

fn daily_sales(shop: &Shop, totals: &Totals, dir: &Path) -> Result<()> {
    let path = table_folder(dir, "analytics", "daily_sales")?.join("part-0000.parquet");
    let schema = schemas::daily_sales();
    let days = &totals.days;
    let rows = || {
        let columns = vec![
            dates((0..days.len()).map(|day| shop.date(day))),
            bigints(days.iter().map(|day| day.sum.orders)),
            bigints(days.iter().map(|day| day.sum.quantity)),
            decimals(18, days.iter().map(|day| Some(day.sum.cents)))?,
            decimals(
                10,
                days.iter()
                    .map(|day| mean_cents(day.sum.cents, day.sum.orders)),
            )?,
            bigints(days.iter().map(|day| day.customers)),
        ];
        RecordBatch::try_new(schema.clone(), columns)
    };
    write_parquet(&path, schema.clone(), std::iter::once_with(rows))
}

/// Every customer, including those without orders.
fn customer_360(shop: &Shop, totals: &Totals, dir: &Path) -> Result<()> {
    let path = table_folder(dir, "analytics", "customer_360")?.join("part-0000.parquet");
    let schema = schemas::customer_360();
    let end = shop
        .date(shop.days())
        .and_time(chrono::NaiveTime::MIN)
        .and_utc()
        .timestamp_micros();
    let days_since = |micros: i64| ((end - 1 - micros) / MICROS_PER_DAY) as i32;
    let rows = batches(shop.customers).map(|indexes| {
        let customers: Vec<Customer> = indexes.clone().map(Customer::of).collect();
        let totals: &[CustomerTotal] =
            &totals.customers[indexes.start as usize..indexes.end as usize];
        let columns = vec![
            strings(indexes.map(customer_id)),
            strings(customers.iter().map(Customer::full_name)),
            strings(customers.iter().map(|customer| customer.segment)),
            strings(customers.iter().map(|customer| customer.home.region())),
            bigints(totals.iter().map(|total| total.sum.orders)),
            bigints(totals.iter().map(|total| total.sum.quantity)),
            decimals(18, totals.iter().map(|total| Some(total.sum.cents)))?,
            decimals(
                10,
                totals
                    .iter()
                    .map(|total| mean_cents(total.sum.cents, total.sum.orders)),
            )?,
            timestamps(
                totals
                    .iter()
                    .map(|total| total.span.map(|(first, _)| first)),
            ),
            timestamps(totals.iter().map(|total| total.span.map(|(_, last)| last))),
            ints(
                totals
                    .iter()
                    .map(|total| total.span.map(|(_, last)| days_since(last))),
            ),
        ];
        RecordBatch::try_new(schema.clone(), columns)
    });
    write_parquet(&path, schema.clone(), rows)
}

fn product_performance(shop: &Shop, totals: &Totals, dir: &Path) -> Result<()> {
    let path = table_folder(dir, "analytics", "product_performance")?.join("part-0000.parquet");
    let schema = schemas::product_performance();
    let ranks = revenue_ranks(&totals.products);
    let rows = batches(shop.products).map(|indexes| {
        let products: Vec<Product> = indexes
            .clone()
            .map(|index| Product::of(index, shop.first_day))
            .collect();
        let range = indexes.start as usize..indexes.end as usize;
        let totals = &totals.products[range.clone()];
        let columns = vec![
            strings(indexes.map(product_id)),
            strings(products.iter().map(|product| &product.name)),
            strings(products.iter().map(|product| product.category)),
            optional_strings(products.iter().map(|product| product.brand)),
            bigints(totals.iter().map(|total| total.orders)),
            bigints(totals.iter().map(|total| total.quantity)),
            decimals(18, totals.iter().map(|total| Some(total.cents)))?,
            decimals(
                10,
                totals
                    .iter()
                    .map(|total| mean_cents(total.cents, total.quantity)),
            )?,
            ints(ranks[range].iter().map(|&rank| Some(rank))),
        ];
        RecordBatch::try_new(schema.clone(), columns)
    });
    write_parquet(&path, schema.clone(), rows)
}

/// 1 for the product with the highest revenue, and so on; equal ones by their position.
fn revenue_ranks(products: &[Sum]) -> Vec<i32> {
    let mut by_revenue: Vec<usize> = (0..products.len()).collect();
    by_revenue.sort_by_key(|&index| Reverse(products[index].cents));
    let mut ranks = vec![0; products.len()];
    for (rank, index) in (1..).zip(by_revenue) {
        ranks[index] = rank;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_revenue_has_rank_one() {
        let products = [5, 9, 9, 1].map(|cents| Sum {
            cents,
            ..Sum::default()
        });
        assert_eq!(revenue_ranks(&products), [3, 1, 2, 4]);
    }
}
