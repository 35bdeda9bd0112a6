//! Marks what a query whose result goes to a client has with a point, and what it casts to a `numeric`
//! without digits.
//!
//! ```text
//! '1.50'::numeric, 2::numeric      '1.50'::numeric(3,2), '2'::numeric(1,0)
//! '{1.5,22}'::numeric[]            '{1.5,22}'::numeric(3,1)[]
//! x::numeric, 1.5                  the same with marks, which columns.rs reads
//! SELECT 1e400                     SELECT +'1e400'::numeric, with a mark
//! SELECT 7.0 / 2                   SELECT +'3.5000000000000000'::numeric(17,16)
//! coalesce(x, 7.0 / 2)             coalesce(x, '3.5000000000000000'::numeric(17,16))
//! VALUES (1), (2)                  VALUES (1::int), (2::int)
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, Function,
    FunctionArg, FunctionArgExpr, FunctionArguments, Query, Select, SelectItem, SetExpr,
    UnaryOperator, Value, ValueWithSpan, VisitorMut,
};
use lakegate_sql::walk::walk_mut;

use super::super::build;
use super::super::calls::text_of;
use super::super::slices::is_null;
use super::super::untyped::each_column;
use super::written::Written;
use super::{MAX_DEPTH, calculated, integer, result_literal, to_integers};
use crate::postgres::{ArrayItem, parse_array};

/// Digits of the widest decimal.
const MAX_DIGITS: u64 = 38;

/// Prepares a query whose result goes to a client: its literals with a point are exact, literals that
/// are cast to a `numeric` have the digits that are written, other values that are cast so those of
/// their type, quotients of literals those of PostgreSQL, and the integers of VALUES, which are nowhere
/// inserted, have their type.
pub fn type_literals(query: &mut Query) {
    if matches!(query.body.as_ref(), SetExpr::Values(_)) {
        type_cells(&mut query.body);
    }
    if !is_recursive(query)
        && let SetExpr::Select(select) = query.body.as_mut()
        && select.distinct.is_none()
    {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                && let Some(number) = long_number(expr)
            {
                // As of quotients, below. A blank before the digits tells the engine that they are no text.
                *expr = Expr::UnaryOp {
                    op: UnaryOperator::Plus,
                    expr: Box::new(build::cast(
                        build::text(format!(" {number}")),
                        DataType::Numeric(ExactNumberInfo::None),
                    )),
                };
            }
        }
    }
    // The visitor never breaks.
    let _ = walk_mut(query, &mut Shown { recursive: 0 });
}

/// Marks the literals with a point or an exponent, by the flag of numbers with an `L`, and the casts to
/// a `numeric` without digits, by that of casts with an `ARRAY`. The grammar of no session accepts either.
struct Shown {
    /// The number of queries around the visitor that may be recursive. The columns of those have the
    /// types of their first part, which must have room for the digits of later numbers.
    recursive: usize,
}

impl VisitorMut for Shown {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.recursive += usize::from(is_recursive(query));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.recursive -= usize::from(is_recursive(query));
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if self.recursive > 0 {
            return ControlFlow::Continue(());
        }
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                && let Some(number) = quotient(expr)
            {
                // A column that is an operator has no name, and one that is a cast has that of the type.
                *expr = Expr::UnaryOp {
                    op: UnaryOperator::Plus,
                    expr: Box::new(number.decimal()),
                };
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.recursive > 0 {
            return ControlFlow::Continue(());
        }
        match expr {
            Expr::Cast { expr: operand, .. } => {
                if let Some(number) = quotient(operand) {
                    **operand = number.decimal();
                }
            }
            Expr::Function(Function {
                args: FunctionArguments::List(list),
                ..
            }) => {
                for argument in &mut list.args {
                    // Other arguments would have no room beside more digits than the engine's quotients
                    // have.
                    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) = argument
                        && let Some(number) = quotient(value)
                        && number.has_places_of_quotients()
                    {
                        *value = number.decimal();
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Value(ValueWithSpan {
                value: Value::Number(digits, is_shown),
                ..
            }) => *is_shown = digits.contains(['.', 'e', 'E']),
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr: literal,
                data_type,
                array: is_shown,
                ..
            } if self.recursive == 0 && is_open(data_type) => match written_size(literal) {
                Some(size) => {
                    *data_type = DataType::Numeric(size);
                    quote(literal);
                }
                // The engine's own cast says where a text is that is not a number.
                None if text_of(literal).is_some_and(|text| !is_number(text)) => {}
                None => {
                    *is_shown = true;
                    quote(literal);
                }
            },
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr: array,
                data_type: DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)),
                ..
            } if self.recursive == 0 && is_open(item) => {
                if let Some(size) = size_of_items(array) {
                    **item = DataType::Numeric(size);
                }
            }
            Expr::TypedString(typed) if self.recursive == 0 && is_open(&typed.data_type) => {
                if let Some(size) = size_of_value(&typed.value.value) {
                    typed.data_type = DataType::Numeric(size);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Returns the text of a literal number with more digits than a decimal has.
fn long_number(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Nested(inner) => long_number(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: inner,
        } => match inner.as_ref() {
            Expr::Value(_) => long_number(inner).map(|number| format!("-{number}")),
            _ => None,
        },
        Expr::Value(value) => {
            let Value::Number(number, _) = &value.value else {
                return None;
            };
            let is_plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
            let is_long = number.bytes().all(is_plain) && size_of_value(&value.value).is_none();
            is_long.then(|| number.clone())
        }
        _ => None,
    }
}

/// Returns whether a text is a number, as casts to `numeric` read it.
fn is_number(text: &str) -> bool {
    let text = text.trim();
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    if ["nan", "inf", "infinity"]
        .iter()
        .any(|name| text.eq_ignore_ascii_case(name))
    {
        return true;
    }
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i64>().is_ok()),
        None => (text, true),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    exponent && whole.len() + fraction.len() > 0 && are_digits(whole) && are_digits(fraction)
}

/// Returns the value of literals and operators between them, if one is a quotient of decimals.
fn quotient(expr: &Expr) -> Option<Written> {
    let number = calculated(expr, result_literal, MAX_DEPTH)?;
    (number.is_decimal && has_quotient(expr)).then_some(number)
}

fn has_quotient(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => has_quotient(inner),
        Expr::BinaryOp { left, op, right } => {
            *op == BinaryOperator::Divide || has_quotient(left) || has_quotient(right)
        }
        _ => false,
    }
}

