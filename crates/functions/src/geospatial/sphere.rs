//! Geographies: degrees on a sphere of the Earth's radius.

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
use crate::kernel::{Kernel, Returns};

/// The Earth's mean radius in kilometres, as Trino has it.
const EARTH_RADIUS_KM: f64 = 6371.01;

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

fn kilometres(from: Coord<f64>, to: Coord<f64>) -> f64 {
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
