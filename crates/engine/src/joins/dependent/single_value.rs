//! The value of a scalar subquery: that of its one row, NULL for no row, an error for several.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility,
};
use lakegate_error::{Code, Error};

static FUNCTION: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
    Arc::new(AggregateUDF::new_from_impl(SingleValue {
        signature: Signature::any(1, Volatility::Immutable),
    }))
});

/// Returns the aggregate that is the value of its only row.
pub(super) fn single_value(expr: Expr) -> Expr {
    FUNCTION.call(vec![expr])
}

/// Returns the argument of [`single_value`]; `None` for other expressions.
pub(super) fn argument(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::AggregateFunction(call) if call.func.inner().is::<SingleValue>() => {
            call.params.args.first()
        }
        _ => None,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleValue {
    signature: Signature,
}

impl AggregateUDFImpl for SingleValue {
    fn name(&self) -> &str {
        "single_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    /// The value is shown as the column that it is of.
    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        let types: Vec<DataType> = fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let data_type = self.return_type(&types)?;
        let marks = fields.first().map(|field| field.metadata().clone());
        let field = Field::new(self.name(), data_type, true);
        Ok(Arc::new(field.with_metadata(marks.unwrap_or_default())))
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let value = ScalarValue::try_from(args.return_field.data_type())?;
        Ok(Box::new(One { value, rows: 0 }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![
            Arc::new(Field::new(
                "value",
                args.return_field.data_type().clone(),
                true,
            )),
            Arc::new(Field::new("rows", DataType::Int64, false)),
        ])
    }
}

#[derive(Debug)]
struct One {
    value: ScalarValue,
    rows: i64,
}

impl One {
    fn add(&mut self, value: ScalarValue, rows: i64) -> Result<()> {
        if rows > 0 {
            self.value = value;
            self.rows += rows;
        }
        if self.rows > 1 {
            let message = "more than one row returned by a subquery used as an expression";
            return Err(Error::new(Code::SubqueryRows, message)
                .with_hint("aggregate it, or add LIMIT 1")
                .into());
        }
        Ok(())
    }
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(column) = values.first().filter(|column| !column.is_empty()) else {
            return Ok(());
        };
        let rows = i64::try_from(column.len()).unwrap_or(i64::MAX);
        self.add(ScalarValue::try_from_array(column, 0)?, rows)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.value.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![
            self.value.clone(),
            ScalarValue::Int64(Some(self.rows)),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, rows] = states else {
            return Ok(());
        };
        let rows = rows.as_primitive::<Int64Type>();
        for index in 0..values.len() {
            self.add(
                ScalarValue::try_from_array(values, index)?,
                rows.value(index),
            )?;
        }
        Ok(())
    }
}
