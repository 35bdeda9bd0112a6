//! The type of whole numbers: `integer` if it holds the number, else `bigint`, which is the
//! engine's type of all of them.
//!
//! ```text
//! SELECT 1, -5, 3000000000      SELECT CAST(1 AS INT4), CAST(-5 AS INT4), 3000000000
//! ORDER BY 1, LIMIT 5           the same: ordinals and counts have no type
//! x = 5, x IN (1, 2)            the same: comparisons of numbers do not depend on the type
//! from_unixtime(x, 5, 30)       the same: planning needs constants, as in rows of plain values
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Distinct, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, GroupByExpr, LimitClause, NamedWindowExpr,
    OrderByKind, Query, Select, Statement, TableFactor, TableSampleKind, UnaryOperator, Value,
    ValueWithSpan, VisitorMut, WindowFrameBound, WindowSpec, WindowType,
};
use lakegate_engine::time::PRECISION_FUNCTION;
use lakegate_sql::walk::walk_mut;

use super::rewrite::{SUBSCRIPT, taken};

/// Functions whose numbers are constants when the query is planned. A plain number in a subscript
/// names a field of a row.
const OF_CONSTANTS: [&str; 5] = [
    "$unnested",
    "from_unixtime",
    "sequence",
    PRECISION_FUNCTION,
    SUBSCRIPT,
];

/// Gives whole numbers their type in place. It comes after all rewrites that look at numbers.
pub(crate) fn integers(statement: &mut Statement) {
    let _ = walk_mut(statement, &mut Integers { queries: 0 });
}

/// Numbers that keep the engine's type are marked before they are visited. The mark is the flag of
/// numbers with an `L`, which the grammar of no session accepts.
struct Integers {
    /// The queries around the current node; outside of queries no number is typed.
    queries: usize,
}

impl VisitorMut for Integers {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.queries += 1;
        if let Some(order) = &mut query.order_by
            && let OrderByKind::Expressions(keys) = &mut order.kind
        {
            keys.iter_mut().for_each(|key| keep(&mut key.expr));
        }
        match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                limit.iter_mut().for_each(keep);
                offset.iter_mut().for_each(|offset| keep(&mut offset.value));
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                keep(offset);
                keep(limit);
            }
            None => {}
        }
        if let Some(fetch) = &mut query.fetch {
            fetch.quantity.iter_mut().for_each(keep);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if let Some(Distinct::On(keys)) = &mut select.distinct {
            keys.iter_mut().for_each(keep);
        }
        if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
            keys.iter_mut().for_each(key);
        }
        for window in &mut select.named_window {
            if let NamedWindowExpr::WindowSpec(window) = &mut window.1 {
                frame(window);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                args: Some(arguments),
                ..
            } => arguments.args.iter_mut().for_each(keep_argument),
            TableFactor::Function { args, .. } => args.iter_mut().for_each(keep_argument),
            _ => {}
        }
        if let TableFactor::Table {
            sample: Some(sample),
            ..
        } = factor
        {
            let (TableSampleKind::BeforeTableAlias(sample)
            | TableSampleKind::AfterTableAlias(sample)) = sample;
            if let Some(quantity) = &mut sample.quantity {
                keep(&mut quantity.value);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            // `-2147483648` is an integer, `2147483648` is not.
            Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr: number,
            } => {
                if self.queries > 0
                    && let Some(digits) = unmarked(number)
                    && is_integer(&format!("-{digits}"))
                {
                    keep(number);
                    *expr = typed(taken(expr));
                }
            }
            Expr::Cast { expr: of, .. } => keep(of),
            Expr::Interval(interval) => keep(&mut interval.value),
            // The planner takes only names and literals in rows.
            Expr::Tuple(values) => values.iter_mut().for_each(keep),
            Expr::BinaryOp { left, op, right } if compares(op) => {
                keep(left);
                keep(right);
            }
            Expr::InList { expr: of, list, .. } => {
                keep(of);
                list.iter_mut().for_each(keep);
            }
            Expr::Between {
                expr: of,
                low,
                high,
                ..
            } => [of, low, high].into_iter().for_each(|of| keep(of)),
            Expr::Function(function) => counts(function),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(ValueWithSpan {
            value: Value::Number(digits, marked),
            ..
        }) = expr
            && !std::mem::take(marked)
            && self.queries > 0
            && is_integer(digits)
        {
            *expr = typed(taken(expr));
        }
        ControlFlow::Continue(())
    }
}

fn is_integer(number: &str) -> bool {
    number.replace('_', "").parse::<i32>().is_ok()
}

fn typed(number: Expr) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(number),
        data_type: DataType::Int4(None),
        array: false,
        format: None,
    }
}

