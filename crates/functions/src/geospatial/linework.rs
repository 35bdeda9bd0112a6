//! Segments of lines and rings: which of them meet, and lines joined of them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use geo::line_intersection::line_intersection;
use geo::{Coord, Geometry, Line, LineIntersection, LineString};
use lakegate_error::{Code, Error};

use crate::kernel::Call;

/// Maximum pairs of segments that may meet in an operation, each of which the algorithms of `geo`
/// keep.
const MAX_MEETINGS: usize = 1 << 20;

/// A segment of a path: a line or a ring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub line: Line<f64>,
    /// The number of the path.
    pub path: usize,
    /// The place in the path.
    pub index: usize,
}

/// The segments of some paths, without those of no length.
pub(super) fn segments<'a>(paths: impl IntoIterator<Item = &'a LineString<f64>>) -> Vec<Segment> {
    let mut segments = Vec::new();
    for (path, line) in paths.into_iter().enumerate() {
        let lines = line.lines().filter(|line| line.start != line.end);
        segments.extend(
            lines
                .enumerate()
                .map(|(index, line)| Segment { line, path, index }),
        );
    }
    segments
}

/// The lines and the rings of a geometry.
pub(super) fn paths(geometry: &Geometry<f64>) -> Vec<&LineString<f64>> {
    match geometry {
        Geometry::LineString(line) => vec![line],
        Geometry::MultiLineString(lines) => lines.0.iter().collect(),
        Geometry::Polygon(polygon) => std::iter::once(polygon.exterior())
            .chain(polygon.interiors())
            .collect(),
        Geometry::MultiPolygon(polygons) => polygons
            .0
            .iter()
            .flat_map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors()))
            .collect(),
        Geometry::GeometryCollection(parts) => parts.0.iter().flat_map(paths).collect(),
        _ => Vec::new(),
    }
}

fn low(line: &Line<f64>) -> Coord<f64> {
    Coord {
        x: line.start.x.min(line.end.x),
        y: line.start.y.min(line.end.y),
    }
}

fn high(line: &Line<f64>) -> Coord<f64> {
    Coord {
        x: line.start.x.max(line.end.x),
        y: line.start.y.max(line.end.y),
    }
}

