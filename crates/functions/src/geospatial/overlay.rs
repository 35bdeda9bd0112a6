//! Geometries of the points that two geometries have, together or not.
//!
//! ```text
//! a, b ─▶ points, lines, polygons of each ─▶ polygons by geo's boolean operations, on a grid
//!                                            lines by clipping and by common segments
//!                                            points by tests
//!      ─▶ vertices back to those of a, b and of the crossings ─▶ one geometry
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::{
    BooleanOps, BoundingRect, Coord, Distance, Euclidean, Geometry, GeometryCollection, Intersects,
    LineString, MapCoords, MultiLineString, MultiPoint, MultiPolygon, OpType, Point, Polygon,
};

use super::call::{Geometries, Shapes, guarded, page, pauses, returns_geometry, takes_geometries};
use super::linework::{joined, meetings, paths, without};
use super::shape::{bounds, check_pair, is_empty, polygon, vertices};
use super::validity::check_polygons;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel};

static UNION: Page = page(
    "st_union",
    "st_union(geometry, geometry)",
    "Returns the points of either geometry.",
    "ST_AsText(ST_Union(ST_GeometryFromText('POLYGON ((0 0, 2 0, 2 2, 0 2))'), ST_GeometryFromText('POLYGON ((0 2, 2 2, 2 3, 0 3))')))",
    "POLYGON ((0 0, 2 0, 2 3, 0 3, 0 0))",
);
static INTERSECTION: Page = page(
    "st_intersection",
    "st_intersection(geometry, geometry)",
    "Returns the points that both geometries have.",
    "ST_AsText(ST_Intersection(ST_GeometryFromText('POLYGON ((1 1, 1 3, 3 3, 3 1))'), ST_GeometryFromText('POLYGON ((2 2, 2 4, 4 4, 4 2))')))",
    "POLYGON ((2 2, 3 2, 3 3, 2 3, 2 2))",
);
static DIFFERENCE: Page = page(
    "st_difference",
    "st_difference(geometry, geometry)",
    "Returns the points of the first geometry that the second does not have.",
    "ST_AsText(ST_Difference(ST_GeometryFromText('LINESTRING (0 1, 4 1)'), ST_GeometryFromText('POLYGON ((2 0, 5 0, 5 5, 2 5))')))",
    "LINESTRING (0 1, 2 1)",
);
static SYMMETRIC: Page = page(
    "st_symdifference",
    "st_symdifference(geometry, geometry)",
    "Returns the points that exactly one of the geometries has.",
    "ST_AsText(ST_SymDifference(ST_GeometryFromText('MULTIPOINT (0 0, 1 1)'), ST_Point(1, 1)))",
    "POINT (0 0)",
);
pub(super) fn entries() -> Vec<Entry> {
    let two = || takes_geometries(2);
    [
        Kernel::new(&UNION, two(), returns_geometry(), |call| {
            overlaid(call, union)
        }),
        Kernel::new(&INTERSECTION, two(), returns_geometry(), |call| {
            overlaid(call, intersection)
        }),
        Kernel::new(&DIFFERENCE, two(), returns_geometry(), |call| {
            overlaid(call, difference)
        }),
        Kernel::new(&SYMMETRIC, two(), returns_geometry(), |call| {
            overlaid(call, symmetric)
        }),
    ]
    .into_iter()
    .map(Entry::scalar)
    .collect()
}

