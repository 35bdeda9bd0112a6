//! The types of number literals that nothing else gives a type: those that are columns of queries,
//! cells of VALUES, items of arrays, and arguments whose type a function returns; and those with a
//! point that are calculated with.
//!
//! ```text
//! SELECT 1, -2 AS x, 1.50       SELECT NULL $literal 1, NULL $literal -2 AS x, '1.50'::numeric(3,2)
//! FROM (VALUES (1), (x)) t      FROM (VALUES (NULL $literal 1), (x)) t
//! max(1), lag(x, 1, 0) OVER w   max(NULL $literal 1), lag(x, 1, NULL $literal 0) OVER w
//! x * 0.1, coalesce(x, 0.5)     x * NULL $literal 0.1, coalesce(x, NULL $literal 0.5)
//! 1.50 || 'x', to_json(1.50)    '1.50'::numeric(3,2) || 'x', to_json('1.50'::numeric(3,2))
//! FROM generate_series(1, 3) g (n)
//!                               FROM (SELECT n::integer AS n FROM generate_series(1, 3) g (n)) g
//! SELECT 1 + 1, x = 1.5, f(1)   the same
//! x::numeric                    NULL $numeric x
//! ```
//!
//! The planner reads the operators as literals of 32 bits, and as decimals. It gives the literals of
//! integers beside operators their types by itself.
//!
//! Literals with a point are exact in queries whose result goes to a client. Elsewhere they stay
//! floating-point numbers: the column of a new table, and a column of a recursive query, which has the
//! type of its first part, would have no room for the digits of later numbers. Nor would a parameter
//! that takes its type from a literal beside it. Beside a floating-point number they are one anyway.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Query, Select, SelectItem, SetExpr, Statement, TableAlias, TableFactor, TableWithJoins, Value,
    ValueWithSpan, VisitorMut, With,
};
use lakegate_engine::OPEN_NUMERIC;
use lakegate_engine::untyped_texts::TYPED_TEXT;
use lakegate_sql::walk::walk_mut;

use super::super::untyped::each_column;
use super::super::{build, json, last_part};
use super::literal;
use super::shown::is_open;

/// Functions that return the type of their arguments, with the places of these arguments; all of them
/// if there are none.
const OF_ARGUMENTS: [(&str, &[usize]); 25] = [
    ("abs", &[]),
    ("any_value", &[]),
    ("array_agg", &[]),
    ("array_append", &[]),
    ("array_fill", &[0]),
    ("array_prepend", &[]),
    ("array_remove", &[]),
    ("array_replace", &[]),
    ("bit_and", &[]),
    ("bit_or", &[]),
    ("bit_xor", &[]),
    ("first_value", &[]),
    ("generate_series", &[]),
    ("lag", &[0, 2]),
    ("last_value", &[]),
    ("lead", &[0, 2]),
    ("list_append", &[]),
    ("list_prepend", &[]),
    ("list_remove", &[]),
    ("list_replace", &[]),
    ("max", &[]),
    ("min", &[]),
    ("nth_value", &[0]),
    ("pg_typeof", &[]),
    (TYPED_TEXT, &[]),
];

/// Functions of decimals that return decimals, with the places of these arguments. Literals of integers
/// have their types in them, or decide nothing.
const OF_DECIMALS: [(&str, &[usize]); 18] = [
    ("avg", &[]),
    ("ceil", &[]),
    ("coalesce", &[]),
    ("floor", &[]),
    ("greatest", &[]),
    ("ifnull", &[]),
    ("least", &[]),
    ("nullif", &[]),
    ("nvl", &[]),
    ("round", &[0]),
    ("stddev", &[]),
    ("stddev_pop", &[]),
    ("stddev_samp", &[]),
    ("sum", &[]),
    ("trunc", &[0]),
    ("var_pop", &[]),
    ("var_samp", &[]),
    ("variance", &[]),
];

/// The places of all arguments.
const ALL: &[usize] = &[];

/// Functions that make texts or JSON of their arguments, which show all digits of a literal.
const OF_TEXTS: [&str; 13] = [
    "$json_item",
    json::ROW,
    "concat",
    "concat_ws",
    "format",
    "json_build_array",
    "json_build_object",
    "jsonb_build_array",
    "jsonb_build_object",
    "quote_literal",
    "quote_nullable",
    "to_json",
    "to_jsonb",
];

