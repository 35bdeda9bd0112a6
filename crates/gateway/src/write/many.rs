//! Many rows of parameters of one INSERT .. VALUES: they are written together, as one statement with
//! as many rows of VALUES, instead of one write each.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use lakegate_sql::Parsed;
use lakegate_sql::ast::{Insert, Statement};
use lakegate_sql::walk::walk_mut;
use sqlparser::ast::{Expr, SetExpr, Value, Values, VisitorMut};

use crate::query::parameters::number;
use crate::session::prepared::Prepared;

/// The maximum number of rows that are written together.
const MAX_ROWS: usize = 1_000;
/// The maximum number of parameters of a statement with many rows.
const MAX_PARAMETERS: usize = 10_000;

/// Returns the number of rows of parameters that one execution of a statement takes: 1 unless it is
/// an INSERT of one row of VALUES.
pub(crate) fn rows_at_once(prepared: &Prepared) -> usize {
    let width = prepared.parameters.len();
    match prepared.statement() {
        Some(Statement::Insert(insert)) if width > 0 && one_row(insert).is_some() => {
            (MAX_PARAMETERS / width).clamp(1, MAX_ROWS)
        }
        _ => 1,
    }
}

/// Returns the VALUES of an INSERT that has nothing but one row of them.
fn one_row(insert: &Insert) -> Option<&Values> {
    let query = &insert.query;
    let is_plain = insert.returning.is_none()
        && query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none();
    match query.body.as_ref() {
        SetExpr::Values(values) if is_plain && !insert.overwrite && values.rows.len() == 1 => {
            Some(values)
        }
        _ => None,
    }
}

/// Returns a statement that inserts several rows of parameters, with all values one after the other.
/// `None` if the statement is not an INSERT of one row of VALUES.
pub(crate) fn together(
    prepared: &Prepared,
    rows: &[Vec<ScalarValue>],
) -> Option<(Prepared, Vec<ScalarValue>)> {
    let parsed = prepared.source.sql()?;
    let Statement::Insert(insert) = &parsed.statement else {
        return None;
    };
    let values = one_row(insert)?;
    let row = values.rows.first()?;
    let width = prepared.parameters.len();
    let mut all = values.clone();
    for index in 1..rows.len() {
        let mut next = row.clone();
        for cell in &mut next.content {
            // The visitor never breaks.
            let _ = walk_mut(cell, &mut Shifted(index * width));
        }
        all.rows.push(next);
    }
    let mut insert = insert.clone();
    *insert.query.body = SetExpr::Values(all);
    let types = prepared.parameters.iter().cycle().take(width * rows.len());
    let parameters = types.cloned().collect();
    let marks = prepared.marks.iter();
    let marks = marks.flat_map(|(index, mark)| {
        (0..rows.len()).map(move |row| (row * width + index, mark.clone()))
    });
    let marks = marks.collect();
    let parsed = Parsed {
        statement: Statement::Insert(insert),
        ..Parsed::clone(parsed)
    };
    let prepared = Prepared {
        parameters,
        marks,
        ..Prepared::undescribed(Arc::new(parsed))
    };
    let given = rows.iter().flat_map(|row| row.iter().take(width).cloned());
    Some((prepared, given.collect()))
}

/// Adds a number to those of parameters.
struct Shifted(usize);

impl VisitorMut for Shifted {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(name) = &mut value.value
            && let Some(number) = number(name)
        {
            *name = format!("${}", number + self.0);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::DataType;

    use super::*;

    fn prepared(sql: &str, parameters: Vec<DataType>) -> Prepared {
        Prepared {
            parameters,
            ..Prepared::undescribed(Arc::new(lakegate_sql::parse(sql).unwrap().remove(0)))
        }
    }

    #[test]
    fn rows_of_parameters_become_rows_of_values() {
        let types = vec![DataType::Int64, DataType::Utf8];
        let one = prepared("INSERT INTO t VALUES ($2, $1 + 1, 5)", types);
        assert_eq!(rows_at_once(&one), 1_000);
        let row = |n: i64, text: &str| vec![ScalarValue::from(n), ScalarValue::from(text)];
        let (many, values) = together(&one, &[row(1, "a"), row(2, "b"), row(3, "c")]).unwrap();
        let query = many.statement().unwrap().written_query().unwrap();
        assert_eq!(
            query.to_string(),
            "VALUES ($2, $1 + 1, 5), ($4, $3 + 1, 5), ($6, $5 + 1, 5)"
        );
        assert_eq!(values, [row(1, "a"), row(2, "b"), row(3, "c")].concat());
        assert_eq!(many.parameters.len(), 6);
        assert_eq!(many.parameters.last(), Some(&DataType::Utf8));
    }

    #[test]
    fn other_statements_run_row_by_row() {
        for sql in [
            "INSERT INTO t SELECT $1",
            "INSERT INTO t VALUES ($1), (2)",
            "INSERT INTO t VALUES ($1) LIMIT 1",
            "INSERT INTO t VALUES ($1) RETURNING *",
            "INSERT OVERWRITE t VALUES ($1)",
            "SELECT $1",
        ] {
            let other = prepared(sql, vec![DataType::Int64]);
            assert_eq!(rows_at_once(&other), 1, "{sql}");
        }
        let fixed = prepared("INSERT INTO t VALUES (1)", Vec::new());
        assert_eq!(rows_at_once(&fixed), 1);
        let wide = prepared("INSERT INTO t VALUES ($1)", vec![DataType::Int64; 3_000]);
        assert_eq!(rows_at_once(&wide), 3);
    }
}
