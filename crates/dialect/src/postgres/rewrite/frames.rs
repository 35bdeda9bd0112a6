//! Offsets of frames that the engine refuses: those of a frame that begins after its end, which has no
//! rows, and parameters.
//!
//! ```text
//! ROWS BETWEEN 2 FOLLOWING AND 1 FOLLOWING      ROWS BETWEEN n PRECEDING AND n PRECEDING, with n beyond all rows
//! GROUPS BETWEEN 1 PRECEDING AND 2 PRECEDING    GROUPS BETWEEN n PRECEDING AND n PRECEDING
//! ROWS $1 PRECEDING                             ROWS m PRECEDING, with m a mark of the parameter
//! RANGE $1 PRECEDING                            RANGE INTERVAL 'm' PRECEDING, likewise
//! ```
//!
//! A frame with RANGE that begins after its end has the peers of a row whose key is NULL, and stays
//! refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Interval, NamedWindowDefinition, NamedWindowExpr, Select, Statement, Value, VisitorMut,
    WindowFrame, WindowFrameBound, WindowFrameUnits, WindowType,
};
use lakegate_engine::{BEYOND_ALL_ROWS, offset_mark, range_mark};
use lakegate_sql::walk::walk_mut;

use super::build;

/// Rewrites the frames of all windows. Their parameters become bare ones, which [`mark_parameters`]
/// takes.
pub(super) fn rewrite(statement: &mut Statement) {
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut Frames { change: mend });
}

/// Puts marks in place of the parameters. This comes after other numbers are rewritten: a mark is no
/// `bigint`, and would become a `numeric`.
pub(super) fn mark_parameters(statement: &mut Statement) {
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut Frames { change: mark });
}

struct Frames {
    change: fn(&mut WindowFrame),
}

impl VisitorMut for Frames {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for NamedWindowDefinition(_, definition) in &mut select.named_window {
            if let NamedWindowExpr::WindowSpec(spec) = definition
                && let Some(frame) = &mut spec.window_frame
            {
                (self.change)(frame);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && let Some(WindowType::WindowSpec(spec)) = &mut function.over
            && let Some(frame) = &mut spec.window_frame
        {
            (self.change)(frame);
        }
        ControlFlow::Continue(())
    }
}

fn mend(frame: &mut WindowFrame) {
    for offset in offsets(frame) {
        if let Some(bare) = parameter(offset).cloned() {
            *offset = bare;
        }
    }
    if !is_of_rows(frame) {
        return;
    }
    let is_reversed = match (&frame.start_bound, &frame.end_bound) {
        (WindowFrameBound::Preceding(start), Some(WindowFrameBound::Preceding(end))) => {
            is_less(start.as_deref(), end.as_deref())
        }
        (WindowFrameBound::Following(start), Some(WindowFrameBound::Following(end))) => {
            is_less(end.as_deref(), start.as_deref())
        }
        _ => false,
    };
    if is_reversed {
        let beyond = || WindowFrameBound::Preceding(Some(Box::new(offset(BEYOND_ALL_ROWS))));
        frame.start_bound = beyond();
        frame.end_bound = Some(beyond());
    }
    for rows in offsets(frame) {
        // The engine adds offsets to places of rows.
        if number(rows).is_some_and(|count| count > BEYOND_ALL_ROWS) {
            *rows = offset(BEYOND_ALL_ROWS);
        }
    }
}

fn mark(frame: &mut WindowFrame) {
    let counts = is_of_rows(frame);
    for place in offsets(frame) {
        let mark = numbered(place).and_then(|number| match counts {
            true => offset_mark(number).map(offset),
            // The engine takes numbers and intervals, and keeps either as its text.
            false => range_mark(number).map(interval),
        });
        if let Some(mark) = mark {
            *place = mark;
        }
    }
}

fn interval(text: String) -> Expr {
    Expr::Interval(Interval {
        value: Box::new(build::text(text)),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })
}

fn is_of_rows(frame: &WindowFrame) -> bool {
    matches!(
        frame.units,
        WindowFrameUnits::Rows | WindowFrameUnits::Groups
    )
}

fn offsets(frame: &mut WindowFrame) -> impl Iterator<Item = &mut Expr> {
    let bounds = std::iter::once(&mut frame.start_bound).chain(&mut frame.end_bound);
    bounds.filter_map(|bound| match bound {
        WindowFrameBound::Preceding(rows) | WindowFrameBound::Following(rows) => {
            rows.as_deref_mut()
        }
        WindowFrameBound::CurrentRow => None,
    })
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

/// Returns the parameter that an offset is, which may be cast.
fn parameter(offset: &Expr) -> Option<&Expr> {
    match offset {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => parameter(inner),
        offset => numbered(offset).map(|_| offset),
    }
}

/// Returns the number of a bare parameter.
fn numbered(offset: &Expr) -> Option<usize> {
    match offset {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => name.strip_prefix('$')?.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lakegate_engine::Names;

    use super::super::SystemRelations;
    use super::super::testing::with_statement;
    use super::*;

    fn rewritten(sql: &str) -> String {
        with_statement(sql, |statement| {
            rewrite(statement);
            mark_parameters(statement);
        })
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
            ("RANGE", "$1 PRECEDING", "INTERVAL '$1' PRECEDING"),
            (
                "RANGE",
                "BETWEEN CAST($2 AS INTERVAL) PRECEDING AND 1 FOLLOWING",
                "BETWEEN INTERVAL '$2' PRECEDING AND 1 FOLLOWING",
            ),
        ] {
            let with =
                |frame: &str| format!("SELECT sum(a) OVER (ORDER BY b {units} {frame}) FROM t");
            assert_eq!(rewritten(&with(frame)), with(expected));
            assert_eq!(rewritten(&with(expected)), with(expected));
        }
    }

    #[test]
    fn marks_outlast_the_other_rewrites() {
        let sql = "SELECT sum(a) OVER (ORDER BY b ROWS CAST($1 AS BIGINT) PRECEDING), sum(a) OVER (w GROUPS $2 PRECEDING) FROM t WINDOW w AS (ORDER BY b)";
        for names in [Names::Postgres, Names::Trino] {
            let rewritten = with_statement(sql, |statement| {
                super::super::rewrite(statement, &SystemRelations::new(), &[], names).unwrap();
            });
            for frame in [
                "ROWS 9223372036854775809 PRECEDING",
                "GROUPS 9223372036854775810 PRECEDING",
            ] {
                assert!(rewritten.contains(frame), "{rewritten}");
            }
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