/// Gives the literals of a statement their types, and removes the marks of
/// [`type_literals`](super::type_literals). It comes
/// after all rewrites that look at numbers.
///
/// The integers of VALUES that are the whole statement keep theirs: they may be inserted, where each
/// takes the type of the table's column.
pub(in crate::postgres::rewrite) fn type_columns(statement: &mut Statement) {
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut Columns::default());
}

#[derive(Default)]
struct Columns {
    /// For each query around the current node, its WITH clause while it is taken out.
    taken: Vec<Option<With>>,
    /// Whether the query is one of WITH RECURSIVE.
    is_recursive: bool,
}

impl Columns {
    /// Gives a literal that is a value of its own its type. A decimal keeps all its digits.
    fn value(&self, expr: &mut Expr) {
        self.decimal(expr);
        self.integer(expr);
    }

    /// Gives a decimal its type, with all its digits.
    fn decimal(&self, expr: &mut Expr) {
        let number = literal(expr).filter(|number| number.is_decimal && number.is_shown);
        if let Some(number) = number.filter(|_| !self.is_recursive) {
            *expr = number.decimal();
        }
    }

    fn integer(&self, expr: &mut Expr) {
        if literal(expr).is_some_and(|number| !number.is_decimal) {
            self.operand(expr, true);
        }
    }

    /// Gives a literal that is combined with other values its type, without the zeros at its end.
    ///
    /// `with_integers`: whether literals of integers do not have theirs already.
    fn operand(&self, expr: &mut Expr, with_integers: bool) {
        let Some(number) = literal(expr) else {
            return;
        };
        let is_typed = match number.is_decimal {
            true => number.is_shown && !self.is_recursive,
            false => with_integers && number.fits_integer(),
        };
        if is_typed {
            *expr = number.marked();
        }
    }

    /// Gives a decimal with zeros at its end, which the result of a calculation has too, its type.
    fn with_zeros(&self, expr: &mut Expr) {
        let number = literal(expr).filter(|number| number.is_decimal && number.is_shown);
        if let Some(number) = number.filter(|number| number.ends_in_zero())
            && !self.is_recursive
        {
            *expr = number.decimal();
        }
    }

    /// Gives literals among values of one type theirs.
    fn operands(&self, values: &mut [&mut Expr], with_integers: bool) {
        let has_other = values.iter().any(|value| is_no_decimal(value));
        for value in values {
            let is_decimal = || literal(value).is_some_and(|number| number.is_decimal);
            if !has_other || !is_decimal() {
                self.operand(value, with_integers);
            }
        }
    }

    /// `is_whole`: VALUES are the whole statement.
    fn values_in(&self, body: &mut SetExpr, is_whole: bool) {
        each_column(body, |mut cells| {
            let has_other = cells.iter().any(|cell| is_no_decimal(cell));
            for cell in &mut cells {
                match (is_whole, has_other) {
                    (true, true) => {}
                    (true, false) => self.operand(cell, false),
                    (false, true) => self.integer(cell),
                    (false, false) => self.value(cell),
                }
            }
        });
    }

    fn arguments(&self, function: &mut Function) {
        let Some(name) = last_part(&function.name) else {
            return;
        };
        let is_of_texts = OF_TEXTS.contains(&name.as_str());
        let places_in = |functions: &[(&str, &'static [usize])]| {
            let mut known = functions.iter();
            known
                .find(|(known, _)| *known == name)
                .map(|(_, places)| *places)
        };
        let (places, with_integers) = match places_in(&OF_ARGUMENTS) {
            Some(places) => (places, true),
            None => match places_in(&OF_DECIMALS) {
                Some(places) => (places, false),
                None if is_of_texts => (ALL, false),
                None => return,
            },
        };
        let FunctionArguments::List(list) = &mut function.args else {
            return;
        };
        let arguments = list.args.iter_mut().enumerate();
        let arguments = arguments.filter_map(|(place, argument)| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => {
                (places.is_empty() || places.contains(&place)).then_some(value)
            }
            _ => None,
        });
        let mut arguments: Vec<&mut Expr> = arguments.collect();
        match is_of_texts {
            true => arguments.into_iter().for_each(|text| self.decimal(text)),
            false => self.operands(&mut arguments, with_integers),
        }
    }
}

