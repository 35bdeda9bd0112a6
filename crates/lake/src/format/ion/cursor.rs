//! What text and binary have in common: values, one after the other, that are entered and left.

use std::borrow::Cow;

use super::binary::Binary;
use super::numbers::Number;
use super::text::Text;
use super::{Fault, Result, broken};

/// Containers within one another at most.
pub(super) const MAX_DEPTH: usize = 128;

/// Why there is no next value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// More bytes are needed.
    More,
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Stop {
    /// Of bytes that were found to be whole before.
    pub(super) fn fault(self) -> Fault {
        match self {
            Self::More => broken("a value is cut short"),
            Self::Fault(fault) => fault,
        }
    }
}

/// A value, and what stands before it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item<'a> {
    /// The name in a struct. `None`: not in one, or the text of the symbol is not known.
    pub field: Option<Cow<'a, str>>,
    pub role: Role,
    pub value: Value<'a>,
}

/// What a value at the top of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Data,
    /// A struct is a table of symbols if it has this role.
    Table,
    /// The version marker of text.
    Marker,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// Of any type.
    Null,
    Boolean(bool),
    /// An int or a decimal.
    Number(Number),
    Float(f64),
    /// Microseconds since the Unix epoch, in UTC.
    Timestamp(i64),
    /// A string, or a symbol.
    Text(Cow<'a, str>),
    /// A symbol whose text is not known.
    Unknown,
    /// A blob, or a clob.
    Bytes(Cow<'a, [u8]>),
    /// A list, or an S-expression: [`Cursor::enter`] goes to its items.
    List,
    /// [`Cursor::enter`] goes to its fields.
    Struct,
}

impl Value<'_> {
    pub(super) fn is_container(&self) -> bool {
        matches!(self, Self::List | Self::Struct)
    }
}

/// A place between values.
#[derive(Debug, Clone)]
pub(super) enum Cursor<'a> {
    Binary(Binary<'a>),
    Text(Text<'a>),
}

impl<'a> Cursor<'a> {
    /// The next value of the container that was entered last. `None`: there are no more.
    pub(super) fn next(&mut self) -> Result<Option<Item<'a>>, Stop> {
        match self {
            Self::Binary(binary) => Ok(binary.next()?),
            Self::Text(text) => text.next(),
        }
    }

    /// Goes into the container that was returned last.
    pub(super) fn enter(&mut self) -> Result<(), Stop> {
        match self {
            Self::Binary(binary) => Ok(binary.enter()?),
            Self::Text(text) => text.enter(),
        }
    }

    /// Containers that were entered and not left.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::Binary(binary) => binary.depth(),
            Self::Text(text) => text.depth(),
        }
    }

    /// Goes behind the containers that are deeper than `depth`, and the value that was returned last.
    pub(super) fn leave_to(&mut self, depth: usize) -> Result<(), Stop> {
        match self {
            Self::Binary(binary) => {
                binary.leave_to(depth);
                Ok(())
            }
            Self::Text(text) => text.leave_to(depth),
        }
    }
}

pub(super) fn too_deep() -> Fault {
    broken(format!("its values nest more than {MAX_DEPTH} deep"))
}
