//! How two geometries lie to each other.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use geo::relate::IntersectionMatrix;
use geo::{Contains, Geometry, Intersects, Rect, Relate};

use super::call::{Shapes, guarded, page, takes, takes_geometries};
use super::linework::{each_meeting, paths, segments};
use super::shape::{Shape, check_pair, invalid, is_empty};
use super::validity::check_polygons;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static CONTAINS: Page = page(
    "st_contains",
    "st_contains(geometry, geometry)",
    "Returns whether no point of the second geometry is outside the first, and some inside.",
    "ST_Contains(ST_GeometryFromText('POLYGON ((0 0, 4 0, 4 4, 0 4))'), ST_Point(1, 1))",
    "true",
);
static WITHIN: Page = page(
    "st_within",
    "st_within(geometry, geometry)",
    "Returns whether the second geometry contains the first.",
    "ST_Within(ST_Point(1, 1), ST_GeometryFromText('POLYGON ((0 0, 4 0, 4 4, 0 4))'))",
    "true",
);
static INTERSECTS: Page = page(
    "st_intersects",
    "st_intersects(geometry, geometry)",
    "Returns whether the geometries have a point in common.",
    "ST_Intersects(ST_GeometryFromText('LINESTRING (0 0, 2 2)'), ST_Point(1, 1))",
    "true",
);
static DISJOINT: Page = page(
    "st_disjoint",
    "st_disjoint(geometry, geometry)",
    "Returns whether the geometries have no point in common.",
    "ST_Disjoint(ST_GeometryFromText('LINESTRING (0 0, 2 2)'), ST_Point(1, 1))",
    "false",
);
static TOUCHES: Page = page(
    "st_touches",
    "st_touches(geometry, geometry)",
    "Returns whether the geometries meet, but not their interiors.",
    "ST_Touches(ST_GeometryFromText('POLYGON ((0 0, 4 0, 4 4, 0 4))'), ST_Point(4, 1))",
    "true",
);
static CROSSES: Page = page(
    "st_crosses",
    "st_crosses(geometry, geometry)",
    "Returns whether the interiors have some, but not all points in common.",
    "ST_Crosses(ST_GeometryFromText('LINESTRING (0 0, 2 2)'), ST_GeometryFromText('LINESTRING (0 2, 2 0)'))",
    "true",
);
static OVERLAPS: Page = page(
    "st_overlaps",
    "st_overlaps(geometry, geometry)",
    "Returns whether geometries of one dimension have a part of that dimension in common, but not all.",
    "ST_Overlaps(ST_GeometryFromText('LINESTRING (0 0, 2 0)'), ST_GeometryFromText('LINESTRING (1 0, 3 0)'))",
    "true",
);
static EQUALS: Page = page(
    "st_equals",
    "st_equals(geometry, geometry)",
    "Returns whether the geometries have the same points.",
    "ST_Equals(ST_GeometryFromText('LINESTRING (0 0, 2 2)'), ST_GeometryFromText('LINESTRING (2 2, 1 1, 0 0)'))",
    "true",
);
static RELATE: Page = page(
    "st_relate",
    "st_relate(geometry, geometry, pattern)",
    "Returns whether the matrix of the geometries' intersections matches a pattern of T, F, *, 0, 1 and 2.",
    "ST_Relate(ST_GeometryFromText('LINESTRING (0 0, 2 2)'), ST_GeometryFromText('LINESTRING (0 2, 2 0)'), '0********')",
    "true",
);

pub(super) fn entries() -> Vec<Entry> {
    let two = || takes_geometries(2);
    let boolean = || Returns::Type(DataType::Boolean);
    [
        Kernel::new(&CONTAINS, two(), boolean(), |call| compared(call, contains)),
        Kernel::new(&WITHIN, two(), boolean(), |call| {
            compared(call, |call, a, b| contains(call, b, a))
        }),
        Kernel::new(&INTERSECTS, two(), boolean(), |call| {
            compared(call, intersects)
        }),
        Kernel::new(&DISJOINT, two(), boolean(), |call| {
            compared(call, |call, a, b| Ok(!intersects(call, a, b)?))
        }),
        Kernel::new(&TOUCHES, two(), boolean(), |call| {
            compared(call, |call, a, b| {
                related(call, a, b, IntersectionMatrix::is_touches)
            })
        }),
        Kernel::new(&CROSSES, two(), boolean(), |call| {
            compared(call, |call, a, b| {
                related(call, a, b, IntersectionMatrix::is_crosses)
            })
        }),
        Kernel::new(&OVERLAPS, two(), boolean(), |call| {
            compared(call, |call, a, b| {
                related(call, a, b, IntersectionMatrix::is_overlaps)
            })
        }),
        Kernel::new(&EQUALS, two(), boolean(), |call| {
            compared(call, |call, a, b| {
                let (geometry, other) = (a.geometry, b.geometry);
                if is_empty(geometry) || is_empty(other) {
                    return Ok(is_empty(geometry) && is_empty(other));
                }
                if a.bounds != b.bounds {
                    return Ok(false);
                }
                related(call, a, b, IntersectionMatrix::is_equal_topo)
            })
        }),
        Kernel::new(
            &RELATE,
            takes(&[DataType::Binary, DataType::Binary, DataType::Utf8]),
            boolean(),
            relate,
        ),
    ]
    .into_iter()
    .map(Entry::scalar)
    .collect()
}

