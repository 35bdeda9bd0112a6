//! What ANALYZE found of a table, in Glue's shapes: `ColumnStatistics` and `ColumnStatisticsData`.

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Table, epoch_seconds};

/// The most columns of one ANALYZE of partitions, times the partitions: their statistics are in memory
/// while they are measured, and while they are used.
pub const MAX_COLUMNS_OF_PARTITIONS: usize = 200_000;

/// What is known of a table's rows since the last ANALYZE. Files may have changed since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TableStatistics {
    pub row_count: u64,
    /// The bytes of the files that held the rows.
    pub file_bytes: u64,
    /// [`Table::version_id`] when the rows were read.
    pub version: u64,
    #[serde(with = "epoch_seconds")]
    pub analyzed_time: DateTime<Utc>,
    pub columns: Vec<ColumnStatistics>,
}

/// What is known of a column's values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ColumnStatistics {
    pub column_name: String,
    /// The column's Hive type when its values were read.
    pub column_type: String,
    #[serde(with = "epoch_seconds")]
    pub analyzed_time: DateTime<Utc>,
    pub statistics_data: ColumnStatisticsData,
}

/// By the kind of the column's type. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "Type", rename_all = "UPPERCASE")]
pub enum ColumnStatisticsData {
    Boolean {
        #[serde(rename = "BooleanColumnStatisticsData")]
        data: BooleanStatistics,
    },
    Date {
        #[serde(rename = "DateColumnStatisticsData")]
        data: RangeStatistics<i64>,
    },
    Decimal {
        #[serde(rename = "DecimalColumnStatisticsData")]
        data: RangeStatistics<DecimalNumber>,
    },
    Double {
        #[serde(rename = "DoubleColumnStatisticsData")]
        data: RangeStatistics<f64>,
    },
    /// Whole numbers, and timestamps.
    Long {
        #[serde(rename = "LongColumnStatisticsData")]
        data: RangeStatistics<i64>,
    },
    String {
        #[serde(rename = "StringColumnStatisticsData")]
        data: StringStatistics,
    },
    Binary {
        #[serde(rename = "BinaryColumnStatisticsData")]
        data: BinaryStatistics,
    },
}

/// Of booleans.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BooleanStatistics {
    pub number_of_trues: u64,
    pub number_of_falses: u64,
    pub number_of_nulls: u64,
}

/// Of values that are ordered. The bounds are `None` if there is no value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RangeStatistics<T> {
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub minimum_value: Option<T>,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub maximum_value: Option<T>,
    pub number_of_nulls: u64,
    pub number_of_distinct_values: u64,
}

/// Of texts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StringStatistics {
    /// In characters.
    pub maximum_length: u64,
    pub average_length: f64,
    pub number_of_nulls: u64,
    pub number_of_distinct_values: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BinaryStatistics {
    /// In bytes. `None`: not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_length: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_length: Option<f64>,
    pub number_of_nulls: u64,
}

/// A decimal number as AWS JSON has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DecimalNumber {
    /// The bytes of the unscaled value, the highest first, in base64.
    unscaled_value: String,
    pub scale: i32,
}

impl DecimalNumber {
    pub fn new(unscaled: i128, scale: i32) -> Self {
        Self {
            unscaled_value: BASE64.encode(unscaled.to_be_bytes()),
            scale,
        }
    }

    /// The unscaled value; `None` if it has more than 16 bytes, or is not base64.
    pub fn unscaled(&self) -> Option<i128> {
        let bytes = BASE64.decode(&self.unscaled_value).ok()?;
        let missing = size_of::<i128>().checked_sub(bytes.len())?;
        let is_negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
        let mut whole = [if is_negative { 0xff } else { 0 }; size_of::<i128>()];
        whole.get_mut(missing..)?.copy_from_slice(&bytes);
        Some(i128::from_be_bytes(whole))
    }
}

