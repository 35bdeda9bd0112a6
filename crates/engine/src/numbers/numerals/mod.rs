//! `to_char(number, template)` and `to_number(text, template)` as in PostgreSQL.

mod read;
mod template;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::ScalarUDF;
use lakegate_error::{Code, Error};

use self::read::ToNumber;
use self::template::Template;
use self::write::{Digits, scientific, write, write_roman};

/// Registers `to_number`.
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(ToNumber::new())))?;
    Ok(())
}

/// Returns whether values of a type are written by the templates of numbers.
pub(crate) fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_floating() || data_type.is_decimal()
}

/// Bytes of all texts of a batch, whose offsets are 32 bits.
const MAX_BATCH_BYTES: usize = 1 << 30;

/// The numbers of a column.
enum Numbers {
    Exact(ArrayRef),
    /// With the number of decimal digits that the type keeps.
    Floats(ArrayRef, usize),
}

/// Writes numbers by templates; NULL if either is NULL.
///
/// # Errors
///
/// Patterns of a template exclude each other, or the query must stop.
pub(crate) fn texts(numbers: &ArrayRef, templates: &ArrayRef) -> Result<ArrayRef> {
    let rows = numbers.len();
    let numbers = match numbers.data_type() {
        DataType::Float64 => Numbers::Floats(Arc::clone(numbers), 15),
        floating if floating.is_floating() => {
            Numbers::Floats(cast(numbers, &DataType::Float64)?, 6)
        }
        _ => Numbers::Exact(cast(numbers, &DataType::Utf8)?),
    };
    let templates = cast(templates, &DataType::Utf8)?;
    let templates = templates.as_string::<i32>();
    let mut texts = StringBuilder::with_capacity(rows, rows * 8);
    let mut parsed: Option<(&str, Template)> = None;
    let mut text = String::new();
    for row in 0..rows {
        crate::limits::stop::check()?;
        let is_null = match &numbers {
            Numbers::Exact(array) | Numbers::Floats(array, _) => array.is_null(row),
        };
        if is_null || templates.is_null(row) {
            texts.append_null();
            continue;
        }
        let source = templates.value(row);
        let template = match parsed.take() {
            Some((known, template)) if known == source => template,
            _ => Template::parse(source)?,
        };
        text.clear();
        match &numbers {
            Numbers::Exact(array) => {
                let number = Digits::of(array.as_string::<i32>().value(row));
                write_exact(&mut text, &template, number);
            }
            Numbers::Floats(array, digits) => {
                let number = array.as_primitive::<Float64Type>().value(row);
                write_float(&mut text, &template, number, *digits);
            }
        }
        if texts.values_slice().len() + text.len() > MAX_BATCH_BYTES {
            let message = "the texts of to_char are too large; use a shorter template";
            return Err(Error::new(Code::ResultTooLarge, message).into());
        }
        texts.append_value(&text);
        parsed = Some((source, template));
    }
    Ok(Arc::new(texts.finish()))
}

/// Returns the template of the digits that a call writes: those that `V` moves before the point are
/// before it.
fn moved(template: &Template) -> Template {
    Template {
        before: template.before + template.shift,
        ..template.clone()
    }
}

fn write_exact(out: &mut String, template: &Template, number: Digits) {
    if template.roman {
        let whole = number.rounded(0);
        let value = whole.text.parse().unwrap_or(i64::MAX);
        return write_roman(out, template, if whole.negative { 0 } else { value });
    }
    if template.scientific {
        out.push_str(&exact_scientific(&number, template.after));
        return;
    }
    let number = number.shifted(template.shift).rounded(template.after);
    write(out, &moved(template), &number);
}

fn write_float(out: &mut String, template: &Template, number: f64, digits: usize) {
    if template.roman {
        return write_roman(out, template, number.round_ties_even() as i64);
    }
    if template.scientific {
        let text = match number.is_finite() {
            true => scientific(&format!("{number:.*e}", template.after)),
            false => format!(
                " {}.{}",
                "#".repeat(template.before),
                "#".repeat(template.after + 4)
            ),
        };
        out.push_str(&text);
        return;
    }
    let shift = i32::try_from(template.shift).unwrap_or(i32::MAX);
    let number = number * 10f64.powi(shift);
    let whole = format!("{:.0}", number.abs()).len();
    // Digits that the type does not keep are not shown.
    let after = template.after.min(digits.saturating_sub(whole));
    let template = Template {
        after,
        ..moved(template)
    };
    let text = match number.is_infinite() {
        true => if number < 0.0 {
            "-Infinity"
        } else {
            "Infinity"
        }
        .to_owned(),
        false => format!("{number:.after$}"),
    };
    write(out, &template, &Digits::of(&text));
}

/// Returns a number with an exponent, rounded half away from zero.
fn exact_scientific(number: &Digits, places: usize) -> String {
    let (whole, fraction) = number
        .text
        .split_once('.')
        .unwrap_or((number.text.as_str(), ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    if significant.is_empty() {
        let zero = Digits::of("0").rounded(places);
        return scientific(&format!("{}e0", zero.text));
    }
    let zeros = all.len() - significant.len();
    let exponent = whole.len() as i64 - 1 - zeros as i64;
    let (first, rest) = significant.split_at(1);
    // As in PostgreSQL, 9.999 with two digits is 10.00e+00.
    let rounded = Digits::of(&format!("{first}.{rest}")).rounded(places).text;
    let sign = if number.negative { "-" } else { "" };
    scientific(&format!("{sign}{rounded}e{exponent}"))
}
