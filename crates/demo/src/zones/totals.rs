//! Sums over all orders. Only integers, minima and maxima: the order of adding does not matter.

use crate::shop::{Order, Shop};

#[derive(Debug, Clone, Default)]
pub(super) struct Sum {
    pub orders: i64,
    pub quantity: i64,
    pub cents: i64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct CustomerTotal {
    pub sum: Sum,
    /// Microseconds since 1970 of the first and the last order.
    pub span: Option<(i64, i64)>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct DayTotal {
    pub sum: Sum,
    pub customers: i64,
}

/// What one thread, or all of them, have seen.
#[derive(Debug)]
pub(super) struct Totals {
    pub days: Vec<DayTotal>,
    pub customers: Vec<CustomerTotal>,
    pub products: Vec<Sum>,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.orders += other.orders;
        self.quantity += other.quantity;
        self.cents += other.cents;
    }
}

impl CustomerTotal {
    fn add(&mut self, other: &Self) {
        self.sum.add(&other.sum);
        self.span = match (self.span, other.span) {
            (Some(mine), Some(theirs)) => Some((mine.0.min(theirs.0), mine.1.max(theirs.1))),
            (mine, theirs) => mine.or(theirs),
        };
    }
}

impl Totals {
    pub(super) fn new(shop: &Shop) -> Self {
        Self {
            days: vec![DayTotal::default(); shop.days()],
            customers: vec![CustomerTotal::default(); shop.customers as usize],
            products: vec![Sum::default(); shop.products as usize],
        }
    }

    pub(super) fn add_day(&mut self, day: usize, orders: &[Order]) {
        let mut customers: Vec<u32> = orders.iter().map(|order| order.customer).collect();
        customers.sort_unstable();
        customers.dedup();
        self.days[day].customers = customers.len() as i64;

        for order in orders {
            let sum = Sum {
                orders: 1,
                quantity: i64::from(order.quantity),
                cents: order.total_cents(),
            };
            self.days[day].sum.add(&sum);
            self.products[order.product as usize].add(&sum);
            let span = Some((order.created_at, order.created_at));
            self.customers[order.customer as usize].add(&CustomerTotal { sum, span });
        }
    }

    /// Every day must have been added to at most one of `parts`.
    pub(super) fn merged(shop: &Shop, parts: Vec<Self>) -> Self {
        let mut all = Self::new(shop);
        for part in parts {
            for (total, other) in all.days.iter_mut().zip(&part.days) {
                total.sum.add(&other.sum);
                total.customers += other.customers;
            }
            for (total, other) in all.customers.iter_mut().zip(&part.customers) {
                total.add(other);
            }
            for (total, other) in all.products.iter_mut().zip(&part.products) {
                total.add(other);
            }
        }
        all
    }
}
