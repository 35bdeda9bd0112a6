//! Colors of a terminal: `color`, `rgb`, `render` and `bar`.
//!
//! A color is a text: `#rrggbb`, or the name of one of the terminal's eight colors, as Trino shows
//! it.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{Coercion, TypeSignature, TypeSignatureClass};

use super::arguments::{Bigints, Texts, argument, bigint, double, invalid, quoted, takes, text};
use crate::docs::Page;
use crate::entry::Entry;
use crate::json::push_double;
use crate::kernel::{Call, Kernel, Returns};

const SECTION: &str = "Color";

/// The terminal's colors, in the order of their numbers.
const NAMES: [&str; 8] = [
    "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
];

/// The sequence that ends a color.
const RESET: &str = "\u{1b}[0m";

/// Bytes of the sequence that starts a color, at most.
const START: usize = 11;

static COLOR: Page = Page {
    name: "color",
    section: SECTION,
    syntax: "color(text)",
    sentence: "Returns the color of a name or of #rgb, or one between two colors by a fraction, or by the place of a value in a range.",
    example: "color(0.5, color('#f00'), color('#0f0'))",
    result: "#ffff00",
};

static RGB: Page = Page {
    name: "rgb",
    section: SECTION,
    syntax: "rgb(red, green, blue)",
    sentence: "Returns the color of three parts from 0 to 255.",
    example: "rgb(255, 128, 0)",
    result: "#ff8000",
};

static RENDER: Page = Page {
    name: "render",
    section: SECTION,
    syntax: "render(value, color)",
    sentence: "Returns a value in a color of the terminal, or a green or a red mark of a boolean.",
    example: "to_hex(to_utf8(render('a', color('red'))))",
    result: "1B5B33383B353B316D611B5B306D",
};

static BAR: Page = Page {
    name: "bar",
    section: SECTION,
    syntax: "bar(fraction, width[, low_color, high_color])",
    sentence: "Returns a bar of a width in characters, of which a fraction is filled with colors between two.",
    example: "length(bar(0.5, 4))",
    result: "30",
};

pub(super) fn entries() -> Vec<Entry> {
    let utf8 = || Returns::Type(DataType::Utf8);
    let boolean = Coercion::new_exact(TypeSignatureClass::Native(
        datafusion::common::types::logical_boolean(),
    ));
    let kernels = [
        Kernel::new(
            &COLOR,
            vec![
                takes([text()]),
                takes([double(), text(), text()]),
                takes([double(), double(), double(), text(), text()]),
            ],
            utf8(),
            color,
        ),
        Kernel::new(
            &RGB,
            vec![takes([bigint(), bigint(), bigint()])],
            utf8(),
            rgb,
        ),
        Kernel::new(
            &RENDER,
            vec![
                TypeSignature::Coercible(vec![boolean]),
                takes([text(), text()]),
                takes([bigint(), text()]),
                takes([double(), text()]),
            ],
            utf8(),
            render,
        ),
        Kernel::new(
            &BAR,
            vec![
                takes([double(), bigint()]),
                takes([double(), bigint(), text(), text()]),
            ],
            utf8(),
            bar,
        ),
    ];
    kernels.into_iter().map(Entry::scalar).collect()
}

/// A color of the terminal, or a mixed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Color {
    Named(u8),
    Rgb([u8; 3]),
}

