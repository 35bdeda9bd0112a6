//! Trigonometric functions of degrees. They are exact for multiples of 30 and 45 degrees, as in
//! PostgreSQL, whose calculations these are (`float.c`).

use std::f64::consts::PI;

use arrow::datatypes::DataType;
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use crate::postgres::{Cell, PgFunction};

/// A function of one angle, or of one number that returns an angle.
type Of = fn(f64) -> Result<f64, Error>;

const ALL: [(&str, Of); 7] = [
    ("sind", sine),
    ("cosd", cosine),
    ("tand", tangent),
    ("cotd", cotangent),
    ("asind", arc_sine),
    ("acosd", arc_cosine),
    ("atand", arc_tangent),
];

pub(super) fn functions() -> Vec<PgFunction> {
    let single = ALL.map(|(name, of)| {
        PgFunction::new(name, 1..=1, DataType::Float64, move |args| {
            let angle = args.first().map_or(Ok(f64::NAN), number)?;
            Ok(Cell::Float(of(angle)?))
        })
        .immutable()
    });
    let mut functions = Vec::from(single);
    let arc_tangent_of_two = PgFunction::new("atan2d", 2..=2, DataType::Float64, |args| {
        let y = args.first().map_or(Ok(f64::NAN), number)?;
        let x = args.get(1).map_or(Ok(f64::NAN), number)?;
        Ok(Cell::Float(y.atan2(x) / 1.0_f64.atan() * 45.0))
    });
    functions.push(arc_tangent_of_two.immutable());
    functions
}

fn number(cell: &Cell<'static>) -> Result<f64, Error> {
    let text = match cell {
        Cell::Int(number) => return Ok(*number as f64),
        Cell::Float(number) => return Ok(*number),
        other => other.to_text().unwrap_or_default(),
    };
    text.trim().parse().map_err(|_| {
        let message = format!("invalid input syntax for type double precision: \"{text}\"");
        Error::new(Code::InvalidCast, message)
    })
}

fn out_of_range() -> Error {
    Error::new(Code::NumericOutOfRange, "input is out of range")
}

/// An angle from 0 to 90 degrees that has the same sine and cosine as another, except for signs.
struct Reduced {
    angle: f64,
    /// Whether the other angle is in a half circle below zero.
    is_below: bool,
    /// Whether the other angle points to the left.
    is_left: bool,
}

fn reduced(angle: f64) -> Result<Reduced, Error> {
    if angle.is_infinite() {
        return Err(out_of_range());
    }
    let mut angle = angle % 360.0;
    let mut is_below = angle < 0.0;
    angle = angle.abs();
    if angle > 180.0 {
        angle = 360.0 - angle;
        is_below = !is_below;
    }
    let is_left = angle > 90.0;
    if is_left {
        angle = 180.0 - angle;
    }
    Ok(Reduced {
        angle,
        is_below,
        is_left,
    })
}

fn radians(degrees: f64) -> f64 {
    degrees * (PI / 180.0)
}

/// Of 0 to 30 degrees.
fn small_sine(angle: f64) -> f64 {
    radians(angle).sin() / radians(30.0).sin() / 2.0
}

/// Of 0 to 60 degrees.
fn small_cosine(angle: f64) -> f64 {
    1.0 - (1.0 - radians(angle).cos()) / (1.0 - radians(60.0).cos()) / 2.0
}

/// Of 0 to 90 degrees.
fn first_sine(angle: f64) -> f64 {
    match angle <= 30.0 {
        true => small_sine(angle),
        false => small_cosine(90.0 - angle),
    }
}

/// Of 0 to 90 degrees.
fn first_cosine(angle: f64) -> f64 {
    match angle <= 60.0 {
        true => small_cosine(angle),
        false => small_sine(90.0 - angle),
    }
}

fn signed(value: f64, is_negative: bool) -> f64 {
    let value = if is_negative { -value } else { value };
    // There is no negative zero.
    value + 0.0
}

fn sine(angle: f64) -> Result<f64, Error> {
    let of = reduced(angle)?;
    let value = first_sine(of.angle);
    Ok(if of.is_below { -value } else { value })
}

