//! `pg_typeof(x)`: the type that a client sees, as a `regtype`; `pg_collation_for(x)`: the collation of
//! that type.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use lakegate_error::{Code, Error};

use crate::postgres::pg_catalog::data::PG_COLLATION;
use crate::postgres::pg_catalog::types::{by_oid, format_type, of_arrow, of_shape};
use crate::postgres::{PG_TYPE, hinted_field, quote_ident};

/// The name of the function.
pub(super) const TYPE_OF: &str = "pg_typeof";

/// The name of the function of a type's collation.
const COLLATION_FOR: &str = "pg_collation_for";

/// Returns whether the result of a function depends on the type that its argument is shown as.
pub(in crate::postgres) fn tells_type(function: &str) -> bool {
    function == TYPE_OF || function == COLLATION_FOR
}

/// The type of a NULL without one.
const UNKNOWN: i64 = 705;

#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOf {
    signature: Signature,
}

/// Returns both functions.
pub(super) fn functions() -> [Arc<ScalarUDF>; 2] {
    let signature = || Signature::any(1, Volatility::Immutable);
    let type_of = TypeOf {
        signature: signature(),
    };
    let collation_for = CollationFor {
        signature: signature(),
    };
    [
        Arc::new(ScalarUDF::new_from_impl(type_of)),
        Arc::new(ScalarUDF::new_from_impl(collation_for)),
    ]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CollationFor {
    signature: Signature,
}

/// Returns the name of the collation of a type, as an identifier; `None` for a NULL without a type.
///
/// # Errors
///
/// Values of the type have no collation.
fn collation_of(oid: i64) -> std::result::Result<Option<String>, Error> {
    if oid == UNKNOWN {
        return Ok(None);
    }
    let collation = by_oid(oid).map_or(0, |found| found.collation);
    let row = PG_COLLATION.with_oid(collation).ok_or_else(|| {
        let name = format_type(oid, None);
        let message = format!("collations are not supported by type {name}");
        Error::new(Code::TypeMismatch, message)
    })?;
    Ok(Some(quote_ident(PG_COLLATION.text(row, "collname"))))
}

impl ScalarUDFImpl for CollationFor {
    fn name(&self) -> &str {
        COLLATION_FOR
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let field = args.arg_fields.first();
        let oid = field.map_or(UNKNOWN, |field| type_of(field));
        let collation = collation_of(oid)?;
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8(collation)))
    }
}

/// Returns PostgreSQL's name of the type of a field, without lengths and digits.
pub fn type_name(field: &Field) -> String {
    format_type(type_of(field), None)
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
    use arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn collations_are_those_of_types() {
        for (oid, expected) in [
            (25, Some("\"default\"")),
            (19, Some("\"C\"")),
            (UNKNOWN, None),
        ] {
            let found = collation_of(oid);
            assert_eq!(found.ok().flatten().as_deref(), expected, "{oid}");
        }
        for oid in [23, 0, -1] {
            let error = collation_of(oid).err().map(|error| error.code());
            assert_eq!(error, Some(Code::TypeMismatch), "{oid}");
        }
    }

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

    #[test]
    fn types_have_the_names_of_postgres() {
        let texts = DataType::new_list(DataType::new_list(DataType::Utf8, true), true);
        let object = DataType::Struct(vec![Field::new("a", DataType::Int8, true)].into());
        for (data_type, name) in [
            (DataType::Int8, "smallint"),
            (DataType::Int32, "integer"),
            (DataType::Float32, "real"),
            (DataType::Decimal128(10, 2), "numeric"),
            (DataType::Binary, "bytea"),
            (
                DataType::Timestamp(TimeUnit::Microsecond, None),
                "timestamp without time zone",
            ),
            (DataType::Null, "unknown"),
            (texts, "text[]"),
            (object, "json"),
        ] {
            let field = Field::new("x", data_type, true);
            assert_eq!(type_name(&field), name, "{field:?}");
        }
        let marked = hinted_field("x", DataType::Utf8, "uuid");
        assert_eq!(type_name(&marked), "uuid");
    }
}
