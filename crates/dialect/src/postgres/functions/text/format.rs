//! `format('%I.%s', …)`.

use datafusion::error::{DataFusionError, Result};
use lakegate_engine::bounded;
use lakegate_error::{Code, Error};

use super::{quote_ident, quote_literal};
use crate::postgres::{Cell, invalid};

type Letters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn digits(chars: &mut Letters<'_>) -> String {
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    digits
}

fn out_of_range() -> DataFusionError {
    Error::new(Code::NumericOutOfRange, "number is out of range").into()
}

fn number(digits: &str) -> Result<usize> {
    let number = digits.parse::<i32>().ok();
    number
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(out_of_range)
}

/// Returns the place of an argument that a template names.
fn place(digits: &str) -> Result<usize> {
    match number(digits)? {
        0 => Err(invalid(
            "format specifies argument 0, but arguments are numbered from 1",
        )),
        place => Ok(place),
    }
}

/// The error of a template that `%` or a part of a specifier ends, or that has another type.
fn no_type(found: Option<char>) -> DataFusionError {
    let message = match found {
        None => "unterminated format() type specifier".to_owned(),
        Some(c) => format!("unrecognized format() type specifier \"{c}\""),
    };
    Error::invalid(message)
        .with_hint("For a single \"%\" use \"%%\".")
        .into()
}

/// How many characters a value takes at least.
enum Width {
    Any,
    Exactly(usize),
    /// That of an argument; `None`: of the next one.
    Argument(Option<usize>),
}

/// A part of a template: `%2$-10s`.
struct Specifier {
    place: Option<usize>,
    /// Whether blanks are on the right.
    left: bool,
    width: Width,
    conversion: char,
}

impl Specifier {
    /// Reads what follows a `%`.
    fn read(chars: &mut Letters<'_>) -> Result<Self> {
        let first = digits(chars);
        let mut specifier = Self {
            place: None,
            left: false,
            width: Width::Any,
            conversion: 's',
        };
        let mut has_width = false;
        if !first.is_empty() && chars.next_if_eq(&'$').is_some() {
            specifier.place = Some(place(&first)?);
        } else if !first.is_empty() {
            specifier.width = Width::Exactly(number(&first)?);
            has_width = true;
        }
        if !has_width {
            while chars.next_if_eq(&'-').is_some() {
                specifier.left = true;
            }
            specifier.width = width_of(chars)?;
        }
        specifier.conversion = match chars.next() {
            Some(conversion @ ('s' | 'I' | 'L')) => conversion,
            other => return Err(no_type(other)),
        };
        Ok(specifier)
    }
}

/// Reads a width: `10`, `*` for that of the next argument, or `*2$`.
fn width_of(chars: &mut Letters<'_>) -> Result<Width> {
    let is_argument = chars.next_if_eq(&'*').is_some();
    let digits = digits(chars);
    Ok(match (is_argument, digits.is_empty()) {
        (false, true) => Width::Any,
        (false, false) => Width::Exactly(number(&digits)?),
        (true, true) => Width::Argument(None),
        (true, false) => match chars.next_if_eq(&'$') {
            Some(_) => Width::Argument(Some(place(&digits)?)),
            None if chars.peek().is_none() => return Err(no_type(None)),
            None => {
                return Err(invalid("width argument position must be ended by \"$\""));
            }
        },
    })
}

/// Formats like `format('%I.%I', …)`: `%s`, `%I`, `%L` and `%%`, with `n$` positions and widths.
pub(in crate::postgres::functions) fn format(args: &[Cell<'static>]) -> Result<Cell<'static>> {
    let Some(template) = args.first().and_then(Cell::as_str) else {
        return Ok(Cell::Null);
    };
    let argument = |at: usize| {
        args.get(at)
            .ok_or_else(|| invalid("too few arguments for format()"))
    };
    let mut out = String::new();
    let mut next = 1;
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        bounded::check_value("format", out.len())?;
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            out.push('%');
            continue;
        }
        let specifier = Specifier::read(&mut chars)?;
        let mut left = specifier.left;
        let width = match specifier.width {
            Width::Any => 0,
            Width::Exactly(width) => width,
            Width::Argument(place) => {
                let at = place.unwrap_or(next);
                next = at + 1;
                // A negative one has blanks on the right.
                let width = argument(at)?.as_int().unwrap_or(0);
                left |= width < 0;
                let width = i32::try_from(width.unsigned_abs()).map_err(|_| out_of_range())?;
                usize::try_from(width).map_err(|_| out_of_range())?
            }
        };
        let at = specifier.place.unwrap_or(next);
        let value = argument(at)?;
        next = at + 1;
        let text = match (specifier.conversion, value.to_text()) {
            ('I', Some(text)) => quote_ident(&text),
            ('I', None) => {
                return Err(Error::new(
                    Code::NullNotAllowed,
                    "null values cannot be formatted as an SQL identifier",
                )
                .into());
            }
            ('L', Some(text)) => quote_literal(&text),
            ('L', None) => "NULL".to_owned(),
            (_, text) => text.unwrap_or_default(),
        };
        let blanks = width.saturating_sub(text.chars().count());
        bounded::check_value("format", out.len().saturating_add(blanks))?;
        let blanks = " ".repeat(blanks);
        match left {
            true => out.extend([text, blanks]),
            false => out.extend([blanks, text]),
        }
    }
    Ok(Cell::text(out))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn format_quotes_identifiers_and_literals() {
        let args = [
            Cell::text("%I.%s = %L%% %1$s"),
            Cell::text("My t"),
            Cell::text("c"),
            Cell::text("x'y"),
        ];
        assert_eq!(
            format(&args).unwrap(),
            Cell::text("\"My t\".c = 'x''y'% My t")
        );
        let padded = [
            Cell::text("|%10s|%-10s|%-3s|%*s|%2$-4s|"),
            Cell::text("foo"),
            Cell::text("bar"),
            Cell::text("long"),
            Cell::Int(-4),
            Cell::text("é"),
        ];
        assert_eq!(
            format(&padded).unwrap(),
            Cell::text("|       foo|bar       |long|é   |bar |")
        );
    }

    #[test]
    fn wrong_templates_are_errors() {
        for (template, message) in [
            ("%", "unterminated format() type specifier"),
            ("%1", "unterminated format() type specifier"),
            ("%1$", "unterminated format() type specifier"),
            ("%-*1", "unterminated format() type specifier"),
            ("%x", "unrecognized format() type specifier \"x\""),
            ("%*1s", "width argument position must be ended by \"$\""),
            (
                "%0$s",
                "format specifies argument 0, but arguments are numbered from 1",
            ),
            (
                "%*0$s",
                "format specifies argument 0, but arguments are numbered from 1",
            ),
            ("%2$s", "too few arguments for format()"),
            ("%s%s", "too few arguments for format()"),
            ("%99999999999s", "number is out of range"),
        ] {
            let error = format(&[Cell::text(template), Cell::Int(7)]).unwrap_err();
            assert!(error.to_string().contains(message), "{template}: {error}");
        }
        assert!(format(&[Cell::text("%I"), Cell::Null]).is_err());
    }
}
