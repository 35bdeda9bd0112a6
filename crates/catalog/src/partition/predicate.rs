//! Which partitions are wanted: conditions on raw partition values, all of which must hold.
//!
//! The form is what Glue's `GetPartitions` takes as an expression and Hive as a filter: a key, an
//! operator and constants.

use std::cmp::Ordering;
use std::sync::Arc;

use super::value::{PartitionKey, canonical_value, is_null};
use super::{Partition, Partitions};
use crate::error::{CatalogError, Result};
use crate::hive_type::HiveType;

/// How the value of a key compares with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A condition on one partition key: `key <op> value`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct KeyCondition {
    key: String,
    op: Comparison,
    value: String,
}

/// A conjunction of conditions on partition keys. Constants are texts of values of the key's type,
/// and compare as values of it: `7` equals `07` of an `int`.
///
/// NULL is the constant [`HIVE_DEFAULT_PARTITION`](super::HIVE_DEFAULT_PARTITION), as in Glue: it
/// equals itself and no other value. A NULL partition value satisfies no other comparison, as in
/// SQL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PartitionPredicate {
    conditions: Vec<KeyCondition>,
}

impl PartitionPredicate {
    /// The predicate that all partitions satisfy.
    pub fn all() -> PartitionPredicate {
        PartitionPredicate::default()
    }

    /// And `key <op> value`.
    #[must_use]
    pub fn and(mut self, key: &str, op: Comparison, value: impl Into<String>) -> Self {
        self.conditions.push(KeyCondition {
            key: key.to_lowercase(),
            op,
            value: value.into(),
        });
        self
    }

    /// The partitions that satisfy the predicate, in order, at the same version.
    ///
    /// # Errors
    /// `InvalidInput` for a key that the table does not have, and for a constant that is not a value
    /// of its key's type.
    pub fn filter(&self, partitions: &Arc<Partitions>) -> Result<Arc<Partitions>> {
        if self.conditions.is_empty() {
            return Ok(Arc::clone(partitions));
        }
        let candidates = match self.complete_values(&partitions.keys) {
            Some(values) => partitions.spelled(&values)?,
            None => &partitions.items,
        };
        let conditions = self
            .conditions
            .iter()
            .map(|condition| Bound::new(condition, &partitions.keys))
            .collect::<Result<Vec<_>>>()?;
        let wanted = candidates
            .iter()
            .filter(|partition| conditions.iter().all(|bound| bound.holds(partition)));
        Ok(Arc::new(Partitions {
            version: partitions.version,
            keys: Arc::clone(&partitions.keys),
            items: wanted.cloned().collect(),
        }))
    }
}

impl PartitionPredicate {
    /// The values of the one partition that the predicate can select; `None` unless it has an
    /// equality for every key.
    fn complete_values<'a>(&'a self, keys: &[PartitionKey]) -> Option<Vec<&'a str>> {
        let value_of = |key: &PartitionKey| {
            let mut conditions = self.conditions.iter();
            let equal = conditions
                .find(|condition| condition.op == Comparison::Equal && condition.key == key.name);
            equal.map(|condition| condition.value.as_str())
        };
        keys.iter().map(value_of).collect()
    }
}

/// A condition with the position and type of its key.
struct Bound<'a> {
    position: usize,
    key: &'a PartitionKey,
    op: Comparison,
    /// As a canonical text.
    constant: String,
}

impl<'a> Bound<'a> {
    fn new(condition: &KeyCondition, keys: &'a [PartitionKey]) -> Result<Bound<'a>> {
        let name = &condition.key;
        let found = keys.iter().enumerate().find(|(_, key)| key.name == *name);
        let (position, key) = found.ok_or_else(|| {
            let known: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
            CatalogError::invalid(format!(
                "\"{name}\" is no partition key; the keys are {}",
                known.join(", ")
            ))
        })?;
        Ok(Bound {
            position,
            key,
            op: condition.op,
            constant: canonical_value(key, &condition.value)?.into_owned(),
        })
    }

    /// Also `true` for a stored value that is not of its key's type, so that none is lost here.
    fn holds(&self, partition: &Partition) -> bool {
        let Some(value) = partition.values.get(self.position) else {
            return true;
        };
        let Ok(value) = canonical_value(self.key, value) else {
            return true;
        };
        self.compares(&value)
    }

    fn compares(&self, value: &str) -> bool {
        let constant = self.constant.as_str();
        match self.op {
            // The canonical texts of equal values are equal.
            Comparison::Equal => return value == constant,
            Comparison::NotEqual => return value != constant && !is_null(value),
            _ if is_null(value) || is_null(constant) => return false,
            _ => {}
        }
        let Some(order) = order(&self.key.data_type, value, constant) else {
            return true;
        };
        match self.op {
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
            Comparison::Equal | Comparison::NotEqual => true,
        }
    }
}

/// The order of two values by their canonical texts; `None` where they have none.
fn order(data_type: &HiveType, left: &str, right: &str) -> Option<Ordering> {
    match data_type {
        HiveType::TinyInt | HiveType::SmallInt | HiveType::Int | HiveType::BigInt => {
            let (left, right): (i64, i64) = (left.parse().ok()?, right.parse().ok()?);
            Some(left.cmp(&right))
        }
        HiveType::Float | HiveType::Double => {
            let (left, right): (f64, f64) = (left.parse().ok()?, right.parse().ok()?);
            left.partial_cmp(&right)
        }
        HiveType::Decimal(..) => Some(decimal_order(left, right)),
        // Texts by their bytes; dates, timestamps and booleans have texts in their order.
        HiveType::String
        | HiveType::Binary
        | HiveType::Varchar(_)
        | HiveType::Char(_)
        | HiveType::Boolean
        | HiveType::Date
        | HiveType::Timestamp => Some(left.cmp(right)),
        HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_) => None,
    }
}

