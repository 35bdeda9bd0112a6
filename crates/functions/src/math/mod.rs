//! Mathematical functions, as Trino has them where DataFusion's or PostgreSQL's differ.
//!
//! ```text
//! numbers.rs        the types of numbers, and loops over them
//! plain.rs          constants, sqrt, power, log, is_nan
//! rounding.rs       ceiling, floor, round, truncate, sign
//! division.rs       mod, and the operators / and % of Trino
//! buckets.rs        width_bucket
//! thresholds.rs     width_bucket of a list of bounds in PostgreSQL
//! chance.rs         random
//! vectors.rs        cosine_similarity and cosine_distance
//! distributions.rs  cdf functions, which special.rs calculates
//! ```

mod buckets;
mod chance;
mod distributions;
mod division;
mod numbers;
mod plain;
mod rounding;
mod special;
mod thresholds;
mod vectors;

use crate::entry::Entry;

const SECTION: &str = "Mathematical";

pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = plain::entries();
    entries.extend(rounding::entries());
    entries.extend(division::entries());
    entries.extend(buckets::entries());
    entries.extend(thresholds::entries());
    entries.extend(chance::entries());
    entries.extend(vectors::entries());
    entries.extend(distributions::entries());
    entries
}
