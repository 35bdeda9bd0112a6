//! `sum` and `avg` of intervals. The parts (months, days, nanoseconds) are added up separately; DataFusion's
//! `sum` wraps.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, FieldRef, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{HashMap, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::Accumulator;
use datafusion::logical_expr::utils::format_state_name;
use lakegate_error::{Code, Error};

use super::STATE;
use super::total::column;
use crate::time::{divided, length_of};

pub(super) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// Returns whether this module adds up values of this type.
pub(super) fn is_summed(data_type: &DataType) -> bool {
    *data_type == INTERVAL
}

pub(super) fn state_fields(name: &str, distinct: bool) -> Vec<FieldRef> {
    let field = |part: &str, data_type: DataType| {
        Arc::new(Field::new(format_state_name(name, part), data_type, false))
    };
    if distinct {
        let list = DataType::List(Arc::new(Field::new_list_field(INTERVAL, true)));
        return vec![field("sum distinct", list)];
    }
    vec![
        field("count", DataType::Int64),
        field("months", DataType::Int64),
        field("days", DataType::Int64),
        field("nanoseconds", STATE),
    ]
}

/// The parts of an interval, in wider types that no number of rows overflows.
#[derive(Debug, Default, Clone, Copy)]
struct Parts {
    /// Number of values in the sum.
    count: i64,
    months: i64,
    days: i64,
    nanoseconds: i128,
}

impl Parts {
    /// Adds a value; with `times` = -1, removes it.
    fn add(&mut self, value: IntervalMonthDayNano, times: i64) {
        self.count += times;
        self.months += i64::from(value.months) * times;
        self.days += i64::from(value.days) * times;
        self.nanoseconds += i128::from(value.nanoseconds) * i128::from(times);
    }

    fn narrowed(self) -> Result<Option<IntervalMonthDayNano>> {
        if self.count == 0 {
            return Ok(None);
        }
        let out_of_range = || {
            Error::new(
                Code::NumericOutOfRange,
                "the sum is out of range for type interval",
            )
        };
        Ok(Some(IntervalMonthDayNano {
            months: self.months.try_into().map_err(|_| out_of_range())?,
            days: self.days.try_into().map_err(|_| out_of_range())?,
            nanoseconds: self.nanoseconds.try_into().map_err(|_| out_of_range())?,
        }))
    }
}

#[derive(Debug)]
pub(super) struct IntervalSum {
    parts: Parts,
    /// Whether the result is the sum divided by the number of values.
    is_average: bool,
    /// For `sum(DISTINCT x)`: a value of each length in nanoseconds, and how often there are values
    /// of the length in a window's frame.
    distinct: Option<HashMap<i128, (IntervalMonthDayNano, u64)>>,
}

impl IntervalSum {
    pub(super) fn new(distinct: bool) -> Self {
        Self {
            parts: Parts::default(),
            is_average: false,
            distinct: distinct.then(HashMap::default),
        }
    }

    pub(super) fn average(distinct: bool) -> Self {
        Self {
            is_average: true,
            ..Self::new(distinct)
        }
    }

    fn add(&mut self, value: IntervalMonthDayNano) {
        let is_new = match &mut self.distinct {
            None => true,
            Some(values) => {
                let (_, times) = values.entry(length_of(value)).or_insert((value, 0));
                *times += 1;
                *times == 1
            }
        };
        if is_new {
            self.parts.add(value, 1);
        }
    }

    fn take(&mut self, value: IntervalMonthDayNano) {
        let last = match &mut self.distinct {
            None => Some(value),
            Some(values) => match values.get_mut(&length_of(value)) {
                Some((_, times)) if *times > 1 => {
                    *times -= 1;
                    None
                }
                // The value that was added may be another one of this length.
                _ => values.remove(&length_of(value)).map(|(first, _)| first),
            },
        };
        if let Some(last) = last {
            self.parts.add(last, -1);
        }
    }
}

impl Accumulator for IntervalSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = column(values, 0)?.as_primitive::<IntervalMonthDayNanoType>();
        values.iter().flatten().for_each(|value| self.add(value));
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = column(values, 0)?.as_primitive::<IntervalMonthDayNanoType>();
        values.iter().flatten().for_each(|value| self.take(value));
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        if self.distinct.is_some() {
            for list in column(states, 0)?.as_list::<i32>().iter().flatten() {
                let values = list.as_primitive::<IntervalMonthDayNanoType>().iter();
                values.flatten().for_each(|value| self.add(value));
            }
            return Ok(());
        }
        let whole = |index: usize| -> Result<i64> {
            let part = column(states, index)?.as_primitive::<Int64Type>();
            Ok(part.iter().flatten().sum())
        };
        self.parts.count += whole(0)?;
        self.parts.months += whole(1)?;
        self.parts.days += whole(2)?;
        let nanoseconds = column(states, 3)?.as_primitive::<Decimal128Type>();
        self.parts.nanoseconds += nanoseconds.iter().flatten().sum::<i128>();
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        if let Some(values) = &self.distinct {
            let values = values.values().map(|(value, _)| Some(*value));
            let values: IntervalMonthDayNanoArray = values.collect();
            let list = SingleRowListArrayBuilder::new(Arc::new(values)).build_list_scalar();
            return Ok(vec![list]);
        }
        let Parts {
            count,
            months,
            days,
            nanoseconds,
        } = self.parts;
        Ok(vec![
            ScalarValue::from(count),
            ScalarValue::from(months),
            ScalarValue::from(days),
            ScalarValue::Decimal128(Some(nanoseconds), super::MAX_PRECISION, 0),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let result = match self.parts.narrowed()? {
            Some(sum) if self.is_average => Some(divided(sum, self.parts.count as f64)?),
            sum => sum,
        };
        Ok(ScalarValue::IntervalMonthDayNano(result))
    }

    fn size(&self) -> usize {
        let values = self.distinct.as_ref().map_or(0, HashMap::capacity);
        size_of_val(self) + values * size_of::<(i128, IntervalMonthDayNano, u64)>()
    }
}
