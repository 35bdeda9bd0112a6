//! Whether a geometry is well formed: what its functions may take for granted.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{BooleanArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use geo::algorithm::coordinate_position::CoordPos;
use geo::dimensions::Dimensions;
use geo::line_intersection::line_intersection;
use geo::{
    BoundingRect, Geometry, Intersects, LineIntersection, LineString, MultiPolygon, Polygon, Relate,
};

use super::call::{each, guarded, page, takes_geometries};
use super::linework::{Segment, each_meeting, segments};
use super::shape::{check_size, invalid, wrong_kind};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static VALID: Page = page(
    "st_isvalid",
    "st_isvalid(geometry)",
    "Returns whether a geometry is well formed: no ring crosses itself or another.",
    "ST_IsValid(ST_GeometryFromText('POLYGON ((0 0, 1 1, 0 1, 1 0, 0 0))'))",
    "false",
);
static REASON: Page = page(
    "geometry_invalid_reason",
    "geometry_invalid_reason(geometry)",
    "Returns why a geometry is not well formed; NULL if it is.",
    "geometry_invalid_reason(ST_GeometryFromText('POLYGON ((0 0, 1 1, 0 1, 1 0, 0 0))'))",
    "Self-intersection",
);
static SIMPLE: Page = page(
    "st_issimple",
    "st_issimple(geometry)",
    "Returns whether a geometry neither crosses nor touches itself.",
    "ST_IsSimple(ST_GeometryFromText('LINESTRING (0 0, 2 2, 2 0, 0 2)'))",
    "false",
);
static RING: Page = page(
    "st_isring",
    "st_isring(line)",
    "Returns whether a line ends where it starts and does not touch itself elsewhere.",
    "ST_IsRing(ST_GeometryFromText('LINESTRING (0 0, 1 1, 1 0, 0 0)'))",
    "true",
);

pub(super) fn entries() -> Vec<Entry> {
    let boolean = || Returns::Type(DataType::Boolean);
    [
        Kernel::new(&VALID, takes_geometries(1), boolean(), |call| {
            let valid = each(call, |shape, _| {
                Ok(Some(reason(call, shape.planar(call.name)?)?.is_none()))
            })?;
            Ok(Arc::new(BooleanArray::from(valid)))
        }),
        Kernel::new(
            &REASON,
            takes_geometries(1),
            Returns::Type(DataType::Utf8),
            |call| {
                let reasons = each(call, |shape, _| reason(call, shape.planar(call.name)?))?;
                Ok(Arc::new(StringArray::from(reasons)))
            },
        ),
        Kernel::new(&SIMPLE, takes_geometries(1), boolean(), |call| {
            let simple = each(call, |shape, _| {
                Ok(Some(reason(call, shape.planar(call.name)?)?.is_none()))
            })?;
            Ok(Arc::new(BooleanArray::from(simple)))
        }),
        Kernel::new(&RING, takes_geometries(1), boolean(), |call| {
            let rings = each(call, |shape, _| match shape.planar(call.name)? {
                geometry @ Geometry::LineString(line) => Ok(Some(
                    !line.0.is_empty() && line.is_closed() && reason(call, geometry)?.is_none(),
                )),
                other => Err(wrong_kind(call.name, "a line", other)),
            })?;
            Ok(Arc::new(BooleanArray::from(rings)))
        }),
    ]
    .into_iter()
    .map(Entry::scalar)
    .collect()
}

/// Checks that the polygons of a geometry are valid, for algorithms that rely on it.
///
/// # Errors
///
/// They are not, or have too many vertices to say.
pub(super) fn check_polygons(call: &Call<'_>, geometry: &Geometry<f64>) -> Result<()> {
    check_size(call.name, geometry)?;
    let reason = match geometry {
        Geometry::Polygon(polygon) => of_polygon(call, polygon)?,
        Geometry::MultiPolygon(polygons) => of_polygons(call, polygons)?,
        Geometry::GeometryCollection(parts) => {
            for part in parts {
                check_polygons(call, part)?;
            }
            None
        }
        _ => None,
    };
    match reason {
        None => Ok(()),
        Some(reason) => Err(invalid(format!(
            "{} of a geometry that is not valid: {reason}; find it with ST_IsValid",
            call.name
        ))),
    }
}

