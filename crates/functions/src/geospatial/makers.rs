//! Geometries from coordinates, text, binary and arrays, and back.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;
use geo::{Geometry, LineString, MultiPoint, Point};

use super::call::{
    Geometries, Shapes, geometry_field, is_array_of_geometries, items, page, pauses,
    returns_geometry, takes, takes_geometries,
};
use super::shape::{invalid, is_empty, kind, wrong_kind};
use super::wkb::{self, Source};
use super::wkt;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static POINT: Page = page(
    "st_point",
    "st_point(x, y)",
    "Returns the point of these coordinates.",
    "ST_AsText(ST_Point(1, 2.5))",
    "POINT (1 2.5)",
);
static FROM_TEXT: Page = page(
    "st_geometryfromtext",
    "st_geometryfromtext(text)",
    "Reads a geometry from well-known text.",
    "ST_AsText(ST_GeometryFromText('MULTIPOINT (0 0, 1 2)'))",
    "MULTIPOINT ((0 0), (1 2))",
);
static LINE_FROM_TEXT: Page = page(
    "st_linefromtext",
    "st_linefromtext(text)",
    "Reads a line from well-known text.",
    "ST_AsText(ST_LineFromText('LINESTRING (0 0, 1 1)'))",
    "LINESTRING (0 0, 1 1)",
);
static POLYGON: Page = page(
    "st_polygon",
    "st_polygon(text)",
    "Reads a polygon from well-known text.",
    "ST_AsText(ST_Polygon('POLYGON ((1 1, 1 4, 4 4, 4 1))'))",
    "POLYGON ((1 1, 4 1, 4 4, 1 4, 1 1))",
);
static FROM_BINARY: Page = page(
    "st_geomfrombinary",
    "st_geomfrombinary(bytes)",
    "Reads a geometry from well-known binary.",
    "ST_AsText(ST_GeomFromBinary(ST_AsBinary(ST_Point(1, 2))))",
    "POINT (1 2)",
);
static AS_TEXT: Page = page(
    "st_astext",
    "st_astext(geometry)",
    "Returns a geometry as well-known text.",
    "ST_AsText(ST_GeometryFromText('linestring(0 0,1 1)'))",
    "LINESTRING (0 0, 1 1)",
);
static AS_BINARY: Page = page(
    "st_asbinary",
    "st_asbinary(geometry)",
    "Returns a geometry as well-known binary, little-endian.",
    "ST_AsBinary(ST_Point(1, 2))",
    "01 01 00 00 00 00 00 00 00 00 00 f0 3f 00 00 00 00 00 00 00 40",
);
static LINE: Page = page(
    "st_linestring",
    "st_linestring(points)",
    "Returns the line through an array of points.",
    "ST_AsText(ST_LineString(ARRAY[ST_Point(0, 0), ST_Point(1, 2)]))",
    "LINESTRING (0 0, 1 2)",
);
static MULTI_POINT: Page = page(
    "st_multipoint",
    "st_multipoint(points)",
    "Returns the geometry of an array of points.",
    "ST_AsText(ST_MultiPoint(ARRAY[ST_Point(0, 0), ST_Point(1, 2)]))",
    "MULTIPOINT ((0 0), (1 2))",
);

pub(super) fn entries() -> Vec<Entry> {
    let text = || takes(&[DataType::Utf8]);
    let geometry = returns_geometry;
    let from_array = || {
        Returns::Field(|fields| {
            let types: Vec<DataType> = fields.iter().map(|f| f.data_type().clone()).collect();
            is_array_of_geometries("this function", &types)?;
            Ok(geometry_field())
        })
    };
    let array = || vec![TypeSignature::Any(1)];
    [
        Kernel::new(
            &POINT,
            takes(&[DataType::Float64, DataType::Float64]),
            geometry(),
            points,
        ),
        Kernel::new(&FROM_TEXT, text(), geometry(), |call| {
            from_text(call, |_| true, "")
        }),
        Kernel::new(&LINE_FROM_TEXT, text(), geometry(), |call| {
            from_text(call, |g| matches!(g, Geometry::LineString(_)), "a line")
        }),
        Kernel::new(&POLYGON, text(), geometry(), |call| {
            from_text(call, |g| matches!(g, Geometry::Polygon(_)), "a polygon")
        }),
        Kernel::new(&FROM_BINARY, takes_geometries(1), geometry(), from_binary),
        Kernel::new(
            &AS_TEXT,
            takes_geometries(1),
            Returns::Type(DataType::Utf8),
            as_text,
        ),
        Kernel::new(
            &AS_BINARY,
            takes_geometries(1),
            Returns::Type(DataType::Binary),
            as_binary,
        ),
        Kernel::new(&LINE, array(), from_array(), |call| of_points(call, line)),
        Kernel::new(&MULTI_POINT, array(), from_array(), |call| {
            of_points(call, multi_point)
        }),
    ]
    .into_iter()
    .map(Entry::scalar)
    .collect()
}

