//! Encoded polylines, the texts in which map services send lines: `to_encoded_polyline` and
//! `from_encoded_polyline`.
//!
//! Each ordinate is the difference to the one before in units of 0.00001 degrees, latitude first,
//! zigzag-coded in groups of five bits.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use geo::{Coord, Geometry, LineString};

use super::call::{Geometries, Shapes, page, returns_geometry, takes, takes_geometries};
use super::shape::{invalid, is_empty, shown, wrong_kind};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

/// Units of a degree.
const UNITS: f64 = 1e5;
/// The character of the group 0.
const FIRST: u8 = 63;
/// The bit of a group that others follow.
const MORE: u64 = 0x20;
/// Groups of a number of 64 bits, at most.
const MOST_GROUPS: u32 = 13;

static TO: Page = page(
    "to_encoded_polyline",
    "to_encoded_polyline(line)",
    "Returns a line or a collection of points as an encoded polyline.",
    "to_encoded_polyline(ST_GeometryFromText('LINESTRING (-120.2 38.5, -120.95 40.7, -126.453 43.252)'))",
    "_p~iF~ps|U_ulLnnqC_mqNvxq`@",
);
static FROM: Page = page(
    "from_encoded_polyline",
    "from_encoded_polyline(text)",
    "Reads the line of an encoded polyline.",
    "ST_AsText(from_encoded_polyline('_p~iF~ps|U_ulLnnqC'))",
    "LINESTRING (-120.2 38.5, -120.95 40.7)",
);

pub(super) fn entries() -> Vec<Entry> {
    [
        Kernel::new(&TO, takes_geometries(1), Returns::Type(DataType::Utf8), to),
        Kernel::new(&FROM, takes(&[DataType::Utf8]), returns_geometry(), from),
    ]
    .into_iter()
    .map(Entry::scalar)
    .collect()
}

fn to(call: &Call<'_>) -> Result<ArrayRef> {
    let mut shapes = Shapes::of(call, 0);
    let mut texts = StringBuilder::new();
    let mut text = String::new();
    for row in 0..call.rows {
        let Some((shape, _)) = shapes.get(row)? else {
            texts.append_null();
            continue;
        };
        let geometry = shape.planar(call.name)?;
        let coords: Vec<Coord<f64>> = match geometry {
            _ if is_empty(geometry) => Vec::new(),
            Geometry::LineString(line) => line.0.clone(),
            Geometry::MultiPoint(points) => points.0.iter().map(|point| point.0).collect(),
            other => return Err(wrong_kind(call.name, "a line or points", other)),
        };
        text.clear();
        let mut last = [0; 2];
        for coord in coords {
            call.work.step()?;
            // As Java rounds: half up. The cast saturates.
            let units = [coord.y, coord.x].map(|degrees| (degrees * UNITS + 0.5).floor() as i64);
            for (unit, last) in units.into_iter().zip(&mut last) {
                write(unit.wrapping_sub(*last), &mut text);
                *last = unit;
            }
        }
        call.work.builds(text.len())?;
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

fn write(number: i64, text: &mut String) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= MORE {
        text.push(char::from((MORE | (rest & 0x1f)) as u8 + FIRST));
        rest >>= 5;
    }
    text.push(char::from(rest as u8 + FIRST));
}

fn from(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.columns[0].texts();
    let mut results = Geometries::of(call);
    for row in 0..call.rows {
        let line: Option<Geometry<f64>> = match texts.get(row) {
            Some(text) => Some(read(call, text)?.into()),
            None => None,
        };
        results.append(line.as_ref())?;
    }
    Ok(Arc::new(results.finish()))
}

fn read(call: &Call<'_>, text: &str) -> Result<LineString<f64>> {
    let malformed = || invalid(format!("'{}' is no encoded polyline", shown(text)));
    // A character may be a coordinate of eight bytes.
    call.work.builds(8 * text.len())?;
    let mut coords = Vec::new();
    let mut last = [0i64; 2];
    let mut groups = text.bytes().peekable();
    while groups.peek().is_some() {
        call.work.step()?;
        for last in &mut last {
            let (mut number, mut group) = (0u64, MORE);
            for index in 0..=MOST_GROUPS {
                if group & MORE == 0 {
                    break;
                }
                let byte = groups.next().and_then(|byte| byte.checked_sub(FIRST));
                group = u64::from(byte.ok_or_else(malformed)?);
                if group > 0x3f || index == MOST_GROUPS {
                    return Err(malformed());
                }
                number |= (group & 0x1f) << (5 * index);
            }
            let difference = (number >> 1) as i64 ^ -((number & 1) as i64);
            *last = last.wrapping_add(difference);
        }
        let [y, x] = last.map(|unit| unit as f64 * 1e-5);
        coords.push(Coord { x, y });
    }
    // A line has two points: that of one is empty, as in Trino.
    if coords.len() == 1 {
        coords.clear();
    }
    Ok(LineString::new(coords))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, value};

    #[tokio::test]
    async fn lines_are_encoded_and_decoded() {
        for (call, expected) in [
            (
                "ST_AsText(from_encoded_polyline(''))",
                "MULTILINESTRING EMPTY",
            ),
            (
                "ST_AsText(from_encoded_polyline('iiqeFjs_jV'))",
                "MULTILINESTRING EMPTY",
            ),
            (
                "ST_AsText(from_encoded_polyline('_p~iF~ps|U_ulLnnqC_mqNvxq`@'))",
                "LINESTRING (-120.2 38.5, -120.95 40.7, -126.45300000000002 43.252)",
            ),
            (
                "to_encoded_polyline(ST_GeometryFromText('LINESTRING EMPTY'))",
                "",
            ),
            (
                "to_encoded_polyline(ST_GeometryFromText('MULTIPOINT (-120.2 38.5, -120.95 40.7)'))",
                "_p~iF~ps|U_ulLnnqC",
            ),
            ("to_encoded_polyline(NULL)", "NULL"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
    }

    #[tokio::test]
    async fn other_texts_are_errors() {
        for text in ["_", "_p~iF", "~~~~~~~~~~~~~~~~~~~~", " ", "é"] {
            let found = error(&format!("from_encoded_polyline('{text}')")).await;
            assert!(found.contains("no encoded polyline"), "{text}: {found}");
        }
        let polygon = "to_encoded_polyline(ST_Polygon('POLYGON ((0 0, 1 0, 1 1, 0 0))'))";
        assert!(error(polygon).await.contains("a line or points"));
    }
}
