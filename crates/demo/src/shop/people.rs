//! Customers, as in the sales system, and users, as in the web site's.

use chrono::NaiveDate;

use super::names::{FAMILY_NAMES, GIVEN_NAMES, PLACES, Place, STREETS};
use crate::options::DAYS;
use crate::random::{Random, Stream};

const MICROS_PER_DAY: u64 = 86_400_000_000;

/// Users may have registered up to three years before the first order.
const REGISTRATION_DAYS: u64 = 3 * 365;

pub(crate) fn customer_id(index: u32) -> String {
    format!("C{:07}", index + 1)
}

pub(crate) fn user_id(index: u32) -> String {
    format!("U{:07}", index + 1)
}

#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub given_name: &'static str,
    pub family_name: &'static str,
    pub segment: &'static str,
    pub email: String,
    pub phone: String,
    pub street: String,
    pub home: Home,
}

/// Where a customer lives: enough to address a parcel.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    place: Place,
    pub postal_code: String,
}

impl Home {
    pub(crate) fn of(customer: u32) -> Self {
        let mut random = Random::of(Stream::Address, u64::from(customer));
        let place = random.pick(&PLACES);
        let postal_code = format!("{:05}", 1_000 + random.below(98_000));
        Self { place, postal_code }
    }

    pub(crate) fn city(&self) -> &'static str {
        self.place.city
    }

    pub(crate) fn country(&self) -> &'static str {
        self.place.country
    }

    pub(crate) fn region(&self) -> &'static str {
        self.place.region
    }
}

impl Customer {
    pub(crate) fn of(index: u32) -> Self {
        let mut random = Random::of(Stream::Customer, u64::from(index));
        let home = Home::of(index);
        let given_name = random.pick(&GIVEN_NAMES);
        let family_name = random.pick(&FAMILY_NAMES);
        let segment = match random.below(100) {
            0..=57 => "Consumer",
            58..=81 => "Small Business",
            82..=93 => "Enterprise",
            _ => "Public Sector",
        };
        let email = format!(
            "{}.{}{}@example.com",
            plain(given_name),
            plain(family_name),
            index + 1
        );
        let phone = format!(
            "{} 555 {:03} {:04}",
            home.place.calling_code,
            random.below(1_000),
            random.below(10_000)
        );
        let street = format!("{} {}", 1 + random.below(240), random.pick(&STREETS));
        Self {
            given_name,
            family_name,
            segment,
            email,
            phone,
            street,
            home,
        }
    }

    pub(crate) fn full_name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name)
    }

    pub(crate) fn address(&self) -> String {
        format!(
            "{}, {} {}, {}",
            self.street,
            self.home.postal_code,
            self.home.city(),
            self.home.country()
        )
    }
}

/// Lower-case ASCII letters only, for the left side of an address.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub person: Customer,
    pub is_active: bool,
    /// Microseconds since 1970.
    pub created_at: i64,
    pub devices: Vec<&'static str>,
    pub newsletter: bool,
    pub language: &'static str,
}

impl User {
    /// Customers registered before `first_day`, the first day of orders. Users after the last
    /// customer have registered since, and bought nothing yet.
    pub(crate) fn of(index: u32, customers: u32, first_day: NaiveDate) -> Self {
        let mut random = Random::of(Stream::User, u64::from(index));
        let person = Customer::of(index);
        let is_active = random.percent(93);
        let first_order = first_day
            .and_time(chrono::NaiveTime::MIN)
            .and_utc()
            .timestamp_micros();
        let created_at = if index < customers {
            first_order - 1 - random.below(REGISTRATION_DAYS * MICROS_PER_DAY) as i64
        } else {
            first_order + random.below(DAYS * MICROS_PER_DAY) as i64
        };
        let devices = ["ios", "android", "web", "kiosk"]
            .into_iter()
            .zip([35, 40, 80, 2])
            .filter_map(|(device, percent)| random.percent(percent).then_some(device))
            .collect();
        let newsletter = random.percent(40);
        let language = random.pick(&["de", "en", "en", "en", "es", "fr", "ja", "pt"]);
        Self {
            person,
            is_active,
            created_at,
            devices,
            newsletter,
            language,
        }
    }
}
