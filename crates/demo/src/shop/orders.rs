//! The number of orders per day, and the contents of each.

use chrono::{Datelike, Days, NaiveDate, NaiveTime};

use super::products::Product;
use crate::options::{DAYS, DemoOptions};
use crate::random::{Random, Stream, Weighted, permutation};

const ORDERS_AT_SCALE_1: f64 = 1_000_000.0;
const MICROS_PER_HOUR: u64 = 3_600_000_000;

/// From Monday to Sunday.
const WEEKDAYS: [f64; 7] = [1.05, 0.98, 0.96, 0.97, 1.08, 1.12, 0.84];

/// From January to December: a quiet summer, a busy end of the year.
const MONTHS: [f64; 12] = [
    0.90, 0.86, 0.94, 0.97, 1.0, 0.95, 0.88, 0.90, 0.99, 1.04, 1.28, 1.35,
];

/// From midnight on, UTC.
const HOURS: [f64; 24] = [
    9.0, 6.0, 4.0, 3.0, 3.0, 5.0, 9.0, 16.0, 26.0, 36.0, 44.0, 49.0, 53.0, 51.0, 48.0, 47.0, 49.0,
    54.0, 60.0, 66.0, 64.0, 50.0, 31.0, 17.0,
];

const STATUSES: [&str; 5] = [
    "delivered",
    "returned",
    "cancelled",
    "shipped",
    "processing",
];

/// One order: one product, in some quantity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    /// Microseconds since 1970, UTC.
    pub created_at: i64,
    pub customer: u32,
    pub product: u32,
    pub quantity: i32,
    /// Per piece, after discount.
    pub price_cents: i64,
    pub status: &'static str,
    /// Seed of the fields that only the raw zone has.
    pub details: u64,
}

impl Order {
    pub(crate) fn total_cents(&self) -> i64 {
        self.price_cents * i64::from(self.quantity)
    }

    /// The generator of the fields that only the raw zone has; always the same for the same order.
    pub(crate) fn details(&self) -> Random {
        Random::of(Stream::OrderDetails, self.details)
    }
}

/// The whole business, small enough to share between all threads.
#[derive(Debug)]
pub(crate) struct Shop {
    pub first_day: NaiveDate,
    pub customers: u32,
    /// Customers, and users who have only registered.
    pub users: u32,
    pub products: u32,
    /// Orders of each day, never 0.
    orders_per_day: Vec<u64>,
    prices: Vec<i64>,
    /// From popularity to index.
    customers_by_rank: Vec<u32>,
    products_by_rank: Vec<u32>,
    customer_ranks: Weighted,
    product_ranks: Weighted,
    hours: Weighted,
}

impl Shop {
    pub(crate) fn new(options: &DemoOptions) -> Self {
        let first_day = options.first_day();
        let customers = (40_000.0 * options.scale).round().clamp(50.0, 1_000_000.0) as u32;
        let products = (2_000.0 * options.scale.sqrt())
            .round()
            .clamp(100.0, 20_000.0) as u32;
        // Zipf's law with the exponents 1/2 and 3/4, which need no power function.
        let customer_weights: Vec<f64> = (1..=customers)
            .map(|rank| 1.0 / f64::from(rank).sqrt())
            .collect();
        let product_weights: Vec<f64> = (1..=products)
            .map(|rank| f64::from(rank).sqrt())
            .map(|root| 1.0 / (root * root.sqrt()))
            .collect();
        Self {
            first_day,
            customers,
            users: customers + customers / 10,
            products,
            orders_per_day: orders_per_day(options.scale, first_day),
            prices: (0..products)
                .map(|index| Product::of(index, first_day).price_cents)
                .collect(),
            customers_by_rank: permutation(Stream::CustomerRank, customers),
            products_by_rank: permutation(Stream::ProductRank, products),
            customer_ranks: Weighted::new(&customer_weights),
            product_ranks: Weighted::new(&product_weights),
            hours: Weighted::new(&HOURS),
        }
    }

    pub(crate) fn days(&self) -> usize {
        self.orders_per_day.len()
    }

    pub(crate) fn date(&self, day: usize) -> NaiveDate {
        self.first_day + Days::new(day as u64)
    }

    /// The orders of a day in order of time; an order's number is its position from 1.
    pub(crate) fn orders(&self, day: usize) -> Vec<Order> {
        let date = self.date(day);
        let midnight = date.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
        let mut random = Random::of(Stream::Orders, day_number(date));
        let age_in_days = self.days() - 1 - day;
        let count = self.orders_per_day[day];
        let mut orders: Vec<Order> = (0..count)
            .map(|_| self.order(midnight, age_in_days, &mut random))
            .collect();
        orders.sort_by_key(|order| order.created_at);
        orders
    }