fn cosine(angle: f64) -> Result<f64, Error> {
    let of = reduced(angle)?;
    let value = first_cosine(of.angle);
    Ok(if of.is_left { -value } else { value })
}

fn tangent(angle: f64) -> Result<f64, Error> {
    let of = reduced(angle)?;
    let value = first_sine(of.angle) / first_cosine(of.angle);
    let unit = first_sine(45.0) / first_cosine(45.0);
    Ok(signed(value / unit, of.is_below != of.is_left))
}

fn cotangent(angle: f64) -> Result<f64, Error> {
    let of = reduced(angle)?;
    let value = first_cosine(of.angle) / first_sine(of.angle);
    let unit = first_cosine(45.0) / first_sine(45.0);
    Ok(signed(value / unit, of.is_below != of.is_left))
}

/// Of 0 to 1.
fn first_arc_sine(value: f64) -> f64 {
    match value <= 0.5 {
        true => value.asin() / 0.5_f64.asin() * 30.0,
        false => 90.0 - value.acos() / 0.5_f64.acos() * 60.0,
    }
}

/// Of 0 to 1.
fn first_arc_cosine(value: f64) -> f64 {
    match value <= 0.5 {
        true => 90.0 - value.asin() / 0.5_f64.asin() * 30.0,
        false => value.acos() / 0.5_f64.acos() * 60.0,
    }
}

/// Checks that a number is the sine of an angle.
fn checked(value: f64) -> Result<f64, Error> {
    match value.abs() > 1.0 {
        true => Err(out_of_range()),
        false => Ok(value),
    }
}

fn arc_sine(value: f64) -> Result<f64, Error> {
    let value = checked(value)?;
    Ok(match value < 0.0 {
        true => -first_arc_sine(-value),
        false => first_arc_sine(value),
    })
}

fn arc_cosine(value: f64) -> Result<f64, Error> {
    let value = checked(value)?;
    Ok(match value < 0.0 {
        true => 90.0 + first_arc_sine(-value),
        false => first_arc_cosine(value),
    })
}

fn arc_tangent(value: f64) -> Result<f64, Error> {
    Ok(value.atan() / 1.0_f64.atan() * 45.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn multiples_of_thirty_and_forty_five_are_exact() {
        for (angle, sin, cos, tan) in [
            (0.0, 0.0, 1.0, 0.0),
            (180.0, 0.0, -1.0, 0.0),
            (-360.0, 0.0, 1.0, 0.0),
        ] {
            assert_eq!(sine(angle).unwrap(), sin, "{angle}");
            assert_eq!(cosine(angle).unwrap(), cos, "{angle}");
            assert_eq!(tangent(angle).unwrap(), tan, "{angle}");
        }
        for (angle, sin) in [(30.0, 0.5), (150.0, 0.5), (210.0, -0.5), (270.0, -1.0)] {
            assert_eq!(sine(angle).unwrap(), sin, "{angle}");
        }
        for (angle, cos) in [(60.0, 0.5), (120.0, -0.5), (240.0, -0.5), (300.0, 0.5)] {
            assert_eq!(cosine(angle).unwrap(), cos, "{angle}");
        }
        for (angle, tan) in [(45.0, 1.0), (135.0, -1.0), (90.0, f64::INFINITY)] {
            assert_eq!(tangent(angle).unwrap(), tan, "{angle}");
            assert_eq!(cotangent(90.0 - angle).unwrap(), tan, "{angle}");
        }
        for (value, angle) in [(-1.0, -90.0), (-0.5, -30.0), (0.5, 30.0), (1.0, 90.0)] {
            assert_eq!(arc_sine(value).unwrap(), angle, "{value}");
            assert_eq!(arc_cosine(value).unwrap(), 90.0 - angle, "{value}");
        }
        assert_eq!(arc_tangent(-1.0).unwrap(), -45.0);
    }

    #[test]
    fn other_inputs_are_refused_or_unknown() {
        assert!(sine(f64::INFINITY).is_err());
        assert!(arc_sine(1.5).is_err());
        assert!(tangent(f64::NAN).unwrap().is_nan());
        assert!(arc_cosine(f64::NAN).unwrap().is_nan());
    }
}
