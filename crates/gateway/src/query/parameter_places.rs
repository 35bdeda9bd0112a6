//! The types that parameters take from their places: a condition is a boolean, a length is an integer
//! (`calls.rs`), and a value beside others has the type of these (`beside.rs`).

mod beside;
mod calls;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use lakegate_engine::beside::{COMPARED, JOINED, OF_ONE_TYPE};
use lakegate_sql::walk::walk_mut;
use sqlparser::ast::{
    self, BinaryOperator, CaseWhen, Expr, NamedWindowDefinition, NamedWindowExpr, Query, Select,
    SetExpr, TableFactor, UnaryOperator, VisitorMut, WindowFrame, WindowFrameBound,
    WindowFrameUnits,
};

use self::beside::{array_of, call_beside, item_of, telling};
use crate::query::parameters::{MAX_PARAMETERS, list_of, open_number};

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
        open_number(expr, self.declared).filter(|number| *number <= MAX_PARAMETERS)
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

#[cfg(test)]
mod tests;