/// An operand: a geometry, its bounds, and whether its polygons are known to be valid.
struct Operand<'a> {
    geometry: &'a Geometry<f64>,
    bounds: Option<Rect<f64>>,
    checked: &'a mut bool,
}

impl Operand<'_> {
    fn apart(&self, other: &Self) -> bool {
        match (&self.bounds, &other.bounds) {
            (Some(a), Some(b)) => !a.intersects(b),
            _ => true,
        }
    }

    fn check(&mut self, call: &Call<'_>) -> Result<()> {
        if !*self.checked {
            check_polygons(call, self.geometry)?;
            *self.checked = true;
        }
        Ok(())
    }
}

type Compare = fn(&Call<'_>, &mut Operand<'_>, &mut Operand<'_>) -> Result<bool>;

fn compared(call: &Call<'_>, compare: Compare) -> Result<ArrayRef> {
    let mut results = Vec::with_capacity(call.rows);
    pairs(call, |a, b, _| {
        results.push(match (a, b) {
            (Some(a), Some(b)) => Some(compare(call, a, b)?),
            _ => None,
        });
        Ok(())
    })?;
    Ok(Arc::new(BooleanArray::from(results)))
}

/// Calls `body` with the two geometries of each row.
fn pairs(
    call: &Call<'_>,
    mut body: impl FnMut(Option<&mut Operand<'_>>, Option<&mut Operand<'_>>, usize) -> Result<()>,
) -> Result<()> {
    let (mut left, mut right) = (Shapes::of(call, 0), Shapes::of(call, 1));
    let constants = (left.is_constant(), right.is_constant());
    let (mut left_checked, mut right_checked) = (false, false);
    for row in 0..call.rows {
        call.work.step()?;
        left_checked &= constants.0;
        right_checked &= constants.1;
        let mut a = operand(call, left.get(row)?, &mut left_checked)?;
        let mut b = operand(call, right.get(row)?, &mut right_checked)?;
        body(a.as_mut(), b.as_mut(), row)?;
    }
    Ok(())
}

fn operand<'a>(
    call: &Call<'_>,
    value: Option<&'a (Shape, Option<Rect<f64>>)>,
    checked: &'a mut bool,
) -> Result<Option<Operand<'a>>> {
    Ok(match value {
        Some((shape, bounds)) => Some(Operand {
            geometry: shape.planar(call.name)?,
            bounds: *bounds,
            checked,
        }),
        None => None,
    })
}

fn intersects(call: &Call<'_>, a: &mut Operand<'_>, b: &mut Operand<'_>) -> Result<bool> {
    if a.apart(b) {
        return Ok(false);
    }
    check_pair(call.name, a.geometry, b.geometry)?;
    Ok(a.geometry.intersects(b.geometry))
}

fn contains(call: &Call<'_>, a: &mut Operand<'_>, b: &mut Operand<'_>) -> Result<bool> {
    if a.apart(b) {
        return Ok(false);
    }
    match b.geometry {
        Geometry::Point(point) => Ok(a.geometry.contains(point)),
        _ => related(call, a, b, IntersectionMatrix::is_contains),
    }
}

fn related(
    call: &Call<'_>,
    a: &mut Operand<'_>,
    b: &mut Operand<'_>,
    test: fn(&IntersectionMatrix) -> bool,
) -> Result<bool> {
    // All relations but that of disjoint geometries.
    if a.apart(b) {
        return Ok(false);
    }
    Ok(test(&matrix(call, a, b)?))
}

fn matrix(call: &Call<'_>, a: &mut Operand<'_>, b: &mut Operand<'_>) -> Result<IntersectionMatrix> {
    a.check(call)?;
    b.check(call)?;
    let all = paths(a.geometry).into_iter().chain(paths(b.geometry));
    each_meeting(call, &mut segments(all), |_, _| {
        std::ops::ControlFlow::Continue(())
    })?;
    guarded(call.name, || a.geometry.relate(b.geometry))
}

fn relate(call: &Call<'_>) -> Result<ArrayRef> {
    let patterns = call.columns[2].texts();
    let mut results = Vec::with_capacity(call.rows);
    pairs(call, |a, b, row| {
        results.push(match (a, b, patterns.get(row)) {
            (Some(a), Some(b), Some(pattern)) => {
                if is_empty(a.geometry) || is_empty(b.geometry) {
                    return Err(invalid("ST_Relate of an empty geometry is not supported"));
                }
                let matched = matrix(call, a, b)?.matches(pattern);
                Some(matched.map_err(|_| {
                    invalid("the pattern of ST_Relate must have nine of the characters TF*012")
                })?)
            }
            _ => None,
        });
        Ok(())
    })?;
    Ok(Arc::new(BooleanArray::from(results)))
}
