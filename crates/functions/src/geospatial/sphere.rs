//! Geographies: degrees on a sphere of the Earth's radius.

use std::f64::consts::PI;
use std::sync::Arc;

use arrow::array::Float64Array;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use geo::{Coord, CoordsIter, Geometry, LineString};

use super::call::{
    Geometries, Shapes, page, returns_geography, returns_geometry, takes, takes_geometries,
};
use super::shape::{invalid, is_empty, wrong_kind};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

/// The Earth's mean radius in kilometres, as Trino has it.
pub(super) const EARTH_RADIUS_KM: f64 = 6371.01;

static GREAT_CIRCLE: Page = page(
    "great_circle_distance",
    "great_circle_distance(latitude1, longitude1, latitude2, longitude2)",
    "Returns the distance of two places on the Earth in kilometres.",
    "round(great_circle_distance(36.12, -86.67, 33.94, -118.40), 3)",
    "2886.449",
);
static TO_GEOGRAPHY: Page = page(
    "to_spherical_geography",
    "to_spherical_geography(geometry)",
    "Takes the coordinates of a geometry as degrees of longitude and latitude.",
    "round(ST_Distance(to_spherical_geography(ST_Point(-71.0882, 42.3607)), to_spherical_geography(ST_Point(-74.1197, 40.6976))), 3)",
    "312822.179",
);
static TO_GEOMETRY: Page = page(
    "to_geometry",
    "to_geometry(geography)",
    "Takes the degrees of a geography as coordinates on a plane.",
    "ST_AsText(to_geometry(to_spherical_geography(ST_Point(8.5, 47.4))))",
    "POINT (8.5 47.4)",
);

pub(super) fn entries() -> Vec<Entry> {
    [
        Kernel::new(
            &GREAT_CIRCLE,
            takes(&vec![DataType::Float64; 4]),
            Returns::Type(DataType::Float64),
            |call| {
                let degrees = |index: usize| call.columns[index].primitives::<Float64Type>();
                let columns = [degrees(0), degrees(1), degrees(2), degrees(3)];
                let mut distances = Vec::with_capacity(call.rows);
                for row in 0..call.rows {
                    call.work.builds(8)?;
                    let [a, b, c, d] = columns.each_ref().map(|column| column.get(row));
                    distances.push(match (a, b, c, d) {
                        (Some(a), Some(b), Some(c), Some(d)) => {
                            let (from, to) = (Coord { x: b, y: a }, Coord { x: d, y: c });
                            check(from)?;
                            check(to)?;
                            Some(kilometres(from, to))
                        }
                        _ => None,
                    });
                }
                Ok(Arc::new(Float64Array::from(distances)))
            },
        ),
        Kernel::new(
            &TO_GEOGRAPHY,
            takes_geometries(1),
            returns_geography(),
            |call| {
                let mut shapes = Shapes::of(call, 0);
                let mut results = Geometries::of(call);
                for row in 0..call.rows {
                    let geometry = match shapes.get(row)? {
                        Some((shape, _)) => Some(shape.planar(call.name)?),
                        None => None,
                    };
                    if let Some(geometry) = geometry
                        && !is_empty(geometry)
                    {
                        for coord in geometry.coords_iter() {
                            call.work.step()?;
                            check(coord)?;
                        }
                    }
                    results.append_shape(geometry, true)?;
                }
                Ok(Arc::new(results.finish()))
            },
        ),
        Kernel::new(
            &TO_GEOMETRY,
            takes_geometries(1),
            returns_geometry(),
            |call| {
                let mut shapes = Shapes::of(call, 0);
                let mut results = Geometries::of(call);
                for row in 0..call.rows {
                    let shape = shapes.get(row)?;
                    results.append(shape.map(|(shape, _)| &shape.geometry))?;
                }
                Ok(Arc::new(results.finish()))
            },
        ),
    ]
    .into_iter()
    .map(Entry::scalar)
    .collect()
}

