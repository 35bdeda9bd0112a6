//! Functions of `varbinary`: encodings, digests, numbers as bytes; and numbers in other bases.

mod digests;
mod encodings;
mod numbers;
mod spooky;
mod utf8;

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder};
use datafusion::error::Result;

use crate::entry::Entry;
use crate::kernel::Call;
use crate::text::arguments::Bytes;

const SECTION: &str = "Binary";

pub(crate) fn entries() -> Vec<Entry> {
    let families = [
        digests::entries,
        encodings::entries,
        numbers::entries,
        utf8::entries,
    ];
    families.iter().flat_map(|family| family()).collect()
}

/// Makes bytes of each row's bytes. `of` adds them to an empty buffer; `most` is their number.
fn each(
    call: &Call<'_>,
    most: fn(usize) -> usize,
    mut of: impl FnMut(&[u8], &mut Vec<u8>) -> Result<()>,
) -> Result<ArrayRef> {
    let values = Bytes::of(call, 0)?;
    let mut made = BinaryBuilder::new();
    let mut buffer = Vec::new();
    for row in 0..call.rows {
        let Some(value) = values.get(row) else {
            call.work.step()?;
            made.append_null();
            continue;
        };
        call.work.builds(most(value.len()))?;
        buffer.clear();
        of(value, &mut buffer)?;
        made.append_value(&buffer);
    }
    Ok(Arc::new(made.finish()))
}
