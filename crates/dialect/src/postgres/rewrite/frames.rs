//! Frames that begin after their end: they have no rows, and the engine refuses them.
//!
//! ```text
//! ROWS BETWEEN 2 FOLLOWING AND 1 FOLLOWING      ROWS BETWEEN n PRECEDING AND n PRECEDING, with n beyond all rows
//! GROUPS BETWEEN 1 PRECEDING AND 2 PRECEDING    GROUPS BETWEEN n PRECEDING AND n PRECEDING
//! ```
//!
//! Such a frame with RANGE has the peers of a row whose key is NULL, and stays refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, NamedWindowDefinition, NamedWindowExpr, Select, Statement, Value, VisitorMut,
    WindowFrame, WindowFrameBound, WindowFrameUnits, WindowType,
};
use lakegate_sql::walk::walk_mut;

use super::build;

/// More rows than a partition has. The engine adds it to the place of a row.
const BEYOND: i64 = i64::MAX / 2;

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
    if of_rows && is_reversed {
        let beyond = || WindowFrameBound::Preceding(Some(Box::new(build::integer(BEYOND))));
        frame.start_bound = beyond();
        frame.end_bound = Some(beyond());
    }
}

/// Returns whether both offsets are numbers, and the first is the smaller one.
fn is_less(one: Option<&Expr>, other: Option<&Expr>) -> bool {
    let number = |offset: Option<&Expr>| match offset? {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse::<u64>().ok(),
            _ => None,
        },
        _ => None,
    };
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one < other,
        _ => false,
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
        let empty = format!("BETWEEN {BEYOND} PRECEDING AND {BEYOND} PRECEDING");
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