/// Checks degrees of longitude and latitude.
///
/// # Errors
///
/// They are out of range, or not numbers.
pub(super) fn check(place: Coord<f64>) -> Result<()> {
    if !(-90.0..=90.0).contains(&place.y) {
        return Err(invalid(format!(
            "latitude {} is not between -90 and 90",
            place.y
        )));
    }
    if !(-180.0..=180.0).contains(&place.x) {
        return Err(invalid(format!(
            "longitude {} is not between -180 and 180",
            place.x
        )));
    }
    Ok(())
}

/// Returns the distance of two places in kilometres.
pub(super) fn kilometres(from: Coord<f64>, to: Coord<f64>) -> f64 {
    let (latitude1, latitude2) = (from.y.to_radians(), to.y.to_radians());
    let (sin1, cos1) = latitude1.sin_cos();
    let (sin2, cos2) = latitude2.sin_cos();
    let (sin_delta, cos_delta) = (from.x.to_radians() - to.x.to_radians()).sin_cos();
    let across = cos2 * sin_delta;
    let along = cos1 * sin2 - sin1 * cos2 * cos_delta;
    let cosine = sin1 * sin2 + cos1 * cos2 * cos_delta;
    across.hypot(along).atan2(cosine) * EARTH_RADIUS_KM
}

/// Returns the distance of two points in metres; NULL if one is empty.
pub(super) fn distance(name: &str, a: &Geometry<f64>, b: &Geometry<f64>) -> Result<Option<f64>> {
    if is_empty(a) || is_empty(b) {
        return Ok(None);
    }
    match (a, b) {
        (Geometry::Point(a), Geometry::Point(b)) => Ok(Some(1000.0 * kilometres(a.0, b.0))),
        (Geometry::Point(_), other) | (other, _) => {
            Err(wrong_kind(name, "points of geographies", other))
        }
    }
}

/// Returns the length of lines in metres; NULL for no line.
pub(super) fn length(name: &str, geometry: &Geometry<f64>) -> Result<Option<f64>> {
    if is_empty(geometry) {
        return Ok(None);
    }
    let of = |line: &LineString<f64>| -> f64 {
        line.lines()
            .map(|line| kilometres(line.start, line.end))
            .sum()
    };
    match geometry {
        Geometry::LineString(line) => Ok(Some(1000.0 * of(line))),
        Geometry::MultiLineString(lines) => Ok(Some(1000.0 * lines.iter().map(of).sum::<f64>())),
        other => Err(wrong_kind(name, "lines of geographies", other)),
    }
}

/// Returns the area of polygons in square metres; NULL for no polygon.
pub(super) fn area(call: &Call<'_>, geometry: &Geometry<f64>) -> Result<Option<f64>> {
    if is_empty(geometry) {
        return Ok(None);
    }
    let polygons = match geometry {
        Geometry::Polygon(polygon) => std::slice::from_ref(polygon),
        Geometry::MultiPolygon(polygons) => &polygons.0,
        other => return Err(wrong_kind(call.name, "polygons of geographies", other)),
    };
    let mut excess = 0.0;
    for polygon in polygons {
        excess += ring_excess(call, polygon.exterior())?.abs();
        for ring in polygon.interiors() {
            excess -= ring_excess(call, ring)?.abs();
        }
    }
    let radius = 1000.0 * EARTH_RADIUS_KM;
    Ok(Some((excess * radius * radius).abs()))
}

/// A vertex of a ring on the sphere, in radians.
#[derive(Debug, Clone, Copy)]
struct Vertex {
    latitude: f64,
    longitude: f64,
}

impl Vertex {
    fn of(degrees: Coord<f64>) -> Self {
        Self {
            latitude: degrees.y.to_radians(),
            longitude: degrees.x.to_radians(),
        }
    }

    /// The course, from north, in which a great circle leaves for another vertex.
    fn course_to(self, other: Self) -> f64 {
        let (sine, cosine) = (other.longitude - self.longitude).sin_cos();
        let across = sine * other.latitude.cos();
        let along = self.latitude.cos() * other.latitude.sin()
            - self.latitude.sin() * other.latitude.cos() * cosine;
        across.atan2(along)
    }
}

