//! The types that parameters take from their places, where the engine infers none: a condition is a
//! boolean, a length is an integer, and a value beside another one has the type of that.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use arrow::datatypes::{DataType, IntervalUnit};
use lakegate_sql::walk::{walk_expressions, walk_mut};
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    self, BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, NamedWindowDefinition, NamedWindowExpr, ObjectName, Select, TableFactor,
    UnaryOperator, Value, VisitorMut, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowType,
};

use crate::query::constants::has_query;
use crate::query::parameters::{MAX_PARAMETERS, number, placeholder};

/// The maximum number of expressions in a value that a parameter beside it is compared with.
const MAX_COMPARED: usize = 16;

/// Returns the types of parameters: those that are declared, and those that follow from a place.
///
/// Changes the query, which is only planned for its types: a parameter beside a value, such as an
/// argument of `coalesce`, is compared with it, so that the engine infers the parameter's type.
pub(crate) fn place_types(
    query: &mut ast::Query,
    declared: &[Option<DataType>],
) -> Vec<Option<DataType>> {
    let mut places = Places {
        declared,
        found: BTreeMap::new(),
    };
    // The visitor never breaks.
    let _ = walk_mut(query, &mut places);
    let mut types = declared.to_vec();
    for (number, data_type) in places.found {
        if types.len() < number {
            types.resize(number, None);
        }
        if let Some(place) = types.get_mut(number - 1) {
            *place = Some(data_type);
        }
    }
    types
}

struct Places<'a> {
    declared: &'a [Option<DataType>],
    /// By the numbers of parameters, which begin with 1.
    found: BTreeMap<usize, DataType>,
}

impl Places<'_> {
    /// Returns the number of a parameter without a declared type.
    fn open(&self, expr: &Expr) -> Option<usize> {
        placeholder(expr)
            .and_then(number)
            .filter(|n| (1..=MAX_PARAMETERS).contains(n))
            .filter(|n| self.declared.get(n - 1).is_none_or(Option::is_none))
    }

    /// Notes the type of the place that an expression is in. The first place counts.
    fn takes(&mut self, expr: &Expr, data_type: DataType) {
        if let Some(number) = self.open(expr) {
            self.found.entry(number).or_insert(data_type);
        }
    }

    fn is_condition(&mut self, expr: Option<&Expr>) {
        if let Some(expr) = expr {
            self.takes(expr, DataType::Boolean);
        }
    }

    /// Compares a parameter with a value of the type that it must have.
    fn compare(&self, expr: &mut Expr, value: &Expr) {
        if self.open(expr).is_some() {
            *expr = compared(expr, value);
        }
    }

    /// Compares the parameters among values of one type with another one of the values.
    fn compare_all(&self, mut values: Vec<&mut Expr>) {
        let known = values.iter().find(|value| is_small(value));
        let Some(known) = known.map(|known| (**known).clone()) else {
            return;
        };
        for value in &mut values {
            self.compare(value, &known);
        }
    }

    /// The offsets of a frame of rows, or of groups, are counts.
    fn frame(&mut self, frame: Option<&WindowFrame>) {
        let Some(frame) = frame.filter(|frame| frame.units != WindowFrameUnits::Range) else {
            return;
        };
        for bound in std::iter::once(&frame.start_bound).chain(&frame.end_bound) {
            if let WindowFrameBound::Preceding(Some(offset))
            | WindowFrameBound::Following(Some(offset)) = bound
            {
                self.takes(offset, DataType::Int64);
            }
        }
    }

    fn function(&mut self, function: &mut Function) {
        self.is_condition(function.filter.as_deref());
        if let Some(WindowType::WindowSpec(window)) = &function.over {
            self.frame(window.window_frame.as_ref());
        }
        if let FunctionArguments::List(list) = &mut function.args {
            self.call(&function.name, &mut list.args);
        }
    }

    fn call(&mut self, function: &ObjectName, arguments: &mut [FunctionArg]) {
        let name = function.0.last().and_then(|part| part.as_ident());
        let name = name.map(|name| name.value.to_lowercase());
        let name = name.as_deref().unwrap_or_default();
        let arguments = arguments.iter_mut().filter_map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        });
        let arguments: Vec<&mut Expr> = arguments.collect();
        if matches!(name, "coalesce" | "greatest" | "least" | "nullif") {
            return self.compare_all(arguments);
        }
        if name == "date_bin"
            && let Some((stride, _)) = arguments.split_first()
        {
            self.takes(stride, DataType::Interval(IntervalUnit::MonthDayNano));
            return self.compare_all(arguments.into_iter().skip(1).collect());
        }
        let count = arguments.len();
        let counts = name == "generate_series" && arguments.iter().any(|bound| is_count(bound));
        for (index, argument) in arguments.iter().enumerate() {
            let data_type = match counts {
                true => Some(DataType::Int64),
                false => argument_type(name, index, count),
            };
            if let Some(data_type) = data_type {
                self.takes(argument, data_type);
            }
        }
    }
}

