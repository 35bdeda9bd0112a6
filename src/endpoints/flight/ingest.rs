//! Where `CommandStatementIngest` comes in: a stream of batches that becomes a table or is added to one.

use crate::error::{Error, Result};

/// Errors: always; there is no way to write yet.
pub(super) fn ingest() -> Result<i64> {
    Err(Error::not_supported("bulk ingestion is not supported yet")
        .with_hint("write files under a table's LOCATION and register them with MSCK REPAIR TABLE"))
}
