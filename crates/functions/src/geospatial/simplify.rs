//! `simplify_geometry`: fewer vertices, within a tolerance, without new crossings.
//!
//! The algorithm is that of Douglas and Peucker, which keeps a vertex where leaving it out would
//! make segments cross, as in the library that Trino uses.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use geo::line_intersection::line_intersection;
use geo::{Coord, Geometry, Line, LineIntersection, LineString, Polygon};

use super::call::{mapped, page, returns_geometry, takes};
use super::shape::{self, check_size, invalid, is_empty};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel};

static SIMPLIFY: Page = page(
    "simplify_geometry",
    "simplify_geometry(geometry, tolerance)",
    "Removes vertices of lines and polygons that are within a distance of the lines without them.",
    "ST_AsText(simplify_geometry(ST_GeometryFromText('POLYGON ((1 0, 2 1, 3 1, 3 1, 4 0, 1 0))'), 1.5))",
    "POLYGON ((1 0, 4 0, 2 1, 1 0))",
);

pub(super) fn entries() -> Vec<Entry> {
    let kernel = Kernel::new(
        &SIMPLIFY,
        takes(&[DataType::Binary, DataType::Float64]),
        returns_geometry(),
        |call| -> Result<ArrayRef> {
            let tolerances = call.columns[1].primitives::<Float64Type>();
            mapped(call, |geometry, row| match tolerances.get(row) {
                Some(tolerance) => simplified(call, geometry, tolerance).map(Some),
                None => Ok(None),
            })
        },
    );
    vec![Entry::scalar(kernel)]
}

fn simplified(call: &Call<'_>, geometry: &Geometry<f64>, tolerance: f64) -> Result<Geometry<f64>> {
    if tolerance.is_nan() || tolerance < 0.0 {
        return Err(invalid(format!(
            "the tolerance {tolerance} of simplify_geometry must not be negative"
        )));
    }
    if is_empty(geometry) || tolerance == 0.0 {
        return Ok(geometry.clone());
    }
    check_size(call.name, geometry)?;
    let mut paths = Vec::new();
    collect(geometry, &mut paths);
    let mut work = Simplifying {
        call,
        tolerance,
        kept: paths.iter().map(|_| Vec::new()).collect(),
        paths: &paths,
    };
    for path in 0..paths.len() {
        work.simplify(path)?;
    }
    let mut made = work.kept.into_iter().map(|kept| {
        let starts = kept.first().map(|line| line.start);
        let ends = kept.iter().map(|line| line.end);
        LineString::new(starts.into_iter().chain(ends).collect())
    });
    Ok(rebuilt(geometry, &mut made))
}

/// Collects lines, and rings backwards: Trino simplifies exteriors clockwise.
fn collect(geometry: &Geometry<f64>, paths: &mut Vec<LineString<f64>>) {
    let mut rings = |polygon: &Polygon<f64>| {
        for ring in std::iter::once(polygon.exterior()).chain(polygon.interiors()) {
            paths.push(LineString::new(ring.0.iter().rev().copied().collect()));
        }
    };
    match geometry {
        Geometry::Polygon(of) => rings(of),
        Geometry::MultiPolygon(polygons) => polygons.0.iter().for_each(rings),
        Geometry::LineString(line) => paths.push(line.clone()),
        Geometry::MultiLineString(lines) => paths.extend(lines.0.iter().cloned()),
        Geometry::GeometryCollection(parts) => {
            for part in &parts.0 {
                collect(part, paths);
            }
        }
        _ => {}
    }
}

