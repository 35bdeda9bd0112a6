//! `pg_stats`: what ANALYZE found of columns.

use super::{Input, Relation, relations};
use crate::postgres::Cell;
use crate::visible::{MeasuredColumn, VisibleColumn};

/// A column that was analysed.
pub(super) struct Measured<'a> {
    relation: Relation<'a>,
    column: &'a VisibleColumn,
    found: MeasuredColumn,
}

pub(super) fn columns(input: &Input) -> Vec<Measured<'_>> {
    let mut measured = Vec::new();
    for relation in relations(input) {
        let Relation::Lake(_, table) = relation else {
            continue;
        };
        let columns = table.columns.iter();
        measured.extend(columns.filter_map(|column| {
            Some(Measured {
                found: column.measured?,
                relation,
                column,
            })
        }));
    }
    measured
}

pub(super) fn pg_stats<'a>(row: &Measured<'a>, column: &str) -> Option<Cell<'a>> {
    Some(match column {
        "schemaname" => Cell::text(row.relation.namespace()),
        "tablename" => Cell::text(row.relation.name()),
        "attname" => Cell::text(row.column.name.as_str()),
        "null_frac" => Cell::Float(row.found.null_fraction),
        "avg_width" => {
            let one_length = row.column.data_type.primitive_width().unwrap_or(1);
            let average = row.found.average_length.unwrap_or(one_length as f64);
            Cell::Int((average.round() as i64).min(i64::from(i32::MAX)))
        }
        "n_distinct" => match row.found.distinct_values {
            Some(distinct) => Cell::Float(distinct as f64),
            None => return None,
        },
        _ => return None,
    })
}
