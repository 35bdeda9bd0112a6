//! Values that must have one type: those of COALESCE, CASE and UNION.

use datafusion::common::DFSchema;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Union};
use lakegate_error::{Code, Error, Operands};

use super::operands::{Operand, becomes, is_number_array, operand, shown_operand};
use super::words::first_word;
use crate::postgres::functions::refused_casts::type_of;
use crate::postgres::pg_catalog::types::by_oid;

/// Returns the error of values without a common type. `place`: as the message has it.
pub(super) fn of_values<'a>(
    place: &str,
    values: impl Iterator<Item = &'a Expr>,
    schema: &DFSchema,
) -> Option<Error> {
    let values = values.map(|value| (operand(value, schema), first_word(value)));
    mismatch(place, values)
}

/// Returns the error of the columns of a UNION.
pub(super) fn of_union(union: &Union) -> Option<Error> {
    let columns = union.schema.fields().len();
    (0..columns).find_map(|column| {
        let parts = union.inputs.iter();
        mismatch("UNION", parts.map(|part| of_column(part, column)))
    })
}

/// Returns what is known of a column of a part of a UNION, and the word that it begins with. A literal
/// has no type yet.
fn of_column(part: &LogicalPlan, column: usize) -> (Operand, Option<String>) {
    match part {
        LogicalPlan::Projection(projection) => match projection.expr.get(column) {
            Some(expr) => (
                operand(expr, projection.input.schema().as_ref()),
                first_word(expr),
            ),
            None => (Operand::Open, None),
        },
        LogicalPlan::Distinct(Distinct::All(input)) => of_column(input, column),
        LogicalPlan::Sort(sort) => of_column(&sort.input, column),
        LogicalPlan::Limit(limit) => of_column(&limit.input, column),
        // Their types may be found later.
        LogicalPlan::Union(_) | LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => {
            (Operand::Open, None)
        }
        part => match part.schema().fields().get(column) {
            Some(field) => (shown_operand(type_of(field)), Some(field.name().clone())),
            None => (Operand::Open, None),
        },
    }
}

/// Returns the error of the first value whose type is of another category than those before it.
fn mismatch(place: &str, values: impl Iterator<Item = (Operand, Option<String>)>) -> Option<Error> {
    let mut common: Option<i64> = None;
    let mut found = None;
    for (value, word) in values {
        let of = match value {
            Operand::Open | Operand::Marked(_) => return None,
            // Columns of the lake have texts of such types.
            Operand::Typed(of) if is_alone(of) => return None,
            Operand::Untyped => continue,
            Operand::Typed(of) => of,
        };
        let known = *common.get_or_insert(of);
        if found.is_some() {
            continue;
        }
        if !meet(known, of) {
            found = Some((known, of, word));
        } else if becomes(known, of) && !becomes(of, known) {
            common = Some(of);
        }
    }
    let (known, of, word) = found?;
    let [known, of] = [known, of].map(|oid| Operand::Typed(oid).name());
    let message = format!("{place} types {known} and {of} cannot be matched");
    let error = Error::new(Code::TypeMismatch, message);
    Some(match word {
        Some(sign) => error.with_operands(Operands {
            sign,
            before: before(place).map(str::to_owned),
            ..Operands::default()
        }),
        None => error,
    })
}

/// Returns whether a type is `jsonb` or another one that no other type becomes.
fn is_alone(oid: i64) -> bool {
    by_oid(oid).is_some_and(|known| known.category == "U")
}

/// Returns the word or sign before a value that is not the first one.
fn before(place: &str) -> Option<&'static str> {
    match place {
        "UNION" => None,
        "CASE" => Some("THEN"),
        _ => Some(","),
    }
}

/// Returns whether values of two types have a common type.
fn meet(one: i64, other: i64) -> bool {
    if one == other || (is_number_array(one) && is_number_array(other)) {
        return true;
    }
    match (by_oid(one), by_oid(other)) {
        // An array becomes one of the type that its items become.
        (Some(one), Some(other)) if one.category == "A" && other.category == "A" => {
            becomes(one.element, other.element) || becomes(other.element, one.element)
        }
        (one, other) => one.map(|known| known.category) == other.map(|known| known.category),
    }
}
