//! The parts of a geometry: its coordinates, points, rings and members.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int32Array, Int64Array, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use geo::{CoordsIter, Geometry, LineString, Point, Polygon, Rect};

use super::call::{
    Geometries, Shapes, each, geometry_item, mapped, page, returns_geometries, returns_geometry,
    takes, takes_geometries,
};
use super::shape::{Shape, bounds, is_empty, vertices, wrong_kind};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static X: Page = page(
    "st_x",
    "st_x(point)",
    "Returns the X coordinate of a point.",
    "ST_X(ST_Point(1, 2))",
    "1.0",
);
static Y: Page = page(
    "st_y",
    "st_y(point)",
    "Returns the Y coordinate of a point.",
    "ST_Y(ST_Point(1, 2))",
    "2.0",
);
static X_MIN: Page = page(
    "st_xmin",
    "st_xmin(geometry)",
    "Returns the least X coordinate.",
    "ST_XMin(ST_GeometryFromText('LINESTRING (8 4, 5 7)'))",
    "5.0",
);
static X_MAX: Page = page(
    "st_xmax",
    "st_xmax(geometry)",
    "Returns the greatest X coordinate.",
    "ST_XMax(ST_GeometryFromText('LINESTRING (8 4, 5 7)'))",
    "8.0",
);
static Y_MIN: Page = page(
    "st_ymin",
    "st_ymin(geometry)",
    "Returns the least Y coordinate.",
    "ST_YMin(ST_GeometryFromText('LINESTRING (8 4, 5 7)'))",
    "4.0",
);
static Y_MAX: Page = page(
    "st_ymax",
    "st_ymax(geometry)",
    "Returns the greatest Y coordinate.",
    "ST_YMax(ST_GeometryFromText('LINESTRING (8 4, 5 7)'))",
    "7.0",
);
static NUM_POINTS: Page = page(
    "st_numpoints",
    "st_numpoints(geometry)",
    "Returns the number of vertices; the first of a ring counts once.",
    "ST_NumPoints(ST_GeometryFromText('POLYGON ((0 0, 8 0, 0 8, 0 0))'))",
    "3",
);
static NUM_GEOMETRIES: Page = page(
    "st_numgeometries",
    "st_numgeometries(geometry)",
    "Returns the number of a geometry's members.",
    "ST_NumGeometries(ST_GeometryFromText('MULTIPOINT (0 0, 1 2)'))",
    "2",
);
static NUM_RINGS: Page = page(
    "st_numinteriorring",
    "st_numinteriorring(polygon)",
    "Returns the number of a polygon's interior rings.",
    "ST_NumInteriorRing(ST_GeometryFromText('POLYGON ((0 0, 8 0, 0 8), (1 1, 1 5, 5 1))'))",
    "1",
);
static GEOMETRY_N: Page = page(
    "st_geometryn",
    "st_geometryn(geometry, index)",
    "Returns a member of a geometry, counted from 1.",
    "ST_AsText(ST_GeometryN(ST_GeometryFromText('MULTIPOINT (0 0, 1 2)'), 2))",
    "POINT (1 2)",
);
static POINT_N: Page = page(
    "st_pointn",
    "st_pointn(line, index)",
    "Returns a point of a line, counted from 1.",
    "ST_AsText(ST_PointN(ST_GeometryFromText('LINESTRING (8 4, 5 7)'), 2))",
    "POINT (5 7)",
);
static START: Page = page(
    "st_startpoint",
    "st_startpoint(line)",
    "Returns the first point of a line.",
    "ST_AsText(ST_StartPoint(ST_GeometryFromText('LINESTRING (8 4, 5 7)')))",
    "POINT (8 4)",
);
static END: Page = page(
    "st_endpoint",
    "st_endpoint(line)",
    "Returns the last point of a line.",
    "ST_AsText(ST_EndPoint(ST_GeometryFromText('LINESTRING (8 4, 5 7)')))",
    "POINT (5 7)",
);
static EXTERIOR: Page = page(
    "st_exteriorring",
    "st_exteriorring(polygon)",
    "Returns the exterior ring of a polygon as a line.",
    "ST_AsText(ST_ExteriorRing(ST_GeometryFromText('POLYGON ((0 0, 8 0, 0 8, 0 0))')))",
    "LINESTRING (0 0, 8 0, 0 8, 0 0)",
);
static RING_N: Page = page(
    "st_interiorringn",
    "st_interiorringn(polygon, index)",
    "Returns an interior ring of a polygon as a line, counted from 1.",
    "ST_AsText(ST_InteriorRingN(ST_GeometryFromText('POLYGON ((0 0, 8 0, 0 8), (1 1, 1 5, 5 1))'), 1))",
    "LINESTRING (1 1, 1 5, 5 1, 1 1)",
);
static POINTS: Page = page(
    "st_points",
    "st_points(geometry)",
    "Returns the array of a geometry's vertices.",
    "cardinality(ST_Points(ST_GeometryFromText('LINESTRING (8 4, 5 7)')))",
    "2",
);
static GEOMETRIES: Page = page(
    "st_geometries",
    "st_geometries(geometry)",
    "Returns the array of a geometry's members.",
    "cardinality(ST_Geometries(ST_GeometryFromText('MULTIPOINT (0 0, 1 2)')))",
    "2",
);
static RINGS: Page = page(
    "st_interiorrings",
    "st_interiorrings(polygon)",
    "Returns the array of a polygon's interior rings.",
    "cardinality(ST_InteriorRings(ST_GeometryFromText('POLYGON ((0 0, 8 0, 0 8), (1 1, 1 5, 5 1))')))",
    "1",
);
static CORNERS: Page = page(
    "st_envelopeaspts",
    "st_envelopeaspts(geometry)",
    "Returns the lower left and the upper right corner of the bounding rectangle.",
    "ST_AsText(ST_EnvelopeAsPts(ST_GeometryFromText('LINESTRING (8 4, 5 7)'))[1])",
    "POINT (5 4)",
);

