//! Whole files from any bytes.

use super::decode::Rows;
use super::statistics::of_file;
use super::stripe::{Streams, StripeFooter};
use super::tail::{Stripe, Tail, of_bytes};
use super::{Result, broken};
use crate::format::parquet::caught;

/// Rows that are decoded of a file at most.
const MAX_ROWS: u64 = 100_000;

/// A file, all of whose columns are read.
pub(crate) fn file(bytes: &[u8]) -> bool {
    rows(bytes).is_ok()
}

/// Decodes the columns that are read of a file, and returns how many rows it has.
pub(super) fn rows(bytes: &[u8]) -> Result<u64> {
    let tail = of_bytes(bytes)?;
    let columns: Vec<(u32, &str)> = tail.types.columns().collect();
    let places: Vec<Option<usize>> = (0..columns.len()).map(Some).collect();
    let fields = columns
        .iter()
        .map(|(id, name)| arrow::datatypes::Field::new(*name, tail.types.arrow(*id), true));
    let schema = arrow::datatypes::Schema::new(fields.collect::<Vec<_>>());
    let _ = of_file(&tail, &std::sync::Arc::new(schema), &places);
    let ids = columns.iter().map(|(id, _)| *id);
    let wanted: Vec<u32> = ids.filter(|id| tail.types.refused(*id).is_none()).collect();
    if wanted.is_empty() {
        return Ok(tail.rows);
    }
    for stripe in &tail.stripes {
        // As the engine does, which makes an error of what the decoder panics at.
        caught(|| decoded(bytes, &tail, stripe, &wanted))
            .unwrap_or_else(|panic| Err(broken(panic)))?;
    }
    Ok(tail.rows)
}

fn decoded(bytes: &[u8], tail: &Tail, stripe: &Stripe, wanted: &[u32]) -> Result<()> {
    let slice = |range: std::ops::Range<u64>| {
        let start = usize::try_from(range.start).ok();
        let end = usize::try_from(range.end).ok();
        let range = start.zip(end).map(|(start, end)| start..end);
        let slice = range.and_then(|range| bytes.get(range));
        slice.ok_or_else(|| broken("a part lies outside of the file"))
    };
    if stripe.rows == 0 {
        return Ok(());
    }
    let footer = StripeFooter::parse(slice(stripe.footer())?, tail.blocks, stripe)?;
    let mut streams = Streams::default();
    for stream in footer.wanted(&tail.types, wanted)? {
        streams.add(&stream, slice(stream.range.clone())?, tail.blocks)?;
    }
    let mut rows = Rows::new(&tail.types, wanted, &footer, streams, stripe.rows, 1024)?;
    let mut seen = 0;
    while let Some((_, rows)) = rows.next()? {
        seen += rows as u64;
        if seen > MAX_ROWS {
            break;
        }
    }
    Ok(())
}
