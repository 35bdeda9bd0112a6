//! Calls in places that have no such calls, and calls with clauses that their functions do not have.
//!
//! ```text
//! WHERE sum(x) > 1             aggregate functions are not allowed in WHERE
//! HAVING rank() OVER () = 1    window functions are not allowed in HAVING
//! sum(max(x))                  aggregate function calls cannot be nested
//! sum(unnest(x))               aggregate function calls cannot contain set-returning function calls
//! lower(x) OVER ()             OVER specified, but lower is not a window function nor an aggregate function
//! ORDER BY 'x'                 non-integer constant in ORDER BY
//! ```
//!
//! The engine ignores some of them, and refuses others without their place. This comes first, when
//! names still have the places at which they were written.
//!
//! An aggregate function of a subquery that has columns of the outer query only belongs to that query,
//! and may be where the subquery's own may not: those that may be so are left to the engine.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Distinct, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, GroupByExpr, Ident, JoinConstraint, LimitClause,
    ObjectName, OrderByKind, Query, Select, SelectItem, SetExpr, Statement, Value, ValueWithSpan,
    Visitor, WindowType,
};
use lakegate_error::{Code, Error, Operands, function_not_found};
use lakegate_sql::join_constraint;
use lakegate_sql::walk::{walk, walk_own_expressions};

use super::conditions::names;
use super::{distinct_sets, folded, last_part};
use crate::postgres::pg_catalog::overloads::FunctionKinds;

/// Aggregate functions that are called with WITHIN GROUP only.
const ORDERED_SETS: [&str; 3] = ["mode", "percentile_cont", "percentile_disc"];

/// Window functions of a value.
const OF_VALUES: [&str; 6] = [
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
];

