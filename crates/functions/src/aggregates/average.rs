//! `avg` with Trino's types: of `decimal(p, s)`, of `real` and of intervals it is one of the same
//! type.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, Float32Array, Float64Array,
    Int64Array, IntervalMonthDayNanoArray,
};
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Float32Type, Float64Type, Int64Type,
    IntervalMonthDayNanoType, IntervalUnit, i256,
};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature, Volatility,
};
use lakegate_error::Error;

use super::function::{Aggregate, Call, Depends, plain, wrong_types};
use super::periods::Period;
use super::state::{Selected, State};
use crate::docs::Page;
use crate::entry::Entry;

/// The type of sums of decimals in a state, whatever their scale.
const SUM: DataType = DataType::Decimal256(76, 0);
const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

static AVG: Page = Page {
    name: "avg",
    section: super::SECTION,
    syntax: "avg(x)",
    sentence: "Returns the average of numbers or intervals; of decimals and reals, in their own type.",
    example: "(SELECT avg(x) FROM (VALUES CAST(1.25 AS decimal(3, 2)), CAST(2.26 AS decimal(3, 2))) t(x))",
    result: "1.76",
};

pub(super) fn entry() -> Entry {
    let mut entry = Entry::of_session("avg", register).in_trino();
    entry.page = Some(&AVG);
    entry
}

/// Puts the function around the session's, which has the other types.
fn register(state: &mut SessionState) -> Result<()> {
    let inner = state.udaf("avg")?;
    let own = Aggregate {
        page: &AVG,
        takes: |_, types| Ok(types.to_vec()),
        returns: |_, fields| {
            let of = fields.first().map(|field| field.data_type().clone());
            Ok(Field::new("", of.unwrap_or(DataType::Float64), true))
        },
        state: |fields, _| {
            let of = fields.first().map(|field| field.data_type());
            let sum = match of {
                Some(DataType::Float32) => DataType::Float64,
                _ => SUM,
            };
            let count = DataType::Int64;
            let mut state = vec![Field::new("", sum, true), Field::new("", count, true)];
            if of == Some(&INTERVAL) {
                let months = DataType::Int64;
                state.push(Field::new("", months, true));
            }
            Ok(state)
        },
        make: averages,
        depends: Depends::Duplicates,
    };
    let average = Average {
        own: Arc::new(own.function(&[])),
        inner,
        signature: Signature::user_defined(Volatility::Immutable),
    };
    state.register_udaf(Arc::new(AggregateUDF::new_from_impl(average)))?;
    Ok(())
}

/// `avg`: of decimals, reals and intervals our own, of other types the session's.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Average {
    own: Arc<AggregateUDF>,
    inner: Arc<AggregateUDF>,
    signature: Signature,
}

impl Average {
    fn of(&self, data_type: Option<&DataType>) -> &dyn AggregateUDFImpl {
        match data_type {
            Some(DataType::Decimal128(..) | DataType::Float32 | DataType::Interval(_)) => {
                self.own.inner().as_ref()
            }
            _ => self.inner.inner().as_ref(),
        }
    }

    fn of_fields(&self, fields: &[FieldRef]) -> &dyn AggregateUDFImpl {
        self.of(fields.first().map(|field| field.data_type()))
    }
}

impl AggregateUDFImpl for Average {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [of] = types else {
            return Err(wrong_types(self.name(), "a number", types));
        };
        match plain(of) {
            DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
                Ok(vec![DataType::Decimal128(precision, scale)])
            }
            of @ (DataType::Decimal128(..) | DataType::Float32) => Ok(vec![of]),
            DataType::Interval(_) => Ok(vec![INTERVAL]),
            DataType::Null => Ok(vec![DataType::Float64]),
            of => {
                let field: FieldRef = Arc::new(Field::new("x", of, true));
                let coerced = fields_with_udf(&[field], self.inner.as_ref());
                let coerced = coerced.map_err(|_| wrong_types(self.name(), "a number", types))?;
                let types = coerced.iter().map(|field| field.data_type().clone());
                Ok(types.collect())
            }
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.of(types.first()).return_type(types)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.of_fields(args.input_fields).state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.of_fields(args.expr_fields).accumulator(args)
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        self.of_fields(args.expr_fields)
            .create_sliding_accumulator(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.of_fields(args.expr_fields)
            .groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.of_fields(args.expr_fields)
            .create_groups_accumulator(args)
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.inner.default_value(data_type)
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
        self.own.documentation()
    }
}

/// The sums of all groups.
#[derive(Debug)]
enum Sums {
    Decimals {
        sums: Vec<i256>,
        precision: u8,
        scale: i8,
    },
    Reals(Vec<f64>),
    Intervals(Vec<Period>),
}

#[derive(Debug)]
struct Averages {
    sums: Sums,
    counts: Vec<i64>,
}

fn averages(call: &Call) -> Result<Box<dyn State>> {
    let sums = match call.data_type(0) {
        DataType::Decimal128(precision, scale) => Sums::Decimals {
            sums: Vec::new(),
            precision,
            scale,
        },
        DataType::Float32 => Sums::Reals(Vec::new()),
        DataType::Interval(_) => Sums::Intervals(Vec::new()),
        other => return Err(Error::internal(format!("avg of {other}")).into()),
    };
    let counts = Vec::new();
    Ok(Box::new(Averages { sums, counts }))
}

