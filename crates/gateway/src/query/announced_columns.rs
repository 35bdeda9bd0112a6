//! The columns that are announced to a client, compared with those of a plan, and casts to their types.

use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use lakegate_dialect::postgres::PG_TYPE;

/// Gives the columns of an optimised plan the types announced to the client. The optimizer may
/// change a type: next to a distinct aggregate, a sum of decimals becomes a wider sum of sums; and
/// where one side of a union is empty, the other one's NULL is of no type of its own.
///
/// # Errors
/// The casts cannot be planned.
pub(crate) fn with_types_of(
    planned: &DFSchema,
    optimized: LogicalPlan,
) -> EngineResult<LogicalPlan> {
    if same_types(planned, optimized.schema()) {
        return Ok(optimized);
    }
    let fields = planned.iter().zip(optimized.schema().iter());
    let columns: Vec<Expr> = fields
        .map(|((qualifier, announced), made)| {
            let column = Expr::Column(Column::from(made));
            let value = match made.1.data_type() == announced.data_type() {
                true => column,
                false => cast(column, announced.data_type().clone()),
            };
            let metadata = FieldMetadata::new_from_field(announced);
            value.alias_qualified_with_metadata(
                qualifier.cloned(),
                announced.name(),
                (!metadata.is_empty()).then_some(metadata),
            )
        })
        .collect();
    LogicalPlanBuilder::from(optimized)
        .project(columns)?
        .build()
}

/// Whether what was made has the announced types, also those that metadata tells apart, such as
/// `jsonb` and text.
fn same_types(announced: &DFSchema, made: &DFSchema) -> bool {
    let mut types = announced.fields().iter().zip(made.fields());
    types.all(|(announced, made)| {
        let mut marks = announced.metadata().iter();
        announced.data_type() == made.data_type()
            && marks.all(|(key, value)| made.metadata().get(key) == Some(value))
    })
}

/// Whether two results have the same columns, for a client that has prepared for one of them.
pub(crate) fn same_columns(a: &SchemaRef, b: &SchemaRef) -> bool {
    have_columns_of(a, b, is_same_type)
}

/// The same for a client that takes decimals of any digits.
pub(crate) fn same_columns_of_any_digits(a: &SchemaRef, b: &SchemaRef) -> bool {
    have_columns_of(a, b, is_same_but_for_digits)
}

fn have_columns_of(a: &SchemaRef, b: &SchemaRef, alike: fn(&DataType, &DataType) -> bool) -> bool {
    a.fields().len() == b.fields().len()
        && a.fields().iter().zip(b.fields()).all(|(a, b)| {
            let are_alike = alike(a.data_type(), b.data_type()) || are_numeric(a, b);
            a.name() == b.name() && are_alike
        })
}

/// Whether two columns are shown as `numeric`, of which one has the digits of each value.
fn are_numeric(a: &Field, b: &Field) -> bool {
    let is_text = |field: &Field| {
        let mark = field.metadata().get(PG_TYPE);
        mark.is_some_and(|mark| mark == "numeric") && field.data_type().is_string()
    };
    let is_numeric = |field: &Field| field.data_type().is_decimal() || is_text(field);
    is_numeric(a) && is_numeric(b) && (is_text(a) || is_text(b))
}

fn is_same_but_for_digits(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::List(a), DataType::List(b)) => {
            is_same_but_for_digits(a.data_type(), b.data_type())
        }
        (a, b) if a.is_decimal() && b.is_decimal() => true,
        (a, b) => is_same_type(a, b),
    }
}

/// Whether two types are equal except for the time zone, which is a setting of the session that may
/// have changed.
fn is_same_type(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::Timestamp(a, Some(_)), DataType::Timestamp(b, Some(_))) => a == b,
        (a, b) => a == b,
    }
}
