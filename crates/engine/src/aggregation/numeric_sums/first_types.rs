//! The types of CASE and UNION, which have those of their first results and inputs until others are
//! coerced to common ones: too early for a rule that runs before that.
//!
//! ```text
//! CASE WHEN c THEN 0 ELSE sum(b) END    CASE WHEN c THEN CAST(0 AS DECIMAL(38,0)) ELSE sum(b) END
//! CASE WHEN c THEN i ELSE b END         CASE WHEN c THEN CAST(i AS BIGINT) ELSE b END
//! SELECT i … UNION ALL SELECT b …       a column that is a BIGINT
//! ```

use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::{Case, ExprSchemable, LogicalPlan, Union, cast};

/// Returns a CASE whose first result is an integer, and which has results of other types, with the
/// type of all of them as that of the first one. `None` for others.
///
/// `common_of`: returns the type that holds the values of all types.
pub(super) fn with_common_type(
    case: &Case,
    schema: &DFSchema,
    common_of: fn(&[DataType]) -> Option<DataType>,
) -> Option<Case> {
    let thens = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
    let results = thens.chain(case.else_expr.as_deref());
    let types = results.map(|result| result.get_type(schema).ok());
    let types: Vec<DataType> = types.collect::<Option<_>>()?;
    let first = types.iter().position(|of| !of.is_null())?;
    let own = types.get(first).filter(|of| of.is_integer())?;
    let common = common_of(&types).filter(|common| common != own)?;
    let mut case = case.clone();
    let thens = case.when_then_expr.iter_mut().map(|(_, then)| then);
    let result = thens.chain(case.else_expr.as_mut()).nth(first)?;
    let of = std::mem::take(&mut **result);
    **result = cast(of, common);
    Some(case)
}

/// Returns a union whose columns have the types of all inputs, if they are numbers and that of the first
/// one is an integer. `None` if nothing changes.
///
/// # Errors
///
/// Returns an error if the columns have no schema.
pub(super) fn united(union: &Union) -> Result<Option<LogicalPlan>> {
    let mut is_changed = false;
    let mut fields = Vec::with_capacity(union.schema.fields().len());
    for (place, (qualifier, field)) in union.schema.iter().enumerate() {
        let own = field.data_type();
        let common = match own.is_integer() {
            true => {
                let inputs = union.inputs.iter();
                let fields = inputs.filter_map(|input| input.schema().fields().get(place));
                let types: Vec<DataType> = fields.map(|field| field.data_type().clone()).collect();
                let common = decimal_of(&types).or_else(|| widest_of(&types));
                common.filter(|common| common != own)
            }
            false => None,
        };
        let field = match common {
            Some(common) => {
                is_changed = true;
                Arc::new(field.as_ref().clone().with_data_type(common))
            }
            None => Arc::clone(field),
        };
        fields.push((qualifier.cloned(), field));
    }
    if !is_changed {
        return Ok(None);
    }
    let schema = DFSchema::new_with_metadata(fields, union.schema.metadata().clone())?;
    Ok(Some(LogicalPlan::Union(Union {
        inputs: union.inputs.clone(),
        schema: Arc::new(schema),
    })))
}

/// Returns the decimal that holds values of all types; `None` if they are all integers, or others than
/// numbers are among them.
pub(super) fn decimal_of(types: &[DataType]) -> Option<DataType> {
    let mut most: Option<i8> = None;
    for of in types {
        match of {
            DataType::Decimal128(_, scale) => most = most.max(Some(*scale)),
            of if of.is_integer() || of.is_null() => {}
            _ => return None,
        }
    }
    Some(DataType::Decimal128(DECIMAL128_MAX_PRECISION, most?))
}

/// Returns the integer that holds values of all types; `None` if others are among them.
pub(super) fn widest_of(types: &[DataType]) -> Option<DataType> {
    let are_integers = |of: &DataType| of.is_signed_integer() || of.is_null();
    match types.iter().all(are_integers) {
        true => {
            let widest = types.iter().max_by_key(|of| of.primitive_width());
            widest.cloned()
        }
        false => None,
    }
}
