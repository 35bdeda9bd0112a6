//! The types of operands, and whether PostgreSQL has an operator for them.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, ExprSchema, ScalarValue};
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::{Expr, ExprSchemable};
use lakegate_engine::type_of as type_of_value;
use lakegate_engine::untyped_texts::TYPED_TEXT;
use lakegate_error::{Code, Error};
use lakegate_lake::casts::is_opaque;

use super::is_arithmetic;
use crate::postgres::PG_TYPE;
use crate::postgres::functions::refused_casts::{type_of, type_of_literal};
use crate::postgres::pg_catalog::overloads::{IMPLICIT_CASTS, OPERATORS};
use crate::postgres::pg_catalog::types::{by_oid, format_type};

const INT4: i64 = 23;
const TEXT: i64 = 25;
const JSON: i64 = 114;

const INTEGERS: [i64; 3] = [23, 20, 21];
const FRACTIONS: [i64; 3] = [1700, 701, 700];
/// The arrays of all numbers.
const NUMBER_ARRAYS: [i64; 6] = [1007, 1016, 1005, 1231, 1022, 1021];

/// The types whose values tables have as texts: `jsonb` and `uuid`.
const STORED_AS_TEXT: [i64; 2] = [3802, 2950];

/// The types, besides numbers and arrays, whose operators are checked.
const CHECKED: [&str; 14] = [
    "bool",
    "bpchar",
    "bytea",
    "date",
    "interval",
    "json",
    "jsonb",
    "name",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "uuid",
    "varchar",
];

/// Functions whose results are of the type `text`, unless they are bytes. Sorted.
pub(super) const OF_TEXT: [&str; 30] = [
    "$json_get_path_text",
    "$json_get_text",
    "btrim",
    "chr",
    "concat",
    "concat_ws",
    "format",
    "host",
    "initcap",
    "json_typeof",
    "jsonb_typeof",
    "left",
    "lower",
    "lpad",
    "ltrim",
    "md5",
    "quote_ident",
    "quote_literal",
    "regexp_replace",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rpad",
    "rtrim",
    "split_part",
    "substr",
    "to_char",
    "translate",
    "upper",
];

const ANY: i64 = 2276;
const ANYARRAY: i64 = 2277;
const ANYELEMENT: i64 = 2283;
const ANYNONARRAY: i64 = 2776;
const ANYRANGE: i64 = 3831;
const ANYCOMPATIBLE: i64 = 5077;
const ANYCOMPATIBLEARRAY: i64 = 5078;

/// The maximum number of operators in an operand whose type is looked up: it is found by walking all of
/// them, for each operator of a chain again.
const MAX_CHAIN: usize = 64;

/// What is known of the type of an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    /// A text literal, a NULL or a parameter, which takes the type of the other operand.
    Untyped,
    /// A type, by its number.
    Typed(i64),
    /// A type whose values are texts, or text: a column that was cast from the type still has its mark.
    Marked(i64),
    /// Any type.
    Open,
}

impl Operand {
    pub(super) fn is_other_than_text(self) -> bool {
        matches!(self, Self::Typed(oid) if oid != TEXT)
    }

    pub(super) fn name(self) -> String {
        match self {
            Self::Typed(oid) | Self::Marked(oid) => format_type(oid, None),
            Self::Untyped | Self::Open => "unknown".to_owned(),
        }
    }
}

/// Returns what is known of an operand's type.
pub(super) fn operand(expr: &Expr, schema: &DFSchema) -> Operand {
    match expr {
        Expr::Alias(alias) => return operand(&alias.expr, schema),
        Expr::Placeholder(_) => return Operand::Untyped,
        Expr::Literal(_, Some(_)) => return Operand::Open,
        Expr::Literal(value, None) if is_untyped(value) => return Operand::Untyped,
        Expr::ScalarFunction(call) if call.func.name() == TYPED_TEXT => return Operand::Untyped,
        _ => {}
    }
    if is_opaque(expr) || !is_short(expr) {
        return Operand::Open;
    }
    if let Some(oid) = type_of_literal(expr) {
        return Operand::Typed(oid);
    }
    match expr {
        Expr::Column(column) => {
            let field = schema.field_from_column(column);
            return field.map_or(Operand::Open, |field| of_column(field));
        }
        // The mark of the value that is cast goes with it until the cast is rewritten.
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => {
            return of_field(field, false);
        }
        _ => {}
    }
    let Ok(of) = type_of_value(expr, schema) else {
        return Operand::Open;
    };
    // What other functions, CASE and the like return may have lost the mark of `jsonb` and others.
    if holds_texts(&of) {
        return match expr {
            _ if !of.is_string() => Operand::Open,
            expr if returns_text(expr) => Operand::Typed(TEXT),
            expr if is_input(expr) => expr
                .to_field(schema)
                .map_or(Operand::Open, |(_, field)| of_field(&field, true)),
            _ => Operand::Open,
        };
    }
    // The field of other expressions is made for the call, with a name.
    let is_inner = matches!(expr, Expr::ScalarFunction(call) if call.func.name().starts_with('$'));
    if !may_be_marked(&of) {
        return of_field(&Field::new("", of, true), is_inner);
    }
    match expr.to_field(schema) {
        Ok((_, field)) => of_field(&field, is_inner),
        Err(_) => Operand::Open,
    }
}

