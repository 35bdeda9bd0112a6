//! The geometric types: `point`, `lseg`, `box`, `path`, `polygon`, `line` and `circle`.
//!
//! ```text
//! (1,2)              point
//! [(1,2),(3,4)]      lseg, path
//! ((1,2),(3,4))      closed path, polygon
//! (3,4),(1,2)        box: the corner with the greatest numbers is first
//! {1,-1,0}           line: A, B and C of Ax + By + C = 0
//! <(1,2),3>          circle
//! ```

use lakegate_error::{Code, Error};

use super::invalid;
use super::reader::{Point, Reader};
use crate::postgres::put_f64;

/// Numbers that differ by no more than this are equal.
const NEAR: f64 = 1e-6;

/// `extra_float_digits`: the shortest texts that read back.
const SHORTEST: i32 = 1;

/// # Errors
///
/// The text is not a point.
pub(super) fn point(text: &str) -> Result<String, Error> {
    let mut reader = Reader::new("point", text);
    let point = reader.point()?;
    reader.end()?;
    Ok(written("", &[point], ""))
}

/// Returns a `lseg`.
///
/// # Errors
///
/// The text is not two points.
pub(super) fn segment(text: &str) -> Result<String, Error> {
    let (points, _) = all_points(Reader::new("lseg", text), 2, true)?;
    Ok(written("[", &points, "]"))
}

/// Returns a `box`.
///
/// # Errors
///
/// The text is not two corners.
pub(super) fn rectangle(text: &str) -> Result<String, Error> {
    let (mut points, _) = all_points(Reader::new("box", text), 2, false)?;
    if let [high, low] = points.as_mut_slice() {
        if is_less(high.x, low.x) {
            std::mem::swap(&mut high.x, &mut low.x);
        }
        if is_less(high.y, low.y) {
            std::mem::swap(&mut high.y, &mut low.y);
        }
    }
    Ok(written("", &points, ""))
}

/// # Errors
///
/// The text is not one point or several.
pub(super) fn path(text: &str) -> Result<String, Error> {
    let count = pairs(text).ok_or_else(|| invalid("path", text))?;
    let mut reader = Reader::new("path", text);
    let is_enclosed = reader.opens_once() && reader.takes('(');
    let (points, is_open) = reader.points(count, true)?;
    if is_enclosed {
        reader.closes(&[')'])?;
    }
    reader.end()?;
    Ok(match is_open {
        true => written("[", &points, "]"),
        false => written("(", &points, ")"),
    })
}

/// # Errors
///
/// The text is not one point or several.
pub(super) fn polygon(text: &str) -> Result<String, Error> {
    let count = pairs(text).ok_or_else(|| invalid("polygon", text))?;
    let (points, _) = all_points(Reader::new("polygon", text), count, false)?;
    Ok(written("(", &points, ")"))
}

/// # Errors
///
/// The text is neither three numbers nor two points, or these are of no line.
pub(super) fn line(text: &str) -> Result<String, Error> {
    let mut reader = Reader::new("line", text);
    let numbers = if reader.takes('{') {
        let a = reader.number()?;
        reader.expect(',')?;
        let b = reader.number()?;
        reader.expect(',')?;
        let c = reader.number()?;
        reader.closes(&['}'])?;
        reader.end()?;
        if is_near(a, 0.0) && is_near(b, 0.0) {
            return Err(no_line("A and B cannot both be zero"));
        }
        [a, b, c]
    } else {
        let (points, _) = all_points(reader, 2, true)?;
        match points.as_slice() {
            [one, other] => through(*one, *other)?,
            _ => return Err(invalid("line", text)),
        }
    };
    let mut out = String::from("{");
    put_numbers(&mut out, &numbers);
    out.push('}');
    Ok(out)
}

/// # Errors
///
/// The text is not a centre and a radius, or the radius is negative.
pub(super) fn circle(text: &str) -> Result<String, Error> {
    let mut reader = Reader::new("circle", text);
    let is_enclosed = reader.takes('<') || reader.takes_outer();
    let centre = reader.point()?;
    reader.takes(',');
    let radius = reader.number()?;
    if radius < 0.0 {
        return Err(reader.invalid());
    }
    if is_enclosed {
        reader.closes(&[')', '>'])?;
    }
    reader.end()?;
    let mut out = String::from("<");
    put_points(&mut out, &[centre]);
    out.push(',');
    put_numbers(&mut out, &[radius]);
    out.push('>');
    Ok(out)
}