impl Color {
    /// Reads a color as [`Self::write`] writes it, or `#rgb`.
    ///
    /// # Errors
    ///
    /// The text is not a color.
    fn read(text: &str) -> Result<Self> {
        let named = NAMES
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text));
        if let Some(index) = named {
            return Ok(Self::Named(index as u8));
        }
        let digits: Option<Vec<u8>> = text.strip_prefix('#').and_then(|digits| {
            digits
                .chars()
                .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
                .collect()
        });
        match digits.as_deref() {
            Some(&[r, g, b]) => Ok(Self::Rgb([17 * r, 17 * g, 17 * b])),
            Some(&[r, s, g, h, b, c]) => Ok(Self::Rgb([16 * r + s, 16 * g + h, 16 * b + c])),
            _ => Err(invalid(format!(
                "{} is no color: a color is #rgb, or one of {}",
                quoted(text),
                NAMES.join(", ")
            ))),
        }
    }

    fn write(self, out: &mut StringBuilder) {
        // Writing to memory does not fail.
        let _ = match self {
            Self::Named(index) => out.write_str(NAMES.get(usize::from(index)).unwrap_or(&"")),
            Self::Rgb([r, g, b]) => write!(out, "#{r:02x}{g:02x}{b:02x}"),
        };
    }

    /// Writes the sequence that starts the color.
    fn start(self, out: &mut StringBuilder) {
        let number = match self {
            Self::Named(index) => u16::from(index),
            Self::Rgb(parts) => {
                let [r, g, b] = parts.map(|part| u16::from(part) * 6 / 256);
                16 + r * 36 + g * 6 + b
            }
        };
        let _ = write!(out, "\u{1b}[38;5;{number}m");
    }

    /// The parts of a mixed color.
    ///
    /// # Errors
    ///
    /// It is one of the terminal's colors, whose parts are the terminal's.
    fn parts(self) -> Result<[u8; 3]> {
        match self {
            Self::Rgb(parts) => Ok(parts),
            Self::Named(index) => Err(invalid(format!(
                "the color {} has no parts to mix; write it as #rgb",
                NAMES.get(usize::from(index)).unwrap_or(&"")
            ))),
        }
    }
}

/// Hue, saturation and value, each from 0 to 1.
fn hsv(parts: [u8; 3]) -> [f32; 3] {
    let [r, g, b] = parts.map(f32::from);
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let value = most / 255.0;
    if most == least {
        return [0.0, 0.0, value];
    }
    let spread = most - least;
    let [r_left, g_left, b_left] = [r, g, b].map(|part| (most - part) / spread);
    let sixths = if r == most {
        b_left - g_left
    } else if g == most {
        2.0 + r_left - b_left
    } else {
        4.0 + g_left - r_left
    };
    let hue = sixths / 6.0;
    let hue = if hue < 0.0 { hue + 1.0 } else { hue };
    [hue, spread / most, value]
}

fn of_hsv([hue, saturation, value]: [f32; 3]) -> [u8; 3] {
    let part = |of: f32| (of * 255.0 + 0.5) as u8;
    if saturation == 0.0 {
        return [part(value); 3];
    }
    let sixths = (hue - hue.floor()) * 6.0;
    let rest = sixths - sixths.floor();
    let low = value * (1.0 - saturation);
    let falling = value * (1.0 - saturation * rest);
    let rising = value * (1.0 - saturation * (1.0 - rest));
    let parts = match sixths as u8 {
        0 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    };
    parts.map(part)
}

/// Returns the color at a fraction of the way between two.
fn between(fraction: f32, low: [u8; 3], high: [u8; 3]) -> Color {
    let (low, high) = (hsv(low), hsv(high));
    let mut at = [0.0; 3];
    for ((at, low), high) in at.iter_mut().zip(low).zip(high) {
        *at = fraction * (high - low) + low;
    }
    Color::Rgb(of_hsv(at))
}

/// An argument of numbers, read by row.
struct Doubles {
    array: arrow::array::Float64Array,
    constant: bool,
}

impl Doubles {
    fn of(call: &Call<'_>, index: usize) -> Result<Self> {
        let column = argument(call, index)?;
        let array = super::arguments::as_type(&column.array, &DataType::Float64)?;
        Ok(Self {
            array: array.as_primitive::<Float64Type>().clone(),
            constant: column.constant,
        })
    }

    fn get(&self, row: usize) -> Option<f64> {
        use arrow::array::Array;
        let index = if self.constant { 0 } else { row };
        self.array.is_valid(index).then(|| self.array.value(index))
    }
}