fn argument(columns: &[ArrayRef], index: usize) -> Result<&ArrayRef> {
    let column = columns.get(index);
    column.ok_or_else(|| Error::internal("avg lacks a column").into())
}

/// Returns the decimal nearest to `sum / count`; halves are rounded away from zero.
fn rounded(sum: i256, count: i64) -> i128 {
    let count = i256::from_i128(i128::from(count));
    let (whole, rest) = (sum.wrapping_div(count), sum.wrapping_rem(count));
    let twice = rest.wrapping_abs().wrapping_add(rest.wrapping_abs());
    let nearest = match twice >= count {
        true if sum.is_negative() => whole.wrapping_sub(i256::ONE),
        true => whole.wrapping_add(i256::ONE),
        false => whole,
    };
    // An average is not greater than the greatest value.
    nearest.to_i128().unwrap_or_default()
}

impl Averages {
    /// Adds values to the sums and counts of their groups; with `times` = -1, removes them.
    fn add(&mut self, args: &[ArrayRef], rows: &Selected<'_>, times: i8) -> Result<()> {
        let values = argument(args, 0)?;
        let counts = &mut self.counts;
        match &mut self.sums {
            Sums::Decimals { sums, .. } => {
                let values = values.as_primitive::<Decimal128Type>();
                rows.each(values.nulls(), |row, group| {
                    // A decimal has 38 digits, so that its negative fits. 2^63 values of 128 bits
                    // do not overflow 256.
                    let value = values.value(row).wrapping_mul(i128::from(times));
                    sums[group] = sums[group].wrapping_add(i256::from_i128(value));
                    counts[group] += i64::from(times);
                    Ok(())
                })
            }
            Sums::Reals(sums) => {
                let values = values.as_primitive::<Float32Type>();
                rows.each(values.nulls(), |row, group| {
                    sums[group] += f64::from(values.value(row)) * f64::from(times);
                    counts[group] += i64::from(times);
                    Ok(())
                })
            }
            Sums::Intervals(sums) => {
                let values = values.as_primitive::<IntervalMonthDayNanoType>();
                rows.each(values.nulls(), |row, group| {
                    sums[group].add(Period::of(values.value(row)), times);
                    counts[group] += i64::from(times);
                    Ok(())
                })
            }
        }
    }
}