/// Of decimals in canonical form: without leading zeros, and without trailing ones in the fraction.
fn decimal_order(left: &str, right: &str) -> Ordering {
    let magnitude = |text: &str, other: &str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let (other_whole, other_fraction) = other.split_once('.').unwrap_or((other, ""));
        let whole_order = (whole.len(), whole).cmp(&(other_whole.len(), other_whole));
        whole_order.then_with(|| fraction.cmp(other_fraction))
    };
    match (left.strip_prefix('-'), right.strip_prefix('-')) {
        (None, None) => magnitude(left, right),
        (Some(left), Some(right)) => magnitude(right, left),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    use super::*;
    use crate::partition::HIVE_DEFAULT_PARTITION;

    #[test]
    fn values_compare_as_values_of_their_type() {
        for (data_type, left, right, expected) in [
            ("int", "9", "10", Ordering::Less),
            ("bigint", "-10", "-9", Ordering::Less),
            ("double", "1e3", "999.5", Ordering::Greater),
            ("decimal(10,2)", "9.5", "10", Ordering::Less),
            ("decimal(10,2)", "-9.5", "-10", Ordering::Greater),
            ("decimal(10,2)", "-1", "0.5", Ordering::Less),
            ("decimal(10,2)", "1.25", "1.3", Ordering::Less),
            ("decimal(10,2)", "1.30", "1.3", Ordering::Equal),
            ("date", "2024-02-01", "2024-10-01", Ordering::Less),
            (
                "timestamp",
                "2024-01-01 00:00:00",
                "2024-01-01 00:00:00.5",
                Ordering::Less,
            ),
            ("string", "10", "9", Ordering::Less),
            ("boolean", "FALSE", "true", Ordering::Less),
        ] {
            let key = PartitionKey::new("k", data_type.parse().unwrap());
            let canonical = |value| canonical_value(&key, value).unwrap().into_owned();
            let (left, right) = (canonical(left), canonical(right));
            let found = order(&key.data_type, &left, &right).unwrap();
            assert_eq!(found, expected, "{left} and {right} as {data_type}");
        }
    }

    #[test]
    fn partitions_are_kept_if_all_conditions_hold() {
        let keys = [("day", "int"), ("city", "string")];
        let keys: Arc<[PartitionKey]> = keys
            .map(|(name, data_type)| PartitionKey::new(name, data_type.parse().unwrap()))
            .into();
        let partition = |values: [&str; 2]| {
            Arc::new(Partition {
                values: values.map(Box::from).into(),
                storage_descriptor: Arc::default(),
                parameters: None,
                creation_time: crate::model::now(),
                own_location: None,
            })
        };
        // In order of their identity keys.
        let items = [
            ["10", "Ulm"],
            ["07", "Ulm"],
            ["8", "Bonn"],
            [HIVE_DEFAULT_PARTITION, "Ulm"],
        ];
        let all = Arc::new(Partitions {
            version: 3,
            keys,
            items: items.map(partition).into(),
        });
        let days = |predicate: PartitionPredicate| {
            let found = predicate.filter(&all).unwrap();
            assert_eq!(found.version, 3);
            let days = found.items.iter().map(|item| item.values[0].to_string());
            days.collect::<Vec<_>>().join(" ")
        };
        let day = |op, value| PartitionPredicate::all().and("DAY", op, value);
        assert_eq!(days(day(Equal, "7")), "07");
        assert_eq!(days(day(NotEqual, "7")), "10 8");
        assert_eq!(days(day(Less, "10")), "07 8");
        assert_eq!(days(day(LessOrEqual, "8")), "07 8");
        assert_eq!(days(day(Greater, "8")), "10");
        assert_eq!(days(day(GreaterOrEqual, "08")), "10 8");
        assert_eq!(days(day(Greater, "7").and("city", Equal, "Ulm")), "10");
        for (op, found) in [
            (Equal, HIVE_DEFAULT_PARTITION),
            (NotEqual, "10 07 8"),
            (Less, ""),
            (GreaterOrEqual, ""),
        ] {
            assert_eq!(days(day(op, HIVE_DEFAULT_PARTITION)), found, "{op:?}");
        }
        let one = day(Equal, "7").and("city", Equal, "Ulm");
        assert_eq!(days(one.clone()), "07");
        assert_eq!(days(one.and("city", Equal, "Bonn")), "");
        assert!(Arc::ptr_eq(
            &PartitionPredicate::all().filter(&all).unwrap(),
            &all
        ));
        assert!(day(Equal, "monday").filter(&all).is_err());
        let other = PartitionPredicate::all().and("year", Equal, "1");
        assert_eq!(
            other.filter(&all).unwrap_err().to_string(),
            "\"year\" is no partition key; the keys are day, city"
        );
    }
}
