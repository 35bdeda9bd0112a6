//! Offsets of frames that the engine refuses: those of a frame that begins after its end, which has no
//! rows, and parameters.
//!
//! ```text
//! ROWS BETWEEN 2 FOLLOWING AND 1 FOLLOWING      ROWS BETWEEN n PRECEDING AND n PRECEDING, with n beyond all rows
//! GROUPS BETWEEN 1 PRECEDING AND 2 PRECEDING    GROUPS BETWEEN n PRECEDING AND n PRECEDING
//! ROWS 1 + 1 PRECEDING                          ROWS 2 PRECEDING
//! ROWS $1 PRECEDING                             ROWS m PRECEDING, with m a mark of the parameter
//! RANGE $1 PRECEDING                            RANGE INTERVAL 'm' PRECEDING, likewise
//! ```
//!
//! A frame with RANGE that begins after its end has the peers of a row whose key is NULL, and stays
//! refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Interval, NamedWindowDefinition, NamedWindowExpr, Select, Statement,
    UnaryOperator, Value, VisitorMut, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowType,
};
use lakegate_engine::{BEYOND_ALL_ROWS, Names, offset_mark, range_mark};
use lakegate_error::{Code, Error};
use lakegate_sql::walk::walk_mut;

use super::build;

/// Rewrites the frames of all windows. Their parameters become bare ones, which [`mark_parameters`]
/// takes.
///
/// # Errors
///
/// In PostgreSQL's dialect, an offset of ROWS or GROUPS is NULL, negative or a column.
pub(super) fn rewrite(statement: &mut Statement, dialect: Names) -> Result<(), Error> {
    let change: fn(&mut WindowFrame) -> Result<(), Error> = match dialect {
        Names::Postgres => |frame| {
            check(frame)?;
            mend(frame);
            Ok(())
        },
        Names::Trino => |frame| {
            mend(frame);
            Ok(())
        },
    };
    match walk_mut(statement, &mut Frames { change }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Puts marks in place of the parameters. This comes after other numbers are rewritten: a mark is no
/// `bigint`, and would become a `numeric`.
pub(super) fn mark_parameters(statement: &mut Statement) {
    let change: fn(&mut WindowFrame) -> Result<(), Error> = |frame| {
        mark(frame);
        Ok(())
    };
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut Frames { change });
}

struct Frames {
    change: fn(&mut WindowFrame) -> Result<(), Error>,
}

impl Frames {
    fn changed(&self, frame: &mut WindowFrame) -> ControlFlow<Error> {
        match (self.change)(frame) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl VisitorMut for Frames {
    type Break = Error;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        for NamedWindowDefinition(_, definition) in &mut select.named_window {
            if let NamedWindowExpr::WindowSpec(spec) = definition
                && let Some(frame) = &mut spec.window_frame
            {
                self.changed(frame)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if let Expr::Function(function) = expr
            && let Some(WindowType::WindowSpec(spec)) = &mut function.over
            && let Some(frame) = &mut spec.window_frame
        {
            self.changed(frame)?;
        }
        ControlFlow::Continue(())
    }
}

/// Checks the offsets of ROWS and GROUPS, and computes those that are written as sums.
fn check(frame: &mut WindowFrame) -> Result<(), Error> {
    if !is_of_rows(frame) {
        return Ok(());
    }
    let units = frame.units;
    let bounds = [
        ("starting", Some(&mut frame.start_bound)),
        ("ending", frame.end_bound.as_mut()),
    ];
    for (which, bound) in bounds {
        let Some(WindowFrameBound::Preceding(Some(rows)) | WindowFrameBound::Following(Some(rows))) =
            bound
        else {
            continue;
        };
        if matches!(**rows, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            let message = format!("argument of {units} must not contain variables");
            return Err(Error::new(Code::InvalidColumnReference, message));
        }
        if is_null(rows) {
            let message = format!("frame {which} offset must not be null");
            return Err(Error::new(Code::NullNotAllowed, message));
        }
        match computed(rows) {
            Some(count) if count < 0 => {
                let message = format!("frame {which} offset must not be negative");
                return Err(Error::new(Code::InvalidFrameOffset, message));
            }
            Some(count) => **rows = offset(count.unsigned_abs()),
            None => {}
        }
    }
    Ok(())
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => is_null(inner),
        Expr::Value(value) => value.value == Value::Null,
        _ => false,
    }
}

/// Returns the value of a number, or of a sum, a difference or a product of numbers.
fn computed(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => computed(inner),
        Expr::UnaryOp { op, expr } => match op {
            UnaryOperator::Minus => computed(expr)?.checked_neg(),
            UnaryOperator::Plus => computed(expr),
            _ => None,
        },
        Expr::BinaryOp { left, op, right } => {
            let (left, right) = (computed(left)?, computed(right)?);
            match op {
                BinaryOperator::Plus => left.checked_add(right),
                BinaryOperator::Minus => left.checked_sub(right),
                BinaryOperator::Multiply => left.checked_mul(right),
                _ => None,
            }
        }
        other => i64::try_from(number(other)?).ok(),
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
    use super::super::SystemRelations;
    use super::super::testing::with_statement;
    use super::*;

    fn rewritten(sql: &str) -> String {
        with_statement(sql, |statement| {
            rewrite(statement, Names::Postgres).unwrap();
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
    fn offsets_of_rows_are_numbers() {
        let refused = |frame: &str| {
            let sql = format!("SELECT sum(a) OVER (ORDER BY b {frame}) FROM t");
            let mut found = None;
            with_statement(&sql, |statement| {
                found = rewrite(statement, Names::Postgres).err();
                assert!(rewrite(statement, Names::Trino).is_ok(), "{frame}");
            });
            found.map(|error| error.message().to_owned())
        };
        for (frame, message) in [
            (
                "ROWS -1 PRECEDING",
                "frame starting offset must not be negative",
            ),
            (
                "GROUPS BETWEEN 1 PRECEDING AND 1 - 2 FOLLOWING",
                "frame ending offset must not be negative",
            ),
            (
                "ROWS NULL PRECEDING",
                "frame starting offset must not be null",
            ),
            (
                "GROUPS a PRECEDING",
                "argument of GROUPS must not contain variables",
            ),
        ] {
            assert_eq!(refused(frame).as_deref(), Some(message), "{frame}");
        }
        assert_eq!(refused("RANGE NULL PRECEDING"), None);
        assert_eq!(
            rewritten(
                "SELECT sum(a) OVER (ORDER BY b ROWS BETWEEN (1 + 1) PRECEDING AND 2 * 3 FOLLOWING) FROM t"
            ),
            "SELECT sum(a) OVER (ORDER BY b ROWS BETWEEN 2 PRECEDING AND 6 FOLLOWING) FROM t"
        );
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
