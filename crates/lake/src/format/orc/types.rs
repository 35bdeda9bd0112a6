//! The types of an ORC file: a tree in the order of its columns' numbers, the row first.

use arrow::datatypes::{DataType, Field, Fields as ArrowFields, TimeUnit};
use std::sync::Arc;

use super::wire::{Fields, Message, numbers};
use super::{Result, broken};

/// How deep types may nest.
const MAX_DEPTH: usize = 64;

/// The types of a file at most, those inside of others counted.
const MAX_TYPES: usize = 100_000;

/// Digits of a decimal at most.
const MAX_PRECISION: u32 = 38;

/// The decimals that `orc-rust` makes of times. In microseconds it refuses those that are finer, and
/// makes NULL of those it cannot move to another time zone.
pub(super) const TIME: DataType = DataType::Decimal128(38, 9);

/// Decimals of files that were written before they had a precision: Hive's.
const OLD_DECIMAL: (u32, u32) = (38, 18);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Byte,
    Short,
    Int,
    Long,
    Float,
    Double,
    /// Varchar, too.
    Text,
    /// With spaces up to its length.
    Char,
    Binary,
    Timestamp,
    List,
    Map,
    Struct,
    Union,
    Decimal,
    Date,
    TimestampInstant,
}

#[derive(Debug, Clone)]
pub(super) struct Type {
    pub kind: Kind,
    /// The number of the kind in the file.
    number: u64,
    pub children: Vec<u32>,
    /// Of the children of a struct, in lower case.
    pub names: Vec<String>,
    pub precision: u32,
    pub scale: u32,
    length: u32,
}

impl Type {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let mut parsed = Self {
            kind: Kind::Boolean,
            number: 0,
            children: Vec::new(),
            names: Vec::new(),
            precision: 0,
            scale: 0,
            length: 0,
        };
        let mut fields = Fields(bytes);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => parsed.number = value.number()?,
                2 => numbers(value, &mut parsed.children)?,
                3 => parsed.names.push(value.text()?.to_lowercase()),
                4 => parsed.length = value.small()?,
                5 => parsed.precision = value.small()?,
                6 => parsed.scale = value.small()?,
                _ => {}
            }
        }
        parsed.kind = match parsed.number {
            0 => Kind::Boolean,
            1 => Kind::Byte,
            2 => Kind::Short,
            3 => Kind::Int,
            4 => Kind::Long,
            5 => Kind::Float,
            6 => Kind::Double,
            7 | 16 => Kind::Text,
            17 => Kind::Char,
            8 => Kind::Binary,
            9 => Kind::Timestamp,
            10 => Kind::List,
            11 => Kind::Map,
            12 => Kind::Struct,
            13 => Kind::Union,
            14 => Kind::Decimal,
            15 => Kind::Date,
            18 => Kind::TimestampInstant,
            other => return Err(broken(format!("its types have the unknown kind {other}"))),
        };
        if parsed.kind == Kind::Decimal && parsed.precision == 0 {
            (parsed.precision, parsed.scale) = OLD_DECIMAL;
        }
        Ok(parsed)
    }
}

/// The types by the numbers of their columns. The first is the row's, a struct.
#[derive(Debug, Clone, Default)]
pub(super) struct Types(Vec<Type>);

impl Types {
    /// Adds the next type.
    ///
    /// # Errors
    /// The message is damaged; there are too many types.
    pub(super) fn push(&mut self, message: &[u8]) -> Result<()> {
        if self.0.len() == MAX_TYPES {
            return Err(broken(format!("it has more than {MAX_TYPES} types")));
        }
        self.0.push(Type::parse(message)?);
        Ok(())
    }

    /// # Errors
    /// The types are no tree whose nodes are numbered from the root on, or nest too deep.
    pub(super) fn check(&self) -> Result<()> {
        if self.0.first().is_none_or(|row| row.kind != Kind::Struct) {
            return Err(broken("its rows are no struct"));
        }
        let end = self.check_from(0, 0)?;
        match end == self.0.len() {
            true => Ok(()),
            false => Err(broken("its types are no tree")),
        }
    }

    /// The number that follows those of a type and all below it.
    fn check_from(&self, id: usize, depth: usize) -> Result<usize> {
        if depth > MAX_DEPTH {
            return Err(broken(format!(
                "its types nest deeper than {MAX_DEPTH} levels"
            )));
        }
        let node = self
            .0
            .get(id)
            .ok_or_else(|| broken("its types are no tree"))?;
        let children = node.children.len();
        let fits = match node.kind {
            Kind::List => children == 1,
            Kind::Map => children == 2,
            Kind::Struct => children == node.names.len(),
            Kind::Union => true,
            _ => children == 0,
        };
        if !fits {
            return Err(broken("a type has the wrong number of parts"));
        }
        let mut next = id + 1;
        for child in &node.children {
            if *child as usize != next {
                return Err(broken("its types are not numbered in order"));
            }
            next = self.check_from(next, depth + 1)?;
        }
        Ok(next)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, id: u32) -> Option<&Type> {
        self.0.get(id as usize)
    }