/// Checks the calls of a statement.
///
/// # Errors
///
/// A call is misplaced, or has a clause that its function does not have.
pub fn check(statement: &Statement) -> Result<(), Error> {
    match walk(statement, &mut Calls { depth: 0 }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Calls {
    /// The number of SELECTs around the visitor.
    depth: usize,
}

impl Visitor for Calls {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        if let SetExpr::Values(values) = query.body.as_ref()
            && self.depth == 0
        {
            let cells = values.rows.iter().flat_map(|row| row.content.iter());
            for cell in cells {
                found_in(cell, "VALUES", |_| true)?;
            }
        }
        if let Some(order_by) = &query.order_by
            && let OrderByKind::Expressions(keys) = &order_by.kind
        {
            for key in keys {
                no_constant(&key.expr, "ORDER BY")?;
            }
        }
        // In a subquery it may be a column of the outer query.
        match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) if self.depth == 0 => {
                let offset = offset.as_ref().map(|offset| &offset.value);
                let counts = [("LIMIT", limit.as_ref()), ("OFFSET", offset)];
                for (clause, count) in counts {
                    count.map_or(ControlFlow::Continue(()), |count| of_count(count, clause))?;
                }
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
        let is_outermost = self.depth == 0;
        self.depth += 1;
        let tables = names(&select.from);
        let is_own = |function: &Function| {
            is_outermost || {
                let mut columns = columns_of(function);
                columns.all(|name| name.is_some_and(|table| tables.contains(&table)))
            }
        };
        let joins = select.from.iter().flat_map(|tables| tables.joins.iter());
        for join in joins {
            if let Some(JoinConstraint::On(condition)) = join_constraint(join) {
                found_in(condition, "JOIN conditions", is_own)?;
                set_in(condition, "JOIN conditions")?;
            }
        }
        if let Some(condition) = &select.selection {
            found_in(condition, "WHERE", is_own)?;
            set_in(condition, "WHERE")?;
        }
        if let Some(Distinct::On(keys)) = &select.distinct {
            for key in keys {
                within_list(key, &select.projection)?;
            }
        }
        if let GroupByExpr::Expressions(keys, _) = &select.group_by {
            for key in keys {
                no_constant(key, "GROUP BY")?;
                let key = numbered(key, &select.projection).unwrap_or(key);
                found_in(key, "GROUP BY", is_own)?;
            }
        }
        match &select.having {
            Some(condition) => {
                window_in(condition, "HAVING")?;
                set_in(condition, "HAVING")
            }
            None => ControlFlow::Continue(()),
        }
    }

    fn post_visit_select(&mut self, _: &Select) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Error> {
        let Expr::Function(function) = expr else {
            return ControlFlow::Continue(());
        };
        clauses_of(function)?;
        if self.depth > 1 {
            return ControlFlow::Continue(());
        }
        if is_aggregate(function) {
            for argument in arguments(function) {
                within_aggregate(argument)?;
            }
            if let Some(condition) = &function.filter {
                found_in(condition, "FILTER", |_| true)?;
                set_in(condition, "FILTER")?;
            }
        } else if let Some(window) = &function.over {
            for argument in arguments(function) {
                window_call(argument, |name| {
                    let message = "window function calls cannot be nested";
                    named(Code::WindowingError, message.to_owned(), name)
                })?;
                no_set(argument, "window")?;
            }
            if let WindowType::WindowSpec(spec) = window {
                let keys = spec.order_by.iter().map(|key| &key.expr);
                for key in spec.partition_by.iter().chain(keys) {
                    window_in(key, "window definitions")?;
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Returns an error about a call, with its place.
pub(super) fn named(code: Code, message: String, name: &ObjectName) -> Error {
    at(Error::new(code, message), name)
}

fn at(error: Error, name: &ObjectName) -> Error {
    let parts: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
    match (parts.first(), parts.last()) {
        (Some(first), Some(last)) => error.with_operands(Operands {
            sign: last.value.clone(),
            place: Some((first.span.start.line, first.span.start.column)),
            ..Operands::default()
        }),
        _ => error,
    }
}

/// Breaks if an expression has an aggregate or a window function, whose call `is_own` accepts.
fn found_in(expr: &Expr, clause: &str, is_own: impl Fn(&Function) -> bool) -> ControlFlow<Error> {
    walk_own_expressions(expr, |part| match part {
        Expr::Function(call) if is_aggregate(call) && is_own(call) => {
            let message = format!("aggregate functions are not allowed in {clause}");
            ControlFlow::Break(named(Code::GroupingError, message, &call.name))
        }
        _ => ControlFlow::Continue(()),
    })?;
    window_in(expr, clause)
}

/// Breaks if an expression has a window function.
fn window_in(expr: &Expr, clause: &str) -> ControlFlow<Error> {
    window_call(expr, |name| {
        let message = format!("window functions are not allowed in {clause}");
        named(Code::WindowingError, message, name)
    })
}

fn window_call(expr: &Expr, error: impl Fn(&ObjectName) -> Error) -> ControlFlow<Error> {
    walk_own_expressions(expr, |part| match part {
        Expr::Function(call) if call.over.is_some() => ControlFlow::Break(error(&call.name)),
        _ => ControlFlow::Continue(()),
    })
}

/// Breaks if an expression has a set-returning function.
fn set_call(expr: &Expr, error: impl Fn(&ObjectName) -> Error) -> ControlFlow<Error> {
    walk_own_expressions(expr, |part| match part {
        Expr::Function(call)
            if last_part(&call.name).is_some_and(|name| distinct_sets::is_set(&name)) =>
        {
            ControlFlow::Break(error(&call.name))
        }
        _ => ControlFlow::Continue(()),
    })
}

fn set_in(expr: &Expr, clause: &str) -> ControlFlow<Error> {
    set_call(expr, |name| {
        let message = format!("set-returning functions are not allowed in {clause}");
        named(Code::NotSupported, message, name)
    })
}

/// Breaks if an argument has a set-returning function. `kind`: of the function that takes it.
fn no_set(argument: &Expr, kind: &str) -> ControlFlow<Error> {
    set_call(argument, |name| {
        let message = format!("{kind} function calls cannot contain set-returning function calls");
        named(Code::NotSupported, message, name).with_hint(
            "You might be able to move the set-returning function into a LATERAL FROM item.",
        )
    })
}

/// Breaks if an argument of an aggregate function has an aggregate, a window or a set-returning
/// function.
fn within_aggregate(argument: &Expr) -> ControlFlow<Error> {
    no_set(argument, "aggregate")?;
    walk_own_expressions(argument, |part| match part {
        Expr::Function(call) if is_aggregate(call) => {
            let message = "aggregate function calls cannot be nested";
            ControlFlow::Break(named(Code::GroupingError, message.to_owned(), &call.name))
        }
        Expr::Function(call) if call.over.is_some() => {
            let message = "aggregate function calls cannot contain window function calls";
            ControlFlow::Break(named(Code::GroupingError, message.to_owned(), &call.name))
        }
        _ => ControlFlow::Continue(()),
    })
}

pub(super) fn is_aggregate(function: &Function) -> bool {
    function.over.is_none()
        && last_part(&function.name).is_some_and(|name| FunctionKinds::of(&name).is_aggregate())
}

/// Returns the tables of the columns that the arguments of a call name; `None` of one without a table.
pub(super) fn columns_of(function: &Function) -> impl Iterator<Item = Option<String>> {
    let mut found = Vec::new();
    for argument in arguments(function) {
        let _ = walk_own_expressions(argument, |part| {
            match part {
                Expr::Identifier(_) => found.push(None),
                Expr::CompoundIdentifier(parts) => {
                    let table = parts.iter().rev().nth(1);
                    found.push(table.map(folded));
                }
                _ => {}
            }
            ControlFlow::<()>::Continue(())
        });
    }
    found.into_iter()
}

fn arguments(function: &Function) -> impl Iterator<Item = &Expr> {
    let list = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value),
        _ => None,
    })
}

/// Returns the item of the select list that a key names by its number; `None` if that is not known,
/// behind a star.
fn numbered<'a>(key: &Expr, items: &'a [SelectItem]) -> Option<&'a Expr> {
    let Expr::Value(ValueWithSpan {
        value: Value::Number(number, _),
        ..
    }) = key
    else {
        return None;
    };
    let place: usize = number.parse().ok()?;
    let place = place.checked_sub(1)?;
    if !items.get(..place)?.iter().all(is_one_column) {
        return None;
    }
    match items.get(place)? {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

fn is_one_column(item: &SelectItem) -> bool {
    matches!(
        item,
        SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
    )
}

/// Breaks if a key of DISTINCT ON is a number that no item of the select list has.
fn within_list(key: &Expr, items: &[SelectItem]) -> ControlFlow<Error> {
    let Expr::Value(ValueWithSpan {
        value: Value::Number(number, _),
        span,
    }) = key
    else {
        return ControlFlow::Continue(());
    };
    let is_number = number.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number || numbered(key, items).is_some() || !items.iter().all(is_one_column) {
        return ControlFlow::Continue(());
    }
    let message = format!("DISTINCT ON position {number} is not in select list");
    let error = Error::new(Code::InvalidColumnReference, message).with_operands(Operands {
        sign: number.clone(),
        place: Some((span.start.line, span.start.column)),
        ..Operands::default()
    });
    ControlFlow::Break(error)
}

/// Breaks if a key is a constant that is not a number of a column.
fn no_constant(key: &Expr, clause: &str) -> ControlFlow<Error> {
    let Expr::Value(key) = key else {
        return ControlFlow::Continue(());
    };
    let sign = match &key.value {
        Value::SingleQuotedString(text) => text.clone(),
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Number(number, _) if number.contains('.') => number.clone(),
        _ => return ControlFlow::Continue(()),
    };
    let message = format!("non-integer constant in {clause}");
    let error = Error::new(Code::SyntaxError, message).with_operands(Operands {
        sign,
        before: Some("BY".to_owned()),
        place: Some((key.span.start.line, key.span.start.column)),
        ..Operands::default()
    });
    ControlFlow::Break(error)
}

/// Breaks if a number of rows is calculated from rows.
fn of_count(count: &Expr, clause: &str) -> ControlFlow<Error> {
    found_in(count, clause, |_| true)?;
    set_in(count, clause)?;
    walk_own_expressions(count, |part| {
        let name = match part {
            Expr::Identifier(name) => name,
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [name, ..] => name,
                [] => return ControlFlow::Continue(()),
            },
            _ => return ControlFlow::Continue(()),
        };
        if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all") {
            return ControlFlow::Continue(());
        }
        let message = format!("argument of {clause} must not contain variables");
        let error = Error::new(Code::InvalidColumnReference, message);
        ControlFlow::Break(error.with_operands(Operands {
            sign: name.value.clone(),
            before: Some(clause.to_owned()),
            place: Some((name.span.start.line, name.span.start.column)),
            ..Operands::default()
        }))
    })
}

/// Breaks if a call has a clause that its function does not have.
fn clauses_of(function: &Function) -> ControlFlow<Error> {
    let Some(name) = last_part(&function.name) else {
        return ControlFlow::Continue(());
    };
    let kinds = FunctionKinds::of(&name);
    let list = match &function.args {
        FunctionArguments::List(list) => Some(list),
        _ => None,
    };
    let is_distinct = list
        .is_some_and(|list| matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct)));
    let is_ordered = list.is_some_and(|list| {
        let mut clauses = list.clauses.iter();
        clauses.any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)))
    });
    let has_filter = function.filter.is_some();
    let message = if kinds.is_scalar() {
        let clause = [
            (is_distinct, "DISTINCT"),
            (is_ordered && function.within_group.is_empty(), "ORDER BY"),
            (has_filter, "FILTER"),
        ];
        let clause = clause.iter().find(|(is_there, _)| *is_there);
        match clause {
            Some((_, clause)) => {
                format!("{clause} specified, but {name} is not an aggregate function")
            }
            None if function.over.is_some() => format!(
                "OVER specified, but {name} is not a window function nor an aggregate function"
            ),
            None => return ControlFlow::Continue(()),
        }
    } else {
        return window_clauses(function, &name, kinds, has_filter);
    };
    ControlFlow::Break(named(Code::WrongObjectType, message, &function.name))
}

/// Breaks if a window call has a clause that its function does not have there.
fn window_clauses(
    function: &Function,
    name: &str,
    kinds: FunctionKinds,
    has_filter: bool,
) -> ControlFlow<Error> {
    if function.over.is_none() {
        // The engine has aggregate functions of these names.
        if !kinds.is_window() || !OF_VALUES.contains(&name) {
            return ControlFlow::Continue(());
        }
        let message = format!("window function {name} requires an OVER clause");
        return ControlFlow::Break(named(Code::WrongObjectType, message, &function.name));
    }
    if OF_VALUES.contains(&name) && arguments(function).next().is_none() {
        let error = function_not_found(&format!("{name}()"));
        return ControlFlow::Break(at(error, &function.name));
    }
    let message = if kinds.window && has_filter {
        "FILTER is not implemented for non-aggregate window functions".to_owned()
    } else if ORDERED_SETS.contains(&name) {
        format!("OVER is not supported for ordered-set aggregate {name}")
    } else {
        return ControlFlow::Continue(());
    };
    ControlFlow::Break(named(Code::NotSupported, message, &function.name))
}

#[cfg(test)]
mod tests;
