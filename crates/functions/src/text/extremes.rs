//! `greatest` and `least`: NULL if an argument is NULL.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::nullif;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field, FieldRef, Float32Type, Float64Type};
use datafusion::error::Result;
use datafusion::functions::core::{greatest, least};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use lakegate_engine::stop;

use super::joins::nulls;
use crate::docs::Page;
use crate::entry::{Entry, Function, Known};
use crate::semantics::common_type;

static GREATEST: Page = Page {
    name: "greatest",
    section: SECTION_OF_COMPARISONS,
    syntax: "greatest(value[, …])",
    sentence: "Returns the largest of the values; NULL if one of them is NULL.",
    example: "greatest(1, 3, 2)",
    result: "3",
};

static LEAST: Page = Page {
    name: "least",
    section: SECTION_OF_COMPARISONS,
    syntax: "least(value[, …])",
    sentence: "Returns the smallest of the values; NULL if one of them is NULL.",
    example: "least('b', 'a')",
    result: "a",
};

const SECTION_OF_COMPARISONS: &str = "Comparison";

pub(super) fn entries() -> Vec<Entry> {
    vec![
        entry(&GREATEST, greatest(), true),
        entry(&LEAST, least(), false),
    ]
}

fn entry(page: &'static Page, of_engine: Arc<ScalarUDF>, largest: bool) -> Entry {
    let function = Extreme {
        page,
        documentation: Arc::new(page.documentation()),
        signature: Signature::user_defined(Volatility::Immutable),
        of_engine,
        largest,
    };
    Entry {
        function: Function::Scalar(Arc::new(ScalarUDF::new_from_impl(function))),
        known: Known::Trino,
        page: Some(page),
    }
}

/// `greatest` or `least`.
#[derive(Debug)]
struct Extreme {
    page: &'static Page,
    documentation: Arc<Documentation>,
    signature: Signature,
    of_engine: Arc<ScalarUDF>,
    largest: bool,
}

impl PartialEq for Extreme {
    fn eq(&self, other: &Self) -> bool {
        self.largest == other.largest
    }
}

impl Eq for Extreme {}

impl Hash for Extreme {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.page.name.hash(state);
    }
}

impl ScalarUDFImpl for Extreme {
    fn name(&self) -> &str {
        self.page.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match common_type(types) {
            Some(common) => Ok(vec![common; types.len()]),
            None => self.of_engine.coerce_types(types),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.of_engine.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args
            .arg_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let data_type = self.return_type(&types)?;
        Ok(Arc::new(Field::new(self.page.name, data_type, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        stop::check()?;
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let nulls = nulls(&args.args, rows)?;
        let extreme = match args.return_field.data_type() {
            DataType::Float64 => {
                self.floats::<Float64Type>(&args.args, rows, nulls, f64::is_nan)?
            }
            DataType::Float32 => {
                self.floats::<Float32Type>(&args.args, rows, nulls, f32::is_nan)?
            }
            _ => {
                let extreme = self.of_engine.invoke_with_args(args)?.into_array(rows)?;
                match nulls {
                    None => extreme,
                    Some(nulls) => nullif(&extreme, &BooleanArray::new(!nulls.inner(), None))?,
                }
            }
        };
        Ok(match constant {
            true => ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(
                &extreme, 0,
            )?),
            false => ColumnarValue::Array(extreme),
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

impl Extreme {
    /// NaN is neither the largest nor the smallest, unless there is nothing else.
    fn floats<T: ArrowPrimitiveType>(
        &self,
        args: &[ColumnarValue],
        rows: usize,
        nulls: Option<NullBuffer>,
        is_nan: fn(T::Native) -> bool,
    ) -> Result<ArrayRef>
    where
        T::Native: PartialOrd,
    {
        let mut extremes: Vec<T::Native> = Vec::new();
        for arg in args {
            let array = match arg {
                ColumnarValue::Array(array) => Arc::clone(array),
                ColumnarValue::Scalar(scalar) => scalar.to_array_of_size(rows)?,
            };
            let values = array.as_primitive::<T>().values();
            if extremes.is_empty() {
                extremes.extend_from_slice(values);
                continue;
            }
            for (extreme, value) in extremes.iter_mut().zip(values) {
                let better = match self.largest {
                    true => *value > *extreme,
                    false => *value < *extreme,
                };
                if better || is_nan(*extreme) {
                    *extreme = *value;
                }
            }
        }
        Ok(Arc::new(PrimitiveArray::<T>::try_new(
            ScalarBuffer::from(extremes),
            nulls,
        )?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{rows, value};

    #[tokio::test]
    async fn the_largest_and_the_smallest_are_null_if_one_is() {
        let query =
            "SELECT greatest(x, y, 2) FROM (VALUES (1, 3), (5, 4), (NULL, 4), (1, NULL)) t(x, y)";
        assert_eq!(rows(query).await.unwrap(), ["3", "5", "NULL", "NULL"]);
        let query = "SELECT least(x, 'm') FROM (VALUES ('a'), ('z'), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["a", "m", "NULL"]);
        assert_eq!(value("greatest(1, NULL)").await.unwrap(), "NULL");
        assert_eq!(
            value("least(date '2020-01-02', date '2020-01-01')")
                .await
                .unwrap(),
            "2020-01-01"
        );
        assert_eq!(value("least(7)").await.unwrap(), "7");
    }

    #[tokio::test]
    async fn not_a_number_is_no_extreme() {
        let query =
            "SELECT greatest(x, 1e0) FROM (VALUES (2e0), ('NaN'::double), (NULL), (0e0)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["2.0", "1.0", "NULL", "1.0"]);
        assert_eq!(
            value("least(1e0, CAST('NaN' AS double))").await.unwrap(),
            "1.0"
        );
        assert_eq!(value("least(CAST('NaN' AS double))").await.unwrap(), "NaN");
    }
}