/// Writes a text for each row; `write` returns whether there is one.
fn texts(
    call: &Call<'_>,
    mut write: impl FnMut(usize, &mut StringBuilder) -> Result<bool>,
) -> Result<ArrayRef> {
    let mut out = StringBuilder::new();
    for row in 0..call.rows {
        call.work.step()?;
        match write(row, &mut out)? {
            true => out.append_value(""),
            false => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn color(call: &Call<'_>) -> Result<ArrayRef> {
    let count = call.columns.len();
    if count == 1 {
        let names = Texts::of(call, 0)?;
        return texts(call, |row, out| {
            let Some(name) = names.get(row) else {
                return Ok(false);
            };
            call.work.builds(7)?;
            Color::read(name)?.write(out);
            Ok(true)
        });
    }
    let numbers = (0..count - 2)
        .map(|index| Doubles::of(call, index))
        .collect::<Result<Vec<_>>>()?;
    let (lows, highs) = (Texts::of(call, count - 2)?, Texts::of(call, count - 1)?);
    texts(call, |row, out| {
        let values: Option<Vec<f64>> = numbers.iter().map(|numbers| numbers.get(row)).collect();
        let (Some(values), Some(low), Some(high)) = (values, lows.get(row), highs.get(row)) else {
            return Ok(false);
        };
        call.work.builds(7)?;
        let fraction = match values.as_slice() {
            [value, from, to] => (value - from) / (to - from),
            [fraction, ..] => *fraction,
            [] => f64::NAN,
        };
        let (low, high) = (Color::read(low)?.parts()?, Color::read(high)?.parts()?);
        between(fraction.clamp(0.0, 1.0) as f32, low, high).write(out);
        Ok(true)
    })
}

fn rgb(call: &Call<'_>) -> Result<ArrayRef> {
    let columns = [
        Bigints::of(call, 0)?,
        Bigints::of(call, 1)?,
        Bigints::of(call, 2)?,
    ];
    texts(call, |row, out| {
        let mut parts = [0u8; 3];
        for ((part, column), name) in parts.iter_mut().zip(&columns).zip(["red", "green", "blue"]) {
            let Some(value) = column.get(row) else {
                return Ok(false);
            };
            *part = u8::try_from(value)
                .map_err(|_| invalid(format!("{name} must be from 0 to 255, not {value}")))?;
        }
        call.work.builds(7)?;
        Color::Rgb(parts).write(out);
        Ok(true)
    })
}

fn render(call: &Call<'_>) -> Result<ArrayRef> {
    let column = argument(call, 0)?;
    if let Some(values) = column.array.as_boolean_opt() {
        return texts(call, |row, out| {
            if column.is_null(row) {
                return Ok(false);
            }
            call.work.builds(START + 3 + RESET.len())?;
            let (color, mark) = match values.value(column.at(row)) {
                true => (2, '✓'),
                false => (1, '✗'),
            };
            Color::Named(color).start(out);
            let _ = write!(out, "{mark}{RESET}");
            Ok(true)
        });
    }
    let colors = Texts::of(call, 1)?;
    let whole = column.array.as_primitive_opt::<Int64Type>();
    let floating = column.array.as_primitive_opt::<Float64Type>();
    let values = match whole.is_none() && floating.is_none() {
        true => Some(Texts::from(column)?),
        false => None,
    };
    let mut number = String::new();
    texts(call, |row, out| {
        let Some(color) = colors.get(row).filter(|_| !column.is_null(row)) else {
            return Ok(false);
        };
        number.clear();
        let at = column.at(row);
        let shown = match (&values, whole, floating) {
            (Some(values), ..) => values.get(row).unwrap_or_default(),
            (None, Some(whole), _) => {
                let _ = write!(number, "{}", whole.value(at));
                number.as_str()
            }
            (None, None, Some(floating)) => {
                push_double(floating.value(at), &mut number);
                number.as_str()
            }
            (None, None, None) => "",
        };
        call.work.builds(START + shown.len() + RESET.len())?;
        Color::read(color)?.start(out);
        let _ = out.write_str(shown);
        let _ = out.write_str(RESET);
        Ok(true)
    })
}

fn bar(call: &Call<'_>) -> Result<ArrayRef> {
    let (fractions, widths) = (Doubles::of(call, 0)?, Bigints::of(call, 1)?);
    let (lows, highs) = (Texts::optional(call, 2)?, Texts::optional(call, 3)?);
    let (red, green) = (Color::Rgb([255, 0, 0]), Color::Rgb([0, 255, 0]));
    let of = |colors: &Option<Texts>, row: usize, default: Color| match colors {
        None => Ok(Some(default)),
        Some(colors) => colors.get(row).map(Color::read).transpose(),
    };
    texts(call, |row, out| {
        let (Some(fraction), Some(width), Some(low), Some(high)) = (
            fractions.get(row),
            widths.get(row),
            of(&lows, row, red)?,
            of(&highs, row, green)?,
        ) else {
            return Ok(false);
        };
        // As Java makes an int of a double: NaN is 0, and the cast saturates.
        let filled = i64::from((fraction * width as f64) as i32);
        let filled = filled.min(width).max(0);
        let empty = usize::try_from(width - filled).unwrap_or(0);
        let bytes = usize::try_from(filled)
            .unwrap_or(0)
            .saturating_mul(START + 3);
        call.work
            .builds(bytes.saturating_add(empty).saturating_add(RESET.len()))?;
        for place in 0..filled {
            call.work.step()?;
            let at = place as f64 / (width - 1) as f64;
            between(at as f32, low.parts()?, high.parts()?).start(out);
            let _ = out.write_char('█');
        }
        let _ = out.write_str(RESET);
        for _ in 0..empty {
            let _ = out.write_char(' ');
        }
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn colors_have_names_or_parts() {
        let query = "SELECT color(x) FROM (VALUES ('RED'), ('#0f8'), (NULL), ('white')) t(x)";
        let expected = ["red", "#00ff88", "NULL", "white"];
        assert_eq!(rows(query).await.unwrap(), expected);
        assert!(error("color('#00')").await.contains("is no color"));
        assert!(error("color('#é0')").await.contains("is no color"));
        assert!(error("rgb(0, 256, 0)").await.contains("green"));
        assert_eq!(value("rgb(NULL, 1, 2)").await.unwrap(), "NULL");
    }

    #[tokio::test]
    async fn colors_are_mixed_by_hue() {
        for (call, expected) in [
            ("color(0, color('#f00'), color('#00f'))", "#ff0000"),
            ("color(-1e0, color('#f00'), color('#00f'))", "#ff0000"),
            ("color(1, color('#f00'), color('#00f'))", "#0000ff"),
            ("color(50, 0, 100, color('#000'), color('#fff'))", "#808080"),
            ("color(0.25, color('#f00'), color('#0f0'))", "#ff8000"),
            ("color(nan(), color('#f00'), color('#0f0'))", "#000000"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
        let refused = error("color(0.5, color('red'), color('#fff'))").await;
        assert!(refused.contains("no parts"), "{refused}");
    }

    #[tokio::test]
    async fn values_are_rendered() {
        for (call, expected) in [
            ("render(12, color('blue'))", "\u{1b}[38;5;4m12\u{1b}[0m"),
            ("render(1e0, color('#fff'))", "\u{1b}[38;5;231m1.0\u{1b}[0m"),
            ("render(true)", "\u{1b}[38;5;2m✓\u{1b}[0m"),
            ("render(false)", "\u{1b}[38;5;1m✗\u{1b}[0m"),
            ("render(CAST(NULL AS boolean))", "NULL"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
    }

    #[tokio::test]
    async fn bars_are_filled_to_a_fraction() {
        for (call, expected) in [
            ("bar(0, 2)", "\u{1b}[0m  "),
            ("bar(2, 1)", "\u{1b}[38;5;16m█\u{1b}[0m"),
            ("bar(1, 2)", "\u{1b}[38;5;196m█\u{1b}[38;5;46m█\u{1b}[0m"),
            ("bar(-1, 1)", "\u{1b}[0m "),
            ("bar(0.5, -3)", "\u{1b}[0m"),
            ("bar(NULL, 3)", "NULL"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
        let refused = error("bar(0.5, 9223372036854775807)").await;
        assert!(!refused.starts_with("no error"), "{refused}");
    }
}