impl ColumnStatistics {
    pub fn nulls(&self) -> u64 {
        match &self.statistics_data {
            ColumnStatisticsData::Boolean { data } => data.number_of_nulls,
            ColumnStatisticsData::Date { data } | ColumnStatisticsData::Long { data } => {
                data.number_of_nulls
            }
            ColumnStatisticsData::Decimal { data } => data.number_of_nulls,
            ColumnStatisticsData::Double { data } => data.number_of_nulls,
            ColumnStatisticsData::String { data } => data.number_of_nulls,
            ColumnStatisticsData::Binary { data } => data.number_of_nulls,
        }
    }

    /// The number of distinct values, about. `None`: not known.
    pub fn distinct_values(&self) -> Option<u64> {
        match &self.statistics_data {
            ColumnStatisticsData::Boolean { data } => {
                Some(u64::from(data.number_of_trues > 0) + u64::from(data.number_of_falses > 0))
            }
            ColumnStatisticsData::Date { data } | ColumnStatisticsData::Long { data } => {
                Some(data.number_of_distinct_values)
            }
            ColumnStatisticsData::Decimal { data } => Some(data.number_of_distinct_values),
            ColumnStatisticsData::Double { data } => Some(data.number_of_distinct_values),
            ColumnStatisticsData::String { data } => Some(data.number_of_distinct_values),
            ColumnStatisticsData::Binary { .. } => None,
        }
    }

    /// The average length of a text in characters, or of bytes. `None`: the type has one length, or
    /// it is not known.
    pub fn average_length(&self) -> Option<f64> {
        match &self.statistics_data {
            ColumnStatisticsData::String { data } => Some(data.average_length),
            ColumnStatisticsData::Binary { data } => data.average_length,
            _ => None,
        }
    }
}

impl ColumnStatistics {
    /// The statistics of the values of both; `None` if they are of other types. `rows`: of each.
    fn and(&self, other: &ColumnStatistics, rows: (u64, u64)) -> Option<ColumnStatistics> {
        use ColumnStatisticsData as Data;
        if self.column_type != other.column_type {
            return None;
        }
        let statistics_data = match (&self.statistics_data, &other.statistics_data) {
            (Data::Boolean { data: one }, Data::Boolean { data: two }) => Data::Boolean {
                data: BooleanStatistics {
                    number_of_trues: one.number_of_trues.saturating_add(two.number_of_trues),
                    number_of_falses: one.number_of_falses.saturating_add(two.number_of_falses),
                    number_of_nulls: one.number_of_nulls.saturating_add(two.number_of_nulls),
                },
            },
            (Data::Date { data: one }, Data::Date { data: two }) => Data::Date {
                data: one.and(two, |one, two| one.cmp(two)),
            },
            (Data::Long { data: one }, Data::Long { data: two }) => Data::Long {
                data: one.and(two, |one, two| one.cmp(two)),
            },
            (Data::Double { data: one }, Data::Double { data: two }) => Data::Double {
                data: one.and(two, |one, two| one.total_cmp(two)),
            },
            // The column's type gives all of them one scale.
            (Data::Decimal { data: one }, Data::Decimal { data: two }) => Data::Decimal {
                data: one.and(two, |one, two| one.unscaled().cmp(&two.unscaled())),
            },
            (Data::String { data: one }, Data::String { data: two }) => {
                let values = (
                    rows.0.saturating_sub(one.number_of_nulls) as f64,
                    rows.1.saturating_sub(two.number_of_nulls) as f64,
                );
                let length = one.average_length * values.0 + two.average_length * values.1;
                Data::String {
                    data: StringStatistics {
                        maximum_length: one.maximum_length.max(two.maximum_length),
                        average_length: length / (values.0 + values.1).max(1.0),
                        number_of_nulls: one.number_of_nulls.saturating_add(two.number_of_nulls),
                        number_of_distinct_values: (one.number_of_distinct_values)
                            .max(two.number_of_distinct_values),
                    },
                }
            }
            // ANALYZE does not measure their lengths.
            (Data::Binary { data: one }, Data::Binary { data: two }) => Data::Binary {
                data: BinaryStatistics {
                    maximum_length: None,
                    average_length: None,
                    number_of_nulls: one.number_of_nulls.saturating_add(two.number_of_nulls),
                },
            },
            _ => return None,
        };
        Some(ColumnStatistics {
            analyzed_time: self.analyzed_time.min(other.analyzed_time),
            statistics_data,
            ..self.clone()
        })
    }
}