impl VisitorMut for Columns {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let is_whole = self.taken.is_empty() && matches!(query.body.as_ref(), SetExpr::Values(_));
        self.values_in(&mut query.body, is_whole);
        let mut with = query.with.take_if(|with| with.recursive);
        if let Some(with) = &mut with {
            let mut parts = Self {
                // It is part of this query.
                taken: vec![None],
                is_recursive: true,
            };
            for table in &mut with.cte_tables {
                let _ = walk_mut(&mut table.query, &mut parts);
            }
        }
        self.taken.push(with);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(with) = self.taken.pop().flatten() {
            query.with = Some(with);
        }
        ControlFlow::Continue(())
    }

    // Afterwards: it would visit its own result.
    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let Some(typed) = series(factor) {
            *factor = typed;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                self.value(expr);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => self.arguments(function),
            Expr::BinaryOp { left, op, right } if calculates(op) => {
                if *op != BinaryOperator::Divide {
                    self.with_zeros(left);
                    self.with_zeros(right);
                }
                self.operands(&mut [left.as_mut(), right.as_mut()], false);
            }
            Expr::BinaryOp {
                left,
                op: BinaryOperator::StringConcat,
                right,
            } => {
                self.decimal(left);
                self.decimal(right);
            }
            Expr::Cast {
                expr: value,
                data_type: DataType::Text | DataType::Varchar(_) | DataType::CharacterVarying(_),
                ..
            } => self.decimal(value),
            Expr::Case {
                conditions,
                else_result,
                ..
            } => {
                let results = conditions.iter_mut().map(|when| &mut when.result);
                let results = results.chain(else_result.as_deref_mut());
                let mut results: Vec<&mut Expr> = results.collect();
                self.operands(&mut results, false);
            }
            Expr::Array(array) => {
                let mut items: Vec<&mut Expr> = array.elem.iter_mut().collect();
                self.operands(&mut items, true);
            }
            Expr::Ceil { expr, .. } | Expr::Floor { expr, .. } => self.operand(expr, false),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Value(ValueWithSpan {
                value: Value::Number(_, is_shown),
                ..
            }) => *is_shown = false,
            Expr::Cast {
                expr: value,
                data_type,
                array: is_shown,
                ..
            } => {
                let was_shown = std::mem::take(is_shown);
                if was_shown && is_open(data_type) && !is_value(value) {
                    let value = build::taken(value);
                    let mark = BinaryOperator::Custom(OPEN_NUMERIC.to_owned());
                    *expr = build::binary(build::null(), mark, value);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Returns whether an expression is a literal of a number, NULL or a parameter, which the type of a cast is
/// that of. A text here is not a number that a decimal has room for.
fn is_value(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_value(inner),
        Expr::Value(value) => !matches!(value.value, Value::SingleQuotedString(_)),
        _ => false,
    }
}

/// Returns the engine's table of numbers as one of integers, if they are written with integers.
fn series(factor: &TableFactor) -> Option<TableFactor> {
    let TableFactor::Table {
        name,
        args: Some(args),
        alias: Some(alias),
        ..
    } = factor
    else {
        return None;
    };
    let [column] = alias.columns.as_slice() else {
        return None;
    };
    let is_integer = |number: &Expr| {
        literal(number).is_some_and(|number| !number.is_decimal && number.fits_integer())
    };
    let are_integers = args.args.iter().all(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(number)) => is_integer(number),
        _ => false,
    });
    if !are_integers || last_part(name)? != "generate_series" {
        return None;
    }
    let number = Expr::Identifier(column.name.clone());
    let number = build::cast(number, DataType::Integer(None));
    let mut query = build::select(vec![build::aliased(number, column.name.clone())]).ok()?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.from.push(TableWithJoins {
            relation: factor.clone(),
            joins: vec![],
        });
    }
    Some(TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query),
        alias: Some(TableAlias {
            columns: vec![],
            ..alias.clone()
        }),
        sample: None,
    })
}

/// Returns whether an expression is a floating-point number, which a literal beside it becomes, too, or
/// a parameter, which has no type of its own.
fn is_no_decimal(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_no_decimal(inner),
        Expr::Value(value) => matches!(value.value, Value::Placeholder(_)),
        Expr::Cast { data_type, .. } => matches!(
            data_type,
            DataType::Double(_)
                | DataType::DoublePrecision
                | DataType::Float(_)
                | DataType::Float4
                | DataType::Float8
                | DataType::Real
        ),
        _ => false,
    }
}

/// Returns whether the result of an operator of decimals is one.
fn calculates(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
    )
}