/// Returns the number of rings, each of which has its first point twice.
fn rings(geometry: &Geometry) -> usize {
    let of = |polygon: &Polygon| {
        let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
        rings.filter(|ring| !ring.0.is_empty()).count()
    };
    match geometry {
        Geometry::Polygon(polygon) => of(polygon),
        Geometry::MultiPolygon(polygons) => polygons.iter().map(of).sum(),
        Geometry::GeometryCollection(members) => members.iter().map(rings).sum(),
        _ => 0,
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let number = || Returns::Type(DataType::Float64);
    let count = || Returns::Type(DataType::Int64);
    let one = || takes_geometries(1);
    let indexed = || takes(&[DataType::Binary, DataType::Int64]);
    [
        Kernel::new(&X, one(), number(), |call| ordinate(call, |p| p.x())),
        Kernel::new(&Y, one(), number(), |call| ordinate(call, |p| p.y())),
        Kernel::new(&X_MIN, one(), number(), |call| extreme(call, |r| r.min().x)),
        Kernel::new(&X_MAX, one(), number(), |call| extreme(call, |r| r.max().x)),
        Kernel::new(&Y_MIN, one(), number(), |call| extreme(call, |r| r.min().y)),
        Kernel::new(&Y_MAX, one(), number(), |call| extreme(call, |r| r.max().y)),
        Kernel::new(&NUM_POINTS, one(), count(), |call| {
            let counts = each(call, |shape, _| {
                let geometry = shape.planar(call.name)?;
                Ok(i64::try_from(vertices(geometry).saturating_sub(rings(geometry))).ok())
            })?;
            Ok(Arc::new(Int64Array::from(counts)))
        }),
        Kernel::new(
            &NUM_GEOMETRIES,
            one(),
            Returns::Type(DataType::Int32),
            |call| {
                let counts = each(call, |shape, _| {
                    Ok(i32::try_from(members(shape.planar(call.name)?)).ok())
                })?;
                Ok(Arc::new(Int32Array::from(counts)))
            },
        ),
        Kernel::new(&NUM_RINGS, one(), count(), |call| {
            let counts = each(call, |shape, _| {
                let rings = interiors(call.name, shape)?;
                Ok(rings.and_then(|rings| i64::try_from(rings.len()).ok()))
            })?;
            Ok(Arc::new(Int64Array::from(counts)))
        }),
        Kernel::new(&GEOMETRY_N, indexed(), returns_geometry(), |call| {
            at_index(call, |geometry, index| {
                Ok((index < members(geometry))
                    .then(|| member(geometry, index))
                    .flatten())
            })
        }),
        Kernel::new(&POINT_N, indexed(), returns_geometry(), |call| {
            at_index(call, |geometry, index| {
                let line = line(call.name, geometry)?;
                Ok(line.0.get(index).map(|coord| Point(*coord).into()))
            })
        }),
        Kernel::new(&START, one(), returns_geometry(), |call| {
            mapped(call, |geometry, _| {
                let line = line(call.name, geometry)?;
                Ok(line.0.first().map(|coord| Point(*coord).into()))
            })
        }),
        Kernel::new(&END, one(), returns_geometry(), |call| {
            mapped(call, |geometry, _| {
                let line = line(call.name, geometry)?;
                Ok(line.0.last().map(|coord| Point(*coord).into()))
            })
        }),
        Kernel::new(&EXTERIOR, one(), returns_geometry(), |call| {
            mapped(call, |geometry, _| match geometry {
                Geometry::Polygon(_) if is_empty(geometry) => Ok(None),
                Geometry::Polygon(polygon) => Ok(Some(polygon.exterior().clone().into())),
                other => Err(wrong_kind(call.name, "a polygon", other)),
            })
        }),
        Kernel::new(&RING_N, indexed(), returns_geometry(), |call| {
            at_index(call, |geometry, index| match geometry {
                Geometry::Polygon(polygon) => Ok(polygon
                    .interiors()
                    .get(index)
                    .map(|ring| ring.clone().into())),
                other => Err(wrong_kind(call.name, "a polygon", other)),
            })
        }),
        Kernel::new(&POINTS, one(), returns_geometries(), |call| {
            arrays(call, |shape| {
                let geometry = shape.planar(call.name)?;
                Ok((!is_empty(geometry))
                    .then(|| geometry.coords_iter().map(|c| Point(c).into()).collect()))
            })
        }),
        Kernel::new(&GEOMETRIES, one(), returns_geometries(), |call| {
            arrays(call, |shape| {
                let geometry = shape.planar(call.name)?;
                Ok((!is_empty(geometry)).then(|| {
                    (0..members(geometry))
                        .filter_map(|index| member(geometry, index))
                        .collect()
                }))
            })
        }),
        Kernel::new(&RINGS, one(), returns_geometries(), |call| {
            arrays(call, |shape| {
                let rings = interiors(call.name, shape)?;
                Ok(rings.map(|rings| rings.iter().map(|ring| ring.clone().into()).collect()))
            })
        }),
        Kernel::new(&CORNERS, one(), returns_geometries(), |call| {
            arrays(call, |shape| {
                let bounds = bounds(shape.planar(call.name)?);
                Ok(bounds.map(|r| vec![Point(r.min()).into(), Point(r.max()).into()]))
            })
        }),
    ]
    .into_iter()
    .map(Entry::scalar)
    .collect()
}

fn ordinate(call: &Call<'_>, of: fn(&Point<f64>) -> f64) -> Result<ArrayRef> {
    let values = each(call, |shape, _| match shape.planar(call.name)? {
        Geometry::Point(point) => Ok((!point.x().is_nan()).then(|| of(point))),
        other => Err(wrong_kind(call.name, "a point", other)),
    })?;
    Ok(Arc::new(Float64Array::from(values)))
}

fn extreme(call: &Call<'_>, of: fn(Rect<f64>) -> f64) -> Result<ArrayRef> {
    let mut shapes = Shapes::of(call, 0);
    let mut values = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        values.push(match shapes.get(row)? {
            Some((shape, bounds)) => {
                shape.planar(call.name)?;
                bounds.map(of)
            }
            None => None,
        });
    }
    Ok(Arc::new(Float64Array::from(values)))
}