/// Reads so many points, after which nothing is left.
fn all_points(
    mut reader: Reader<'_>,
    count: usize,
    may_be_open: bool,
) -> Result<(Vec<Point>, bool), Error> {
    let points = reader.points(count, may_be_open)?;
    reader.end()?;
    Ok(points)
}

/// Returns how many points the commas of a text are of; `None` if they are of none.
fn pairs(text: &str) -> Option<usize> {
    let commas = text.bytes().filter(|byte| *byte == b',').count();
    (commas % 2 == 1).then_some(commas.div_ceil(2))
}

/// Returns whether a number is less than another one: NaN is the greatest.
fn is_less(one: f64, other: f64) -> bool {
    !one.is_nan() && (other.is_nan() || one < other)
}

fn is_near(one: f64, other: f64) -> bool {
    one == other || (one - other).abs() <= NEAR
}

fn is_same(one: f64, other: f64) -> bool {
    one == other || one.is_nan() && other.is_nan()
}

fn no_line(reason: &str) -> Error {
    let message = format!("invalid line specification: {reason}");
    Error::new(Code::InvalidCast, message)
}

/// Returns the numbers of the line through two points.
///
/// # Errors
///
/// They are one point, or too far from each other.
fn through(one: Point, other: Point) -> Result<[f64; 3], Error> {
    let has_nan = [one.x, one.y, other.x, other.y]
        .into_iter()
        .any(f64::is_nan);
    let is_equal: fn(f64, f64) -> bool = if has_nan { is_same } else { is_near };
    if is_equal(one.x, other.x) && is_equal(one.y, other.y) {
        return Err(no_line("must be two distinct points"));
    }
    if is_near(one.x, other.x) {
        return Ok([-1.0, 0.0, one.x]);
    }
    if is_near(one.y, other.y) {
        return Ok([0.0, -1.0, one.y]);
    }
    let slope = quotient(difference(one.y, other.y)?, difference(one.x, other.x)?)?;
    if slope.is_infinite() {
        return Ok([-1.0, 0.0, one.x]);
    }
    if slope == 0.0 {
        return Ok([0.0, -1.0, one.y]);
    }
    let height = difference(one.y, product(slope, one.x)?)?;
    // Zero has no sign.
    let height = if height == 0.0 { 0.0 } else { height };
    Ok([slope, -1.0, height])
}

fn difference(one: f64, other: f64) -> Result<f64, Error> {
    let result = one - other;
    let overflows = result.is_infinite() && one.is_finite() && other.is_finite();
    within_range(result, overflows, false)
}

fn product(one: f64, other: f64) -> Result<f64, Error> {
    let result = one * other;
    let overflows = result.is_infinite() && one.is_finite() && other.is_finite();
    within_range(
        result,
        overflows,
        result == 0.0 && one != 0.0 && other != 0.0,
    )
}

/// `other` is not zero.
fn quotient(one: f64, other: f64) -> Result<f64, Error> {
    let result = one / other;
    let overflows = result.is_infinite() && one.is_finite();
    let underflows = result == 0.0 && one != 0.0 && other.is_finite();
    within_range(result, overflows, underflows)
}

/// # Errors
///
/// The number overflows or underflows.
fn within_range(result: f64, overflows: bool, underflows: bool) -> Result<f64, Error> {
    let how = match (overflows, underflows) {
        (true, _) => "overflow",
        (_, true) => "underflow",
        _ => return Ok(result),
    };
    let message = format!("value out of range: {how}");
    Err(Error::new(Code::NumericOutOfRange, message))
}

fn put_numbers(out: &mut String, numbers: &[f64]) {
    for (place, number) in numbers.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        let mut digits = Default::default();
        put_f64(&mut digits, *number, SHORTEST);
        out.push_str(&String::from_utf8_lossy(&digits));
    }
}

fn put_points(out: &mut String, points: &[Point]) {
    for (place, point) in points.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push('(');
        put_numbers(out, &[point.x, point.y]);
        out.push(')');
    }
}