/// Returns whether an expression is a call of a function that returns texts in PostgreSQL, too.
fn returns_text(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => OF_TEXT.binary_search(&call.func.name()).is_ok(),
        _ => false,
    }
}

/// Returns whether an expression is a cast to a type that is a text with a mark.
fn is_input(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => {
            let name = call.func.name();
            name.starts_with('$') && name.ends_with("_in")
        }
        _ => false,
    }
}

/// Returns what is known of the type of a column.
fn of_column(field: &Field) -> Operand {
    let is_marked = field.metadata().contains_key(PG_TYPE);
    match of_field(field, false) {
        Operand::Typed(oid) if is_marked && field.data_type().is_string() => Operand::Marked(oid),
        Operand::Typed(_) if is_marked && holds_texts(field.data_type()) => Operand::Open,
        other => other,
    }
}

/// Returns whether values of a type are texts, or arrays of texts.
fn holds_texts(of: &DataType) -> bool {
    match of {
        DataType::List(item) => item.data_type().is_string(),
        of => of.is_string(),
    }
}

/// Returns whether values of a type may be shown as ones of another type.
fn may_be_marked(of: &DataType) -> bool {
    of.is_integer() || of.is_nested()
}

/// `is_inner`: a function of the dialect returns the value, whose types are not those of PostgreSQL
/// unless they are marked.
fn of_field(field: &Field, is_inner: bool) -> Operand {
    let is_marked = field.metadata().contains_key(PG_TYPE);
    if is_inner && !is_marked {
        return Operand::Open;
    }
    match field.data_type() {
        DataType::Null => Operand::Untyped,
        // The array may be one of any type.
        DataType::List(item) if item.data_type().is_null() => Operand::Open,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 if !is_marked => {
            Operand::Typed(INT4)
        }
        _ => shown_operand(type_of(field)),
    }
}

/// Returns whether a literal takes the type of its place.
pub(in crate::postgres::functions) fn is_untyped(value: &ScalarValue) -> bool {
    value.is_null() || value.try_as_str().is_some()
}

pub(super) fn is_checked(oid: i64) -> bool {
    let Some(known) = by_oid(oid) else {
        return false;
    };
    if known.category == "A" {
        return by_oid(known.element).is_some_and(|item| item.category != "A")
            && is_checked(known.element);
    }
    INTEGERS.contains(&oid) || FRACTIONS.contains(&oid) || CHECKED.contains(&known.name)
}

/// Returns whether an expression is no long chain of operators.
pub(in crate::postgres::functions) fn is_short(expr: &Expr) -> bool {
    let mut first = expr;
    for _ in 0..MAX_CHAIN {
        match first {
            Expr::BinaryExpr(binary) => first = &binary.left,
            _ => return true,
        }
    }
    false
}

/// Returns the types that count as this one.
pub(super) fn class(oid: &i64) -> &[i64] {
    if INTEGERS.contains(oid) {
        &INTEGERS
    } else if FRACTIONS.contains(oid) {
        &FRACTIONS
    } else if NUMBER_ARRAYS.contains(oid) {
        &NUMBER_ARRAYS
    } else {
        std::slice::from_ref(oid)
    }
}

/// Returns whether a type is that of arrays of numbers.
pub(super) fn is_number_array(oid: i64) -> bool {
    NUMBER_ARRAYS.contains(&oid)
}

/// Returns what is known of a value of a type, if it is one of PostgreSQL's.
pub(super) fn shown_operand(oid: Option<i64>) -> Operand {
    match oid {
        Some(oid) if is_checked(oid) => Operand::Typed(oid),
        _ => Operand::Open,
    }
}

fn is_number(oid: i64) -> bool {
    INTEGERS.contains(&oid) || FRACTIONS.contains(&oid)
}

