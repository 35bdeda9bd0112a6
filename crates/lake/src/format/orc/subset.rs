//! A file of one stripe with some of its columns, not compressed, as `orc-rust` reads it.

use chrono_tz::Tz;

use super::Result;
use super::stripe::{Streams, StripeFooter};
use super::types::Types;
use super::wire::Message;

const MAGIC: &[u8] = b"ORC";
const STRUCT: u64 = 12;

/// Makes the file. `columns`: of rows, by their numbers; they are the columns of the new file's rows,
/// in this order. `zone`: which times without a zone are converted from.
///
/// # Errors
/// A column has no encoding.
pub(super) fn file(
    types: &Types,
    columns: &[u32],
    footer: &StripeFooter,
    mut streams: Streams,
    rows: u64,
    zone: Option<Tz>,
) -> Result<Vec<u8>> {
    let mut file = Vec::with_capacity(streams.bytes() + 1024);
    file.extend_from_slice(MAGIC);
    let mut stripe = Message::default();
    let mut encodings = Message::default();
    let mut row = Message::default();
    let mut others = Message::default();
    row.number(1, STRUCT);
    encodings.bytes(2, &footer.encoding(0)?.message());
    // The numbers of the columns in the new file begin with that of the row.
    let mut next = 1;
    for (place, column) in columns.iter().enumerate() {
        let range = types.range(*column);
        let first = next;
        row.number(2, u64::from(first));
        row.bytes(3, place.to_string().as_bytes());
        for id in range.clone() {
            let renumbered = |id: u32| id - range.start + first;
            if let Some(message) = types.message(id, renumbered) {
                others.bytes(4, &message);
            }
            encodings.bytes(2, &footer.encoding(id)?.message());
            for (kind, bytes) in streams.take(id) {
                let mut stream = Message::default();
                stream.number(1, kind);
                stream.number(2, u64::from(next));
                stream.number(3, bytes.len() as u64);
                stripe.bytes(1, &stream.0);
                file.extend_from_slice(&bytes);
            }
            next += 1;
        }
    }
    let data = (file.len() - MAGIC.len()) as u64;
    stripe.0.extend_from_slice(&encodings.0);
    if let Some(zone) = zone {
        stripe.bytes(3, zone.name().as_bytes());
    }
    file.extend_from_slice(&stripe.0);

    let mut place = Message::default();
    place.number(1, MAGIC.len() as u64);
    place.number(2, 0);
    place.number(3, data);
    place.number(4, stripe.0.len() as u64);
    place.number(5, rows);
    let mut tail = Message::default();
    tail.bytes(3, &place.0);
    tail.bytes(4, &row.0);
    tail.0.extend_from_slice(&others.0);
    tail.number(6, rows);
    file.extend_from_slice(&tail.0);

    let mut postscript = Message::default();
    postscript.number(1, tail.0.len() as u64);
    postscript.number(2, 0);
    postscript.number(5, 0);
    postscript.bytes(8000, MAGIC);
    file.extend_from_slice(&postscript.0);
    // A few numbers: far below 256 bytes.
    file.push(postscript.0.len() as u8);
    Ok(file)
}