type Overlay = fn(&Call<'_>, &Parts, &Parts, &Grid) -> Result<Parts>;

fn overlaid(call: &Call<'_>, overlay: Overlay) -> Result<ArrayRef> {
    let (mut left, mut right) = (Shapes::of(call, 0), Shapes::of(call, 1));
    let mut results = Geometries::of(call);
    for row in 0..call.rows {
        let result = match (left.get(row)?, right.get(row)?) {
            (Some((a, _)), Some((b, _))) => {
                let (a, b) = (a.planar(call.name)?, b.planar(call.name)?);
                Some(of_pair(call, a, b, overlay)?)
            }
            _ => None,
        };
        results.append(result.as_ref())?;
    }
    Ok(Arc::new(results.finish()))
}

fn of_pair(
    call: &Call<'_>,
    a: &Geometry<f64>,
    b: &Geometry<f64>,
    overlay: Overlay,
) -> Result<Geometry<f64>> {
    check_pair(call.name, a, b)?;
    check_polygons(call, a)?;
    check_polygons(call, b)?;
    // The result has the vertices of both and their crossings.
    pauses(call, 16 * (vertices(a) + vertices(b)))?;
    let found = meetings(call, &paths(a), &paths(b))?;
    let grid = Grid::of(a, b, &found.points);
    Ok(overlay(call, &Parts::of(a), &Parts::of(b), &grid)?.geometry())
}

/// Returns the points of either geometry.
///
/// # Errors
///
/// A polygon is not valid, the geometries have too many vertices, or the query was stopped.
pub(super) fn united(
    call: &Call<'_>,
    a: &Geometry<f64>,
    b: &Geometry<f64>,
) -> Result<Geometry<f64>> {
    of_pair(call, a, b, union)
}

/// The vertices that a result may have. `geo` computes on a grid of integers, which moves vertices
/// by up to a billionth of the extent; they are moved back.
struct Grid {
    cell: f64,
    known: HashMap<(i64, i64), Coord<f64>>,
}

impl Grid {
    fn of(a: &Geometry<f64>, b: &Geometry<f64>, crossings: &[Coord<f64>]) -> Self {
        let extent = [a, b]
            .into_iter()
            .filter_map(bounds)
            .flat_map(|rect| [rect.min().x, rect.min().y, rect.max().x, rect.max().y])
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (low.min(x), high.max(x))
            });
        let cell = ((extent.1 - extent.0) * 1e-8).max(f64::MIN_POSITIVE);
        let mut grid = Self {
            cell,
            known: HashMap::new(),
        };
        for coord in crossings {
            grid.known.insert(grid.key(*coord), *coord);
        }
        for line in paths(a).into_iter().chain(paths(b)) {
            for coord in line {
                grid.known.insert(grid.key(*coord), *coord);
            }
        }
        grid
    }

    fn key(&self, coord: Coord<f64>) -> (i64, i64) {
        // The casts saturate.
        (
            (coord.x / self.cell).round() as i64,
            (coord.y / self.cell).round() as i64,
        )
    }

    /// Returns the vertex that a vertex of a result stands for.
    fn back(&self, coord: Coord<f64>) -> Coord<f64> {
        let (x, y) = self.key(coord);
        let mut best = coord;
        let mut least = self.cell;
        for dx in -1..=1i64 {
            for dy in -1..=1i64 {
                let key = (x.saturating_add(dx), y.saturating_add(dy));
                if let Some(known) = self.known.get(&key) {
                    let distance = Euclidean.distance(*known, coord);
                    if distance <= least {
                        (best, least) = (*known, distance);
                    }
                }
            }
        }
        best
    }

    fn polygons(&self, polygons: MultiPolygon<f64>) -> Vec<Polygon<f64>> {
        let polygons = polygons.map_coords(|coord| self.back(coord));
        polygons.0.into_iter().filter_map(normal).collect()
    }

    fn lines(&self, lines: MultiLineString<f64>) -> Vec<LineString<f64>> {
        let mut lines = lines.map_coords(|coord| self.back(coord)).0;
        for line in &mut lines {
            line.0.dedup();
        }
        lines.retain(|line| line.0.len() > 1);
        joined(lines.iter().flat_map(LineString::lines).collect())
    }
}

/// Drops repeated vertices, and starts each ring with its lowest vertex, the leftmost of those.
pub(super) fn normal(from: Polygon<f64>) -> Option<Polygon<f64>> {
    let (exterior, interiors) = from.into_inner();
    let ring = |mut ring: LineString<f64>| -> Option<LineString<f64>> {
        ring.0.dedup();
        if ring.0.len() > 1 && ring.0.first() == ring.0.last() {
            ring.0.pop();
        }
        let first = (0..ring.0.len()).min_by(|a, b| {
            let key = |index: &usize| ring.0.get(*index).copied().unwrap_or_default();
            let (a, b) = (key(a), key(b));
            a.y.total_cmp(&b.y).then(a.x.total_cmp(&b.x))
        })?;
        ring.0.rotate_left(first);
        (ring.0.len() > 2).then_some(ring)
    };
    let interiors: Vec<_> = interiors.into_iter().filter_map(ring).collect();
    Some(polygon(ring(exterior)?, interiors))
}

/// A geometry by dimension.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    points: Vec<Point<f64>>,
    lines: Vec<LineString<f64>>,
    polygons: Vec<Polygon<f64>>,
}

impl Parts {
    fn of(geometry: &Geometry<f64>) -> Self {
        let mut parts = Self::default();
        parts.add(geometry);
        parts
    }

