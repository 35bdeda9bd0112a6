//! What kind of geometry it is, and geometries derived from one: its boundary, centre, hull.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{BooleanArray, Int8Array, StringArray};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use geo::algorithm::kernels::{Kernel as _, Orientation};
use geo::{
    Centroid, Coord, CoordsIter, GeoNum, Geometry, GeometryCollection, LineString, MultiLineString,
    MultiPoint, Point, Polygon,
};

use super::call::{each, mapped, page, returns_geometry, takes_geometries};
use super::shape::{
    bounds, empty_point, empty_polygon, invalid, is_empty, kind, polygon, wrong_kind,
};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Kernel, Returns};

static TYPE: Page = page(
    "st_geometrytype",
    "st_geometrytype(geometry)",
    "Returns the name of a geometry's type.",
    "ST_GeometryType(ST_Point(1, 2))",
    "ST_Point",
);
static DIMENSION: Page = page(
    "st_dimension",
    "st_dimension(geometry)",
    "Returns 0 for points, 1 for lines and 2 for polygons.",
    "ST_Dimension(ST_GeometryFromText('LINESTRING (8 4, 5 7)'))",
    "1",
);
static COORD_DIM: Page = page(
    "st_coorddim",
    "st_coorddim(geometry)",
    "Returns the number of coordinates of a point, which is 2.",
    "ST_CoordDim(ST_Point(1, 2))",
    "2",
);
static EMPTY: Page = page(
    "st_isempty",
    "st_isempty(geometry)",
    "Returns whether a geometry has no points.",
    "ST_IsEmpty(ST_GeometryFromText('POINT EMPTY'))",
    "true",
);
static CLOSED: Page = page(
    "st_isclosed",
    "st_isclosed(line)",
    "Returns whether each line ends where it starts.",
    "ST_IsClosed(ST_GeometryFromText('LINESTRING (0 0, 1 1, 1 0, 0 0)'))",
    "true",
);
static ENVELOPE: Page = page(
    "st_envelope",
    "st_envelope(geometry)",
    "Returns the bounding rectangle of a geometry.",
    "ST_AsText(ST_Envelope(ST_GeometryFromText('LINESTRING (1 1, 2 2, 1 3)')))",
    "POLYGON ((1 1, 2 1, 2 3, 1 3, 1 1))",
);
static BOUNDARY: Page = page(
    "st_boundary",
    "st_boundary(geometry)",
    "Returns the ends of lines, and the rings of polygons.",
    "ST_AsText(ST_Boundary(ST_GeometryFromText('LINESTRING (8 4, 5 6, 5 7)')))",
    "MULTIPOINT ((8 4), (5 7))",
);
static CENTROID: Page = page(
    "st_centroid",
    "st_centroid(geometry)",
    "Returns the centre of gravity of a geometry.",
    "ST_AsText(ST_Centroid(ST_GeometryFromText('POLYGON ((0 0, 4 0, 4 2, 0 2, 0 0))')))",
    "POINT (2 1)",
);
static HULL: Page = page(
    "st_convexhull",
    "st_convexhull(geometry)",
    "Returns the smallest convex geometry that holds a geometry.",
    "ST_AsText(ST_ConvexHull(ST_GeometryFromText('MULTIPOINT (0 0, 2 2, 1 1)')))",
    "LINESTRING (0 0, 2 2)",
);
pub(super) fn entries() -> Vec<Entry> {
    let one = || takes_geometries(1);
    let tiny = || Returns::Type(DataType::Int8);
    let boolean = || Returns::Type(DataType::Boolean);
    [
        Kernel::new(&TYPE, one(), Returns::Type(DataType::Utf8), |call| {
            let names = each(call, |shape, _| Ok(Some(kind(shape.planar(call.name)?))))?;
            Ok(Arc::new(StringArray::from(names)))
        }),
        Kernel::new(&DIMENSION, one(), tiny(), |call| {
            let dimensions = each(call, |shape, _| {
                Ok(Some(dimension(shape.planar(call.name)?)))
            })?;
            Ok(Arc::new(Int8Array::from(dimensions)))
        }),
        Kernel::new(&COORD_DIM, one(), tiny(), |call| {
            let dimensions = each(call, |shape, _| shape.planar(call.name).map(|_| Some(2i8)))?;
            Ok(Arc::new(Int8Array::from(dimensions)))
        }),
        Kernel::new(&EMPTY, one(), boolean(), |call| {
            let empty = each(call, |shape, _| {
                Ok(Some(is_empty(shape.planar(call.name)?)))
            })?;
            Ok(Arc::new(BooleanArray::from(empty)))
        }),
        Kernel::new(&CLOSED, one(), boolean(), |call| {
            let closed = each(call, |shape, _| {
                let geometry = shape.planar(call.name)?;
                match geometry {
                    Geometry::LineString(line) => Ok(Some(is_closed(line))),
                    Geometry::MultiLineString(lines) => Ok(Some(lines.0.iter().all(is_closed))),
                    other => Err(wrong_kind(call.name, "a line", other)),
                }
            })?;
            Ok(Arc::new(BooleanArray::from(closed)))
        }),
        Kernel::new(&ENVELOPE, one(), returns_geometry(), |call| {
            mapped(call, |geometry, _| Ok(Some(envelope(geometry))))
        }),
        Kernel::new(&BOUNDARY, one(), returns_geometry(), |call| {
            mapped(call, |geometry, _| boundary(call.name, geometry).map(Some))
        }),
        Kernel::new(&CENTROID, one(), returns_geometry(), |call| {
            mapped(call, |geometry, _| centroid(call.name, geometry).map(Some))
        }),
        Kernel::new(&HULL, one(), returns_geometry(), |call| {
            mapped(call, |geometry, _| Ok(Some(hull(geometry))))
        }),
    ]
    .into_iter()
    .map(Entry::scalar)
    .collect()
}

