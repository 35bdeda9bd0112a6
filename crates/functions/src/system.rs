//! Functions about the server: `version`.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::TypeSignature;

use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Kernel, Returns};

static VERSION: Page = Page {
    name: "version",
    section: "System",
    syntax: "version()",
    sentence: "Returns the server's name and version.",
    example: "split_part(version(), ' ', 1)",
    result: "Lakegate",
};

pub(crate) fn entries() -> Vec<Entry> {
    let version = Kernel::new(
        &VERSION,
        vec![TypeSignature::Nullary],
        Returns::Type(DataType::Utf8),
        |call| {
            let version = concat!("Lakegate ", env!("CARGO_PKG_VERSION"));
            call.work.builds(call.rows.saturating_mul(version.len()))?;
            let versions = std::iter::repeat_n(version, call.rows);
            Ok(Arc::new(StringArray::from_iter_values(versions)) as ArrayRef)
        },
    );
    vec![Entry::scalar(version).in_trino()]
}