/// Returns the number of members; 1 for a geometry that is not a collection.
fn members(geometry: &Geometry<f64>) -> usize {
    match geometry {
        _ if is_empty(geometry) => 0,
        Geometry::MultiPoint(points) => points.0.len(),
        Geometry::MultiLineString(lines) => lines.0.len(),
        Geometry::MultiPolygon(polygons) => polygons.0.len(),
        Geometry::GeometryCollection(parts) => parts.0.len(),
        _ => 1,
    }
}

fn member(geometry: &Geometry<f64>, index: usize) -> Option<Geometry<f64>> {
    match geometry {
        Geometry::MultiPoint(points) => points.0.get(index).map(|point| (*point).into()),
        Geometry::MultiLineString(lines) => lines.0.get(index).map(|line| line.clone().into()),
        Geometry::MultiPolygon(polygons) => polygons.0.get(index).map(|one| one.clone().into()),
        Geometry::GeometryCollection(parts) => parts.0.get(index).cloned(),
        one => (index == 0).then(|| one.clone()),
    }
}

fn line<'a>(name: &str, geometry: &'a Geometry<f64>) -> Result<&'a LineString<f64>> {
    match geometry {
        Geometry::LineString(line) => Ok(line),
        other => Err(wrong_kind(name, "a line", other)),
    }
}

