//! Types whose values are texts here, one entry each: their names, what reads them, and whether they
//! compare.
//!
//! ```text
//! shapes.rs     points, boxes, circles and the like
//! reader.rs     reads the numbers and points of their texts
//! wide_mac.rs   addresses of devices of eight bytes
//! ```
//!
//! A type has an OID and a binary form in the crate of the protocol, and a name among the marks of
//! parameters, besides its entry.

mod reader;
mod shapes;
mod wide_mac;

use lakegate_error::{Code, Error};

use self::Comparisons::{Missing, OfTexts};
use super::snapshots;

/// One of the types.
#[derive(Debug)]
pub(in crate::postgres) struct ValueType {
    /// Its name in `pg_type`, which is the mark of its fields.
    pub(in crate::postgres) name: &'static str,
    /// The mark of its arrays.
    pub(in crate::postgres) array: &'static str,
    /// The function that reads a value from a text.
    pub(in crate::postgres) input: &'static str,
    /// Returns a value as PostgreSQL writes it.
    pub(in crate::postgres::functions) read: fn(&str) -> Result<String, Error>,
    comparisons: Comparisons,
}

/// Which of the operators `=`, `<>`, `<`, `<=`, `>` and `>=` a type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparisons {
    /// All of them: the texts compare as the values do.
    OfTexts,
    /// In PostgreSQL these; here none.
    Missing(&'static [&'static str]),
}

macro_rules! value_type {
    ($name:literal, $read:expr, $comparisons:expr) => {
        ValueType {
            name: $name,
            array: concat!($name, "[]"),
            input: concat!("$", $name, "_in"),
            read: $read,
            comparisons: $comparisons,
        }
    };
}

static TYPES: [ValueType; 11] = [
    value_type!(
        "box",
        shapes::rectangle,
        Missing(&["=", "<", "<=", ">", ">="])
    ),
    value_type!(
        "circle",
        shapes::circle,
        Missing(&["=", "<>", "<", "<=", ">", ">="])
    ),
    value_type!("line", shapes::line, Missing(&["="])),
    value_type!(
        "lseg",
        shapes::segment,
        Missing(&["=", "<>", "<", "<=", ">", ">="])
    ),
    value_type!("macaddr8", wide_mac::text, OfTexts),
    value_type!("path", shapes::path, Missing(&["=", "<", "<=", ">", ">="])),
    value_type!("pg_snapshot", snapshots::text, Missing(&[])),
    value_type!("point", shapes::point, Missing(&["<>"])),
    value_type!("polygon", shapes::polygon, Missing(&[])),
    value_type!("refcursor", any_text, Missing(&[])),
    value_type!("txid_snapshot", snapshots::text, Missing(&[])),
];

/// Returns all of them.
pub(in crate::postgres) fn all() -> &'static [ValueType] {
    &TYPES
}

/// Returns the type of a name.
pub(in crate::postgres) fn named(name: &str) -> Option<&'static ValueType> {
    TYPES.iter().find(|of| of.name == name)
}

/// Returns the type that a mark is of, or is of arrays of.
pub(in crate::postgres) fn marked(mark: &str) -> Option<&'static ValueType> {
    named(mark.strip_suffix("[]").unwrap_or(mark))
}

/// Returns the type whose values a function reads.
pub(in crate::postgres) fn of_input(function: &str) -> Option<&'static ValueType> {
    let name = function.strip_prefix('$')?.strip_suffix("_in")?;
    named(name)
}

impl PartialEq for ValueType {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ValueType {}

impl ValueType {
    /// Returns whether its values are compared, grouped and sorted here.
    pub(in crate::postgres::functions) fn compares(&self) -> bool {
        self.comparisons == OfTexts
    }

    /// Returns the error of a comparison; `None` if values of the type compare. `operands`: the names
    /// of their types.
    pub(in crate::postgres::functions) fn refusal(
        &self,
        symbol: &str,
        operands: [&str; 2],
    ) -> Option<Error> {
        let Missing(of_postgres) = self.comparisons else {
            return None;
        };
        if of_postgres.contains(&symbol) {
            let message = format!("the operator {symbol} of {} is not supported", self.name);
            return Some(Error::not_supported(message).with_hint("compare the texts: x::text"));
        }
        let [left, right] = operands;
        let message = format!("operator does not exist: {left} {symbol} {right}");
        Some(Error::new(Code::FunctionNotFound, message))
    }

    /// Returns the error of an operation that needs `what` of the type, such as `an equality operator`;
    /// `None` if values of the type compare.
    pub(in crate::postgres::functions) fn without(&self, what: &str) -> Option<Error> {
        if self.compares() {
            return None;
        }
        let message = format!("could not identify {what} for type {}", self.name);
        let error = Error::new(Code::FunctionNotFound, message);
        Some(error.with_hint("cast it to text"))
    }
}

fn any_text(text: &str) -> Result<String, Error> {
    Ok(text.to_owned())
}

/// Returns the error of a text that is not a value of a type.
fn invalid(pg_type: &str, text: &str) -> Error {
    let shown: String = text.chars().take(100).collect();
    let message = format!("invalid input syntax for type {pg_type}: \"{shown}\"");
    Error::new(Code::InvalidCast, message)
}

/// Returns whether a character is a blank in the input of these types.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn types_are_found_by_their_names_and_functions() {
        let point = named("point").unwrap();
        assert_eq!((point.array, point.input), ("point[]", "$point_in"));
        assert_eq!(of_input("$point_in"), Some(point));
        for other in ["point_in", "$point", "$text_in", ""] {
            assert_eq!(of_input(other), None, "{other}");
        }
    }

    #[test]
    fn comparisons_without_an_operator_are_refused() {
        let code = |name: &str, symbol: &str| {
            let error = named(name).unwrap().refusal(symbol, [name, "unknown"]);
            error.map(|error| error.code())
        };
        assert_eq!(code("point", "="), Some(Code::FunctionNotFound));
        assert_eq!(code("point", "<>"), Some(Code::NotSupported));
        assert_eq!(code("box", "="), Some(Code::NotSupported));
        assert_eq!(code("macaddr8", "="), None);
        assert!(named("macaddr8").unwrap().without("an equality").is_none());
    }
}