/// Returns whether PostgreSQL has no operator for these operands.
pub(super) fn is_missing(sign: &str, left: Operand, right: Operand) -> bool {
    let (left, right) = match (left, right) {
        (Operand::Open, _) | (_, Operand::Open) => return false,
        (Operand::Marked(oid), other) => {
            let mut types = [oid, TEXT].map(Operand::Typed).into_iter();
            return types.all(|left| is_missing(sign, left, other));
        }
        (other, Operand::Marked(oid)) => {
            let mut types = [oid, TEXT].map(Operand::Typed).into_iter();
            return types.all(|right| is_missing(sign, other, right));
        }
        (Operand::Untyped, Operand::Untyped) => return false,
        (Operand::Typed(left), Operand::Untyped) => (Some(left), None),
        (Operand::Untyped, Operand::Typed(right)) => (None, Some(right)),
        (Operand::Typed(left), Operand::Typed(right)) => (Some(left), Some(right)),
    };
    // Columns of the lake have texts of such types.
    if let (Some(one), Some(other)) = (left, right)
        && ((one == TEXT && STORED_AS_TEXT.contains(&other))
            || (other == TEXT && STORED_AS_TEXT.contains(&one)))
    {
        return false;
    }
    // What most operands are.
    let is_common = match (left, right) {
        (Some(left), Some(right)) => {
            let are_equal = left == right && left != JSON && !is_arithmetic(sign) && sign != "||";
            let is_calculated = is_number(left) && is_number(right) && sign != "||";
            (are_equal && !sign.contains('~')) || (is_calculated && !sign.contains('~'))
        }
        (Some(TEXT), None) | (None, Some(TEXT)) => !is_arithmetic(sign),
        (Some(known), None) | (None, Some(known)) => is_number(known) && !sign.contains('~'),
        (None, None) => true,
    };
    if is_common {
        return false;
    }
    let Some(known) = OPERATORS.get(sign) else {
        return false;
    };
    let types = |oid: Option<i64>| -> Vec<Option<i64>> {
        match oid {
            Some(oid) => class(&oid).iter().copied().map(Some).collect(),
            None => vec![None],
        }
    };
    let (lefts, rights) = (types(left), types(right));
    !known.iter().filter(|(left, _)| *left != 0).any(|takes| {
        let mut pairs = lefts
            .iter()
            .flat_map(|left| rights.iter().map(move |right| (*left, *right)));
        pairs.any(|pair| fits(*takes, pair))
    })
}

/// Returns the error of arithmetic with two text literals, which fits operators of several types.
pub(super) fn ambiguous(sign: &str, left: &Expr, right: &Expr) -> Option<Error> {
    let is_text = |expr: &Expr| match expr {
        Expr::Literal(value, None) => value.try_as_str().flatten().is_some(),
        _ => false,
    };
    if !is_arithmetic(sign) || !is_text(left) || !is_text(right) {
        return None;
    }
    let message = format!("operator is not unique: unknown {sign} unknown");
    let hint =
        "Could not choose a best candidate operator. You might need to add explicit type casts.";
    Some(Error::new(Code::AmbiguousFunction, message).with_hint(hint))
}

/// Returns whether an operator that takes these types fits operands. `None`: an untyped one.
fn fits(takes: (i64, i64), operands: (Option<i64>, Option<i64>)) -> bool {
    let item_of = |oid: i64| {
        let known = by_oid(oid)?;
        (known.category == "A").then_some(known.element)
    };
    let is_one = |oid: Option<i64>, of: i64| oid.is_none_or(|oid| becomes(oid, of));
    let meet = |one: i64, other: i64| {
        becomes(one, other) || becomes(other, one) || (is_number(one) && is_number(other))
    };
    match (takes, operands) {
        ((ANYARRAY, ANYARRAY), (Some(left), Some(right))) => {
            left == right && item_of(left).is_some()
        }
        ((ANYARRAY, ANYARRAY), (one, other)) => one.or(other).and_then(item_of).is_some(),
        ((ANYCOMPATIBLEARRAY, ANYCOMPATIBLEARRAY), (Some(left), Some(right))) => item_of(left)
            .zip(item_of(right))
            .is_some_and(|(one, other)| meet(one, other)),
        ((ANYCOMPATIBLEARRAY, ANYCOMPATIBLE), (Some(array), item))
        | ((ANYCOMPATIBLE, ANYCOMPATIBLEARRAY), (item, Some(array))) => {
            item_of(array).is_some_and(|of| item.is_none_or(|item| meet(item, of)))
        }
        (
            (ANYCOMPATIBLEARRAY, ANYCOMPATIBLEARRAY | ANYCOMPATIBLE)
            | (ANYCOMPATIBLE, ANYCOMPATIBLEARRAY),
            (one, other),
        ) => one.or(other).and_then(item_of).is_some(),
        ((ANYNONARRAY, text), (value, other)) => {
            is_one(other, text) && value.is_none_or(|value| item_of(value).is_none())
        }
        ((text, ANYNONARRAY), (other, value)) => {
            is_one(other, text) && value.is_none_or(|value| item_of(value).is_none())
        }
        ((left, right), (one, other)) => is_one(one, left) && is_one(other, right),
    }
}

/// Returns whether a value of a type is an argument for a parameter of another one.
pub(in crate::postgres::functions) fn fits_argument(given: i64, takes: i64) -> bool {
    let is_array = || by_oid(given).is_some_and(|known| known.category == "A");
    match takes {
        ANY | ANYELEMENT | ANYCOMPATIBLE => true,
        ANYARRAY | ANYCOMPATIBLEARRAY => is_array(),
        ANYNONARRAY => !is_array(),
        ANYRANGE => by_oid(given).is_some_and(|known| known.category == "R"),
        takes => class(&given).iter().any(|of| becomes(*of, takes)),
    }
}

/// Returns whether values of a type are converted to another one without a cast.
pub(super) fn becomes(from: i64, to: i64) -> bool {
    from == to || IMPLICIT_CASTS.contains(&(from, to))
}
