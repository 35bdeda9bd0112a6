//! The types that parameters take from their places: a condition is a boolean, a length is an integer,
//! and a value beside others has the type of these (`beside.rs`).

mod beside;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use arrow::datatypes::{DataType, IntervalUnit};
use lakegate_engine::beside::{COMPARED, JOINED, OF_ONE_TYPE};
use lakegate_sql::walk::walk_mut;
use sqlparser::ast::{
    self, BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, NamedWindowDefinition, NamedWindowExpr, ObjectName, Query, Select, SetExpr,
    TableFactor, UnaryOperator, Value, VisitorMut, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowType,
};

use self::beside::{array_of, call_beside, item_of, telling};
use crate::query::declared_parameters::ANY_NUMERIC;
use crate::query::parameters::{MAX_PARAMETERS, list_of, number, placeholder};

/// Returns the types of parameters: those that are declared, and those that follow from a place.
///
/// Changes the query, which is only planned for its types: a parameter beside values becomes a call
/// with them, whose type the plan tells.
pub(crate) fn place_types(
    query: &mut ast::Query,
    declared: &[Option<DataType>],
) -> Vec<Option<DataType>> {
    let mut places = Places {
        declared,
        found: BTreeMap::new(),
        calls: Vec::new(),
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
    /// The first call that stands for each parameter beside values, of the SELECT that the visitor is in
    /// and those around it. The values of one are columns of no other.
    calls: Vec<BTreeMap<usize, Expr>>,
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

    /// Gives the parameters among values the type of the others. `place`: what is done with them.
    fn beside(&mut self, place: &str, values: Vec<&mut Expr>) {
        if values.iter().any(|value| matches!(**value, Expr::Tuple(_))) {
            let rows = values.into_iter().map(|value| match value {
                Expr::Tuple(items) => items.iter_mut(),
                _ => std::slice::IterMut::default(),
            });
            return self.columns(place, rows.collect());
        }
        if !values.iter().any(|value| self.open(value).is_some()) {
            return;
        }
        let telling = telling(values.iter().map(|value| &**value));
        if telling.is_empty() {
            return;
        }
        for value in values {
            self.replace(value, place, &telling);
        }
    }

    /// Replaces a parameter by the call that stands for it beside values.
    fn replace(&mut self, value: &mut Expr, place: &str, telling: &[Expr]) {
        if let Some(number) = self.open(value) {
            let call = call_beside(place, value, telling);
            if let Some(calls) = self.calls.last_mut() {
                calls.entry(number).or_insert_with(|| call.clone());
            }
            *value = call;
        }
    }

    /// Gives an operand that is a parameter the type that it has before: `$1` of `x > $1 AND
    /// x < $1 + interval '1 day'` is no interval.
    fn known(&self, operand: &mut Expr) {
        if let Some(number) = self.open(operand)
            && let Some(call) = self.calls.last().and_then(|calls| calls.get(&number))
        {
            *operand = call.clone();
        }
    }

    /// Gives the parameters of each column of rows the type of the others in it.
    fn columns(&mut self, place: &str, mut rows: Vec<std::slice::IterMut<'_, Expr>>) {
        loop {
            let column: Vec<&mut Expr> = rows.iter_mut().filter_map(Iterator::next).collect();
            if column.is_empty() {
                return;
            }
            self.beside(place, column);
        }
    }

    /// Gives an item the type of those of an array, or an array the type of the item.
    fn item(&mut self, place: &str, array: &mut Expr, item: &mut Expr) {
        let (known, parameter, told) = match (self.open(array), self.open(item)) {
            (None, Some(_)) => (item_of(array), item, &*array),
            (Some(_), None) => (array_of(item), array, &*item),
            _ => return,
        };
        if !telling(std::iter::once(told)).is_empty() {
            self.replace(parameter, place, &[known]);
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
        match name {
            "coalesce" | "greatest" | "least" | "array_cat" => {
                return self.beside(OF_ONE_TYPE, arguments);
            }
            "nullif" => return self.beside(COMPARED, arguments),
            _ => {}
        }
        if name == "date_bin"
            && let Some((stride, _)) = arguments.split_first()
        {
            self.takes(stride, DataType::Interval(IntervalUnit::MonthDayNano));
            return self.beside(OF_ONE_TYPE, arguments.into_iter().skip(1).collect());
        }
        if let Some(place) = item_place(name) {
            return self.items(arguments, place);
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
        if matches!(name, "lag" | "lead") {
            // The second one counts rows.
            let values = arguments.into_iter().enumerate();
            let values = values.filter(|(place, _)| *place != 1);
            self.beside(OF_ONE_TYPE, values.map(|(_, value)| value).collect());
        }
    }

    /// Gives the items among the arguments of a function of an array the type of the array's.
    /// `place`: of the array.
    fn items(&mut self, mut items: Vec<&mut Expr>, place: usize) {
        if place >= items.len() {
            return;
        }
        let array = items.remove(place);
        for item in items.into_iter().take(2) {
            self.item(OF_ONE_TYPE, array, item);
        }
    }
}

/// Returns the place of the array among the arguments of a function of an array and its items.
fn item_place(function: &str) -> Option<usize> {
    match function {
        "array_append" | "array_position" | "array_positions" | "array_remove"
        | "array_replace" => Some(0),
        "array_prepend" => Some(1),
        _ => None,
    }
}

impl VisitorMut for Places<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, _: &mut Select) -> ControlFlow<()> {
        self.calls.push(BTreeMap::new());
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.calls.pop();
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

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Values(values) = query.body.as_mut() {
            let rows = values.rows.iter_mut().map(|row| row.content.iter_mut());
            self.columns(OF_ONE_TYPE, rows.collect());
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
            Expr::BinaryOp {
                left,
                op: BinaryOperator::StringConcat,
                right,
            } => self.beside(JOINED, vec![left.as_mut(), right.as_mut()]),
            Expr::BinaryOp {
                left,
                op:
                    BinaryOperator::Plus
                    | BinaryOperator::Minus
                    | BinaryOperator::Multiply
                    | BinaryOperator::Divide
                    | BinaryOperator::Modulo,
                right,
            } => {
                self.known(left);
                self.known(right);
            }
            // Paths in documents.
            Expr::BinaryOp {
                op:
                    BinaryOperator::HashArrow
                    | BinaryOperator::HashLongArrow
                    | BinaryOperator::HashMinus,
                right,
                ..
            } => self.takes(right, list_of(&DataType::Utf8)),
            Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. }
                if self.open(left).is_some() =>
            {
                self.item(COMPARED, right, left);
            }
            // Both operands have one type; those of the last ones are arrays or documents.
            Expr::BinaryOp {
                left,
                op:
                    BinaryOperator::Eq
                    | BinaryOperator::NotEq
                    | BinaryOperator::Lt
                    | BinaryOperator::LtEq
                    | BinaryOperator::Gt
                    | BinaryOperator::GtEq
                    | BinaryOperator::AtArrow
                    | BinaryOperator::ArrowAt
                    | BinaryOperator::PGOverlap,
                right,
            }
            | Expr::IsDistinctFrom(left, right)
            | Expr::IsNotDistinctFrom(left, right) => {
                self.beside(COMPARED, vec![left.as_mut(), right.as_mut()]);
            }
            Expr::Between {
                expr, low, high, ..
            } => self.beside(COMPARED, vec![expr.as_mut(), low.as_mut(), high.as_mut()]),
            Expr::InList { expr, list, .. } => {
                let place = match list.len() {
                    1 => COMPARED,
                    _ => OF_ONE_TYPE,
                };
                let values = std::iter::once(expr.as_mut()).chain(list);
                self.beside(place, values.collect());
            }
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
                let mut compared: Vec<&mut Expr> = operand.as_deref_mut().into_iter().collect();
                let has_operand = !compared.is_empty();
                let mut results = Vec::with_capacity(conditions.len() + 1);
                for CaseWhen { condition, result } in conditions {
                    match has_operand {
                        true => compared.push(condition),
                        false => self.is_condition(Some(condition)),
                    }
                    results.push(result);
                }
                results.extend(else_result.as_deref_mut());
                self.beside(OF_ONE_TYPE, compared);
                self.beside(OF_ONE_TYPE, results);
            }
            Expr::Array(array) => self.beside(OF_ONE_TYPE, array.elem.iter_mut().collect()),
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

/// Returns the type of a function's argument, by its index, if it has only one. `count`: of the
/// arguments.
fn argument_type(function: &str, index: usize, count: usize) -> Option<DataType> {
    Some(match (function, index) {
        // With a format, it takes a text.
        ("to_timestamp", 0) if count == 1 => DataType::Float64,
        // There is none of floating-point numbers.
        ("round" | "trunc", 0) if count == 2 => ANY_NUMERIC,
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

    /// Returns the types of parameters, and the query that is planned for the others.
    pub(super) fn placed(
        sql: &str,
        declared: &[Option<DataType>],
    ) -> (Vec<Option<DataType>>, String) {
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
}
