//! Lengths, areas and distances, on the plane; those of geographies are in `sphere`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use geo::{Area, Distance, Euclidean, Geometry, Length, LineString, Point};

use super::call::{
    Geometries, Shapes, each, each_pair, geometry_item, guarded, mapped, page, pauses,
    returns_geometries, returns_geometry, takes, takes_geometries,
};
use super::shape::{Shape, check_pair, invalid, is_empty, wrong_kind};
use super::sphere;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static AREA: Page = page(
    "st_area",
    "st_area(geometry)",
    "Returns the area of a geometry, which is 0 for points and lines.",
    "ST_Area(ST_GeometryFromText('POLYGON ((0 0, 4 0, 4 2, 0 2, 0 0))'))",
    "8.0",
);
static LENGTH: Page = page(
    "st_length",
    "st_length(line)",
    "Returns the length of lines; in metres for a geography.",
    "ST_Length(ST_GeometryFromText('LINESTRING (0 0, 3 4)'))",
    "5.0",
);
static DISTANCE: Page = page(
    "st_distance",
    "st_distance(geometry, geometry)",
    "Returns the least distance of two geometries; in metres for the points of geographies.",
    "ST_Distance(ST_Point(0, 0), ST_GeometryFromText('LINESTRING (3 4, 3 9)'))",
    "5.0",
);
static LOCATE: Page = page(
    "line_locate_point",
    "line_locate_point(line, point)",
    "Returns where a line is closest to a point, as a fraction of its length.",
    "line_locate_point(ST_GeometryFromText('LINESTRING (0 0, 4 0)'), ST_Point(1, 5))",
    "0.25",
);
static INTERPOLATE: Page = page(
    "line_interpolate_point",
    "line_interpolate_point(line, fraction)",
    "Returns the point of a line at a fraction of its length.",
    "ST_AsText(line_interpolate_point(ST_GeometryFromText('LINESTRING (0 0, 4 0)'), 0.25))",
    "POINT (1 0)",
);
static INTERPOLATE_ALL: Page = page(
    "line_interpolate_points",
    "line_interpolate_points(line, fraction)",
    "Returns the points of a line at each multiple of a fraction of its length.",
    "cardinality(line_interpolate_points(ST_GeometryFromText('LINESTRING (0 0, 4 0)'), 0.25))",
    "4",
);

pub(super) fn entries() -> Vec<Entry> {
    let number = || Returns::Type(DataType::Float64);
    let at = || takes(&[DataType::Binary, DataType::Float64]);
    [
        Kernel::new(&AREA, takes_geometries(1), number(), |call| {
            let areas = each(call, |shape, _| area(call, shape))?;
            Ok(Arc::new(Float64Array::from(areas)))
        }),
        Kernel::new(&LENGTH, takes_geometries(1), number(), |call| {
            let lengths = each(call, |shape, _| length(call.name, shape))?;
            Ok(Arc::new(Float64Array::from(lengths)))
        }),
        Kernel::new(&DISTANCE, takes_geometries(2), number(), |call| {
            let distances = each_pair(call, |a, b| distance(call, a, b))?;
            Ok(Arc::new(Float64Array::from(distances)))
        }),
        Kernel::new(&LOCATE, takes_geometries(2), number(), |call| {
            let fractions = each_pair(call, |line, point| {
                located(call.name, line.planar(call.name)?, point.planar(call.name)?)
            })?;
            Ok(Arc::new(Float64Array::from(fractions)))
        }),
        Kernel::new(&INTERPOLATE, at(), returns_geometry(), |call| {
            let fractions = call.columns[1].primitives::<Float64Type>();
            mapped(call, |geometry, row| match fractions.get(row) {
                Some(fraction) => {
                    let line = measured(call.name, geometry, fraction)?;
                    Ok(line.and_then(|line| line.at(fraction)).map(Geometry::from))
                }
                None => Ok(None),
            })
        }),
        Kernel::new(&INTERPOLATE_ALL, at(), returns_geometries(), interpolated),
    ]
    .into_iter()
    .map(Entry::scalar)
    .collect()
}

fn area(call: &Call<'_>, shape: &Shape) -> Result<Option<f64>> {
    if shape.on_sphere {
        return sphere::area(call, &shape.geometry);
    }
    let geometry = shape.planar(call.name)?;
    Ok(Some(match is_empty(geometry) {
        true => 0.0,
        false => geometry.unsigned_area(),
    }))
}

fn length(name: &str, shape: &Shape) -> Result<Option<f64>> {
    if shape.on_sphere {
        return sphere::length(name, &shape.geometry);
    }
    match shape.planar(name)? {
        Geometry::LineString(line) => Ok(Some(Euclidean.length(line))),
        Geometry::MultiLineString(lines) => Ok(Some(Euclidean.length(lines))),
        other => Err(wrong_kind(name, "a line", other)),
    }
}