fn is_recursive(query: &Query) -> bool {
    query.with.as_ref().is_some_and(|with| with.recursive)
}

/// Returns whether a type is a `numeric` without digits.
pub(super) fn is_open(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Numeric(ExactNumberInfo::None)
            | DataType::Decimal(ExactNumberInfo::None)
            | DataType::Dec(ExactNumberInfo::None)
    )
}

/// Returns the digits of a literal number, or of a literal text of one. A number with an exponent and
/// a sign has none: it is a floating-point number.
fn written_size(literal: &Expr) -> Option<ExactNumberInfo> {
    match literal {
        Expr::Nested(inner)
        | Expr::UnaryOp {
            op: UnaryOperator::Minus | UnaryOperator::Plus,
            expr: inner,
        } if !has_exponent(inner) => written_size(inner),
        Expr::Value(value) => size_of_value(&value.value),
        _ => None,
    }
}

/// Returns the digits that all numbers of a written array have room in; `None` for other arrays, and for
/// one without numbers.
fn size_of_items(array: &Expr) -> Option<ExactNumberInfo> {
    let sizes: Vec<ExactNumberInfo> = match array {
        Expr::Nested(inner) => return size_of_items(inner),
        Expr::Array(array) => {
            let items = array.elem.iter().filter(|item| !is_null(item));
            items.map(written_size).collect::<Option<_>>()?
        }
        Expr::Value(value) => {
            let Value::SingleQuotedString(text) = &value.value else {
                return None;
            };
            let items = parse_array(text).ok()?.into_iter();
            let items = items.filter(|item| !matches!(item, ArrayItem::Null));
            let size = |item| match item {
                ArrayItem::Text(text) => size_of_value(&Value::SingleQuotedString(text)),
                ArrayItem::Null | ArrayItem::Array(_) => None,
            };
            items.map(size).collect::<Option<_>>()?
        }
        _ => return None,
    };
    let (mut whole, mut scale) = (0, 0);
    for size in &sizes {
        let ExactNumberInfo::PrecisionAndScale(precision, places) = size else {
            return None;
        };
        whole = whole.max(i64::try_from(*precision).ok()? - places);
        scale = scale.max(*places);
    }
    let precision = u64::try_from(whole + scale).ok()?.max(1);
    let has_room = !sizes.is_empty() && precision <= MAX_DIGITS;
    has_room.then_some(ExactNumberInfo::PrecisionAndScale(precision, scale))
}

fn has_exponent(literal: &Expr) -> bool {
    matches!(literal, Expr::Value(value) if matches!(&value.value, Value::Number(number, _) if number.contains(['e', 'E'])))
}

/// Makes a text of a literal number: with an exponent, it would be a floating-point number first.
fn quote(literal: &mut Expr) {
    if let Expr::Value(value) = literal
        && let Value::Number(number, _) = &value.value
    {
        value.value = Value::SingleQuotedString(number.clone());
    }
}

/// Returns the digits of a number; `None` of other texts, and if it has more digits than a decimal.
fn size_of_value(value: &Value) -> Option<ExactNumberInfo> {
    let (Value::Number(text, _) | Value::SingleQuotedString(text)) = value else {
        return None;
    };
    let number = text.trim();
    let number = number.strip_prefix(['-', '+']).unwrap_or(number);
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !digits.all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let length = |digits: &str| i64::try_from(digits.len()).ok();
    let scale = length(fraction)?.checked_sub(exponent)?.max(0);
    let whole = length(whole.trim_start_matches('0'))?.checked_add(exponent)?;
    let precision = whole.max(0).checked_add(scale)?.max(1);
    let precision = u64::try_from(precision).ok();
    let precision = precision.filter(|precision| *precision <= MAX_DIGITS)?;
    Some(ExactNumberInfo::PrecisionAndScale(precision, scale))
}

/// Makes the columns of VALUES integers that consist of literals of integers and NULLs only.
fn type_cells(values: &mut SetExpr) {
    each_column(values, |mut cells| {
        let mut all = cells.iter();
        let are_integers = all.all(|cell| is_null(cell) || integer(cell).is_some());
        if are_integers {
            to_integers(&mut cells);
        }
    });
}
