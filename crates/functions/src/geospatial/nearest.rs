//! `geometry_nearest_points`: where two geometries are closest.

use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::error::Result;
use geo::line_intersection::line_intersection;
use geo::{Contains, Coord, CoordsIter, Geometry, Line, LineIntersection, Point, Polygon};

use super::call::{Geometries, Shapes, geometry_field, page, takes_geometries};
use super::linework::paths;
use super::shape::{check_pair, is_empty};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static NEAREST: Page = page(
    "geometry_nearest_points",
    "geometry_nearest_points(geometry, geometry)",
    "Returns a row of the points of two geometries that are closest to each other.",
    "ST_AsText(geometry_nearest_points(ST_Point(0, 5), ST_GeometryFromText('LINESTRING (3 0, 3 9)'))['c1'])",
    "POINT (3 5)",
);

pub(super) fn entries() -> Vec<Entry> {
    let kernel = Kernel::new(
        &NEAREST,
        takes_geometries(2),
        Returns::Field(|_| {
            let row = DataType::Struct(fields());
            Ok(Arc::new(Field::new("points", row, true)))
        }),
        nearest,
    );
    vec![Entry::scalar(kernel)]
}

/// Two points without names.
fn fields() -> Fields {
    let point =
        |name: &str| -> FieldRef { Arc::new(geometry_field().as_ref().clone().with_name(name)) };
    Fields::from(vec![point("c0"), point("c1")])
}

fn nearest(call: &Call<'_>) -> Result<ArrayRef> {
    let (mut left, mut right) = (Shapes::of(call, 0), Shapes::of(call, 1));
    let mut columns = [Geometries::of(call), Geometries::of(call)];
    let mut valid = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let found = match (left.get(row)?, right.get(row)?) {
            (Some((a, _)), Some((b, _))) => {
                let (a, b) = (a.planar(call.name)?, b.planar(call.name)?);
                match is_empty(a) || is_empty(b) {
                    true => None,
                    false => {
                        check_pair(call.name, a, b)?;
                        Some(closest(call, a, b)?)
                    }
                }
            }
            _ => None,
        };
        valid.push(found.is_some());
        for (column, at) in columns.iter_mut().zip([0, 1]) {
            let point = found.and_then(|pair| pair.get(at).copied());
            column.append(point.map(|coord| Geometry::from(Point(coord))).as_ref())?;
        }
    }
    let columns = columns.map(|column| Arc::new(column.finish()) as ArrayRef);
    let nulls = Some(NullBuffer::from(valid));
    Ok(Arc::new(StructArray::try_new(
        fields(),
        columns.into(),
        nulls,
    )?))
}

/// A pair of places, and the square of their distance.
struct Closest {
    pair: [Coord<f64>; 2],
    square: f64,
}

impl Closest {
    fn take(&mut self, a: Coord<f64>, b: Coord<f64>) {
        let (dx, dy) = (a.x - b.x, a.y - b.y);
        let square = dx * dx + dy * dy;
        if square < self.square {
            (self.pair, self.square) = ([a, b], square);
        }
    }
}

/// Returns the closest places of two geometries that are not empty.
fn closest(call: &Call<'_>, a: &Geometry<f64>, b: &Geometry<f64>) -> Result<[Coord<f64>; 2]> {
    // A part of one within a polygon of the other.
    for (areas, other) in [(polygons(a), b), (polygons(b), a)] {
        for area in areas {
            for part in parts(other) {
                call.work.step()?;
                if let Some(first) = part.coords_iter().next()
                    && area.contains(&Point(first))
                {
                    return Ok([first, first]);
                }
            }
        }
    }
    let mut found = Closest {
        pair: [Coord::default(); 2],
        square: f64::INFINITY,
    };
    let lines_of = |of: &Geometry<f64>| -> Vec<Line<f64>> {
        paths(of)
            .into_iter()
            .flat_map(|path| path.lines())
            .collect()
    };
    let (lines, others) = (lines_of(a), lines_of(b));
    let (points, more) = (points(a), points(b));
    for line in &lines {
        for other in &others {
            call.work.step()?;
            match line_intersection(*line, *other) {
                Some(LineIntersection::SinglePoint { intersection, .. }) => {
                    return Ok([intersection, intersection]);
                }
                Some(LineIntersection::Collinear { intersection }) => {
                    return Ok([intersection.start, intersection.start]);
                }
                None => {
                    for end in [line.start, line.end] {
                        found.take(end, on(other, end));
                    }
                    for end in [other.start, other.end] {
                        found.take(on(line, end), end);
                    }
                }
            }
        }
        for point in &more {
            call.work.step()?;
            found.take(on(line, *point), *point);
        }
    }
    for point in &points {
        for other in &others {
            call.work.step()?;
            found.take(*point, on(other, *point));
        }
        for other in &more {
            call.work.step()?;
            found.take(*point, *other);
        }
    }
    Ok(found.pair)
}

