//! `string_agg` of bytes, with a delimiter that differs by row, and over moving frames. DataFusion has
//! it for texts and constant delimiters, and for frames that begin with the partition.
//!
//! ```text
//! string_agg(x, y ORDER BY z)     "$joined"(array_agg(x ORDER BY z), array_agg(y ORDER BY z))
//! string_agg(x, ''::bytea)        "$joined"(array_agg(x), ''::bytea)
//! string_agg(x, ',') OVER (ORDER BY z ROWS 1 PRECEDING)
//!     "$joined"(array_agg(x) OVER (ORDER BY z ROWS 1 PRECEDING), ',')
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DataType, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Ident, ObjectName, WindowFrameBound, WindowType,
};
use lakegate_error::Error;
use lakegate_sql::walk::walk_expressions;

use super::calls::text_of;
use super::windows::Windows;
use super::{build, casts, folded, parts};
use crate::postgres::functions::JOINED;

/// Functions that return bytes.
const OF_BYTES: &[&str] = &["bytea_in", "convert_to", "decode"];

/// Returns the replacement of a call of `string_agg`; `None` if the engine has the function.
///
/// `windows`: those that the call may name.
///
/// # Errors
///
/// A delimiter of bytes is malformed.
pub(super) fn rewrite(
    function: &Function,
    windows: Option<&Windows>,
) -> Result<Option<Expr>, Error> {
    let FunctionArguments::List(list) = &function.args else {
        return Ok(None);
    };
    let arguments: Option<Vec<Expr>> = list.args.iter().map(build::argument).collect();
    let Some([value, delimiter]) = arguments.as_deref() else {
        return Ok(None);
    };
    if reads_columns(delimiter) {
        // Distinct values have no delimiters of their own.
        if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
            return Ok(None);
        }
        let lists = vec![gathered(function, value), gathered(function, delimiter)];
        return Ok(Some(build::call(JOINED, lists)));
    }
    if !is_bytes(value) && !is_bytes(delimiter) {
        let joins = list.duplicate_treatment.is_none() && moves(function, windows);
        return Ok(joins.then(|| {
            let joined = vec![gathered(function, value), delimiter.clone()];
            build::call(JOINED, joined)
        }));
    }
    let mut delimiter = delimiter.clone();
    if text_of(&delimiter).is_some() {
        delimiter = build::cast(delimiter, DataType::Bytea);
        casts::rewrite(&mut delimiter)?;
    }
    let joined = vec![gathered(function, value), delimiter];
    Ok(Some(build::call(JOINED, joined)))
}

/// Returns `array_agg` of an argument, with the clauses of the call.
fn gathered(function: &Function, argument: &Expr) -> Expr {
    let mut call = function.clone();
    call.name = ObjectName::from(vec![Ident::new("array_agg")]);
    if let FunctionArguments::List(list) = &mut call.args {
        list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(
            argument.clone(),
        ))];
    }
    Expr::Function(call)
}

/// Returns whether the frame of a call leaves rows behind.
fn moves(function: &Function, windows: Option<&Windows>) -> bool {
    let window = match &function.over {
        Some(WindowType::WindowSpec(window)) => Some(window),
        Some(WindowType::NamedWindow(name)) => {
            windows.and_then(|windows| windows.get(&folded(name)))
        }
        None => None,
    };
    let frame = window.and_then(|window| window.window_frame.as_ref());
    frame.is_some_and(|frame| !matches!(frame.start_bound, WindowFrameBound::Preceding(None)))
}

fn reads_columns(expr: &Expr) -> bool {
    let walked = walk_expressions(expr, |part| match part {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    walked.is_break()
}

/// Returns whether the statement says that an expression is of bytes.
fn is_bytes(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_bytes(inner),
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::Bytea),
        Expr::Function(call) => {
            let name = parts(&call.name).and_then(|mut name| name.pop());
            name.is_some_and(|name| OF_BYTES.contains(&name.as_str()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn of(sql: &str) -> String {
        let mut parser = Parser::new(&PostgreSqlDialect {})
            .try_with_sql(sql)
            .unwrap();
        let Expr::Function(function) = parser.parse_expr().unwrap() else {
            panic!("{sql}")
        };
        let rewritten = rewrite(&function, None).unwrap();
        rewritten.map_or_else(|| "unchanged".to_owned(), |expr| expr.to_string())
    }

    #[test]
    fn delimiters_of_rows_and_bytes_are_gathered() {
        for (sql, expected) in [
            (
                "string_agg(x, y ORDER BY z) FILTER (WHERE w)",
                "\"$joined\"(array_agg(x ORDER BY z) FILTER (WHERE w), array_agg(y ORDER BY z) FILTER (WHERE w))",
            ),
            ("string_agg(x, ',' ORDER BY z)", "unchanged"),
            ("string_agg(x, $1)", "unchanged"),
            ("string_agg(x, ',') OVER (ORDER BY z)", "unchanged"),
            (
                "string_agg(x, ',') OVER (ORDER BY z ROWS UNBOUNDED PRECEDING)",
                "unchanged",
            ),
            (
                "string_agg(x, ',') OVER (ORDER BY z ROWS 1 PRECEDING)",
                "\"$joined\"(array_agg(x) OVER (ORDER BY z ROWS 1 PRECEDING), ',')",
            ),
            ("string_agg(DISTINCT x, y ORDER BY x)", "unchanged"),
            (
                "string_agg(DISTINCT decode(x, 'hex'), NULL)",
                "\"$joined\"(array_agg(DISTINCT decode(x, 'hex')), NULL)",
            ),
        ] {
            assert_eq!(of(sql), expected, "{sql}");
        }
    }
}
