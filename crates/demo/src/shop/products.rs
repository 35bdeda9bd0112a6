//! Products.

use chrono::{Days, NaiveDate};

use super::names::{BRANDS, CATEGORIES, QUALITIES, VARIANTS};
use crate::random::{Random, Stream};

pub(crate) fn product_id(index: u32) -> String {
    format!("P{:05}", index + 1)
}

#[derive(Debug, Clone)]
pub(crate) struct Product {
    pub name: String,
    pub category: &'static str,
    /// Some goods have no brand.
    pub brand: Option<&'static str>,
    pub price_cents: i64,
    pub weight_grams: i32,
    pub is_active: bool,
    pub launched_on: NaiveDate,
}

impl Product {
    pub(crate) fn of(index: u32, first_day: NaiveDate) -> Self {
        let mut random = Random::of(Stream::Product, u64::from(index));
        let category = random.pick(&CATEGORIES);
        let quality = random.pick(&QUALITIES);
        let noun = random.pick(&category.nouns);
        let variant = random.pick(&VARIANTS);
        let name = format!("{quality} {noun}{variant}");
        let brand = (!random.percent(8)).then(|| random.pick(&BRANDS));
        let (least, bound) = category.prices;
        // The product of two draws: many cheap products, few expensive ones.
        let share = random.unit() * random.unit();
        let cents = least + ((bound - least) as f64 * share) as u64;
        // Shops like prices that end in 9 or 5.
        let price_cents = (cents / 10 * 10 + random.pick(&[9, 9, 9, 5, 0])) as i64;
        let (lightest, heaviest) = category.weights;
        let weight_grams = (lightest + random.below(heaviest - lightest)) as i32;
        let is_active = random.percent(95);
        let launched_on = first_day - Days::new(30 + random.below(2_000));
        Self {
            name,
            category: category.name,
            brand,
            price_cents,
            weight_grams,
            is_active,
            launched_on,
        }
    }

    pub(crate) fn description(&self) -> String {
        match self.brand {
            Some(brand) => format!("{} by {brand}; {} g", self.name, self.weight_grams),
            None => String::new(),
        }
    }
}