/// Calls `pair` for each two segments whose rectangles meet, from left to right, until it breaks.
///
/// # Errors
///
/// The query was stopped, or too many meet.
pub(super) fn each_meeting(
    call: &Call<'_>,
    segments: &mut [Segment],
    mut pair: impl FnMut(&Segment, &Segment) -> ControlFlow<()>,
) -> Result<()> {
    segments.sort_by(|a, b| low(&a.line).x.total_cmp(&low(&b.line).x));
    let mut meetings = 0;
    for (at, segment) in segments.iter().enumerate() {
        call.work.step()?;
        let (from, to) = (low(&segment.line), high(&segment.line));
        for other in segments.iter().skip(at + 1) {
            if low(&other.line).x > to.x {
                break;
            }
            if low(&other.line).y > to.y || high(&other.line).y < from.y {
                continue;
            }
            meetings += 1;
            if meetings > MAX_MEETINGS {
                return Err(too_many(call.name));
            }
            if pair(segment, other).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn too_many(name: &str) -> DataFusionError {
    let message = format!(
        "{name} of geometries whose lines may cross more than {MAX_MEETINGS} times is not \
         supported; simplify them first"
    );
    Error::new(Code::TooComplex, message).into()
}

/// Where the paths of two sets meet.
#[derive(Debug, Default)]
pub(super) struct Meetings {
    pub points: Vec<Coord<f64>>,
    /// Parts that both sets have, with the segment of the first set that each is a part of.
    pub overlaps: Vec<(Segment, Line<f64>)>,
}

/// Returns where the paths `a` meet the paths `b`.
///
/// # Errors
///
/// The query was stopped, or too many meet.
pub(super) fn meetings(
    call: &Call<'_>,
    a: &[&LineString<f64>],
    b: &[&LineString<f64>],
) -> Result<Meetings> {
    let mut all = segments(a.iter().copied().chain(b.iter().copied()));
    let mut found = Meetings::default();
    each_meeting(call, &mut all, |one, other| {
        let (first, second) = match (one.path < a.len(), other.path < a.len()) {
            (true, false) => (one, other),
            (false, true) => (other, one),
            _ => return ControlFlow::Continue(()),
        };
        match line_intersection(first.line, second.line) {
            Some(LineIntersection::SinglePoint { intersection, .. }) => {
                found.points.push(intersection);
            }
            Some(LineIntersection::Collinear { intersection }) => {
                if intersection.start == intersection.end {
                    found.points.push(intersection.start);
                } else {
                    found.points.extend([intersection.start, intersection.end]);
                    found.overlaps.push((*first, intersection));
                }
            }
            None => {}
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Returns the paths without the parts that `removed` names, which are parts of their segments.
pub(super) fn without(
    paths: &[&LineString<f64>],
    removed: &[(Segment, Line<f64>)],
) -> Vec<LineString<f64>> {
    let mut cuts: HashMap<(usize, usize), Vec<(f64, f64)>> = HashMap::new();
    for (segment, part) in removed {
        let (from, to) = (
            along(&segment.line, part.start),
            along(&segment.line, part.end),
        );
        let cut = (from.min(to), from.max(to));
        cuts.entry((segment.path, segment.index))
            .or_default()
            .push(cut);
    }
    if cuts.is_empty() {
        return paths.iter().map(|path| (*path).clone()).collect();
    }
    let mut pieces = Vec::new();
    for segment in segments(paths.iter().copied()) {
        let Some(cuts) = cuts.get_mut(&(segment.path, segment.index)) else {
            pieces.push(segment.line);
            continue;
        };
        cuts.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut from = 0.0;
        for (start, end) in cuts.iter().copied().chain([(1.0, 1.0)]) {
            if start > from {
                pieces.push(Line::new(
                    place(&segment.line, from),
                    place(&segment.line, start),
                ));
            }
            from = end.max(from);
        }
    }
    joined(pieces)
}

/// Returns the place of a point of a segment, from 0 to 1.
fn along(line: &Line<f64>, point: Coord<f64>) -> f64 {
    if point == line.start {
        return 0.0;
    }
    if point == line.end {
        return 1.0;
    }
    let (delta, to) = (line.delta(), point - line.start);
    let square = delta.x * delta.x + delta.y * delta.y;
    ((to.x * delta.x + to.y * delta.y) / square).clamp(0.0, 1.0)
}

fn place(line: &Line<f64>, at: f64) -> Coord<f64> {
    match at {
        0.0 => line.start,
        1.0 => line.end,
        at => line.start + line.delta() * at,
    }
}

type Key = (u64, u64);

fn key(coord: Coord<f64>) -> Key {
    // 0 and -0 are one place.
    ((coord.x + 0.0).to_bits(), (coord.y + 0.0).to_bits())
}

/// Joins segments to lines at the points where exactly two of them end.
pub(super) fn joined(pieces: Vec<Line<f64>>) -> Vec<LineString<f64>> {
    let mut known = HashSet::new();
    let pieces: Vec<Line<f64>> = pieces
        .into_iter()
        .filter(|piece| {
            let (a, b) = (key(piece.start), key(piece.end));
            a != b && known.insert((a.min(b), a.max(b)))
        })
        .collect();
    let mut ends: HashMap<Key, Vec<usize>> = HashMap::new();
    for (index, piece) in pieces.iter().enumerate() {
        ends.entry(key(piece.start)).or_default().push(index);
        ends.entry(key(piece.end)).or_default().push(index);
    }
    let mut left: Vec<Option<Line<f64>>> = pieces.into_iter().map(Some).collect();
    // Takes the other piece that ends at a point, and returns its far end.
    let next = |from: Coord<f64>, left: &mut Vec<Option<Line<f64>>>| -> Option<Coord<f64>> {
        let here = ends.get(&key(from)).filter(|here| here.len() == 2)?;
        let piece = here
            .iter()
            .find_map(|index| left.get_mut(*index).and_then(Option::take))?;
        Some(match key(piece.start) == key(from) {
            true => piece.end,
            false => piece.start,
        })
    };
    let mut lines = Vec::new();
    for index in 0..left.len() {
        let Some(piece) = left.get_mut(index).and_then(Option::take) else {
            continue;
        };
        let mut coords = VecDeque::from([piece.start, piece.end]);
        let mut end = piece.end;
        while let Some(coord) = next(end, &mut left) {
            coords.push_back(coord);
            end = coord;
        }
        let mut start = piece.start;
        while let Some(coord) = next(start, &mut left) {
            coords.push_front(coord);
            start = coord;
        }
        lines.push(LineString::new(coords.into()));
    }
    lines
}