    fn add(&mut self, geometry: &Geometry<f64>) {
        match geometry {
            _ if is_empty(geometry) => {}
            Geometry::Point(point) => self.points.push(*point),
            Geometry::MultiPoint(points) => self.points.extend(&points.0),
            Geometry::LineString(line) => self.lines.push(line.clone()),
            Geometry::MultiLineString(lines) => self.lines.extend(lines.0.iter().cloned()),
            Geometry::Polygon(polygon) => self.polygons.push(polygon.clone()),
            Geometry::MultiPolygon(all) => self.polygons.extend(all.0.iter().cloned()),
            Geometry::GeometryCollection(parts) => parts.0.iter().for_each(|part| self.add(part)),
            Geometry::Line(_) | Geometry::Rect(_) | Geometry::Triangle(_) => {}
        }
    }

    fn polygons(&self) -> MultiPolygon<f64> {
        MultiPolygon::new(self.polygons.clone())
    }

    fn rings(&self) -> Vec<&LineString<f64>> {
        self.polygons
            .iter()
            .flat_map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors()))
            .collect()
    }

    fn lines(&self) -> Vec<&LineString<f64>> {
        self.lines.iter().collect()
    }

    /// The lines and the rings.
    fn paths(&self) -> Vec<&LineString<f64>> {
        self.lines().into_iter().chain(self.rings()).collect()
    }

    fn has(&self, point: &Point<f64>) -> bool {
        self.points.contains(point)
            || self.lines.iter().any(|line| line.intersects(point))
            || self
                .polygons
                .iter()
                .any(|polygon| polygon.intersects(point))
    }

    /// Whether a point is on the lines or polygons, or so close that it is.
    fn covers(&self, point: Coord<f64>, grid: &Grid) -> bool {
        let place = Point(point);
        self.lines.iter().any(|line| {
            near(line.bounding_rect(), point, grid) && Euclidean.distance(&place, line) <= grid.cell
        }) || self.polygons.iter().any(|polygon| {
            near(polygon.bounding_rect(), point, grid)
                && Euclidean.distance(&place, polygon) <= grid.cell
        })
    }

    /// One geometry of polygons.
    pub(super) fn of_polygons(polygons: Vec<Polygon<f64>>) -> Geometry<f64> {
        let parts = Self {
            polygons,
            ..Self::default()
        };
        parts.geometry()
    }

    /// One geometry of all parts.
    fn geometry(mut self) -> Geometry<f64> {
        let key = |point: &Point<f64>| ((point.x() + 0.0).to_bits(), (point.y() + 0.0).to_bits());
        let mut known = std::collections::HashSet::new();
        self.points.retain(|point| known.insert(key(point)));
        let mut all: Vec<Geometry<f64>> = Vec::new();
        match self.points.as_slice() {
            [] => {}
            [one] => all.push((*one).into()),
            _ => all.push(MultiPoint::new(self.points).into()),
        }
        match self.lines.len() {
            0 => {}
            1 => all.extend(self.lines.pop().map(Geometry::from)),
            _ => all.push(MultiLineString::new(self.lines).into()),
        }
        match self.polygons.len() {
            0 => {}
            1 => all.extend(self.polygons.pop().map(Geometry::from)),
            _ => all.push(MultiPolygon::new(self.polygons).into()),
        }
        match (all.len(), all.pop()) {
            (1, Some(one)) => one,
            (_, last) => {
                all.extend(last);
                Geometry::GeometryCollection(GeometryCollection::from(all))
            }
        }
    }
}

fn near(rect: Option<geo::Rect<f64>>, point: Coord<f64>, grid: &Grid) -> bool {
    rect.is_some_and(|rect| {
        let (min, max) = (rect.min(), rect.max());
        min.x - grid.cell <= point.x
            && point.x <= max.x + grid.cell
            && min.y - grid.cell <= point.y
            && point.y <= max.y + grid.cell
    })
}

fn polygons(
    call: &Call<'_>,
    a: &Parts,
    b: &Parts,
    op: OpType,
    grid: &Grid,
) -> Result<Vec<Polygon<f64>>> {
    match op {
        OpType::Intersection if a.polygons.is_empty() || b.polygons.is_empty() => {
            return Ok(Vec::new());
        }
        _ if b.polygons.is_empty() => return Ok(a.polygons.clone()),
        OpType::Union if a.polygons.is_empty() => return Ok(b.polygons.clone()),
        _ if a.polygons.is_empty() => return Ok(Vec::new()),
        _ => {}
    }
    let (a, b) = (a.polygons(), b.polygons());
    Ok(grid.polygons(guarded(call.name, || a.boolean_op(&b, op))?))
}