impl<T: Clone> RangeStatistics<T> {
    /// Of the values of both. A value may be in both, so that there are at least as many distinct
    /// ones as in one of them.
    fn and(&self, other: &Self, order: impl Fn(&T, &T) -> Ordering) -> Self {
        let bound = |one: &Option<T>, two: &Option<T>, side: Ordering| match (one, two) {
            (Some(one), Some(two)) if order(two, one) == side => Some(two.clone()),
            (Some(one), _) => Some(one.clone()),
            (None, two) => two.clone(),
        };
        Self {
            minimum_value: bound(&self.minimum_value, &other.minimum_value, Ordering::Less),
            maximum_value: bound(&self.maximum_value, &other.maximum_value, Ordering::Greater),
            number_of_nulls: self.number_of_nulls.saturating_add(other.number_of_nulls),
            number_of_distinct_values: self
                .number_of_distinct_values
                .max(other.number_of_distinct_values),
        }
    }
}

impl TableStatistics {
    /// The statistics of a column.
    pub fn column(&self, name: &str) -> Option<&ColumnStatistics> {
        let mut columns = self.columns.iter();
        columns.find(|column| column.column_name == name)
    }

    /// What still holds of a table that has these columns: a column with another type, or that was
    /// dropped, has no statistics.
    #[must_use]
    pub fn of_columns(mut self, table: &Table) -> Self {
        self.columns.retain(|known| {
            table.columns().any(|column| {
                column.name == known.column_name && column.data_type == known.column_type
            })
        });
        self
    }

