//! Types whose values are texts here, but are read, compared and combined in a way of their own:
//! `timetz`, `inet`, `pg_lsn`, `bit`, ranges and similar ones. Fields of these types are marked with
//! them.
//!
//! ```text
//! text_types.rs   functions that read, compare and choose values, except those of timetz
//! rule.rs         comparisons other than operators, CASE, casts, refusals
//! planner.rs      operators
//! bits.rs         operators, casts and calls of bit strings
//! ranges.rs       operators and calls of ranges
//! uncompared.rs   refusals of what needs comparisons of types that have none
//! extremes.rs     min and max
//! ```
//!
//! Comparisons, `ORDER BY`, groups and joins compare the keys of the values.

mod bits;
mod extremes;
mod planner;
mod ranges;
mod rule;
mod text_types;
mod uncompared;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Case, Cast, Expr, ExprSchemable, ScalarUDF, TryCast};
use lakegate_engine::untyped_texts::TYPED_TEXT;
use lakegate_error::{Code, Error};

pub(crate) use self::extremes::{planner as extremes_planner, rule as extremes_rule};
pub(in crate::postgres) use self::planner::planner;
pub(crate) use self::rule::rule;
pub(super) use self::text_types::functions;
use super::ranges::RangeType;
use super::timetz;
use super::value_types::{self, ValueType};
use crate::postgres::cell::PG_TYPE;

/// Functions whose arguments have the type of the result.
pub(super) const OF_ONE_TYPE: [&str; 4] = ["coalesce", "greatest", "least", "nullif"];

/// One of the types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyed {
    Timetz,
    Inet,
    Cidr,
    MacAddress,
    /// One of those with an entry in a table.
    Value(&'static ValueType),
    LogPosition,
    RowPlace,
    Bit,
    VarBit,
    Range(RangeType),
}

/// All but those with an entry in a table.
const ALL: [Keyed; 14] = [
    Keyed::Timetz,
    Keyed::Inet,
    Keyed::Cidr,
    Keyed::MacAddress,
    Keyed::LogPosition,
    Keyed::RowPlace,
    Keyed::Bit,
    Keyed::VarBit,
    Keyed::Range(RangeType::Int4),
    Keyed::Range(RangeType::Int8),
    Keyed::Range(RangeType::Num),
    Keyed::Range(RangeType::Ts),
    Keyed::Range(RangeType::Tstz),
    Keyed::Range(RangeType::Date),
];

/// What a function of a type does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Reads a value from a text.
    In,
    /// Returns what a value is compared by.
    Key,
    /// Returns the keys of the items of an array.
    Keys,
    Greatest,
    Least,
}

impl Keyed {
    /// Returns the mark of its fields.
    fn mark(self) -> &'static str {
        match self {
            Self::Timetz => "timetz",
            Self::Inet => "inet",
            Self::Cidr => "cidr",
            Self::MacAddress => "macaddr",
            Self::Value(of) => of.name,
            Self::LogPosition => "pg_lsn",
            Self::RowPlace => "tid",
            Self::Bit => "bit",
            Self::VarBit => "varbit",
            Self::Range(of) => of.name(),
        }
    }

    /// Returns its name in messages.
    fn name(self) -> &'static str {
        match self {
            Self::Timetz => timetz::NAME,
            Self::VarBit => "bit varying",
            other => other.mark(),
        }
    }

    /// Returns the type of a field. Casts of its values to other types may have its mark.
    fn of_field(field: &Field) -> Option<Self> {
        let shown = field.metadata().get(PG_TYPE)?;
        let found = ALL.into_iter().find(|of| of.mark() == shown);
        let found = found.or_else(|| value_types::named(shown).map(Self::Value))?;
        field.data_type().is_string().then_some(found)
    }

    /// Returns the type that values of two types have together.
    fn beside(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Inet, Self::Cidr) | (Self::Cidr, Self::Inet) => Some(Self::Inet),
            (Self::Bit, Self::VarBit) | (Self::VarBit, Self::Bit) => Some(Self::VarBit),
            _ => (self == other).then_some(self),
        }
    }

    fn is_network(self) -> bool {
        matches!(self, Self::Inet | Self::Cidr)
    }

    fn is_bits(self) -> bool {
        matches!(self, Self::Bit | Self::VarBit)
    }

    /// Returns whether values are compared, grouped and sorted.
    fn compares(self) -> bool {
        match self {
            Self::Value(of) => of.compares(),
            _ => true,
        }
    }

    /// Returns whether a value takes the type beside one of it: literals, parameters and NULL, and
    /// beside a `timetz` times of day, which have the session's zone then.
    fn takes(self, expr: &Expr, schema: &DFSchema) -> bool {
        match expr {
            Expr::Literal(value, _) if value.is_null() || value.try_as_str().is_some() => true,
            _ if is_parameter(expr) => true,
            _ if self != Self::Timetz => false,
            _ => expr
                .get_type(schema)
                .is_ok_and(|of| matches!(of, DataType::Time32(_) | DataType::Time64(_))),
        }
    }

    /// Returns the function of the type that does something.
    fn function(self, act: Act) -> Arc<ScalarUDF> {
        match self {
            Self::Timetz => timetz::function(match act {
                Act::In => timetz::Kind::In,
                Act::Key => timetz::Kind::Key,
                Act::Keys => timetz::Kind::Keys,
                Act::Greatest => timetz::Kind::Greatest,
                Act::Least => timetz::Kind::Least,
            }),
            other => text_types::function(other, act),
        }
    }

    fn call(self, act: Act, args: Vec<Expr>) -> Expr {
        self.function(act).call(args)
    }
}

