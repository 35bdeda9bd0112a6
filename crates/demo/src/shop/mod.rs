//! The shop whose orders fill the zones: customers, products, and orders over time. Everything here
//! is a function of the options and an index; nothing touches a file.

mod names;
mod orders;
mod people;
mod products;

pub(crate) use names::COLOURS;
pub(crate) use orders::{Order, Shop};
pub(crate) use people::{Customer, Home, User, customer_id, user_id};
pub(crate) use products::{Product, product_id};