    fn order(&self, midnight: i64, age_in_days: usize, random: &mut Random) -> Order {
        let hour = u64::from(self.hours.draw(random));
        let micros = hour * MICROS_PER_HOUR + random.below(MICROS_PER_HOUR);
        let customer = self.customers_by_rank[self.customer_ranks.draw(random) as usize];
        let product = self.products_by_rank[self.product_ranks.draw(random) as usize];
        let quantity = random.pick(&[1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 10]);
        let discount_percent = random.pick(&[0, 0, 0, 0, 0, 0, 0, 5, 10, 20]);
        let price_cents = self.prices[product as usize] * (100 - discount_percent) / 100;
        let settled = random.below(100);
        let [delivered, returned, cancelled, shipped, processing] = STATUSES;
        let status = match (settled, age_in_days) {
            (0..=3, _) => cancelled,
            (_, 0..=1) => processing,
            (_, 2..=5) => shipped,
            (4..=8, _) => returned,
            _ => delivered,
        };
        let details = random.next();
        let created_at = midnight + micros as i64;
        Order {
            created_at,
            customer,
            product,
            quantity,
            price_cents,
            status,
            details,
        }
    }
}

/// Days in the common era: the orders of a date are the same whenever the lake ends.
fn day_number(date: NaiveDate) -> u64 {
    u64::from(date.num_days_from_ce().unsigned_abs())
}

/// One for each day; the rest by growth, weekday, season and chance, rounded so that the sum is
/// exact.
fn orders_per_day(scale: f64, first_day: NaiveDate) -> Vec<u64> {
    let total = (ORDERS_AT_SCALE_1 * scale).round().max(DAYS as f64) as u64;
    let weights: Vec<f64> = (0..DAYS)
        .map(|day| day_weight(first_day + Days::new(day), day))
        .collect();
    let share = (total - DAYS) as f64 / weights.iter().sum::<f64>();
    let mut target = 0.0;
    let mut given = 0;
    let mut counts = Vec::with_capacity(weights.len());
    for weight in weights {
        target += weight * share;
        let upto = (target.round() as u64).max(given);
        counts.push(1 + upto - given);
        given = upto;
    }
    counts
}

fn day_weight(date: NaiveDate, day: u64) -> f64 {
    let growth = 1.0 + 0.35 * day as f64 / DAYS as f64;
    let weekday = WEEKDAYS[date.weekday().num_days_from_monday() as usize];
    let month = MONTHS[date.month0() as usize];
    let chance = 0.94 + 0.12 * Random::of(Stream::DayWeight, day_number(date)).unit();
    growth * weekday * month * chance
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::options::DEFAULT_UNTIL;

    #[test]
    fn every_day_has_orders_and_they_add_up() {
        let first_day = DemoOptions::new("").first_day();
        for (scale, total) in [(1.0, 1_000_000), (0.01, 10_000), (0.000_001, 366)] {
            let counts = orders_per_day(scale, first_day);
            assert_eq!(counts.len(), 366);
            assert!(counts.iter().all(|&count| count > 0));
            assert_eq!(counts.iter().sum::<u64>(), total);
        }
    }

    #[test]
    fn orders_of_a_day_are_of_that_day_and_sorted() {
        let shop = Shop::new(&DemoOptions {
            scale: 0.05,
            ..DemoOptions::new("")
        });
        assert_eq!(shop.date(365), DEFAULT_UNTIL);
        let orders = shop.orders(100);
        let midnight = shop
            .date(100)
            .and_time(NaiveTime::MIN)
            .and_utc()
            .timestamp_micros();
        assert!(orders.is_sorted_by_key(|order| order.created_at));
        assert!(orders.iter().all(|order| {
            (midnight..midnight + 24 * MICROS_PER_HOUR as i64).contains(&order.created_at)
                && order.customer < shop.customers
                && order.product < shop.products
                && order.price_cents > 0
        }));
    }

    #[test]
    fn few_products_make_much_of_the_sales() {
        let shop = Shop::new(&DemoOptions {
            scale: 0.05,
            ..DemoOptions::new("")
        });
        let mut sold = vec![0_u32; shop.products as usize];
        for day in 0..shop.days() {
            for order in shop.orders(day) {
                sold[order.product as usize] += 1;
            }
        }
        sold.sort_unstable_by(|a, b| b.cmp(a));
        let top: u32 = sold[..sold.len() / 10].iter().sum();
        let all: u32 = sold.iter().sum();
        assert!(
            top * 10 > all * 4,
            "a tenth of the products made {top} of {all} sales"
        );
    }
}