/// Returns the function whose results compare as the values of a field do, if it is of one of the
/// types.
pub(crate) fn key_of(field: &Field) -> Option<Arc<ScalarUDF>> {
    // The texts of bit strings compare as they do.
    let of = Keyed::of_field(field).filter(|of| !of.is_bits() && of.compares())?;
    Some(of.function(Act::Key))
}

/// Returns the function that reads a text as a value of a type.
pub(in crate::postgres) fn input_of(of: &'static ValueType) -> Arc<ScalarUDF> {
    Keyed::Value(of).function(Act::In)
}

/// Returns whether a field is one of bit strings.
pub(super) fn is_bits(field: &Field) -> bool {
    Keyed::of_field(field).is_some_and(Keyed::is_bits)
}

/// Returns whether an expression is a range.
pub(super) fn is_range(expr: &Expr, schema: &DFSchema) -> bool {
    matches!(of_expr(expr, schema), Some(Keyed::Range(_)))
}

/// Returns the type of an expression, if it is one of these.
fn of_expr(expr: &Expr, schema: &DFSchema) -> Option<Keyed> {
    match expr {
        // Operators of the engine return other types; a chain of them can be long.
        Expr::BinaryExpr(_) | Expr::Literal(..) => None,
        // The engine takes over the mark of the operand.
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => {
            Keyed::of_field(field)
        }
        // The rule, which gives these their type, runs after operators are planned.
        Expr::Case(case) => common(results_of(case), schema),
        Expr::ScalarFunction(call) if OF_ONE_TYPE.contains(&call.func.name()) => {
            common(&call.args, schema)
        }
        _ => {
            let (_, field) = expr.to_field(schema).ok()?;
            Keyed::of_field(&field)
        }
    }
}

/// Returns the values of which one is that of a CASE.
pub(in crate::postgres::functions) fn results_of(case: &Case) -> impl Iterator<Item = &Expr> {
    let thens = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
    thens.chain(case.else_expr.as_deref())
}

/// Returns the type of values of which one becomes the result: one is of it, and the others are or
/// become of it.
fn common<'e>(values: impl IntoIterator<Item = &'e Expr>, schema: &DFSchema) -> Option<Keyed> {
    let mut found: Option<Keyed> = None;
    let mut others = Vec::new();
    for value in values {
        match of_expr(value, schema) {
            Some(own) => {
                found = Some(match found {
                    Some(known) => known.beside(own)?,
                    None => own,
                });
            }
            None => others.push(written(value)),
        }
    }
    let found = found?;
    let all = others.into_iter().all(|value| found.takes(value, schema));
    all.then_some(found)
}

/// Returns the keys of values that are compared by an operator; `None` if none is of such a type.
///
/// # Errors
///
/// One of them is of a type that does not compare with it.
fn keys<'e>(
    values: impl IntoIterator<Item = &'e Expr>,
    symbol: &str,
    schema: &DFSchema,
) -> Result<Option<std::vec::IntoIter<Expr>>, Error> {
    let values: Vec<&Expr> = values.into_iter().collect();
    let mut known = values.iter().filter_map(|value| of_expr(value, schema));
    let Some(of) = known.next() else {
        return Ok(None);
    };
    if let [left, right, ..] = values.as_slice() {
        uncompared::check(of, [*left, *right], symbol, schema)?;
    }
    let mut keys = Vec::with_capacity(values.len());
    for value in values {
        let value = written(value);
        check_beside(of, value, symbol, schema)?;
        keys.push(of.call(Act::Key, vec![value.clone()]));
    }
    Ok(Some(keys.into_iter()))
}

/// # Errors
///
/// The value neither is of a type that compares with the type, nor becomes one.
fn check_beside(of: Keyed, value: &Expr, symbol: &str, schema: &DFSchema) -> Result<(), Error> {
    let is_one = of_expr(value, schema).is_some_and(|own| own.beside(of).is_some());
    match is_one || of.takes(value, schema) {
        true => Ok(()),
        false => Err(no_operator(of, symbol, value, schema)),
    }
}

/// Returns whether an expression is a parameter whose type is not known, or a text. The cast is the
/// one that a parameter gets when its type is settled.
pub(in crate::postgres::functions) fn is_parameter(expr: &Expr) -> bool {
    match expr {
        Expr::Placeholder(_) => true,
        Expr::Cast(Cast { expr, field }) => {
            field.data_type().is_string() && matches!(expr.as_ref(), Expr::Placeholder(_))
        }
        _ => false,
    }
}

/// Returns a literal instead of a call that gives it the type of a value beside it.
pub(in crate::postgres::functions) fn written(expr: &Expr) -> &Expr {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == TYPED_TEXT => {
            call.args.first().unwrap_or(expr)
        }
        _ => expr,
    }
}

/// Returns the name of an expression's type in messages.
fn type_name(expr: &Expr, schema: &DFSchema) -> &'static str {
    match (of_expr(expr, schema), expr.get_type(schema)) {
        (Some(own), _) => own.name(),
        (None, Ok(of)) if of.is_string() => "text",
        (None, Ok(DataType::Timestamp(_, None))) => "timestamp without time zone",
        (None, Ok(DataType::Timestamp(_, Some(_)))) => "timestamp with time zone",
        (None, Ok(DataType::Date32)) => "date",
        (None, Ok(DataType::Interval(_))) => "interval",
        (None, Ok(of)) if of.is_integer() => "integer",
        (None, Ok(of)) if of.is_decimal() => "numeric",
        _ => "another type",
    }
}

fn no_operator(of: Keyed, symbol: &str, other: &Expr, schema: &DFSchema) -> Error {
    let name = type_name(other, schema);
    Error::new(
        Code::FunctionNotFound,
        format!("operator does not exist: {} {symbol} {name}", of.name()),
    )
    .with_hint(format!("cast the other value: x::{}", of.mark()))
}
