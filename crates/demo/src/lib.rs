//! The demo lake: deterministic files in the zones and layouts that data teams have.
//!
//! [`generate`] writes the files under a directory, [`setup_sql`] returns the statements (Athena's
//! dialect) that register them with a catalog and grant the demo roles their privileges, and
//! [`demo_users`] lists the users. The same arguments produce the same bytes, on any number of
//! cores.
//!
//! ```text
//! <dir>/demo.json                                     the arguments, written last
//! <dir>/raw/orders/year=/month=/day=/hour=/*.json.gz  JSON lines, nested
//! <dir>/raw/users/*.json  <dir>/raw/products/*.csv
//! <dir>/curated/{orders/order_date=,users,products,customers}/*.parquet
//! <dir>/analytics/{daily_sales,customer_360,product_performance,sales_fact/sale_date=}/*.parquet
//! <dir>/tpch/<table>/*.parquet  <dir>/tpcds/<table>/*.parquet
//! ```
//!
//! This crate produces files and SQL text. It never opens a catalog, a network connection or a
//! query engine.

mod error;
mod files;
mod options;
mod parallel;
mod random;
mod setup;
mod shop;
mod state;
mod tpc;
mod zones;

pub use error::{Error, Result};
pub use options::{DEFAULT_UNTIL, DemoOptions};
pub use setup::{DemoUser, demo_users, setup_sql};
pub use tpc::{TpcTable, tpcds_tables, tpch_tables};

/// The bucket whose root is the demo's directory: `s3://datalake/` is mapped to `<dir>`.
pub const BUCKET: &str = "datalake";

/// The progress of a phase of [`generate`]. Totals are per phase, in its own unit (days or files),
/// and `done` ends at `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// In this order: `"dimensions"`, `"orders"`, `"aggregates"`, `"tpch"`, `"tpcds"`.
    pub phase: &'static str,
    pub done: u64,
    pub total: u64,
}

/// The result of [`generate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The lake was written; an unfinished one was written again from the start.
    Created,
    /// A finished lake with the same arguments existed and is unchanged.
    Reused,
}

/// Writes the lake, or keeps an existing one.
///
/// `progress` is called on the calling thread. An interrupted generation leaves a marker,
/// `demo.partial`, and the next one starts from the beginning.
///
/// # Errors
///
/// Arguments out of bounds; a finished lake with other arguments; a directory with other contents;
/// another process generating into the same directory; file system errors.
pub fn generate(options: &DemoOptions, progress: &mut dyn FnMut(Progress)) -> Result<Outcome> {
    options.validate()?;
    let Some(generation) = state::begin(options)? else {
        return Ok(Outcome::Reused);
    };
    zones::write(options, progress)?;
    tpc::write(options, progress)?;
    generation.finish()?;
    Ok(Outcome::Created)
}