/// An angle from -π to π.
fn turn(angle: f64) -> f64 {
    (angle + 3.0 * PI).rem_euclid(2.0 * PI) - PI
}

/// Returns the spherical excess of a ring in steradians: the sum of the trapezoids below its sides,
/// corrected if the ring goes around a pole.
fn ring_excess(call: &Call<'_>, ring: &LineString<f64>) -> Result<f64> {
    let mut places = ring.0.as_slice();
    if let [rest @ .., last] = places
        && rest.first() == Some(last)
    {
        places = rest;
    }
    let (Some(last), 3..) = (places.last(), places.len()) else {
        return Err(invalid("a ring of a polygon has fewer than three vertices"));
    };
    let mut excess = 0.0;
    // How far the course turns on the way around: once, or not at all around a pole.
    let mut turned = 0.0;
    let mut before = Vertex::of(*last);
    let (mut first_course, mut last_course) = (None, 0.0);
    for place in places {
        call.work.step()?;
        let vertex = Vertex::of(*place);
        if vertex.latitude == before.latitude && vertex.longitude == before.longitude {
            return Err(invalid(format!(
                "a ring of a polygon has the vertex ({} {}) twice in succession",
                place.x, place.y
            )));
        }
        let across = ((vertex.longitude - before.longitude) / 2.0).tan();
        let (from, to) = ((before.latitude / 2.0).tan(), (vertex.latitude / 2.0).tan());
        excess += 2.0 * (across * (from + to)).atan2(1.0 + from * to);
        let leaves = before.course_to(vertex);
        let arrives = vertex.course_to(before) + PI;
        match first_course {
            None => first_course = Some(leaves),
            Some(_) => turned += turn(leaves - last_course),
        }
        turned += turn(arrives - leaves);
        (last_course, before) = (arrives, vertex);
    }
    turned += turn(first_course.unwrap_or(0.0) - last_course);
    match turned.abs() < PI / 4.0 {
        true => Ok(excess.abs() - 2.0 * PI),
        false => Ok(excess),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, value};

    async fn area(text: &str) -> f64 {
        let call = format!("ST_Area(to_spherical_geography(ST_GeometryFromText('{text}')))");
        value(&call).await.unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn areas_are_those_of_the_sphere() {
        let sphere = 4.0 * std::f64::consts::PI * 6_371_010f64.powi(2);
        for (text, share) in [
            ("POLYGON ((0 0, 90 0, 0 90, 0 0))", 1.0 / 8.0),
            ("POLYGON ((0 0, 0 90, 90 0, 0 0))", 1.0 / 8.0),
            // Around a pole.
            ("POLYGON ((-135 0, -45 0, 45 0, 135 0, -135 0))", 1.0 / 2.0),
            (
                "MULTIPOLYGON (((0 0, 90 0, 0 90, 0 0)), ((0 0, -90 0, 0 -90, 0 0)))",
                1.0 / 4.0,
            ),
        ] {
            let found = area(text).await;
            assert!(
                (found / sphere / share - 1.0).abs() < 1e-9,
                "{text}: {found}"
            );
        }
        let holed = area("POLYGON ((0 0, 8 0, 8 8, 0 8, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1))").await;
        let whole = area("POLYGON ((0 0, 8 0, 8 8, 0 8, 0 0))").await;
        let hole = area("POLYGON ((1 1, 2 1, 2 2, 1 2, 1 1))").await;
        assert!((whole - hole - holed).abs() < 1.0);
        let line = "ST_Area(to_spherical_geography(ST_GeometryFromText('LINESTRING (0 0, 1 1)')))";
        assert!(error(line).await.contains("polygons"));
        let empty = "ST_Area(to_spherical_geography(ST_GeometryFromText('POLYGON EMPTY')))";
        assert_eq!(value(empty).await.unwrap(), "NULL");
    }
}
