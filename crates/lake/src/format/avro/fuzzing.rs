//! Whole files, and schemas, from any bytes.

use super::columns::columns_of;
use super::container::Header;
use super::decode::Decoder;
use super::skim::Skim;
use super::{Result, broken};
use crate::format::parquet::caught;

/// Records that are decoded of a file at most.
const MAX_ROWS: u64 = 100_000;

/// A file, all of whose fields are read.
pub(crate) fn file(bytes: &[u8]) -> bool {
    rows(bytes).is_ok()
}

/// `avro.schema.literal` of a table without columns.
pub(crate) fn schema(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|literal| columns_of(literal).is_ok())
}

/// Decodes the fields that are read of a file, and returns how many records it has.
pub(super) fn rows(bytes: &[u8]) -> Result<u64> {
    let (header, length) =
        Header::parse(bytes)?.ok_or_else(|| broken("its header is cut short"))?;
    let schema = &header.schema;
    let fields = schema.fields.iter().enumerate();
    let wanted = fields.filter(|(_, field)| field.node.refused().is_none());
    let wanted: Vec<usize> = wanted.map(|(place, _)| place).collect();
    let mut rest = bytes.get(length..).unwrap_or_default();
    let mut seen = 0;
    // As the engine does, which makes an error of what the decoder panics at.
    let decoder = match wanted.is_empty() {
        true => None,
        false => Some(
            caught(|| Decoder::new(schema, schema, &wanted))
                .unwrap_or_else(|panic| Err(broken(panic)))?,
        ),
    };
    while !rest.is_empty() && seen < MAX_ROWS {
        let (block, head) = header
            .block(rest)?
            .ok_or_else(|| broken("a block is cut short"))?;
        let end = head + Header::length(block);
        let packed = rest.get(head..end);
        let packed = packed.ok_or_else(|| broken("a block is cut short"))?;
        let records = header.records(block, packed)?;
        rest = rest.get(end..).unwrap_or_default();
        seen = block.records.saturating_add(seen);
        let rows = block.records.min(MAX_ROWS);
        let mut skim = Skim::new(&records);
        for _ in 0..rows {
            skim.record(&schema.root)?;
        }
        if rows < block.records || rows == 0 {
            continue;
        }
        if skim.left() > 0 {
            return Err(broken("a block has more bytes than its records"));
        }
        if let (Some(decoder), false) = (&decoder, records.is_empty()) {
            let rows = usize::try_from(rows).unwrap_or(0);
            caught(|| decoder.decode(&records, rows)).unwrap_or_else(|panic| Err(broken(panic)))?;
        }
    }
    Ok(seen)
}