/// Returns a polygon's interior rings; `None` if it is empty.
fn interiors<'a>(name: &str, shape: &'a Shape) -> Result<Option<&'a [LineString<f64>]>> {
    match shape.planar(name)? {
        geometry @ Geometry::Polygon(polygon) => {
            Ok((!is_empty(geometry)).then(|| polygon.interiors()))
        }
        other => Err(wrong_kind(name, "a polygon", other)),
    }
}

/// Evaluates a function of a geometry and an index, which the body receives counted from 0.
fn at_index(
    call: &Call<'_>,
    body: impl Fn(&Geometry<f64>, usize) -> Result<Option<Geometry<f64>>>,
) -> Result<ArrayRef> {
    let indices = call.columns[1].primitives::<Int64Type>();
    mapped(call, |geometry, row| {
        let Some(index) = indices.get(row) else {
            return Ok(None);
        };
        // An index that is not in the range of any geometry still checks the type.
        let index = usize::try_from(index).unwrap_or(0).wrapping_sub(1);
        body(geometry, index)
    })
}

/// Evaluates a function from geometries to arrays of geometries.
fn arrays(
    call: &Call<'_>,
    body: impl Fn(&Shape) -> Result<Option<Vec<Geometry<f64>>>>,
) -> Result<ArrayRef> {
    let mut shapes = Shapes::of(call, 0);
    let mut items = Geometries::of(call);
    let mut lengths = Vec::with_capacity(call.rows);
    let mut valid = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let list = match shapes.get(row)? {
            Some((shape, _)) => body(shape)?,
            None => None,
        };
        valid.push(list.is_some());
        let list = list.unwrap_or_default();
        for item in &list {
            items.append(Some(item))?;
        }
        lengths.push(list.len());
    }
    let items = items.finish();
    debug_assert_eq!(items.len(), lengths.iter().sum::<usize>());
    let list = ListArray::try_new(
        geometry_item(),
        OffsetBuffer::from_lengths(lengths),
        Arc::new(items),
        Some(NullBuffer::from(valid)),
    )?;
    Ok(Arc::new(list))
}