fn points(call: &Call<'_>) -> Result<ArrayRef> {
    let xs = call.columns[0].primitives::<Float64Type>();
    let ys = call.columns[1].primitives::<Float64Type>();
    let mut results = Geometries::of(call);
    for row in 0..call.rows {
        let point: Option<Geometry<f64>> = match (xs.get(row), ys.get(row)) {
            (Some(x), Some(y)) if x.is_finite() && y.is_finite() => Some(Point::new(x, y).into()),
            (Some(_), Some(_)) => return Err(invalid("coordinates must be finite numbers")),
            _ => None,
        };
        results.append(point.as_ref())?;
    }
    Ok(Arc::new(results.finish()))
}

fn from_text(
    call: &Call<'_>,
    is_right: fn(&Geometry<f64>) -> bool,
    takes: &str,
) -> Result<ArrayRef> {
    let texts = call.columns[0].texts();
    let mut results = Geometries::of(call);
    for row in 0..call.rows {
        let geometry = match texts.get(row) {
            Some(text) => {
                // A coordinate of two characters becomes sixteen bytes.
                call.work.builds(8 * text.len())?;
                Some(wkt::read(text, &call.work)?)
            }
            None => None,
        };
        if let Some(geometry) = &geometry
            && !is_right(geometry)
        {
            return Err(wrong_kind(call.name, takes, geometry));
        }
        results.append(geometry.as_ref())?;
    }
    Ok(Arc::new(results.finish()))
}

fn from_binary(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.columns[0].bytes();
    let mut results = Geometries::of(call);
    for row in 0..call.rows {
        let geometry = match values.get(row) {
            Some(bytes) => {
                pauses(call, bytes.len())?;
                Some(wkb::read(bytes, Source::User)?.geometry)
            }
            None => None,
        };
        results.append(geometry.as_ref())?;
    }
    Ok(Arc::new(results.finish()))
}

fn as_text(call: &Call<'_>) -> Result<ArrayRef> {
    let mut shapes = Shapes::of(call, 0);
    let mut texts = StringBuilder::new();
    let mut text = String::new();
    for row in 0..call.rows {
        match shapes.get(row)? {
            Some((shape, _)) => {
                text.clear();
                wkt::write(shape.planar(call.name)?, &call.work, &mut text)?;
                texts.append_value(&text);
            }
            None => texts.append_null(),
        }
    }
    Ok(Arc::new(texts.finish()))
}

fn as_binary(call: &Call<'_>) -> Result<ArrayRef> {
    let mut shapes = Shapes::of(call, 0);
    let mut results = Geometries::of(call);
    for row in 0..call.rows {
        let geometry = match shapes.get(row)? {
            Some((shape, _)) => Some(shape.planar(call.name)?),
            None => None,
        };
        results.append(geometry)?;
    }
    Ok(Arc::new(results.finish()))
}

/// Makes a geometry of the points of one row.
type OfPoints = fn(&str, Vec<(usize, Geometry<f64>)>) -> Result<Option<Geometry<f64>>>;

fn of_points(call: &Call<'_>, make: OfPoints) -> Result<ArrayRef> {
    let lists = call.columns[0].lists();
    let mut results = Geometries::of(call);
    for row in 0..call.rows {
        let list = lists.as_ref().and_then(|lists| lists.get(row));
        let geometry = match list {
            Some(list) => {
                let mut points = Vec::new();
                for (index, item) in items(call, &list)?.into_iter().enumerate() {
                    let at = index + 1;
                    let item = item.ok_or_else(|| {
                        invalid(format!("item {at} of the array for {} is NULL", call.name))
                    })?;
                    if !matches!(item, Geometry::Point(_)) {
                        let kind = kind(&item);
                        return Err(invalid(format!(
                            "item {at} of the array for {} is {kind}, not a point",
                            call.name
                        )));
                    }
                    points.push((at, item));
                }
                make(call.name, points)?
            }
            None => None,
        };
        results.append(geometry.as_ref())?;
    }
    Ok(Arc::new(results.finish()))
}

fn line(name: &str, points: Vec<(usize, Geometry<f64>)>) -> Result<Option<Geometry<f64>>> {
    let mut coords = Vec::with_capacity(points.len());
    for (at, geometry) in points {
        let Geometry::Point(point) = geometry else {
            continue;
        };
        if is_empty(&geometry) {
            return Err(invalid(format!(
                "item {at} of the array for {name} is empty"
            )));
        }
        if coords.last() == Some(&point.0) {
            return Err(invalid(format!(
                "items {} and {at} of the array for {name} are the same point",
                at - 1
            )));
        }
        coords.push(point.0);
    }
    if coords.len() < 2 {
        coords.clear();
    }
    Ok(Some(LineString::new(coords).into()))
}

fn multi_point(name: &str, points: Vec<(usize, Geometry<f64>)>) -> Result<Option<Geometry<f64>>> {
    let mut all = Vec::with_capacity(points.len());
    for (at, geometry) in points {
        if is_empty(&geometry) {
            return Err(invalid(format!(
                "item {at} of the array for {name} is empty"
            )));
        }
        if let Geometry::Point(point) = geometry {
            all.push(point);
        }
    }
    Ok((!all.is_empty()).then(|| MultiPoint::new(all).into()))
}
