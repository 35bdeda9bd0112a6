//! `format('%I.%s', …)`.

use datafusion::error::Result;
use lakegate_engine::bounded;

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

fn place(digits: &str) -> Result<usize> {
    digits
        .parse::<u32>()
        .ok()
        .and_then(|place| usize::try_from(place).ok())
        .ok_or_else(|| invalid("number is out of range"))
}

/// Returns the width that follows: `10`, `*` for that of the next argument, or `*2$`. A negative
/// one pads on the right.
fn width_of(
    chars: &mut Letters<'_>,
    args: &[Cell<'static>],
    next: &mut usize,
    left: &mut bool,
) -> Result<Option<usize>> {
    if chars.next_if_eq(&'*').is_none() {
        let digits = digits(chars);
        return match digits.is_empty() {
            true => Ok(None),
            false => place(&digits).map(Some),
        };
    }
    let digits = digits(chars);
    let at = match digits.is_empty() {
        true => *next,
        false if chars.next_if_eq(&'$').is_some() => place(&digits)?,
        false => return Err(invalid("width argument position must be ended by \"$\"")),
    };
    *next = at + 1;
    let width = args
        .get(at)
        .filter(|_| at > 0)
        .ok_or_else(|| invalid("too few arguments for format()"))?;
    let width = width.as_int().unwrap_or(0);
    *left |= width < 0;
    let width =
        u32::try_from(width.unsigned_abs()).map_err(|_| invalid("number is out of range"))?;
    Ok(usize::try_from(width).ok())
}

/// Formats like `format('%I.%I', …)`: `%s`, `%I`, `%L` and `%%`, with `n$` positions and widths.
pub(in crate::postgres::functions) fn format(args: &[Cell<'static>]) -> Result<Cell<'static>> {
    let Some(template) = args[0].as_str() else {
        return Ok(Cell::Null);
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
        let mut width = None;
        let mut left = false;
        let mut position = None;
        let digits = digits(&mut chars);
        if !digits.is_empty() && chars.next_if_eq(&'$').is_some() {
            position = Some(place(&digits)?);
        } else if !digits.is_empty() {
            width = Some(place(&digits)?);
        }
        if width.is_none() {
            while chars.next_if_eq(&'-').is_some() {
                left = true;
            }
            width = width_of(&mut chars, args, &mut next, &mut left)?;
        }
        let at = position.unwrap_or(next);
        let value = args
            .get(at)
            .filter(|_| at > 0)
            .ok_or_else(|| invalid("too few arguments for format()"))?;
        next = at + 1;
        let text = match (chars.next(), value.to_text()) {
            (Some('s'), text) => text.unwrap_or_default(),
            (Some('I'), Some(text)) => quote_ident(&text),
            (Some('I'), None) => {
                return Err(invalid(
                    "null values cannot be formatted as an SQL identifier",
                ));
            }
            (Some('L'), Some(text)) => quote_literal(&text),
            (Some('L'), None) => "NULL".to_owned(),
            (other, _) => {
                let other = other.map_or_else(|| "its end".to_owned(), |c| format!("\"{c}\""));
                return Err(invalid(format!(
                    "format() knows %s, %I, %L and %%, not % before {other}"
                )));
            }
        };
        let blanks = width.unwrap_or(0).saturating_sub(text.chars().count());
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
        assert!(format(&[Cell::text("%I")]).is_err());
        assert!(format(&[Cell::text("%0$s"), Cell::text("a")]).is_err());
    }
}
