//! The values that the query of ANALYZE found.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampSecondType,
};
use lakegate_catalog::model::{
    BinaryStatistics, BooleanStatistics, ColumnStatisticsData, DecimalNumber, RangeStatistics,
    StringStatistics,
};
use lakegate_error::{Error, Result};

use super::Kind;

const SECONDS_PER_DAY: i64 = 86_400;

/// Reads the values of a row from left to right. Their types are those that the engine gives to
/// aggregates, and are cast.
pub(super) struct Values<'a> {
    /// `None`: there is no row, of which all counts are zero and no bound is known.
    row: Option<&'a RecordBatch>,
    next: usize,
}

impl<'a> Values<'a> {
    pub(super) fn of_row(row: &'a RecordBatch) -> Self {
        Self {
            row: Some(row),
            next: 0,
        }
    }

    pub(super) fn of_no_rows() -> Self {
        Self { row: None, next: 0 }
    }

    /// What is measured of a column.
    ///
    /// # Errors
    ///
    /// The values are not those of the query.
    pub(super) fn of(&mut self, kind: Kind, rows: u64) -> Result<ColumnStatisticsData> {
        let number_of_nulls = rows.saturating_sub(self.count()?);
        Ok(match kind {
            Kind::Boolean => ColumnStatisticsData::Boolean {
                data: BooleanStatistics {
                    number_of_trues: self.count()?,
                    number_of_falses: self.count()?,
                    number_of_nulls,
                },
            },
            Kind::Binary => ColumnStatisticsData::Binary {
                data: BinaryStatistics {
                    maximum_length: None,
                    average_length: None,
                    number_of_nulls,
                },
            },
            Kind::Text => ColumnStatisticsData::String {
                data: StringStatistics {
                    number_of_distinct_values: self.count()?,
                    maximum_length: self.count()?,
                    average_length: self.double()?.unwrap_or(0.0),
                    number_of_nulls,
                },
            },
            Kind::Long => ColumnStatisticsData::Long {
                data: self.range(number_of_nulls, Self::long)?,
            },
            Kind::Timestamp => ColumnStatisticsData::Long {
                data: self.range(number_of_nulls, Self::seconds)?,
            },
            Kind::Date => ColumnStatisticsData::Date {
                data: self.range(number_of_nulls, Self::days)?,
            },
            Kind::Double => ColumnStatisticsData::Double {
                // JSON has no other numbers.
                data: self.range(number_of_nulls, |values| {
                    Ok(values.double()?.filter(|value| value.is_finite()))
                })?,
            },
            Kind::Decimal(scale) => ColumnStatisticsData::Decimal {
                data: self.range(number_of_nulls, |values| values.decimal(scale))?,
            },
        })
    }

    fn range<T>(
        &mut self,
        number_of_nulls: u64,
        bound: impl Fn(&mut Self) -> Result<Option<T>>,
    ) -> Result<RangeStatistics<T>> {
        Ok(RangeStatistics {
            number_of_distinct_values: self.count()?,
            minimum_value: bound(self)?,
            maximum_value: bound(self)?,
            number_of_nulls,
        })
    }

    pub(super) fn count(&mut self) -> Result<u64> {
        let count = self.long()?.unwrap_or(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    fn long(&mut self) -> Result<Option<i64>> {
        self.value::<Int64Type>(&DataType::Int64)
    }

    fn double(&mut self) -> Result<Option<f64>> {
        self.value::<Float64Type>(&DataType::Float64)
    }

    /// A date, as seconds since 1970.
    fn days(&mut self) -> Result<Option<i64>> {
        let days = self.long()?;
        Ok(days.map(|days| days.saturating_mul(SECONDS_PER_DAY)))
    }

    /// A timestamp, as seconds since 1970.
    fn seconds(&mut self) -> Result<Option<i64>> {
        self.value::<TimestampSecondType>(&DataType::Timestamp(TimeUnit::Second, None))
    }

    fn decimal(&mut self, scale: i8) -> Result<Option<DecimalNumber>> {
        let unscaled = self.value::<Decimal128Type>(&DataType::Decimal128(38, scale))?;
        Ok(unscaled.map(|unscaled| DecimalNumber::new(unscaled, i32::from(scale))))
    }

    /// A text.
    pub(super) fn text(&mut self) -> Result<Option<String>> {
        let Some(cast) = self.cast(&DataType::Utf8)? else {
            return Ok(None);
        };
        let typed = cast.as_string_opt::<i32>().ok_or_else(unexpected)?;
        let is_value = typed.len() == 1 && typed.is_valid(0);
        Ok(is_value.then(|| typed.value(0).to_owned()))
    }

    fn value<T: ArrowPrimitiveType>(&mut self, data_type: &DataType) -> Result<Option<T::Native>> {
        let Some(cast) = self.cast(data_type)? else {
            return Ok(None);
        };
        let typed = cast.as_primitive_opt::<T>().ok_or_else(unexpected)?;
        let is_value = typed.len() == 1 && typed.is_valid(0);
        Ok(is_value.then(|| typed.value(0)))
    }

    /// The next value; `None`: there is no row.
    fn cast(&mut self, data_type: &DataType) -> Result<Option<ArrayRef>> {
        let Some(row) = self.row else {
            return Ok(None);
        };
        let column = row.columns().get(self.next).ok_or_else(unexpected)?;
        self.next += 1;
        let cast = arrow::compute::cast(column, data_type)
            .map_err(|error| Error::internal(format!("a value of ANALYZE: {error}")))?;
        Ok(Some(cast))
    }
}

fn unexpected() -> Error {
    Error::internal("the query of ANALYZE has other columns")
}
