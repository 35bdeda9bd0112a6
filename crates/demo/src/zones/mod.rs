//! The zones of the shop's lake: the same orders raw, curated and aggregated.
//!
//! ```text
//! shop::Shop --+--> dimensions  raw and curated users, products, customers
//!              +--> orders      raw, curated and sales_fact, a day at a time --> totals
//!                                                      totals --> aggregates  analytics
//! ```

mod aggregates;
mod columns;
mod dimensions;
mod orders;
pub(crate) mod schemas;
mod totals;

use std::path::Path;

use crate::error::Result;
use crate::files::folder;
use crate::shop::Shop;
use crate::{DemoOptions, Progress, parallel};

/// Rows per batch.
const BATCH_ROWS: u32 = 8192;

/// Writes the zones `raw`, `curated` and `analytics`.
pub(crate) fn write(options: &DemoOptions, progress: &mut dyn FnMut(Progress)) -> Result<()> {
    let shop = Shop::new(options);
    let dir = options.dir.as_path();

    let dimensions = dimensions::FILES;
    parallel::run(
        "dimensions",
        dimensions.len(),
        || (),
        |(), task| dimensions[task](&shop, dir),
        progress,
    )?;

    let gathered = parallel::run(
        "orders",
        shop.days(),
        || totals::Totals::new(&shop),
        |totals, day| orders::write_day(&shop, day, dir, totals),
        progress,
    )?;

    let totals = totals::Totals::merged(&shop, gathered);
    let aggregates = aggregates::FILES;
    parallel::run(
        "aggregates",
        aggregates.len(),
        || (),
        |(), task| aggregates[task](&shop, &totals, dir),
        progress,
    )?;
    Ok(())
}

/// `<dir>/<zone>/<table>`, created.
fn table_folder(dir: &Path, zone: &str, table: &str) -> Result<std::path::PathBuf> {
    folder(dir.join(zone).join(table))
}

/// The row numbers below `rows`, a batch at a time.
fn batches(rows: u32) -> impl Iterator<Item = std::ops::Range<u32>> {
    (0..rows)
        .step_by(BATCH_ROWS as usize)
        .map(move |start| start..start.saturating_add(BATCH_ROWS).min(rows))
}