impl State for Averages {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
        match &mut self.sums {
            Sums::Decimals { sums, .. } => sums.resize(groups, i256::ZERO),
            Sums::Reals(sums) => sums.resize(groups, 0.0),
            Sums::Intervals(sums) => sums.resize(groups, Period::default()),
        }
    }

    fn update(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()> {
        self.add(args, rows, 1)
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let counts = argument(states, 1)?.as_primitive::<Int64Type>().values();
        for (&group, count) in groups.iter().zip(counts) {
            self.counts[group] += count;
        }
        match &mut self.sums {
            Sums::Decimals { sums, .. } => {
                let more = argument(states, 0)?
                    .as_primitive::<Decimal256Type>()
                    .values();
                for (&group, sum) in groups.iter().zip(more) {
                    sums[group] = sums[group].wrapping_add(*sum);
                }
            }
            Sums::Reals(sums) => {
                let more = argument(states, 0)?.as_primitive::<Float64Type>().values();
                for (&group, sum) in groups.iter().zip(more) {
                    sums[group] += sum;
                }
            }
            Sums::Intervals(sums) => {
                let nanos = argument(states, 0)?.as_primitive::<Decimal256Type>();
                let months = argument(states, 2)?.as_primitive::<Int64Type>();
                let more = months.values().iter().zip(nanos.values());
                for (&group, (months, nanos)) in groups.iter().zip(more) {
                    sums[group].add(Period::of_state(*months, *nanos), 1);
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, groups: usize) -> Result<ArrayRef> {
        let counts = self.counts[..groups].iter();
        Ok(match &self.sums {
            Sums::Decimals {
                sums,
                precision,
                scale,
            } => {
                let averages = sums.iter().zip(counts);
                let averages = averages
                    .map(|(sum, count)| (*count > 0).then(|| rounded(*sum, *count)))
                    .collect::<Decimal128Array>();
                Arc::new(averages.with_precision_and_scale(*precision, *scale)?)
            }
            Sums::Reals(sums) => {
                let averages = sums.iter().zip(counts);
                let averages = averages
                    .map(|(sum, count)| (*count > 0).then(|| (*sum / *count as f64) as f32));
                Arc::new(averages.collect::<Float32Array>())
            }
            Sums::Intervals(sums) => {
                let averages = sums.iter().zip(counts);
                let averages = averages.map(|(sum, count)| match *count > 0 {
                    true => sum.average(*count).map(Some),
                    false => Ok(None),
                });
                Arc::new(averages.collect::<Result<IntervalMonthDayNanoArray>>()?)
            }
        })
    }

    fn state(&mut self, groups: usize) -> Result<Vec<ArrayRef>> {
        let sums: ArrayRef = match &self.sums {
            Sums::Decimals { sums, .. } => {
                let sums = Decimal256Array::from_iter_values(sums[..groups].iter().copied());
                Arc::new(sums.with_data_type(SUM))
            }
            Sums::Reals(sums) => Arc::new(Float64Array::from(sums[..groups].to_vec())),
            Sums::Intervals(sums) => {
                let nanos = sums[..groups].iter().map(|sum| i256::from_i128(sum.nanos));
                Arc::new(Decimal256Array::from_iter_values(nanos).with_data_type(SUM))
            }
        };
        let counts = Int64Array::from(self.counts[..groups].to_vec());
        let mut columns: Vec<ArrayRef> = vec![sums, Arc::new(counts)];
        if let Sums::Intervals(sums) = &self.sums {
            let months = sums[..groups].iter().map(|sum| sum.months);
            columns.push(Arc::new(Int64Array::from_iter_values(months)));
        }
        Ok(columns)
    }

    fn forget(&mut self, groups: usize) -> Result<()> {
        self.counts.drain(..groups);
        match &mut self.sums {
            Sums::Decimals { sums, .. } => drop(sums.drain(..groups)),
            Sums::Reals(sums) => drop(sums.drain(..groups)),
            Sums::Intervals(sums) => drop(sums.drain(..groups)),
        }
        Ok(())
    }

    fn size(&self) -> usize {
        let sums = match &self.sums {
            Sums::Decimals { sums, .. } => sums.capacity() * size_of::<i256>(),
            Sums::Reals(sums) => sums.capacity() * size_of::<f64>(),
            Sums::Intervals(sums) => sums.capacity() * size_of::<Period>(),
        };
        size_of_val(self) + sums + self.counts.capacity() * size_of::<i64>()
    }

    fn retracts(&self) -> bool {
        !matches!(self.sums, Sums::Reals(_))
    }

    fn retract(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()> {
        self.add(args, rows, -1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn averages_have_the_type_of_the_values() {
        for (select, expected) in [
            (
                "avg(CAST(x AS decimal(3, 1))) FROM (VALUES 1.1, 1.2) t(x)",
                "1.2",
            ),
            (
                "avg(CAST(x AS decimal(3, 1))) FROM (VALUES -1.1, -1.2) t(x)",
                "-1.2",
            ),
            (
                "avg(CAST(x AS decimal(3, 1))) FROM (VALUES 1.1, NULL) t(x)",
                "1.1",
            ),
            (
                "avg(CAST(x AS decimal(3, 1))) FROM (VALUES 1.1) t(x) WHERE x > 2",
                "NULL",
            ),
            (
                "avg(DISTINCT CAST(x AS decimal(3, 1))) FROM (VALUES 1, 1, 4) t(x)",
                "2.5",
            ),
            (
                "avg(x) FROM (VALUES CAST('99999999999999999999999999999999999999' AS decimal(38, 0)), CAST('99999999999999999999999999999999999999' AS decimal(38, 0))) t(x)",
                "99999999999999999999999999999999999999",
            ),
            ("avg(CAST(x AS real)) FROM (VALUES 1.25, 2.5) t(x)", "1.875"),
            ("avg(x) FROM (VALUES 1, 2) t(x)", "1.5"),
            ("avg(x) FROM (VALUES 1e0, 2e0) t(x)", "1.5"),
            ("avg(NULL)", "NULL"),
            (
                "to_milliseconds(avg(x)) FROM (VALUES INTERVAL '1' SECOND, INTERVAL '1.001' SECOND, NULL) t(x)",
                "1001",
            ),
            (
                "month(avg(x)) FROM (VALUES INTERVAL '-1' MONTH, INTERVAL '-2' MONTH) t(x)",
                "-1",
            ),
            (
                "avg(x) FROM (VALUES INTERVAL '1' DAY) t(x) WHERE x IS NULL",
                "NULL",
            ),
        ] {
            let found = value(&format!("(SELECT {select})")).await.unwrap();
            assert_eq!(found, expected, "{select}");
        }
        let query = "SELECT avg(CAST(x AS decimal(3, 1))) OVER (ORDER BY x ROWS 1 PRECEDING) FROM (VALUES 1, 2, 4) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["1.0", "1.5", "3.0"]);
        let query = "SELECT to_milliseconds(avg(x) OVER (ORDER BY n ROWS 1 PRECEDING)) FROM (VALUES (1, INTERVAL '1' SECOND), (2, INTERVAL '3' SECOND)) t(n, x)";
        assert_eq!(rows(query).await.unwrap(), ["1000", "2000"]);
        let query = "SELECT avg(CAST(x AS decimal(3, 1))) FROM (VALUES (1, 1), (2, 4), (1, 2)) t(g, x) GROUP BY g ORDER BY g";
        assert_eq!(rows(query).await.unwrap(), ["1.5", "4.0"]);
        assert!(
            error("(SELECT avg(x) FROM (VALUES 'a') t(x))")
                .await
                .contains("a number")
        );
    }
}
