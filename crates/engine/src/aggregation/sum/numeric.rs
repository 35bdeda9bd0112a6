//! `sum` of a `bigint` as a decimal, as PostgreSQL has it: a `numeric`, which no sum of a table's
//! rows exceeds. The rule [`NumericSums`](crate::aggregation::numeric_sums::NumericSums) puts it in the place of the
//! session's function.

use std::sync::Arc;

use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, GroupsAccumulator};

use super::distinct::{self, Distinct, DistinctSum};
use super::grouped::GroupedSum;
use super::own_or_inner::{Own, OwnOrInner};
use super::total::PlainSum;
use super::{Kind, MAX_PRECISION, STATE};
use crate::limits::gathered;
use crate::numbers::floats;

/// Returns the `sum` of a PostgreSQL session with decimals as sums of `bigint`. `None` for other
/// functions, such as those in a view that is planned as Trino's.
pub(crate) fn numeric_sum(function: &Arc<AggregateUDF>) -> Option<Arc<AggregateUDF>> {
    let inner = gathered::plain(function);
    floats::is_sum_of_postgres(&inner).then(|| {
        let signature = inner.signature().clone();
        let function = OwnOrInner::new(NumericSum, inner, signature);
        let function = AggregateUDF::new_from_impl(function);
        gathered::of_aggregate(Arc::new(function))
    })
}

/// Returns whether a function is one that [`numeric_sum`] returned.
pub(crate) fn is_numeric_sum(function: &Arc<AggregateUDF>) -> bool {
    gathered::plain(function)
        .inner()
        .is::<OwnOrInner<NumericSum>>()
}

/// The sums of `bigint`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NumericSum;

/// Sums that are decimals.
fn kind() -> Kind {
    Kind {
        data_type: STATE,
        precision: MAX_PRECISION,
    }
}

impl Own for NumericSum {
    type Of = ();

    fn of(&self, argument: &DataType) -> Option<()> {
        (argument == &DataType::Int64).then_some(())
    }

    fn return_type(&self, _: &()) -> DataType {
        STATE
    }

    fn accumulator(&self, _: (), args: &AccumulatorArgs<'_>) -> Box<dyn Accumulator> {
        match args.is_distinct {
            true => {
                let sum = DistinctSum::<Int64Type, Decimal128Type>::new(kind());
                Box::new(Distinct::new(sum))
            }
            false => Box::new(PlainSum::<Int64Type, Decimal128Type>::new(kind())),
        }
    }

    fn state_fields(&self, _: (), args: &StateFieldsArgs<'_>) -> Vec<FieldRef> {
        if args.is_distinct {
            let name = format_state_name(args.name, "sum distinct");
            return distinct::state_fields(name);
        }
        let carries = format_state_name(args.name, "carries");
        vec![
            Arc::new(Field::new(format_state_name(args.name, "sum"), STATE, true)),
            Arc::new(Field::new(carries, DataType::Int64, false)),
        ]
    }

    fn groups_accumulator(
        &self,
        _: (),
        _: &AccumulatorArgs<'_>,
    ) -> Option<Box<dyn GroupsAccumulator>> {
        let sums = GroupedSum::<Int64Type, Decimal128Type>::new(kind());
        Some(Box::new(sums))
    }
}