fn unmarked(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan {
            value: Value::Number(digits, false),
            ..
        }) => Some(digits),
        _ => None,
    }
}

/// Marks a number, with or without a sign.
fn keep(expr: &mut Expr) {
    match expr {
        Expr::Value(ValueWithSpan {
            value: Value::Number(_, marked),
            ..
        }) => *marked = true,
        Expr::UnaryOp { expr, .. } => keep(expr),
        _ => {}
    }
}

fn keep_argument(argument: &mut FunctionArg) {
    if let FunctionArg::Unnamed(value)
    | FunctionArg::Named { arg: value, .. }
    | FunctionArg::ExprNamed { arg: value, .. } = argument
        && let FunctionArgExpr::Expr(value) = value
    {
        keep(value);
    }
}

/// Marks the ordinals of GROUP BY.
fn key(expr: &mut Expr) {
    match expr {
        Expr::Tuple(keys) => keys.iter_mut().for_each(keep),
        Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) => {
            sets.iter_mut().flatten().for_each(keep);
        }
        expr => keep(expr),
    }
}

fn compares(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
    )
}

/// Marks the numbers of a call that count rows, or that must be constants.
fn counts(function: &mut Function) {
    if let Some(WindowType::WindowSpec(window)) = &mut function.over {
        frame(window);
    }
    let name = function.name.0.last().and_then(|name| name.as_ident());
    let constants = name.is_some_and(|name| {
        OF_CONSTANTS
            .iter()
            .any(|known| name.value.eq_ignore_ascii_case(known))
    });
    if let FunctionArguments::List(list) = &mut function.args {
        if constants {
            list.args.iter_mut().for_each(keep_argument);
        }
        for clause in &mut list.clauses {
            if let FunctionArgumentClause::Limit(limit) = clause {
                keep(limit);
            }
        }
    }
}

fn frame(window: &mut WindowSpec) {
    let Some(frame) = &mut window.window_frame else {
        return;
    };
    for bound in [Some(&mut frame.start_bound), frame.end_bound.as_mut()] {
        if let Some(
            WindowFrameBound::Preceding(Some(rows)) | WindowFrameBound::Following(Some(rows)),
        ) = bound
        {
            keep(rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trino::testing::query;

    fn typed(sql: &str) -> String {
        let mut statement = Statement::Query(query(sql));
        integers(&mut statement);
        statement.to_string()
    }

    #[test]
    fn whole_numbers_are_integers_if_they_fit() {
        for (sql, expected) in [
            (
                "SELECT 1, -5, 2147483647",
                "SELECT CAST(1 AS INT4), CAST(-5 AS INT4), CAST(2147483647 AS INT4)",
            ),
            (
                "SELECT -2147483648, 2147483648, -2147483649, 1.5",
                "SELECT CAST(-2147483648 AS INT4), 2147483648, -2147483649, 1.5",
            ),
            (
                "SELECT ARRAY[1], f(2) FROM (VALUES (3)) AS t (x)",
                "SELECT ARRAY[CAST(1 AS INT4)], f(CAST(2 AS INT4)) FROM (VALUES (CAST(3 AS INT4))) AS t (x)",
            ),
        ] {
            assert_eq!(typed(sql), expected, "{sql}");
        }
    }

    #[test]
    fn ordinals_counts_and_comparisons_keep_their_numbers() {
        for sql in [
            "SELECT x, y FROM t GROUP BY 1, 2 ORDER BY 1, 2 DESC LIMIT 5 OFFSET 2",
            "SELECT x, y FROM t GROUP BY GROUPING SETS ((1), (1, 2))",
            "SELECT x FROM t OFFSET 3 ROWS FETCH FIRST 4 ROWS ONLY",
            "SELECT CAST(1 AS BIGINT), CAST(-1 AS SMALLINT)",
            "SELECT x FROM t WHERE x = 1 AND y > -2 AND x IN (1, -2) AND x BETWEEN 3 AND 4",
            "SELECT from_unixtime(x, 5, -30), (1, 'a') FROM TABLE(sequence(1, 3))",
            "SELECT sum(x) OVER (ORDER BY y ROWS BETWEEN 2 PRECEDING AND 3 FOLLOWING) FROM t",
            "SELECT \"$subscript\"(x, 1), \"$subscript\"(x, -2) FROM t",
            "SELECT sum(x) OVER w FROM t WINDOW w AS (ORDER BY y ROWS BETWEEN 2 PRECEDING AND 3 FOLLOWING)",
        ] {
            assert_eq!(typed(sql), query(sql).to_string(), "{sql}");
        }
    }
}