fn distance(call: &Call<'_>, a: &Shape, b: &Shape) -> Result<Option<f64>> {
    if a.on_sphere && b.on_sphere {
        return sphere::distance(call.name, &a.geometry, &b.geometry);
    }
    let (a, b) = (a.planar(call.name)?, b.planar(call.name)?);
    if is_empty(a) || is_empty(b) {
        return Ok(None);
    }
    if let (Geometry::Point(a), Geometry::Point(b)) = (a, b) {
        return Ok(Some(Euclidean.distance(*a, *b)));
    }
    check_pair(call.name, a, b)?;
    guarded(call.name, || Some(Euclidean.distance(a, b)))
}

/// A line and its length.
struct Measured<'a> {
    line: &'a LineString<f64>,
    length: f64,
}

/// Returns a line to interpolate on; `None` if it is empty.
fn measured<'a>(
    name: &str,
    geometry: &'a Geometry<f64>,
    fraction: f64,
) -> Result<Option<Measured<'a>>> {
    if is_empty(geometry) {
        return Ok(None);
    }
    let Geometry::LineString(line) = geometry else {
        return Err(wrong_kind(name, "a line", geometry));
    };
    if !(0.0..=1.0).contains(&fraction) {
        return Err(invalid(format!(
            "the fraction {fraction} is not between 0 and 1"
        )));
    }
    let length = Euclidean.length(line);
    Ok(Some(Measured { line, length }))
}

impl Measured<'_> {
    fn at(&self, fraction: f64) -> Option<Point<f64>> {
        if fraction >= 1.0 {
            return self.line.0.last().copied().map(Point);
        }
        let mut left = fraction * self.length;
        for line in self.line.lines() {
            let length = Euclidean.length(&line);
            if left <= length && length > 0.0 {
                let delta = line.end - line.start;
                return Some(Point(line.start + delta * (left / length)));
            }
            left -= length;
        }
        self.line.0.last().copied().map(Point)
    }
}

fn interpolated(call: &Call<'_>) -> Result<ArrayRef> {
    let fractions = call.columns[1].primitives::<Float64Type>();
    let mut shapes = Shapes::of(call, 0);
    let mut points = Geometries::of(call);
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..call.rows {
        let mut made = None;
        if let (Some((shape, _)), Some(step)) = (shapes.get(row)?, fractions.get(row))
            && let Some(line) = measured(call.name, shape.planar(call.name)?, step)?
        {
            let mut count = 0usize;
            // A step of 0 is the first point only, as in Athena.
            let most = if step == 0.0 {
                1.0
            } else {
                (1.0 / step).floor()
            };
            let mut fraction = step;
            while (count as f64) < most {
                pauses(call, 16 * line.line.0.len())?;
                points.append(line.at(fraction).map(Geometry::from).as_ref())?;
                fraction += step;
                count += 1;
            }
            made = Some(count);
        }
        valid.push(made.is_some());
        lengths.push(made.unwrap_or(0));
    }
    let list = ListArray::try_new(
        geometry_item(),
        OffsetBuffer::from_lengths(lengths),
        Arc::new(points.finish()),
        Some(NullBuffer::from(valid)),
    )?;
    Ok(Arc::new(list))
}

/// Returns the place of the closest point of a line, as a fraction of its length.
fn located(name: &str, line: &Geometry<f64>, point: &Geometry<f64>) -> Result<Option<f64>> {
    let lines = match line {
        Geometry::LineString(line) => std::slice::from_ref(line),
        Geometry::MultiLineString(lines) => lines.0.as_slice(),
        other => return Err(wrong_kind(name, "a line first", other)),
    };
    let Geometry::Point(to) = point else {
        return Err(wrong_kind(name, "a point second", point));
    };
    if is_empty(line) || is_empty(point) {
        return Ok(None);
    }
    let (mut passed, mut best, mut place) = (0.0, f64::INFINITY, 0.0);
    for segment in lines.iter().flat_map(LineString::lines) {
        let delta = segment.delta();
        let length = Euclidean.length(&segment);
        let along = to.0 - segment.start;
        let square = delta.x * delta.x + delta.y * delta.y;
        let fraction = match square > 0.0 {
            true => ((along.x * delta.x + along.y * delta.y) / square).clamp(0.0, 1.0),
            false => 0.0,
        };
        let closest = segment.start + delta * fraction;
        let distance = Euclidean.distance(closest, to.0);
        if distance < best {
            (best, place) = (distance, passed + fraction * length);
        }
        passed += length;
    }
    Ok(Some(match passed > 0.0 {
        true => place / passed,
        false => 0.0,
    }))
}