/// Returns the parts of lines within polygons, or outside them.
fn clipped(
    call: &Call<'_>,
    lines: &[LineString<f64>],
    by: &Parts,
    outside: bool,
    grid: &Grid,
) -> Result<Vec<LineString<f64>>> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    if by.polygons.is_empty() {
        return Ok(match outside {
            true => lines.to_vec(),
            false => Vec::new(),
        });
    }
    let (lines, polygons) = (MultiLineString::new(lines.to_vec()), by.polygons());
    Ok(grid.lines(guarded(call.name, || polygons.clip(&lines, outside))?))
}

fn intersection(call: &Call<'_>, a: &Parts, b: &Parts, grid: &Grid) -> Result<Parts> {
    let mut found = Parts {
        polygons: polygons(call, a, b, OpType::Intersection, grid)?,
        ..Parts::default()
    };
    found.lines.extend(clipped(call, &a.lines, b, false, grid)?);
    found.lines.extend(clipped(call, &b.lines, a, false, grid)?);
    // What the areas and the clipped lines do not have: common sides, and points of contact.
    let met = meetings(call, &a.paths(), &b.paths())?;
    let mut sides = Vec::new();
    for (_, side) in &met.overlaps {
        call.work.step()?;
        let middle = side.start + side.delta() * 0.5;
        if !found.covers(middle, grid) {
            sides.push(*side);
        }
    }
    found.lines.extend(joined(sides).into_iter().map(upward));
    for point in met.points {
        call.work.step()?;
        if !found.covers(point, grid) {
            found.points.push(Point(point));
        }
    }
    for (points, other) in [(&a.points, b), (&b.points, a)] {
        for point in points {
            call.work.step()?;
            if other.has(point) && !found.points.contains(point) {
                found.points.push(*point);
            }
        }
    }
    Ok(found)
}

/// Turns a side, whose direction means nothing, to start at its lower end.
fn upward(mut line: LineString<f64>) -> LineString<f64> {
    if let (Some(first), Some(last)) = (line.0.first(), line.0.last())
        && last
            .y
            .total_cmp(&first.y)
            .then(last.x.total_cmp(&first.x))
            .is_lt()
    {
        line.0.reverse();
    }
    line
}

fn difference(call: &Call<'_>, a: &Parts, b: &Parts, grid: &Grid) -> Result<Parts> {
    let outside = clipped(call, &a.lines, b, true, grid)?;
    let outside: Vec<&LineString<f64>> = outside.iter().collect();
    let shared = meetings(call, &outside, &b.paths())?;
    let mut points = Vec::new();
    for point in &a.points {
        call.work.step()?;
        if !b.has(point) {
            points.push(*point);
        }
    }
    Ok(Parts {
        points,
        lines: without(&outside, &shared.overlaps),
        polygons: polygons(call, a, b, OpType::Difference, grid)?,
    })
}

fn union(call: &Call<'_>, a: &Parts, b: &Parts, grid: &Grid) -> Result<Parts> {
    let polygons = polygons(call, a, b, OpType::Union, grid)?;
    let areas = Parts {
        polygons,
        ..Parts::default()
    };
    let lines = |parts: &Parts| Parts {
        lines: parts.lines.clone(),
        ..Parts::default()
    };
    // The lines of each outside all areas, and of the second also outside the first's lines.
    let first = difference(call, &lines(a), &areas, grid)?.lines;
    let second = difference(call, &lines(b), &areas, grid)?;
    let second = difference(call, &second, &lines(a), grid)?.lines;
    let all = first.iter().chain(&second).flat_map(LineString::lines);
    let mut found = Parts {
        lines: joined(all.collect()),
        ..areas
    };
    for point in a.points.iter().chain(&b.points) {
        call.work.step()?;
        if !found.has(point) {
            found.points.push(*point);
        }
    }
    Ok(found)
}

fn symmetric(call: &Call<'_>, a: &Parts, b: &Parts, grid: &Grid) -> Result<Parts> {
    let (first, second) = (difference(call, a, b, grid)?, difference(call, b, a, grid)?);
    let mut found = Parts {
        polygons: match (a.polygons.is_empty(), b.polygons.is_empty()) {
            (false, false) => polygons(call, a, b, OpType::Xor, grid)?,
            _ => [first.polygons, second.polygons].concat(),
        },
        ..Parts::default()
    };
    let all = first.lines.iter().chain(&second.lines);
    found.lines = joined(all.flat_map(LineString::lines).collect());
    found.points = [first.points, second.points].concat();
    Ok(found)
}