impl VisitorMut for Places<'_> {
    type Break = ();

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.is_condition(select.selection.as_ref());
        self.is_condition(select.having.as_ref());
        self.is_condition(select.qualify.as_ref());
        for NamedWindowDefinition(_, window) in &select.named_window {
            if let NamedWindowExpr::WindowSpec(window) = window {
                self.frame(window.window_frame.as_ref());
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        match table {
            TableFactor::Table {
                name,
                args: Some(arguments),
                ..
            } => self.call(name, &mut arguments.args),
            TableFactor::Function { name, args, .. } => self.call(name, args),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            }
            | Expr::IsTrue(expr)
            | Expr::IsNotTrue(expr)
            | Expr::IsFalse(expr)
            | Expr::IsNotFalse(expr) => self.is_condition(Some(expr)),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And | BinaryOperator::Or,
                right,
            } => {
                self.is_condition(Some(left));
                self.is_condition(Some(right));
            }
            Expr::BinaryOp {
                left,
                op: BinaryOperator::StringConcat,
                right,
            } if self.open(left).is_some() && self.open(right).is_some() => {
                self.takes(left, DataType::Utf8);
                self.takes(right, DataType::Utf8);
            }
            // Both operands are arrays of one type, or both are documents.
            Expr::BinaryOp {
                left,
                op: BinaryOperator::AtArrow | BinaryOperator::ArrowAt | BinaryOperator::PGOverlap,
                right,
            } => self.compare_all(vec![left.as_mut(), right.as_mut()]),
            Expr::Substring {
                substring_from,
                substring_for,
                ..
            } => {
                for place in [substring_from, substring_for].into_iter().flatten() {
                    self.takes(place, DataType::Int32);
                }
            }
            Expr::Case {
                operand,
                conditions,
                else_result,
                ..
            } => {
                let operand = operand.as_deref();
                let mut results = Vec::with_capacity(conditions.len() + 1);
                for CaseWhen { condition, result } in conditions {
                    match operand {
                        Some(operand) if is_small(operand) => self.compare(condition, operand),
                        Some(_) => {}
                        None => self.is_condition(Some(condition)),
                    }
                    results.push(result);
                }
                results.extend(else_result.as_deref_mut());
                self.compare_all(results);
            }
            Expr::Array(array) => self.compare_all(array.elem.iter_mut().collect()),
            Expr::Function(function) => self.function(function),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Returns whether an expression is a whole number.
fn is_count(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(&value.value, Value::Number(number, _) if number.parse::<i64>().is_ok()))
}

/// Returns whether a value settles the type of parameters beside it, and is small enough to be
/// written again for each of them.
fn is_small(expr: &Expr) -> bool {
    if matches!(expr, Expr::Value(value) if value.value == Value::Null) {
        return false;
    }
    let mut size = 0usize;
    let walked = walk_expressions(expr, |part| {
        size += 1;
        match size > MAX_COMPARED || placeholder(part).is_some() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    walked.is_continue() && !has_query(expr)
}

/// Returns `CASE WHEN parameter = value THEN value END`.
fn compared(parameter: &Expr, value: &Expr) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen {
            condition: Expr::BinaryOp {
                left: Box::new(parameter.clone()),
                op: BinaryOperator::Eq,
                right: Box::new(value.clone()),
            },
            result: value.clone(),
        }],
        else_result: None,
    }
}