/// Returns a geometry with other lines and rings, in the order of [`collect`].
fn rebuilt(
    geometry: &Geometry<f64>,
    made: &mut impl Iterator<Item = LineString<f64>>,
) -> Geometry<f64> {
    let mut line = |old: &LineString<f64>| made.next().unwrap_or_else(|| old.clone());
    let mut polygon = |old: &Polygon<f64>| {
        let exterior = line(old.exterior());
        let interiors = old.interiors().iter().map(&mut line).collect();
        shape::polygon(exterior, interiors)
    };
    match geometry {
        Geometry::LineString(of) => line(of).into(),
        Geometry::MultiLineString(lines) => {
            geo::MultiLineString::new(lines.0.iter().map(line).collect()).into()
        }
        Geometry::Polygon(of) => polygon(of).into(),
        Geometry::MultiPolygon(polygons) => {
            geo::MultiPolygon::new(polygons.0.iter().map(polygon).collect()).into()
        }
        Geometry::GeometryCollection(parts) => {
            let parts = parts.0.iter();
            let parts: Vec<_> = parts.map(|part| rebuilt_dyn(part, made)).collect();
            Geometry::GeometryCollection(geo::GeometryCollection::from(parts))
        }
        other => other.clone(),
    }
}

/// As [`rebuilt`], of a part of a collection.
fn rebuilt_dyn(
    geometry: &Geometry<f64>,
    mut made: &mut dyn Iterator<Item = LineString<f64>>,
) -> Geometry<f64> {
    rebuilt(geometry, &mut made)
}

struct Simplifying<'a> {
    call: &'a Call<'a>,
    tolerance: f64,
    paths: &'a [LineString<f64>],
    /// The segments that each path has so far.
    kept: Vec<Vec<Line<f64>>>,
}

/// A part of a path: from one vertex to another, and how often it was divided.
#[derive(Debug, Clone, Copy)]
struct Section {
    from: usize,
    to: usize,
    depth: usize,
}

