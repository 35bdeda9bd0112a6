//! The pieces of a format string.

use datafusion::error::Result;

use super::super::arguments::{invalid, quoted};

/// A text, or a value to be written.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Value(Spec),
}

/// `%[index$][flags][width][.precision]conversion`
#[derive(Debug)]
pub(super) struct Spec {
    pub argument: Argument,
    pub flags: Flags,
    pub width: Option<usize>,
    pub precision: Option<usize>,
    pub conversion: Conversion,
    /// The conversion's letter was in upper case, and so is the result.
    pub upper: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    /// The next one of those that are not addressed.
    Next,
    /// `<`: the one before.
    Same,
    /// From 0.
    At(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
    Boolean,
    Hash,
    Text,
    Character,
    Decimal,
    Octal,
    Hexadecimal,
    Scientific,
    Fixed,
    General,
    /// A field of a date or a time, such as `tY`.
    Time(char),
    Percent,
    Line,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags {
    /// `-`
    pub left: bool,
    /// `#`
    pub alternate: bool,
    /// `+`
    pub plus: bool,
    /// A space.
    pub space: bool,
    /// `0`
    pub zero: bool,
    /// `,`
    pub group: bool,
    /// `(`
    pub parentheses: bool,
}

/// Splits a format string into its pieces.
///
/// # Errors
///
/// A `%` does not begin what Java's `Formatter` knows.
pub(super) fn pieces(format: &str) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let mut reader = Reader { rest: after };
        let spec = reader.spec().and_then(checked);
        let spec = spec.map_err(|reason| {
            let end = after.len() - reader.rest.len();
            let spec = quoted(&format!("%{}", after.get(..end).unwrap_or_default()));
            invalid(format!(
                "{spec} in the format {} is wrong: {reason}",
                quoted(format)
            ))
        })?;
        pieces.push(Piece::Value(spec));
        rest = reader.rest;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    fn take(&mut self, expected: char) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A number of digits; `None` if there is none.
    fn number(&mut self) -> Result<Option<usize>, &'static str> {
        let end = self.rest.find(|digit: char| !digit.is_ascii_digit());
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        if digits.is_empty() {
            return Ok(None);
        }
        match digits.parse::<u32>() {
            Ok(number) if number <= i32::MAX.unsigned_abs() => Ok(Some(number as usize)),
            _ => Err("a number is too large"),
        }
    }

    fn spec(&mut self) -> Result<Spec, &'static str> {
        let mut argument = Argument::Next;
        if self.take('<') {
            argument = Argument::Same;
        } else {
            let start = self.rest;
            let index = self.number()?;
            match index {
                Some(index) if self.take('$') => match index.checked_sub(1) {
                    Some(index) => argument = Argument::At(index),
                    None => return Err("arguments are counted from 1"),
                },
                _ => self.rest = start,
            }
        }
        let mut flags = Flags::default();
        while let Some(flag) = self.rest.chars().next() {
            let flag = match flag {
                '-' => &mut flags.left,
                '#' => &mut flags.alternate,
                '+' => &mut flags.plus,
                ' ' => &mut flags.space,
                '0' => &mut flags.zero,
                ',' => &mut flags.group,
                '(' => &mut flags.parentheses,
                '<' if argument == Argument::Next => {
                    argument = Argument::Same;
                    self.next();
                    continue;
                }
                _ => break,
            };
            if std::mem::replace(flag, true) {
                return Err("a flag is there twice");
            }
            self.next();
        }
        let width = self.number()?;
        let precision = match self.take('.') {
            false => None,
            true => match self.number()? {
                None => return Err("a precision has digits"),
                precision => precision,
            },
        };
        let Some(letter) = self.next() else {
            return Err("the conversion is missing");
        };
        let upper = letter.is_ascii_uppercase();
        let conversion = match letter {
            'b' | 'B' => Conversion::Boolean,
            'h' | 'H' => Conversion::Hash,
            's' | 'S' => Conversion::Text,
            'c' | 'C' => Conversion::Character,
            'd' => Conversion::Decimal,
            'o' => Conversion::Octal,
            'x' | 'X' => Conversion::Hexadecimal,
            'e' | 'E' => Conversion::Scientific,
            'f' => Conversion::Fixed,
            'g' | 'G' => Conversion::General,
            't' | 'T' => match self.next() {
                Some(field) => Conversion::Time(field),
                None => return Err("the field of a time is missing"),
            },
            '%' => Conversion::Percent,
            'n' => Conversion::Line,
            'a' | 'A' => return Err("hexadecimal floating-point numbers are not supported"),
            _ => return Err("the conversion is not known"),
        };
        Ok(Spec {
            argument,
            flags,
            width,
            precision,
            conversion,
            upper,
        })
    }
}

/// Refuses what Java's `Formatter` refuses of any value.
fn checked(spec: Spec) -> Result<Spec, &'static str> {
    let flags = spec.flags;
    let has_sign = flags.plus || flags.space || flags.parentheses;
    let is_number = matches!(
        spec.conversion,
        Conversion::Decimal
            | Conversion::Octal
            | Conversion::Hexadecimal
            | Conversion::Scientific
            | Conversion::Fixed
            | Conversion::General
    );
    if flags.left && spec.width.is_none() {
        return Err("the flag '-' takes a width");
    }
    if !is_number && (has_sign || flags.zero || flags.group) {
        return Err("a flag is for numbers only");
    }
    if is_number && flags.zero && spec.width.is_none() {
        return Err("the flag '0' takes a width");
    }
    if (flags.plus && flags.space) || (flags.left && flags.zero) {
        return Err("two flags exclude each other");
    }
    let takes_precision = matches!(
        spec.conversion,
        Conversion::Boolean
            | Conversion::Hash
            | Conversion::Text
            | Conversion::Scientific
            | Conversion::Fixed
            | Conversion::General
    );
    if spec.precision.is_some() && !takes_precision {
        return Err("the conversion takes no precision");
    }
    let takes_alternate = matches!(
        spec.conversion,
        Conversion::Octal | Conversion::Hexadecimal | Conversion::Scientific | Conversion::Fixed
    );
    let takes_group = matches!(
        spec.conversion,
        Conversion::Decimal | Conversion::Fixed | Conversion::General
    );
    let is_base = matches!(spec.conversion, Conversion::Octal | Conversion::Hexadecimal);
    if (flags.alternate && !takes_alternate)
        || (flags.group && !takes_group)
        || (has_sign && is_base)
    {
        return Err("the conversion does not take one of the flags");
    }
    if spec.conversion == Conversion::Line && spec.width.is_some() {
        return Err("the conversion takes no width");
    }
    Ok(spec)
}