/// Returns the type of a function's argument, by its index, if it has only one. `count`: of the
/// arguments.
fn argument_type(function: &str, index: usize, count: usize) -> Option<DataType> {
    Some(match (function, index) {
        // With a format, it takes a text.
        ("to_timestamp", 0) if count == 1 => DataType::Float64,
        ("left" | "right" | "repeat" | "lpad" | "rpad", 1)
        | ("substr" | "substring", 1 | 2)
        | ("split_part", 2)
        | ("round" | "trunc", 1)
        | ("lag" | "lead" | "nth_value", 1)
        | ("ntile" | "chr", 0)
        | ("make_date", 0..=2) => DataType::Int32,
        ("abs" | "sqrt" | "exp" | "ln" | "sign" | "round" | "trunc" | "power", 0)
        | ("power", 1)
        | ("percentile_cont" | "percentile_disc", 0) => DataType::Float64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use lakegate_sql::Statement;

    use super::*;

    fn placed(sql: &str, declared: &[Option<DataType>]) -> (Vec<Option<DataType>>, String) {
        match lakegate_sql::parse(sql).unwrap().remove(0).statement {
            Statement::Query(mut query) => {
                let types = place_types(&mut query, declared);
                (types, query.to_string())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn conditions_are_booleans_and_lengths_are_integers() {
        let (types, query) = placed(
            "SELECT left(t, $1), abs($2), CASE WHEN $3 THEN 1 END, count(*) FILTER (WHERE $4), $5 || $6 FROM r WHERE NOT $7 AND ($8) HAVING $9",
            &[],
        );
        let (int, boolean) = (Some(DataType::Int32), Some(DataType::Boolean));
        let text = Some(DataType::Utf8);
        assert_eq!(
            types,
            [
                int,
                Some(DataType::Float64),
                boolean.clone(),
                boolean.clone(),
                text.clone(),
                text,
                boolean.clone(),
                boolean.clone(),
                boolean
            ]
        );
        assert!(!query.contains('='), "{query}");
    }

    #[test]
    fn offsets_of_frames_are_counts() {
        let (types, _) = placed(
            "SELECT sum(a) OVER (ORDER BY b ROWS BETWEEN $1 PRECEDING AND $2 FOLLOWING), sum(a) OVER w, sum(a) OVER (ORDER BY b RANGE $4 PRECEDING) FROM t WINDOW w AS (ORDER BY b GROUPS $3 PRECEDING)",
            &[],
        );
        assert_eq!(types, vec![Some(DataType::Int64); 3]);
    }

    #[test]
    fn bounds_of_a_series_are_counts_beside_a_count() {
        let count = Some(DataType::Int64);
        let (types, _) = placed("SELECT n FROM generate_series(1, $1) t(n)", &[]);
        assert_eq!(types, std::slice::from_ref(&count));
        let (types, _) = placed("SELECT generate_series($1, $2, 5)", &[]);
        assert_eq!(types, [count.clone(), count]);
        let (types, _) = placed("SELECT n FROM generate_series($1, now(), $2) t(n)", &[]);
        assert!(types.is_empty());
    }

    #[test]
    fn values_beside_others_are_compared_with_them() {
        for (sql, shown) in [
            (
                "SELECT coalesce($1, a)",
                "SELECT coalesce(CASE WHEN $1 = a THEN a END, a)",
            ),
            (
                "SELECT CASE a WHEN $1 THEN $2 ELSE 5 END",
                "SELECT CASE a WHEN CASE WHEN $1 = a THEN a END THEN CASE WHEN $2 = 5 THEN 5 END ELSE 5 END",
            ),
            (
                "SELECT date_bin('1 day', a, $1)",
                "SELECT date_bin('1 day', a, CASE WHEN $1 = a THEN a END)",
            ),
            (
                "SELECT ARRAY[$1, 'x']",
                "SELECT ARRAY[CASE WHEN $1 = 'x' THEN 'x' END, 'x']",
            ),
            (
                "SELECT a @> $1, $2 && ARRAY[3]",
                "SELECT a @> CASE WHEN $1 = a THEN a END, CASE WHEN $2 = ARRAY[3] THEN ARRAY[3] END && ARRAY[3]",
            ),
            ("SELECT coalesce($1, $2)", "SELECT coalesce($1, $2)"),
            ("SELECT nullif(NULL, $1)", "SELECT nullif(NULL, $1)"),
            (
                "SELECT coalesce($1, (SELECT 1))",
                "SELECT coalesce($1, (SELECT 1))",
            ),
        ] {
            let (types, query) = placed(sql, &[]);
            assert_eq!(query, shown);
            assert!(types.is_empty(), "{sql}: {types:?}");
        }
        let declared = [Some(DataType::Utf8)];
        let (types, query) = placed("SELECT coalesce($1, a) WHERE $1", &declared);
        assert_eq!(types, declared);
        assert_eq!(query, "SELECT coalesce($1, a) WHERE $1");
    }

    #[test]
    fn queries_do_not_grow_beyond_a_multiple() {
        let mut nested = "a".to_owned();
        for number in 1..=30 {
            nested = format!("coalesce(${number}, {nested})");
        }
        let (_, query) = placed(&format!("SELECT {nested}"), &[]);
        assert!(query.len() < 10 * nested.len(), "{}", query.len());
        let large = format!("SELECT coalesce($1, {}a)", "a + ".repeat(100));
        assert_eq!(placed(&large, &[]).1, large);
        let (types, _) = placed("SELECT NOT $4000000000, NOT $0", &[]);
        assert!(types.is_empty());
    }
}