impl Simplifying<'_> {
    fn simplify(&mut self, path: usize) -> Result<()> {
        let paths = self.paths;
        let Some(line) = paths.get(path) else {
            return Ok(());
        };
        let Some(last) = line.0.len().checked_sub(1).filter(|last| *last > 0) else {
            return Ok(());
        };
        // A ring keeps three sides.
        let least = if line.is_closed() { 4 } else { 2 };
        let mut sections = vec![Section {
            from: 0,
            to: last,
            depth: 1,
        }];
        while let Some(section) = sections.pop() {
            self.call.work.step()?;
            let Section { from, to, depth } = section;
            let flat = Line::new(line.0[from], line.0[to]);
            if from + 1 == to {
                self.kept[path].push(flat);
                continue;
            }
            let (furthest, distance) = self.furthest(line, section)?;
            let points = match self.kept[path].len() {
                0 => 0,
                segments => segments + 1,
            };
            let has_enough = points >= least || depth + 1 >= least;
            if has_enough && distance <= self.tolerance && !self.crosses(path, section, flat)? {
                self.kept[path].push(flat);
                continue;
            }
            let depth = depth + 1;
            sections.push(Section {
                from: furthest,
                to,
                depth,
            });
            sections.push(Section {
                from,
                to: furthest,
                depth,
            });
        }
        Ok(())
    }

    /// Returns the vertex of a section that is furthest from its line, and the distance.
    fn furthest(&self, line: &LineString<f64>, section: Section) -> Result<(usize, f64)> {
        let flat = Line::new(line.0[section.from], line.0[section.to]);
        let (mut furthest, mut most) = (section.from + 1, -1.0);
        for index in section.from + 1..section.to {
            self.call.work.step()?;
            let distance = distance(&flat, line.0[index]);
            if distance > most {
                (furthest, most) = (index, distance);
            }
        }
        Ok((furthest, most))
    }

    /// Whether a segment in place of a section would cross another one.
    fn crosses(&self, path: usize, section: Section, flat: Line<f64>) -> Result<bool> {
        let kept = self.kept.iter().flatten();
        for line in kept {
            self.call.work.step()?;
            if meet_within(&flat, line) {
                return Ok(true);
            }
        }
        for (other, line) in self.paths.iter().enumerate() {
            for (index, line) in line.lines().enumerate() {
                self.call.work.step()?;
                let is_part = other == path && (section.from..section.to).contains(&index);
                // Those before are among the kept ones.
                let is_done = other < path || other == path && index < section.from;
                if !is_part && !is_done && meet_within(&flat, &line) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Whether two segments meet at a place that is not an end of both.
fn meet_within(a: &Line<f64>, b: &Line<f64>) -> bool {
    let apart = |a: (f64, f64), b: (f64, f64)| a.0.max(a.1) < b.0.min(b.1);
    let (ax, ay) = ((a.start.x, a.end.x), (a.start.y, a.end.y));
    let (bx, by) = ((b.start.x, b.end.x), (b.start.y, b.end.y));
    if apart(ax, bx) || apart(bx, ax) || apart(ay, by) || apart(by, ay) {
        return false;
    }
    let is_end = |coord: Coord<f64>| {
        (coord == a.start || coord == a.end) && (coord == b.start || coord == b.end)
    };
    match line_intersection(*a, *b) {
        None => false,
        Some(LineIntersection::SinglePoint { intersection, .. }) => !is_end(intersection),
        Some(LineIntersection::Collinear { intersection }) => {
            intersection.start != intersection.end || !is_end(intersection.start)
        }
    }
}

fn distance(line: &Line<f64>, point: Coord<f64>) -> f64 {
    let (delta, to) = (line.delta(), point - line.start);
    let square = delta.x * delta.x + delta.y * delta.y;
    let at = (to.x * delta.x + to.y * delta.y) / square;
    let nearest = match at {
        _ if at.is_nan() || at <= 0.0 => line.start,
        _ if at >= 1.0 => line.end,
        // Exact for a point on the line.
        _ => return (delta.x * to.y - delta.y * to.x).abs() / square.sqrt(),
    };
    (point.x - nearest.x).hypot(point.y - nearest.y)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, value};

    async fn simplified(text: &str, tolerance: &str) -> String {
        let call =
            format!("ST_AsText(simplify_geometry(ST_GeometryFromText('{text}'), {tolerance}))");
        value(&call).await.unwrap()
    }

    #[tokio::test]
    async fn vertices_within_the_tolerance_are_removed() {
        let line = "LINESTRING (0 0, 1 0.1, 2 0, 3 5, 4 5.1, 5 5)";
        for (text, tolerance, expected) in [
            (line, "0", line),
            (line, "0.05", line),
            (line, "0.2", "LINESTRING (0 0, 2 0, 3 5, 5 5)"),
            (line, "100", "LINESTRING (0 0, 5 5)"),
            ("POINT (1 2)", "3", "POINT (1 2)"),
            (
                "MULTIPOINT ((1 2), (1 2.1))",
                "3",
                "MULTIPOINT ((1 2), (1 2.1))",
            ),
            ("LINESTRING EMPTY", "3", "MULTILINESTRING EMPTY"),
            (
                "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 0, 2 0), LINESTRING (0 1, 1 1, 3 1))",
                "1",
                "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 2 0), LINESTRING (0 1, 3 1))",
            ),
        ] {
            assert_eq!(
                simplified(text, tolerance).await,
                expected,
                "{text} {tolerance}"
            );
        }
        // A ring keeps at least three sides, whatever the tolerance.
        let square = "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0))";
        let sides = simplified(square, "100").await;
        assert!(sides.matches(',').count() >= 3, "{sides}");
    }

    #[tokio::test]
    async fn nothing_new_crosses() {
        // The shortcut of the first line would cross the second one.
        let text = "MULTILINESTRING ((0 0, 5 2, 10 0), (5 1, 5 -9))";
        assert_eq!(simplified(text, "3").await, text);
    }

    #[tokio::test]
    async fn other_arguments() {
        let negative = "simplify_geometry(ST_Point(1, 2), -1)";
        assert!(error(negative).await.contains("negative"));
        let null = "simplify_geometry(ST_Point(1, 2), NULL)";
        assert_eq!(value(null).await.unwrap(), "NULL");
    }
}
