//! `sum` of a `bigint` as a decimal, as PostgreSQL has it: a `numeric`, which no sum of a table's
//! rows exceeds. The rule [`NumericSums`](crate::numeric_sums::NumericSums) puts it in the place of the
//! session's function.

use std::sync::Arc;

use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunctionParams, WindowFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature,
};

use super::distinct::DistinctSum;
use super::grouped::GroupedSum;
use super::total::PlainSum;
use super::{Kind, MAX_PRECISION, STATE};
use crate::aggregates::as_the_inner;
use crate::gathered;
use crate::numbers::floats;

/// Returns the `sum` of a PostgreSQL session with decimals as sums of `bigint`. `None` for other
/// functions, such as those in a view that is planned as Trino's.
pub(crate) fn numeric_sum(function: &Arc<AggregateUDF>) -> Option<Arc<AggregateUDF>> {
    let inner = gathered::plain(function);
    floats::is_sum_of_postgres(&inner).then(|| {
        let function = AggregateUDF::new_from_impl(NumericSum { inner });
        gathered::of_aggregate(Arc::new(function))
    })
}

/// Returns whether a function is one that [`numeric_sum`] returned.
pub(crate) fn is_numeric_sum(function: &Arc<AggregateUDF>) -> bool {
    gathered::plain(function).inner().is::<NumericSum>()
}

/// The session's `sum`, except of `bigint`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NumericSum {
    inner: Arc<AggregateUDF>,
}

fn is_bigint(field: Option<&FieldRef>) -> bool {
    field.is_some_and(|field| field.data_type() == &DataType::Int64)
}

/// Sums that are decimals.
fn kind() -> Kind {
    Kind {
        data_type: STATE,
        precision: MAX_PRECISION,
    }
}

impl AggregateUDFImpl for NumericSum {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    as_the_inner!(names of calls);

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Int64] => Ok(STATE),
            types => self.inner.return_type(types),
        }
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        match is_bigint(fields.first()) {
            true => Ok(Arc::new(Field::new(self.name(), STATE, self.is_nullable()))),
            false => self.inner.return_field(fields),
        }
    }

    fn is_nullable(&self) -> bool {
        self.inner.is_nullable()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if !is_bigint(args.expr_fields.first()) {
            return self.inner.accumulator(args);
        }
        Ok(match args.is_distinct {
            true => Box::new(DistinctSum::<Int64Type, Decimal128Type>::new(kind())),
            false => Box::new(PlainSum::<Int64Type, Decimal128Type>::new(kind())),
        })
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        match is_bigint(args.expr_fields.first()) {
            true => self.accumulator(args),
            false => self.inner.create_sliding_accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if !is_bigint(args.input_fields.first()) {
            return self.inner.state_fields(args);
        }
        if args.is_distinct {
            let name = format_state_name(args.name, "sum distinct");
            let values = Field::new_list(name, Field::new_list_field(STATE, true), false);
            return Ok(vec![Arc::new(values)]);
        }
        let carries = format_state_name(args.name, "carries");
        Ok(vec![
            Arc::new(Field::new(format_state_name(args.name, "sum"), STATE, true)),
            Arc::new(Field::new(carries, DataType::Int64, false)),
        ])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        match is_bigint(args.expr_fields.first()) {
            true => !args.is_distinct,
            false => self.inner.groups_accumulator_supported(args),
        }
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        match is_bigint(args.expr_fields.first()) {
            true => {
                let sums = GroupedSum::<Int64Type, Decimal128Type>::new(kind());
                Ok(Box::new(sums))
            }
            false => self.inner.create_groups_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(data_type)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}
