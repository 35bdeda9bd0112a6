//! Offsets of frames that the engine refuses: those of a frame that begins after its end, which has no
//! rows, and parameters.
//!
//! ```text
//! ROWS BETWEEN 2 FOLLOWING AND 1 FOLLOWING      ROWS BETWEEN n PRECEDING AND n PRECEDING, with n beyond all rows
//! GROUPS BETWEEN 1 PRECEDING AND 2 PRECEDING    GROUPS BETWEEN n PRECEDING AND n PRECEDING
//! ROWS $1 PRECEDING                             ROWS m PRECEDING, with m a mark of the parameter
//! ```
//!
//! A frame with RANGE that begins after its end has the peers of a row whose key is NULL, and stays
//! refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, NamedWindowDefinition, NamedWindowExpr, Select, Statement, Value, VisitorMut,
    WindowFrame, WindowFrameBound, WindowFrameUnits, WindowType,
};
use lakegate_engine::{BEYOND_ALL_ROWS, offset_mark};
use lakegate_sql::walk::walk_mut;

/// Rewrites the frames of all windows.
pub(super) fn rewrite(statement: &mut Statement) {
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut Frames);
}

struct Frames;

impl VisitorMut for Frames {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for NamedWindowDefinition(_, definition) in &mut select.named_window {
            if let NamedWindowExpr::WindowSpec(spec) = definition
                && let Some(frame) = &mut spec.window_frame
            {
                mend(frame);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && let Some(WindowType::WindowSpec(spec)) = &mut function.over
            && let Some(frame) = &mut spec.window_frame
        {
            mend(frame);
        }
        ControlFlow::Continue(())
    }
}

fn mend(frame: &mut WindowFrame) {
    let of_rows = matches!(
        frame.units,
        WindowFrameUnits::Rows | WindowFrameUnits::Groups
    );
    let is_reversed = match (&frame.start_bound, &frame.end_bound) {
        (WindowFrameBound::Preceding(start), Some(WindowFrameBound::Preceding(end))) => {
            is_less(start.as_deref(), end.as_deref())
        }
        (WindowFrameBound::Following(start), Some(WindowFrameBound::Following(end))) => {
            is_less(end.as_deref(), start.as_deref())
        }
        _ => false,
    };
    if !of_rows {
        return;
    }
    if is_reversed {
        let beyond = || WindowFrameBound::Preceding(Some(Box::new(offset(BEYOND_ALL_ROWS))));
        frame.start_bound = beyond();
        frame.end_bound = Some(beyond());
    }
    for bound in std::iter::once(&mut frame.start_bound).chain(&mut frame.end_bound) {
        if let WindowFrameBound::Preceding(Some(rows)) | WindowFrameBound::Following(Some(rows)) =
            bound
        {
            let marked = parameter(rows).and_then(offset_mark);
            // The engine adds offsets to places of rows.
            let large = number(rows).filter(|rows| *rows > BEYOND_ALL_ROWS);
            if let Some(known) = marked.or(large.map(|_| BEYOND_ALL_ROWS)) {
                **rows = offset(known);
            }
        }
    }
}

fn offset(rows: u64) -> Expr {
    Expr::Value(Value::Number(rows.to_string(), false).into())
}

/// Returns whether both offsets are numbers, and the first is the smaller one.
fn is_less(one: Option<&Expr>, other: Option<&Expr>) -> bool {
    match (one.and_then(number), other.and_then(number)) {
        (Some(one), Some(other)) => one < other,
        _ => false,
    }
}

/// Returns the number of an offset; `None` for what is no `bigint`, such as a mark.
fn number(offset: &Expr) -> Option<u64> {
    match offset {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => u64::try_from(digits.parse::<i64>().ok()?).ok(),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the number of a parameter, which may be cast.
fn parameter(offset: &Expr) -> Option<usize> {
    match offset {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => parameter(inner),
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => name.strip_prefix('$')?.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::with_statement;
    use super::*;

    fn rewritten(sql: &str) -> String {
        with_statement(sql, rewrite)
    }

    #[test]
    fn frames_that_begin_after_their_end_are_empty() {
        let empty = format!("BETWEEN {BEYOND_ALL_ROWS} PRECEDING AND {BEYOND_ALL_ROWS} PRECEDING");
        for (units, frame) in [
            ("ROWS", "BETWEEN 2 FOLLOWING AND 1 FOLLOWING"),
            ("GROUPS", "BETWEEN 0 PRECEDING AND 3 PRECEDING"),
        ] {
            assert_eq!(
                rewritten(&format!(
                    "SELECT sum(a) OVER (ORDER BY b {units} {frame}) FROM t"
                )),
                format!("SELECT sum(a) OVER (ORDER BY b {units} {empty}) FROM t")
            );
            assert_eq!(
                rewritten(&format!(
                    "SELECT sum(a) OVER w FROM t WINDOW w AS (ORDER BY b {units} {frame})"
                )),
                format!("SELECT sum(a) OVER w FROM t WINDOW w AS (ORDER BY b {units} {empty})")
            );
        }
    }

    #[test]
    fn parameters_have_marks() {
        for (units, frame, expected) in [
            (
                "ROWS",
                "BETWEEN $1 PRECEDING AND CAST(($2) AS INT) FOLLOWING",
                "BETWEEN 9223372036854775809 PRECEDING AND 9223372036854775810 FOLLOWING",
            ),
            (
                "GROUPS",
                "BETWEEN 5 PRECEDING AND $1 PRECEDING",
                "BETWEEN 5 PRECEDING AND 9223372036854775809 PRECEDING",
            ),
            (
                "ROWS",
                "9223372036854775807 PRECEDING",
                "4611686018427387903 PRECEDING",
            ),
            ("RANGE", "$1 PRECEDING", "$1 PRECEDING"),
        ] {
            let with =
                |frame: &str| format!("SELECT sum(a) OVER (ORDER BY b {units} {frame}) FROM t");
            assert_eq!(rewritten(&with(frame)), with(expected));
            assert_eq!(rewritten(&with(expected)), with(expected));
        }
    }

    #[test]
    fn other_frames_stay() {
        for frame in [
            "ROWS BETWEEN 1 FOLLOWING AND 1 FOLLOWING",
            "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
            "ROWS BETWEEN 2 FOLLOWING AND UNBOUNDED FOLLOWING",
            "ROWS BETWEEN 2 FOLLOWING AND 1 PRECEDING",
            "RANGE BETWEEN 2 FOLLOWING AND 1 FOLLOWING",
            "ROWS 2 PRECEDING",
        ] {
            let sql = format!("SELECT sum(a) OVER (ORDER BY b {frame}) FROM t");
            assert_eq!(rewritten(&sql), sql);
        }
    }
}
