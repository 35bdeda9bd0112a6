//! A geometry as the functions see it: its kind, its emptiness, its vertices.
//!
//! The empty point is a [`Point`](geo::Point) of two NaNs, as in well-known binary. No other
//! coordinate is NaN or infinite: both readers refuse that. Empty parts of a multi-geometry or of a
//! collection are dropped when it is read.

use datafusion::error::{DataFusionError, Result};
use geo::{BoundingRect, CoordsIter, Geometry, LineString, Polygon, Rect};
use lakegate_error::{Code, Error};

/// Maximum vertices of a geometry whose validity is checked, which takes quadratic time.
const MAX_CHECKED: usize = 16_384;
/// Maximum pairs of vertices that a comparison of two geometries looks at.
const MAX_PAIRS: usize = 1 << 28;
/// Maximum depth of collections within collections.
pub(super) const MAX_DEPTH: usize = 32;

/// A geometry, on the plane or on the sphere.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    pub geometry: Geometry<f64>,
    /// The type is `SphericalGeography`: the coordinates are degrees of longitude and latitude.
    pub on_sphere: bool,
}

impl Shape {
    /// # Errors
    ///
    /// The shape is a geography.
    pub(super) fn planar(&self, function: &str) -> Result<&Geometry<f64>> {
        match self.on_sphere {
            false => Ok(&self.geometry),
            true => Err(invalid(format!(
                "{function} takes a geometry; make one of the geography with to_geometry"
            ))),
        }
    }
}

/// The error of a bad argument.
pub(super) fn invalid(message: impl Into<String>) -> DataFusionError {
    Error::new(Code::InvalidParameter, message.into()).into()
}

/// Returns the type's name, as `ST_GeometryType` does.
pub(super) fn kind(geometry: &Geometry<f64>) -> &'static str {
    match geometry {
        Geometry::Point(_) => "ST_Point",
        Geometry::Line(_) | Geometry::LineString(_) => "ST_LineString",
        Geometry::Polygon(_) | Geometry::Rect(_) | Geometry::Triangle(_) => "ST_Polygon",
        Geometry::MultiPoint(_) => "ST_MultiPoint",
        Geometry::MultiLineString(_) => "ST_MultiLineString",
        Geometry::MultiPolygon(_) => "ST_MultiPolygon",
        Geometry::GeometryCollection(_) => "ST_GeomCollection",
    }
}

/// The error of a geometry of a type that a function does not take.
pub(super) fn wrong_kind(function: &str, takes: &str, geometry: &Geometry<f64>) -> DataFusionError {
    invalid(format!("{function} takes {takes}, not {}", kind(geometry)))
}

/// The point of no place.
pub(super) fn empty_point() -> Geometry<f64> {
    Geometry::Point(geo::Point::new(f64::NAN, f64::NAN))
}

pub(super) fn empty_polygon() -> Geometry<f64> {
    Geometry::Polygon(Polygon::new(LineString::new(Vec::new()), Vec::new()))
}

pub(super) fn is_empty(geometry: &Geometry<f64>) -> bool {
    match geometry {
        Geometry::Point(point) => point.x().is_nan(),
        Geometry::LineString(line) => line.0.is_empty(),
        Geometry::Polygon(polygon) => polygon.exterior().0.is_empty(),
        Geometry::MultiPoint(points) => points.0.is_empty(),
        Geometry::MultiLineString(lines) => lines.0.is_empty(),
        Geometry::MultiPolygon(polygons) => polygons.0.is_empty(),
        Geometry::GeometryCollection(parts) => parts.0.iter().all(is_empty),
        Geometry::Line(_) | Geometry::Rect(_) | Geometry::Triangle(_) => false,
    }
}

/// Returns the number of vertices; the first of a ring counts twice.
pub(super) fn vertices(geometry: &Geometry<f64>) -> usize {
    match is_empty(geometry) {
        true => 0,
        false => geometry.coords_count(),
    }
}

/// Returns the smallest rectangle that holds a geometry; `None` if that is empty.
pub(super) fn bounds(geometry: &Geometry<f64>) -> Option<Rect<f64>> {
    match is_empty(geometry) {
        true => None,
        false => geometry.bounding_rect(),
    }
}

/// Refuses a pair of geometries whose comparison would take too long.
///
/// # Errors
///
/// They have too many vertices.
pub(super) fn check_pair(function: &str, a: &Geometry<f64>, b: &Geometry<f64>) -> Result<()> {
    let pairs = vertices(a).saturating_mul(vertices(b));
    match pairs <= MAX_PAIRS {
        true => Ok(()),
        false => Err(too_complex(function)),
    }
}

/// Refuses a geometry whose validity would take too long to check.
///
/// # Errors
///
/// It has too many vertices.
pub(super) fn check_size(function: &str, geometry: &Geometry<f64>) -> Result<()> {
    match vertices(geometry) <= MAX_CHECKED {
        true => Ok(()),
        false => Err(too_complex(function)),
    }
}

fn too_complex(function: &str) -> DataFusionError {
    let message = format!(
        "{function} of geometries with so many vertices is not supported: at most {MAX_CHECKED}, \
         and {MAX_PAIRS} pairs; simplify them first"
    );
    Error::new(Code::TooComplex, message).into()
}

/// Returns a text for a message: its first characters.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Closes the rings of a polygon and turns them: the exterior anticlockwise, the interiors
/// clockwise, as Athena stores them.
pub(super) fn polygon(exterior: LineString<f64>, interiors: Vec<LineString<f64>>) -> Polygon<f64> {
    let exterior = turned(exterior, false);
    let interiors = interiors
        .into_iter()
        .map(|ring| turned(ring, true))
        .collect();
    Polygon::new(exterior, interiors)
}

fn turned(mut ring: LineString<f64>, clockwise: bool) -> LineString<f64> {
    ring.close();
    let Some(origin) = ring.0.first().copied() else {
        return ring;
    };
    // Relative to a vertex, which keeps digits.
    let twice_area: f64 = ring
        .lines()
        .map(|line| {
            let (a, b) = (line.start - origin, line.end - origin);
            a.x * b.y - b.x * a.y
        })
        .sum();
    if (twice_area < 0.0) != clockwise && twice_area != 0.0 {
        ring.0.reverse();
    }
    ring
}
