//! `pg_get_keywords()`: a table of the SQL keywords.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::error::Result;

use crate::postgres::pg_catalog::data::KEYWORDS;
use crate::postgres::{Cell, build_array, hinted_field};

/// Returns whether a word, in lower case, is a keyword that is not a name everywhere unless it is
/// quoted.
pub(in crate::postgres) fn is_reserved(word: &str) -> bool {
    static RESERVED: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        let rows = KEYWORDS.rows.iter();
        let reserved = rows.filter(|row| KEYWORDS.text(row, "catcode") != "U");
        reserved.map(|row| KEYWORDS.text(row, "word")).collect()
    });
    RESERVED.contains(word)
}

/// The name of the table that replaces the call.
pub(crate) const KEYWORDS_TABLE: &str = "pg_get_keywords";

pub(crate) fn keywords() -> Result<Arc<dyn TableProvider>> {
    let columns = [
        ("word", "text"),
        ("catcode", "char"),
        ("barelabel", "bool"),
        ("catdesc", "text"),
        ("baredesc", "text"),
    ];
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (name, pg_type) in columns {
        let field = match pg_type {
            "bool" => Field::new(name, DataType::Boolean, true),
            "char" => hinted_field(name, DataType::Utf8, "char"),
            _ => Field::new(name, DataType::Utf8, true),
        };
        let cells = KEYWORDS.rows.iter().map(|row| match name {
            "baredesc" => Cell::text(match KEYWORDS.text(row, "barelabel") {
                "t" => "can be bare label",
                _ => "requires AS",
            }),
            _ => KEYWORDS.cell(row, name, pg_type).unwrap_or(Cell::Null),
        });
        arrays.push(build_array(field.data_type(), cells)?);
        fields.push(field);
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}