    /// The statistics of all rows of several parts of a table, about: a value may be in more than one
    /// of them. Columns that are not known of each part are left out. `None`: there is no part.
    pub fn of_parts<'a>(mut parts: impl Iterator<Item = &'a TableStatistics>) -> Option<Self> {
        let first = parts.next()?.clone();
        Some(parts.fold(first, |all, part| {
            let columns = all.columns.iter().filter_map(|column| {
                let other = part.column(&column.column_name)?;
                column.and(other, (all.row_count, part.row_count))
            });
            Self {
                row_count: all.row_count.saturating_add(part.row_count),
                file_bytes: all.file_bytes.saturating_add(part.file_bytes),
                version: all.version.min(part.version),
                analyzed_time: all.analyzed_time.min(part.analyzed_time),
                columns: columns.collect(),
            }
        }))
    }

    /// Adds the columns of an earlier ANALYZE that this one did not read.
    #[must_use]
    pub(crate) fn with_earlier(mut self, earlier: &TableStatistics) -> Self {
        let kept = earlier.columns.iter();
        let kept: Vec<_> = kept
            .filter(|known| self.column(&known.column_name).is_none())
            .cloned()
            .collect();
        self.columns.extend(kept);
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::now;

    #[test]
    fn shapes_are_glues() {
        let data = ColumnStatisticsData::Long {
            data: RangeStatistics {
                minimum_value: Some(-1),
                maximum_value: Some(7),
                number_of_nulls: 2,
                number_of_distinct_values: 5,
            },
        };
        let json = r#"{"Type":"LONG","LongColumnStatisticsData":{"MinimumValue":-1,"MaximumValue":7,"NumberOfNulls":2,"NumberOfDistinctValues":5}}"#;
        assert_eq!(serde_json::to_string(&data).unwrap(), json);
        let read: ColumnStatisticsData = serde_json::from_str(json).unwrap();
        assert_eq!(read, data);
        let empty = r#"{"Type":"DOUBLE","DoubleColumnStatisticsData":{"NumberOfNulls":2,"NumberOfDistinctValues":0}}"#;
        let read: ColumnStatisticsData = serde_json::from_str(empty).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), empty);
    }

    #[test]
    fn decimals_are_bytes() {
        for unscaled in [0, 1, -1, 12_345, i128::MAX, i128::MIN] {
            assert_eq!(DecimalNumber::new(unscaled, 2).unscaled(), Some(unscaled));
        }
        let short = DecimalNumber {
            unscaled_value: BASE64.encode([0xff, 0x00]),
            scale: 0,
        };
        assert_eq!(short.unscaled(), Some(-256));
        let long = DecimalNumber {
            unscaled_value: BASE64.encode([0; 17]),
            scale: 0,
        };
        assert_eq!(long.unscaled(), None);
    }

    #[test]
    fn columns_of_an_earlier_analysis_stay() {
        let column = |name: &str, trues| ColumnStatistics {
            column_name: name.to_owned(),
            column_type: "boolean".to_owned(),
            analyzed_time: now(),
            statistics_data: ColumnStatisticsData::Boolean {
                data: BooleanStatistics {
                    number_of_trues: trues,
                    number_of_falses: 0,
                    number_of_nulls: 0,
                },
            },
        };
        let of = |columns| TableStatistics {
            row_count: 3,
            file_bytes: 10,
            version: 0,
            analyzed_time: now(),
            columns,
        };
        let earlier = of(vec![column("a", 1), column("b", 1)]);
        let both = of(vec![column("a", 0)]).with_earlier(&earlier);
        assert_eq!(both.columns.len(), 2);
        assert_eq!(both.column("a").unwrap().distinct_values(), Some(0));
        assert_eq!(both.column("b").unwrap().distinct_values(), Some(1));
    }

    #[test]
    fn parts_are_added_up() {
        let range = |low, high, nulls| RangeStatistics {
            minimum_value: low,
            maximum_value: high,
            number_of_nulls: nulls,
            number_of_distinct_values: 5,
        };
        let column = |name: &str, statistics_data| ColumnStatistics {
            column_name: name.to_owned(),
            column_type: "t".to_owned(),
            analyzed_time: now(),
            statistics_data,
        };
        let text = |average_length, nulls| ColumnStatisticsData::String {
            data: StringStatistics {
                maximum_length: 9,
                average_length,
                number_of_nulls: nulls,
                number_of_distinct_values: 3,
            },
        };
        let long = |low, high, nulls| ColumnStatisticsData::Long {
            data: range(low, high, nulls),
        };
        let decimal = |low, high| {
            let number = |unscaled| Some(DecimalNumber::new(unscaled, 2));
            ColumnStatisticsData::Decimal {
                data: RangeStatistics {
                    minimum_value: number(low),
                    maximum_value: number(high),
                    number_of_nulls: 0,
                    number_of_distinct_values: 2,
                },
            }
        };
        let part = |row_count, columns| TableStatistics {
            row_count,
            file_bytes: 10,
            version: 0,
            analyzed_time: now(),
            columns,
        };
        let parts = [
            part(
                4,
                vec![
                    column("a", long(Some(3), Some(8), 1)),
                    column("s", text(2.0, 2)),
                    column("d", decimal(-5, 7)),
                    column("alone", long(None, None, 4)),
                ],
            ),
            part(
                6,
                vec![
                    column("s", text(5.0, 2)),
                    column("a", long(Some(-2), Some(5), 0)),
                    column("d", decimal(-500, 1)),
                ],
            ),
            part(
                0,
                vec![
                    column("a", long(None, None, 0)),
                    column("d", decimal(0, 0)),
                    column("s", text(0.0, 0)),
                ],
            ),
        ];
        let all = TableStatistics::of_parts(parts.iter()).unwrap();
        assert_eq!((all.row_count, all.file_bytes), (10, 30));
        assert_eq!(
            all.column("a").unwrap().statistics_data,
            long(Some(-2), Some(8), 1)
        );
        assert_eq!(all.column("d").unwrap().statistics_data, decimal(-500, 7));
        // Two texts of two characters and four of five.
        assert_eq!(all.column("s").unwrap().statistics_data, text(4.0, 4));
        assert_eq!(all.column("alone"), None);
        assert_eq!(TableStatistics::of_parts(std::iter::empty()), None);
    }
}
