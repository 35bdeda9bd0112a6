//! Functions about what a server counts of its files, locks and replicas, of which a lake has none:
//! counts are 0, and everything else is NULL.

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use super::refused::refused;
use crate::postgres::pg_catalog::data::ABSENT_FUNCTIONS;
use crate::postgres::pg_catalog::shape::{arrow_type, is_plain};
use crate::postgres::{Cell, PgFunction};

/// Returns the function of this name, or the one that refuses its calls. There are many, and few
/// statements call one.
pub(in crate::postgres::pg_catalog) fn absent(name: &str) -> Option<Arc<ScalarUDF>> {
    constant(name).or_else(|| refused(name))
}

fn constant(name: &str) -> Option<Arc<ScalarUDF>> {
    let table = &*ABSENT_FUNCTIONS;
    let row = table
        .rows
        .iter()
        .find(|row| table.text(row, "name") == name)?;
    let arity = |column| usize::try_from(table.int(row, column)).unwrap_or(0);
    let pg_type = table.text(row, "type");
    let value = table.cell(row, "value", pg_type).unwrap_or(Cell::Null);
    let function = PgFunction::new(
        name,
        arity("min")..=arity("max"),
        arrow_type(pg_type),
        move |_| Ok(value.clone()),
    );
    Some(match is_plain(pg_type) {
        true => function.into_udf(),
        false => function.shown_as(pg_type).into_udf(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn every_line_is_a_function() {
        let table = &*ABSENT_FUNCTIONS;
        for row in &table.rows {
            let name = table.text(row, "name");
            assert_eq!(absent(name).unwrap().name(), name);
            assert!(refused(name).is_none(), "{name}");
            assert!(table.int(row, "min") <= table.int(row, "max"), "{name}");
        }
        assert!(absent("pg_table_is_visible").is_none());
    }
}
