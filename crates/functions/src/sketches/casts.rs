//! Casts of bytes to sketches: the same bytes, marked.
//!
//! ```text
//! CAST(x AS HyperLogLog)         "$hyperloglog"(x)
//! CAST(x AS qdigest(bigint))     "$qdigest_bigint"(x)
//! ```

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;
use lakegate_error::{Code, Error};

use super::{EXTENSION, HLL, QDIGEST, SET_DIGEST, TDIGEST, marked};
use crate::casts::spread;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Kernel, Returns};

pages! { "Conversion":
    TO_SET: "$hyperloglog", "$hyperloglog(bytes)", "Casts bytes to a HyperLogLog sketch.",
        "\"$hyperloglog\"(from_hex('020c0000'))", "02 0c 00 00";
    TO_SET_DIGEST: "$setdigest", "$setdigest(bytes)", "Casts bytes to a set digest.",
        "\"$setdigest\"(from_hex('00'))", "00";
    TO_TDIGEST: "$tdigest", "$tdigest(bytes)", "Casts bytes to a t-digest.",
        "\"$tdigest\"(from_hex('00'))", "00";
    TO_BIGINTS: "$qdigest_bigint", "$qdigest_bigint(bytes)", "Casts bytes to a quantile digest.",
        "\"$qdigest_bigint\"(from_hex('00'))", "00";
    TO_DOUBLES: "$qdigest_double", "$qdigest_double(bytes)", "Casts bytes to a quantile digest.",
        "\"$qdigest_double\"(from_hex('00'))", "00";
    TO_REALS: "$qdigest_real", "$qdigest_real(bytes)", "Casts bytes to a quantile digest.",
        "\"$qdigest_real\"(from_hex('00'))", "00";
}

pub(super) fn entries() -> Vec<Entry> {
    let cast = |page, target: fn(&[FieldRef]) -> Result<FieldRef>| {
        let takes = vec![TypeSignature::Exact(vec![DataType::Binary])];
        let kernel = Kernel::new(page, takes, Returns::Field(target), |call| {
            let bytes = &call.columns[0];
            call.work.builds(call.rows)?;
            spread(Arc::clone(&bytes.array), bytes.constant, call.rows)
        });
        Entry::scalar(kernel).unlisted()
    };
    vec![
        cast(&TO_SET, |fields| field(fields, HLL, None)),
        cast(&TO_SET_DIGEST, |fields| field(fields, SET_DIGEST, None)),
        cast(&TO_TDIGEST, |fields| field(fields, TDIGEST, None)),
        cast(&TO_BIGINTS, |fields| field(fields, QDIGEST, Some("bigint"))),
        cast(&TO_DOUBLES, |fields| field(fields, QDIGEST, Some("double"))),
        cast(&TO_REALS, |fields| field(fields, QDIGEST, Some("real"))),
    ]
}

/// The field of a cast to the sketch that is marked with `name`.
fn field(fields: &[FieldRef], name: &str, detail: Option<&str>) -> Result<FieldRef> {
    let own = fields
        .first()
        .and_then(|field| field.metadata().get(EXTENSION));
    match own {
        Some(own) if own != name => {
            let message = format!("cannot cast {own} to {name}");
            Err(Error::new(Code::TypeMismatch, message)
                .with_hint("cast it to varbinary first")
                .into())
        }
        _ => Ok(Arc::new(marked(name, detail))),
    }
}