/// Returns why a geometry is not well formed.
fn reason(call: &Call<'_>, geometry: &Geometry<f64>) -> Result<Option<&'static str>> {
    check_size(call.name, geometry)?;
    match geometry {
        Geometry::MultiPoint(points) => {
            let mut known = HashSet::new();
            let bits = |x: f64| (x + 0.0).to_bits();
            let repeated = points
                .0
                .iter()
                .any(|p| !known.insert((bits(p.x()), bits(p.y()))));
            Ok(repeated.then_some("Repeated points"))
        }
        Geometry::LineString(line) => of_lines(call, std::slice::from_ref(line)),
        Geometry::MultiLineString(lines) => of_lines(call, &lines.0),
        Geometry::Polygon(polygon) => of_polygon(call, polygon),
        Geometry::MultiPolygon(polygons) => of_polygons(call, polygons),
        Geometry::GeometryCollection(parts) => {
            for part in parts {
                if let Some(reason) = reason(call, part)? {
                    return Ok(Some(reason));
                }
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// Lines may meet at their ends, and not touch themselves elsewhere.
fn of_lines(call: &Call<'_>, lines: &[LineString<f64>]) -> Result<Option<&'static str>> {
    let mut all = segments(lines);
    let counts = counts(&all, lines.len());
    if counts.contains(&0) && lines.iter().any(|line| !line.0.is_empty()) {
        return Ok(Some("A line of one point"));
    }
    let is_end = |segment: &Segment, at: geo::Coord<f64>| {
        lines.get(segment.path).is_some_and(|line| {
            !line.is_closed() && (line.0.first() == Some(&at) || line.0.last() == Some(&at))
        })
    };
    let mut found = None;
    each_meeting(call, &mut all, |a, b| {
        let fine = match line_intersection(a.line, b.line) {
            None => true,
            Some(LineIntersection::SinglePoint { intersection, .. }) if a.path == b.path => {
                follows(a, b, &counts) && ends_meet(a, b, intersection, &counts, lines)
            }
            Some(LineIntersection::SinglePoint { intersection, .. }) => {
                is_end(a, intersection) && is_end(b, intersection)
            }
            Some(LineIntersection::Collinear { .. }) => false,
        };
        match fine {
            true => ControlFlow::Continue(()),
            false => {
                found = Some("Self-intersection");
                ControlFlow::Break(())
            }
        }
    })?;
    Ok(found)
}

/// Returns the number of segments of each path.
fn counts(segments: &[Segment], paths: usize) -> Vec<usize> {
    let mut counts = vec![0; paths];
    for segment in segments {
        if let Some(count) = counts.get_mut(segment.path) {
            *count += 1;
        }
    }
    counts
}

/// Whether one segment of a path comes after the other, in a circle.
fn follows(a: &Segment, b: &Segment, counts: &[usize]) -> bool {
    let count = counts.get(a.path).copied().unwrap_or(0);
    a.index + 1 == b.index
        || b.index + 1 == a.index
        || a.index + b.index + 1 == count && a.index.min(b.index) == 0
}

/// Whether the point is where the path goes from one segment to the other.
fn ends_meet(
    a: &Segment,
    b: &Segment,
    point: geo::Coord<f64>,
    counts: &[usize],
    lines: &[LineString<f64>],
) -> bool {
    let (first, second) = match a.index < b.index {
        true => (a, b),
        false => (b, a),
    };
    let count = counts.get(a.path).copied().unwrap_or(0);
    let passes = first.index + 1 == second.index && point == first.line.end;
    let closes = first.index == 0
        && second.index + 1 == count
        && point == first.line.start
        && lines.get(a.path).is_some_and(LineString::is_closed);
    passes || closes
}

fn of_polygons(call: &Call<'_>, polygons: &MultiPolygon<f64>) -> Result<Option<&'static str>> {
    for polygon in polygons {
        if let Some(reason) = of_polygon(call, polygon)? {
            return Ok(Some(reason));
        }
    }
    for (at, polygon) in polygons.0.iter().enumerate() {
        for other in polygons.0.iter().skip(at + 1) {
            call.work.step()?;
            if !apart(polygon, other) {
                let met = guarded(call.name, || polygon.relate(other))?;
                if met.get(CoordPos::Inside, CoordPos::Inside) != Dimensions::Empty {
                    return Ok(Some("Overlapping polygons"));
                }
                if met.get(CoordPos::OnBoundary, CoordPos::OnBoundary) == Dimensions::OneDimensional
                {
                    return Ok(Some("Polygons with a common side"));
                }
            }
        }
    }
    Ok(None)
}

fn apart(a: &Polygon<f64>, b: &Polygon<f64>) -> bool {
    match (a.bounding_rect(), b.bounding_rect()) {
        (Some(a), Some(b)) => !a.intersects(&b),
        _ => true,
    }
}

fn of_polygon(call: &Call<'_>, polygon: &Polygon<f64>) -> Result<Option<&'static str>> {
    let rings: Vec<&LineString<f64>> = std::iter::once(polygon.exterior())
        .chain(polygon.interiors())
        .filter(|ring| !ring.0.is_empty())
        .collect();
    for ring in &rings {
        let one = std::slice::from_ref(*ring);
        if segments(one).len() < 3 {
            return Ok(Some("A ring of fewer than three points"));
        }
        if let Some(reason) = of_lines(call, one)? {
            return Ok(Some(reason));
        }
    }
    let Some((exterior, interiors)) = rings.split_first() else {
        return Ok(None);
    };
    if interiors.is_empty() {
        return Ok(None);
    }
    let filled = |ring: &LineString<f64>| Polygon::new(ring.clone(), Vec::new());
    let outer = filled(exterior);
    let holes: Vec<Polygon<f64>> = interiors.iter().map(|ring| filled(ring)).collect();
    for (at, hole) in holes.iter().enumerate() {
        call.work.step()?;
        let met = guarded(call.name, || outer.relate(hole))?;
        if !met.is_contains() {
            return Ok(Some("An interior ring outside the exterior"));
        }
        if met.get(CoordPos::OnBoundary, CoordPos::OnBoundary) == Dimensions::OneDimensional {
            return Ok(Some("Rings with a common side"));
        }
        for other in holes.iter().skip(at + 1) {
            call.work.step()?;
            if apart(hole, other) {
                continue;
            }
            let met = guarded(call.name, || hole.relate(other))?;
            if met.get(CoordPos::Inside, CoordPos::Inside) != Dimensions::Empty {
                return Ok(Some("Overlapping interior rings"));
            }
            if met.get(CoordPos::OnBoundary, CoordPos::OnBoundary) == Dimensions::OneDimensional {
                return Ok(Some("Rings with a common side"));
            }
        }
    }
    Ok(None)
}
