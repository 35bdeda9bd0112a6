//! A parameter without a type takes that of the values beside it in PostgreSQL, as a text literal does
//! (`untyped_texts.rs`). While the types of parameters are looked for, the gateway writes a parameter
//! as a call of [`BESIDE`] with these values, whose type the plan then tells.
//!
//! ```text
//! "$beside"('=', $1, x)        of the type of x
//! "$beside"('', $1, 5, x)      of the common type of 5 and x
//! "$beside"('||', $1, x)       of the type of x if that is an array, bytes or a text, otherwise a text
//! ```
//!
//! A plan with such a call is never evaluated.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::types::untyped_texts::is_wider;

/// The function of a place, a parameter and the values beside it, with the type and the mark that the
/// parameter takes.
pub const BESIDE: &str = "$beside";

/// A place among values that become one type, such as arguments of `coalesce`.
pub const OF_ONE_TYPE: &str = "";

/// A place beside values that an operator compares.
pub const COMPARED: &str = "=";

/// A place beside a value that is concatenated.
pub const JOINED: &str = "||";

/// Registers [`BESIDE`].
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub fn register(state: &mut SessionState) -> Result<()> {
    let function = Beside {
        signature: Signature::variadic_any(Volatility::Immutable),
    };
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    Ok(())
}

/// Returns the place that the first argument of a call names.
pub fn place_of(place: &ScalarValue) -> &str {
    place.try_as_str().flatten().unwrap_or_default()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Beside {
    signature: Signature,
}

impl ScalarUDFImpl for Beside {
    fn name(&self) -> &str {
        BESIDE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let place = args.scalar_arguments.first().copied().flatten();
        let place = place.map(place_of).unwrap_or_default();
        let beside = common(args.arg_fields.iter().skip(2));
        let beside = beside.filter(|field| place != JOINED || is_joined(field.data_type()));
        Ok(Arc::new(match beside {
            Some(field) => Field::clone(field).with_name(BESIDE).with_nullable(true),
            None => Field::new(BESIDE, DataType::Utf8, true),
        }))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(DataFusionError::Internal(
            "a parameter has no type yet".to_owned(),
        ))
    }
}

/// Returns the field of the values' common type: the widest number or time, or the first type.
fn common<'a>(fields: impl Iterator<Item = &'a FieldRef>) -> Option<&'a FieldRef> {
    let known = fields.filter(|field| !field.data_type().is_null());
    known.reduce(
        |one, other| match is_wider(other.data_type(), one.data_type()) {
            true => other,
            false => one,
        },
    )
}

/// Returns whether `||` of a value and an untyped one takes both for the value's type.
fn is_joined(data_type: &DataType) -> bool {
    data_type.is_string()
        || matches!(
            data_type,
            DataType::List(_)
                | DataType::LargeList(_)
                | DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use super::*;

    /// Returns the field of a call beside fields.
    fn taken(place: &str, beside: &[Field]) -> FieldRef {
        let untyped = [
            Field::new("place", DataType::Utf8, false),
            Field::new("parameter", DataType::Null, true),
        ];
        let fields: Vec<FieldRef> = untyped
            .iter()
            .chain(beside)
            .cloned()
            .map(Arc::new)
            .collect();
        let place = ScalarValue::from(place);
        let mut scalars: Vec<Option<&ScalarValue>> = vec![None; fields.len()];
        if let Some(first) = scalars.first_mut() {
            *first = Some(&place);
        }
        let function = Beside {
            signature: Signature::variadic_any(Volatility::Immutable),
        };
        let args = ReturnFieldArgs {
            arg_fields: &fields,
            scalar_arguments: &scalars,
        };
        function.return_field_from_args(args).unwrap()
    }

    fn field(data_type: DataType) -> Field {
        Field::new("x", data_type, false)
    }

    #[test]
    fn parameters_take_the_common_type_of_the_values_beside_them() {
        for (beside, expected) in [
            (vec![], DataType::Utf8),
            (vec![DataType::Null], DataType::Utf8),
            (vec![DataType::Null, DataType::Date32], DataType::Date32),
            (vec![DataType::Int32, DataType::Int64], DataType::Int64),
            (vec![DataType::Int64, DataType::Int32], DataType::Int64),
            (vec![DataType::Boolean, DataType::Int32], DataType::Boolean),
        ] {
            let fields: Vec<Field> = beside.into_iter().map(field).collect();
            let found = taken(OF_ONE_TYPE, &fields);
            assert_eq!(found.data_type(), &expected);
            assert!(found.is_nullable());
        }
    }

    #[test]
    fn marks_are_taken_over() {
        let marks = HashMap::from([("pg.type".to_owned(), "inet".to_owned())]);
        let address = field(DataType::Utf8).with_metadata(marks.clone());
        assert_eq!(taken(COMPARED, &[address]).metadata(), &marks);
    }

    #[test]
    fn what_is_joined_is_of_one_type_or_a_text() {
        for (beside, expected) in [
            (DataType::Int32, DataType::Utf8),
            (DataType::Date32, DataType::Utf8),
            (DataType::Utf8View, DataType::Utf8View),
            (DataType::Binary, DataType::Binary),
            (
                DataType::new_list(DataType::Int32, true),
                DataType::new_list(DataType::Int32, true),
            ),
        ] {
            let found = taken(JOINED, &[field(beside)]);
            assert_eq!(found.data_type(), &expected);
        }
    }
}
