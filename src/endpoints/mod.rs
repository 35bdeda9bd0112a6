//! The doors. An endpoint translates its protocol to `Gateway` calls and record batches back to its protocol; it holds no SQL, no
//! grants, no limits and no caching.

pub mod flight;
pub mod http;
mod opening;
pub mod postgres;
pub mod tls;