/// Returns the place on a line that is closest to a point.
fn on(line: &Line<f64>, point: Coord<f64>) -> Coord<f64> {
    let (delta, to) = (line.delta(), point - line.start);
    let square = delta.x * delta.x + delta.y * delta.y;
    let at = (to.x * delta.x + to.y * delta.y) / square;
    match at {
        // A line of no length, too.
        _ if at.is_nan() || at <= 0.0 => line.start,
        _ if at >= 1.0 => line.end,
        _ => line.start + delta * at,
    }
}

fn polygons(geometry: &Geometry<f64>) -> Vec<&Polygon<f64>> {
    match geometry {
        Geometry::Polygon(polygon) => vec![polygon],
        Geometry::MultiPolygon(polygons) => polygons.0.iter().collect(),
        Geometry::GeometryCollection(parts) => parts.0.iter().flat_map(polygons).collect(),
        _ => Vec::new(),
    }
}

/// The parts of a geometry that are each connected.
fn parts(geometry: &Geometry<f64>) -> Vec<Geometry<f64>> {
    match geometry {
        Geometry::MultiPoint(points) => points.0.iter().map(|of| (*of).into()).collect(),
        Geometry::MultiLineString(lines) => lines.0.iter().map(|of| of.clone().into()).collect(),
        Geometry::MultiPolygon(polygons) => polygons.0.iter().map(|of| of.clone().into()).collect(),
        Geometry::GeometryCollection(all) => all.0.iter().flat_map(parts).collect(),
        one => vec![one.clone()],
    }
}

fn points(geometry: &Geometry<f64>) -> Vec<Coord<f64>> {
    match geometry {
        Geometry::Point(point) => vec![point.0],
        Geometry::MultiPoint(points) => points.0.iter().map(|point| point.0).collect(),
        Geometry::GeometryCollection(parts) => parts.0.iter().flat_map(points).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::value;

    #[tokio::test]
    async fn points_are_the_nearest() {
        for (a, b, expected) in [
            (
                "POINT (50 100)",
                "POINT (150 150)",
                "POINT (50 100) POINT (150 150)",
            ),
            (
                "MULTIPOINT (50 100, 50 200)",
                "POINT (10 100)",
                "POINT (50 100) POINT (10 100)",
            ),
            (
                "LINESTRING (50 100, 50 200)",
                "LINESTRING (10 10, 20 20)",
                "POINT (50 100) POINT (20 20)",
            ),
            (
                "LINESTRING (0 20, 20 0)",
                "POLYGON ((5 5, 5 6, 6 6, 6 5, 5 5))",
                "POINT (10 10) POINT (6 6)",
            ),
            (
                "LINESTRING (0 0, 2 2)",
                "LINESTRING (0 2, 2 0)",
                "POINT (1 1) POINT (1 1)",
            ),
            (
                "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0))",
                "POINT (4 5)",
                "POINT (4 5) POINT (4 5)",
            ),
            (
                "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 1 8, 8 8, 8 1, 1 1))",
                "POINT (2 5)",
                "POINT (1 5) POINT (2 5)",
            ),
        ] {
            for (a, b, expected) in [
                (a, b, expected.to_owned()),
                (b, a, {
                    let (first, second) = expected.rsplit_once(" POINT ").unwrap();
                    format!("POINT {second} {first}")
                }),
            ] {
                let query = format!(
                    "(SELECT concat(ST_AsText(p['c0']), ' ', ST_AsText(p['c1'])) FROM (SELECT geometry_nearest_points(ST_GeometryFromText('{a}'), ST_GeometryFromText('{b}')) AS p))"
                );
                assert_eq!(value(&query).await.unwrap(), expected, "{a} {b}");
            }
        }
        for empty in ["POINT EMPTY", "LINESTRING EMPTY", "MULTIPOLYGON EMPTY"] {
            let call =
                format!("geometry_nearest_points(ST_GeometryFromText('{empty}'), ST_Point(1, 2))");
            assert_eq!(value(&call).await.unwrap(), "NULL", "{call}");
        }
    }
}