/// Returns the text of points between two signs.
fn written(open: &str, points: &[Point], close: &str) -> String {
    let mut out = open.to_owned();
    put_points(&mut out, points);
    out.push_str(close);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = fn(&str) -> Result<String, Error>;

    // Expected values: PostgreSQL 15.
    #[test]
    fn shapes_are_written_as_postgres_does() {
        let cases: [(Read, &str, &str); 35] = [
            (point, "1,2", "(1,2)"),
            (point, " ( 1e20 , -0 ) ", "(1e+20,-0)"),
            (point, "(NaN,-inf)", "(NaN,-Infinity)"),
            (
                point,
                "(1e-7,123456789012345678)",
                "(1e-07,1.2345678901234568e+17)",
            ),
            (point, "(.5,5.)", "(0.5,5)"),
            (point, "(INF,iNfInItY)", "(Infinity,Infinity)"),
            (segment, "(1,2),(3,4)", "[(1,2),(3,4)]"),
            (segment, "[(1,2),(3,4)]", "[(1,2),(3,4)]"),
            (segment, "((1,2),(3,4))", "[(1,2),(3,4)]"),
            (segment, "(1,2)(3,4)", "[(1,2),(3,4)]"),
            (rectangle, "0,0,1,1", "(1,1),(0,0)"),
            (rectangle, "((1,0),(0,1))", "(1,1),(0,0)"),
            (rectangle, "(NaN,1),(2,Infinity)", "(NaN,Infinity),(2,1)"),
            (rectangle, " ( ( 1 , 2 ) , ( 3 , 4 ) ) ", "(3,4),(1,2)"),
            (rectangle, "(1,2),(3,4),", "(3,4),(1,2)"),
            (path, "((1,2),(3,4))", "((1,2),(3,4))"),
            (path, "[1,2,3,4]", "[(1,2),(3,4)]"),
            (path, "1,2,3,4", "((1,2),(3,4))"),
            (path, "(1,2,3,4)", "((1,2),(3,4))"),
            (path, "(1,2)", "((1,2))"),
            (path, "((1,2))", "((1,2))"),
            (polygon, "(1,2),(3,4)", "((1,2),(3,4))"),
            (polygon, "(1,2,3,4)", "((1,2),(3,4))"),
            (polygon, "((1,2)(3,4),)", "((1,2),(3,4))"),
            (line, " { 1 , -2.5 , 3e10 } ", "{1,-2.5,30000000000}"),
            (line, "(0,0),(1,1)", "{1,-1,0}"),
            (line, "[(0,0),(0,1)]", "{-1,0,0}"),
            (line, "0,3,5,3", "{0,-1,3}"),
            (line, "(1,1),(3,2)", "{0.5,-1,0.5}"),
            (line, "(0,0),(1,-1)", "{-1,-1,0}"),
            (line, "(1,NaN),(2,NaN)", "{NaN,-1,NaN}"),
            (circle, "1,2,3", "<(1,2),3>"),
            (circle, "((1,2),3>", "<(1,2),3>"),
            (circle, "<1,2,3>", "<(1,2),3>"),
            (circle, "<(1,2),NaN>", "<(1,2),NaN>"),
        ];
        for (read, text, expected) in cases {
            assert_eq!(read(text).ok().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let cases: [(Read, &str, Code); 21] = [
            (point, "(1,2", Code::InvalidCast),
            (point, "(1,2)x", Code::InvalidCast),
            (point, "", Code::InvalidCast),
            (point, "(1e,1)", Code::InvalidCast),
            (point, "(+1,-+1)", Code::InvalidCast),
            (point, "(1e400,1)", Code::NumericOutOfRange),
            (point, "(1e-400,1)", Code::NumericOutOfRange),
            (segment, "(1,2)", Code::InvalidCast),
            (rectangle, "[(0,0),(1,1)]", Code::InvalidCast),
            (path, "1,2,", Code::InvalidCast),
            (path, "1,2 3,4", Code::InvalidCast),
            (path, "((1,2),(3,4)", Code::InvalidCast),
            (polygon, "[(1,2),(3,4)]", Code::InvalidCast),
            (polygon, "()", Code::InvalidCast),
            (polygon, "(1,2),", Code::InvalidCast),
            (line, "{0,0,1}", Code::InvalidCast),
            (line, "{1,2}", Code::InvalidCast),
            (line, "(1,1),(1,1)", Code::InvalidCast),
            (
                line,
                "(1e308,1e308),(-1e308,-1e308)",
                Code::NumericOutOfRange,
            ),
            (circle, "<(1,2),-3>", Code::InvalidCast),
            (circle, "<((1,2)),3>", Code::InvalidCast),
        ];
        for (read, text, code) in cases {
            let error = read(text).err().map(|error| error.code());
            assert_eq!(error, Some(code), "{text}");
        }
    }
}