    /// The columns of a row: their numbers and names.
    pub(super) fn columns(&self) -> impl Iterator<Item = (u32, &str)> {
        let row = self.0.first();
        row.into_iter().flat_map(|row| {
            let names = row.names.iter().map(String::as_str);
            row.children.iter().copied().zip(names)
        })
    }

    /// The number of a type and of all below it.
    pub(super) fn range(&self, id: u32) -> std::ops::Range<u32> {
        let mut last = id;
        while let Some(child) = self.get(last).and_then(|node| node.children.last()) {
            last = *child;
        }
        id..last + 1
    }

    /// What is not read of a type, as the end of a sentence; `None`: all is read.
    pub(super) fn refused(&self, id: u32) -> Option<String> {
        self.range(id).find_map(|id| {
            let node = self.get(id)?;
            match node.kind {
                Kind::Union => Some("has a union type, which is not supported".to_owned()),
                Kind::Struct if node.children.is_empty() => {
                    Some("has a struct without fields, which is not supported".to_owned())
                }
                Kind::Decimal if node.precision > MAX_PRECISION || node.scale > node.precision => {
                    Some(format!(
                        "has type decimal({},{}), of at most {MAX_PRECISION} digits",
                        node.precision, node.scale
                    ))
                }
                _ => None,
            }
        })
    }

    /// The type of a column's arrays.
    pub(super) fn arrow(&self, id: u32) -> DataType {
        self.with_times(id, None)
    }

    /// The type that a column is decoded into: times are decimals of seconds, with all digits that
    /// the file has.
    pub(super) fn decoded(&self, id: u32) -> DataType {
        self.with_times(id, Some(TIME))
    }

    fn with_times(&self, id: u32, times: Option<DataType>) -> DataType {
        let Some(node) = self.get(id) else {
            return DataType::Null;
        };
        let child = |index: usize| {
            let child = node.children.get(index);
            child.map_or(DataType::Null, |child| {
                self.with_times(*child, times.clone())
            })
        };
        match node.kind {
            Kind::Timestamp | Kind::TimestampInstant if times.is_some() => times.unwrap_or(TIME),
            Kind::Boolean => DataType::Boolean,
            Kind::Byte => DataType::Int8,
            Kind::Short => DataType::Int16,
            Kind::Int => DataType::Int32,
            Kind::Long => DataType::Int64,
            Kind::Float => DataType::Float32,
            Kind::Double => DataType::Float64,
            Kind::Text | Kind::Char => DataType::Utf8,
            Kind::Binary => DataType::Binary,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::TimestampInstant => {
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
            }
            Kind::Decimal => {
                let precision = u8::try_from(node.precision).unwrap_or(u8::MAX);
                DataType::Decimal128(precision, i8::try_from(node.scale).unwrap_or(i8::MAX))
            }
            Kind::Date => DataType::Date32,
            Kind::List => DataType::new_list(child(0), true),
            Kind::Map => {
                let pair = vec![
                    Field::new("keys", child(0), false),
                    Field::new("values", child(1), true),
                ];
                let pair = DataType::Struct(ArrowFields::from(pair));
                DataType::Map(Arc::new(Field::new("entries", pair, false)), false)
            }
            Kind::Struct => {
                let children = node.children.iter().zip(&node.names);
                let fields = children.map(|(child, name)| {
                    Field::new(name, self.with_times(*child, times.clone()), true)
                });
                DataType::Struct(fields.collect())
            }
            Kind::Union => DataType::Null,
        }
    }

    /// A type as a file has it whose column `first` has another number. Names are in lower case.
    pub(super) fn message(&self, id: u32, renumbered: impl Fn(u32) -> u32) -> Option<Vec<u8>> {
        let node = self.get(id)?;
        let mut message = Message::default();
        message.number(1, node.number);
        for child in &node.children {
            message.number(2, u64::from(renumbered(*child)));
        }
        for name in &node.names {
            message.bytes(3, name.as_bytes());
        }
        if node.length > 0 {
            message.number(4, u64::from(node.length));
        }
        if node.kind == Kind::Decimal {
            message.number(5, u64::from(node.precision));
            message.number(6, u64::from(node.scale));
        }
        Some(message.0)
    }
}