fn dimension(geometry: &Geometry<f64>) -> i8 {
    match geometry {
        Geometry::Point(_) | Geometry::MultiPoint(_) => 0,
        Geometry::LineString(_) | Geometry::MultiLineString(_) | Geometry::Line(_) => 1,
        Geometry::GeometryCollection(parts) => parts.0.iter().map(dimension).max().unwrap_or(0),
        _ => 2,
    }
}

fn is_closed(line: &LineString<f64>) -> bool {
    !line.0.is_empty() && line.is_closed()
}

fn envelope(geometry: &Geometry<f64>) -> Geometry<f64> {
    let Some(bounds) = bounds(geometry) else {
        return empty_polygon();
    };
    let (min, max) = (bounds.min(), bounds.max());
    let corners = vec![
        min,
        Coord { x: max.x, y: min.y },
        max,
        Coord { x: min.x, y: max.y },
    ];
    polygon(LineString::new(corners), Vec::new()).into()
}

fn boundary(name: &str, geometry: &Geometry<f64>) -> Result<Geometry<f64>> {
    let rings = |polygon: &Polygon<f64>| -> Vec<LineString<f64>> {
        std::iter::once(polygon.exterior())
            .chain(polygon.interiors())
            .filter(|ring| !ring.0.is_empty())
            .cloned()
            .collect()
    };
    Ok(match geometry {
        Geometry::Point(_) | Geometry::MultiPoint(_) => {
            Geometry::GeometryCollection(GeometryCollection::from(Vec::<Geometry<f64>>::new()))
        }
        Geometry::LineString(line) => ends(std::slice::from_ref(line)),
        Geometry::MultiLineString(lines) => ends(&lines.0),
        Geometry::Polygon(polygon) => MultiLineString::new(rings(polygon)).into(),
        Geometry::MultiPolygon(polygons) => {
            MultiLineString::new(polygons.0.iter().flat_map(rings).collect()).into()
        }
        other => return Err(wrong_kind(name, "points, lines or polygons", other)),
    })
}

/// Returns the points where an odd number of lines end.
fn ends(lines: &[LineString<f64>]) -> Geometry<f64> {
    let key = |coord: Coord<f64>| ((coord.x + 0.0).to_bits(), (coord.y + 0.0).to_bits());
    let ends: Vec<Coord<f64>> = lines
        .iter()
        .filter(|line| !is_closed(line))
        .flat_map(|line| [line.0.first(), line.0.last()])
        .flatten()
        .copied()
        .collect();
    let mut times: HashMap<(u64, u64), usize> = HashMap::new();
    for end in &ends {
        *times.entry(key(*end)).or_default() += 1;
    }
    let points = ends
        .into_iter()
        .filter(|end| times.remove(&key(*end)).is_some_and(|times| times % 2 == 1))
        .map(Point)
        .collect();
    MultiPoint::new(points).into()
}

fn centroid(name: &str, geometry: &Geometry<f64>) -> Result<Geometry<f64>> {
    if let Geometry::GeometryCollection(_) = geometry {
        return Err(wrong_kind(name, "points, lines or polygons", geometry));
    }
    if is_empty(geometry) {
        return Ok(empty_point());
    }
    let centre = geometry.centroid();
    match centre {
        Some(centre) if centre.x().is_finite() && centre.y().is_finite() => Ok(centre.into()),
        _ => Err(invalid("the centroid of this geometry is not finite")),
    }
}

/// The lower and the upper chain of the points in their order from left to right.
pub(super) fn hull(geometry: &Geometry<f64>) -> Geometry<f64> {
    if is_empty(geometry) || matches!(geometry, Geometry::Point(_)) {
        return geometry.clone();
    }
    let mut points: Vec<Coord<f64>> = geometry.coords_iter().collect();
    points.sort_unstable_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    points.dedup();
    match points.as_slice() {
        [] => return geometry.clone(),
        [one] => return Point(*one).into(),
        _ => {}
    }
    let mut corners = chain(points.iter());
    let upper = chain(points.iter().rev());
    // Each chain ends where the other starts.
    corners.pop();
    corners.extend(upper);
    corners.pop();
    match corners.as_slice() {
        [from, to] => LineString::new(vec![*from, *to]).into(),
        _ => polygon(LineString::new(corners), Vec::new()).into(),
    }
}

/// Keeps the points where the path turns left.
fn chain<'a>(points: impl Iterator<Item = &'a Coord<f64>>) -> Vec<Coord<f64>> {
    let mut chain: Vec<Coord<f64>> = Vec::new();
    for point in points {
        while let [.., a, b] = chain.as_slice()
            && <f64 as GeoNum>::Ker::orient2d(*a, *b, *point) != Orientation::CounterClockwise
        {
            chain.pop();
        }
        chain.push(*point);
    }
    chain
}
