//! Trino's and Athena's dialect: names of columns, and operators whose meaning differs from
//! PostgreSQL's.

mod calls;
mod field_names;
mod integers;
mod keywords;
mod literals;
mod names;
mod nested;
mod output_names;
mod rewrite;
mod standard;
mod tables;
mod times;
mod unnest;
mod windows;

pub(crate) use calls::rename;
pub(crate) use integers::integers;
pub(crate) use names::plain as plain_names;
pub(crate) use nested::{arrays, fields};
pub(crate) use output_names::output_names;
pub(crate) use rewrite::rewrite;
pub(crate) use standard::spell_out;
pub(crate) use tables::expand;
pub(crate) use times::zoned;
pub(crate) use unnest::{by_type, is_unnest, widen};
pub(crate) use windows::offsets;

#[cfg(test)]
mod testing {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use datafusion::sql::sqlparser::ast::Query;

    /// Parses one query.
    pub(crate) fn query(sql: &str) -> Box<Query> {
        match lakegate_sql::parse(sql).unwrap().remove(0).statement {
            lakegate_sql::Statement::Query(query) => query,
            other => panic!("no query: {sql}: {other:?}"),
        }
    }
}
