//! `pg_typeof(x)`: the type that a client sees, as a `regtype`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::postgres::pg_catalog::types::{of_arrow, of_shape};
use crate::postgres::{PG_TYPE, hinted_field};

/// The name of the function.
pub(in crate::postgres) const TYPE_OF: &str = "pg_typeof";

/// The type of a NULL without one.
const UNKNOWN: i64 = 705;

#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOf {
    signature: Signature,
}

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(TypeOf {
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

fn type_of(field: &Field) -> i64 {
    if field.data_type() == &DataType::Null {
        return UNKNOWN;
    }
    match field.metadata().get(PG_TYPE) {
        Some(pg_type) => of_shape(pg_type),
        None => of_arrow(field.data_type()).oid,
    }
}

impl ScalarUDFImpl for TypeOf {
    fn name(&self) -> &str {
        TYPE_OF
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(hinted_field(TYPE_OF, DataType::Int64, "regtype")))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let oid = args.arg_fields.first().map(|field| type_of(field));
        Ok(ColumnarValue::Scalar(ScalarValue::Int64(oid)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_that_clients_see() {
        let plain = |data_type| Field::new("x", data_type, true);
        for (field, oid) in [
            (plain(DataType::Int64), 20),
            (plain(DataType::Utf8), 25),
            (plain(DataType::Null), UNKNOWN),
            (plain(DataType::new_list(DataType::Int32, true)), 1007),
            (hinted_field("x", DataType::Utf8, "jsonb"), 3802),
            (hinted_field("x", DataType::Int64, "regtype"), 2206),
        ] {
            assert_eq!(type_of(&field), oid, "{field:?}");
        }
    }
}
