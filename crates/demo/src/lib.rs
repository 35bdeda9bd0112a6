//! The demo lake: deterministic files in the zones and layouts that data teams have.
//!
//! [`generate`] writes the files under a directory, [`setup_sql`] gives the statements (Athena's
//! dialect) that register them with a catalog and grant the demo roles what they may see, and
//! [`demo_users`] names the users. The same arguments give the same bytes, on any number of cores.
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
//! This crate knows files and SQL text. It never opens a catalog, a network connection or a query
//! engine.

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

/// How far a phase of [`generate`] has come. Totals are of the phase, in its own unit (days or
/// files), and `done` ends at `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// In this order: `"dimensions"`, `"orders"`, `"aggregates"`, `"tpch"`, `"tpcds"`.
    pub phase: &'static str,
    pub done: u64,
    pub total: u64,
}

/// What [`generate`] found or did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The lake was written, or an unfinished one was written again from nothing.
    Created,
    /// A finished lake with the same arguments was there and is left as it is.
    Reused,
}

/// Writes the lake, or keeps the one that is there.
///
/// `progress` is called on the calling thread. A generation that is interrupted leaves a marker,
/// `demo.partial`, and the next one starts from nothing.
///
/// # Errors
/// Arguments out of bounds; a finished lake with other arguments; a directory that holds something
/// else; another process generating into the same directory; and what the file system refuses.
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
