//! Shapes of Esri's spatial framework for Hadoop: `geometry_from_hadoop_shape`.
//!
//! ```text
//! byte 0  the reference system, 4 bytes   4  the type, 0 to 6
//!      5  a shape as in shapefiles, little-endian:
//!         1 x y                           a point
//!         8 box count points              points
//!         3 box parts count starts points lines; 5 likewise: rings, exteriors clockwise
//! ```

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::error::{DataFusionError, Result};
use geo::{
    Area, Contains, Coord, Geometry, LineString, MultiLineString, MultiPoint, MultiPolygon, Point,
    Polygon,
};

use super::call::{Geometries, page, pauses, returns_geometry, takes_geometries};
use super::shape::{empty_point, empty_polygon, invalid, polygon};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel};

/// Types of the head: none, point, line, polygon, points, lines and polygons.
const TYPES: u8 = 7;
/// Rings of a shape, at most: each interior is looked for in each exterior.
const MOST_RINGS: usize = 4096;

static FROM: Page = page(
    "geometry_from_hadoop_shape",
    "geometry_from_hadoop_shape(varbinary)",
    "Reads a geometry of Esri's spatial framework for Hadoop.",
    "ST_AsText(geometry_from_hadoop_shape(from_hex('000000000101000000000000000000F03F0000000000000040')))",
    "POINT (1 2)",
);

pub(super) fn entries() -> Vec<Entry> {
    let kernel = Kernel::new(&FROM, takes_geometries(1), returns_geometry(), |call| {
        let values = call.columns[0].bytes();
        let mut results = Geometries::of(call);
        for row in 0..call.rows {
            let geometry = match values.get(row) {
                Some(bytes) => {
                    pauses(call, bytes.len())?;
                    Some(read(call, bytes)?)
                }
                None => None,
            };
            results.append(geometry.as_ref())?;
        }
        Ok(Arc::new(results.finish()) as ArrayRef)
    });
    vec![Entry::scalar(kernel)]
}

fn malformed(what: &str) -> DataFusionError {
    invalid(format!("these bytes are not a shape of Hadoop: {what}"))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N]> {
        let taken = self.0.split_first_chunk::<N>();
        let (taken, rest) = taken.ok_or_else(|| malformed("they end early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(*self.take()?))
    }

    /// The number of the parts that follow, each of at least `size` bytes.
    fn count(&mut self, size: usize) -> Result<usize> {
        let count = self.number()? as usize;
        match count <= self.0.len() / size {
            true => Ok(count),
            false => Err(malformed("they end early")),
        }
    }

    fn coord(&mut self) -> Result<Coord<f64>> {
        let x = f64::from_le_bytes(*self.take()?);
        let y = f64::from_le_bytes(*self.take()?);
        match x.is_finite() && y.is_finite() {
            true => Ok(Coord { x, y }),
            false => Err(invalid("coordinates must be finite numbers")),
        }
    }

    /// The lines of the shape, after its box.
    fn parts(&mut self) -> Result<Vec<LineString<f64>>> {
        self.take::<32>()?;
        let parts = self.count(4)?;
        let points = self.number()? as usize;
        let mut starts = Vec::with_capacity(parts.min(self.0.len() / 4));
        for _ in 0..parts {
            starts.push(self.number()? as usize);
        }
        if points > self.0.len() / 16 {
            return Err(malformed("they end early"));
        }
        starts.push(points);
        let mut lines = Vec::with_capacity(parts);
        for bounds in starts.windows(2) {
            let &[from, to] = bounds else { continue };
            let length = to.checked_sub(from).filter(|length| *length <= points);
            let length = length.ok_or_else(|| malformed("its parts are not in order"))?;
            let coords: Vec<_> = (0..length).map(|_| self.coord()).collect::<Result<_>>()?;
            if !coords.is_empty() {
                lines.push(LineString::new(coords));
            }
        }
        Ok(lines)
    }
}

fn read(call: &Call<'_>, bytes: &[u8]) -> Result<Geometry<f64>> {
    let mut reader = Reader(bytes);
    reader.take::<4>()?;
    let [kind] = *reader.take::<1>()?;
    if kind >= TYPES {
        return Err(malformed(&format!("there is no type {kind}")));
    }
    // The type of the head says whether one member is a collection.
    let is_multi = kind >= 4;
    Ok(match reader.number()? {
        0 => empty_point(),
        1 => Point(reader.coord()?).into(),
        8 => {
            reader.take::<32>()?;
            let count = reader.count(16)?;
            let points: Vec<_> = (0..count)
                .map(|_| reader.coord().map(Point))
                .collect::<Result<_>>()?;
            MultiPoint::new(points).into()
        }
        3 => {
            let mut lines = reader.parts()?;
            if lines.iter().any(|line| line.0.len() < 2) {
                return Err(malformed("a line has one point"));
            }
            match lines.len() {
                0 => LineString::new(Vec::new()).into(),
                1 if !is_multi => lines.swap_remove(0).into(),
                _ => MultiLineString::new(lines).into(),
            }
        }
        5 => {
            let mut polygons = polygons(call, reader.parts()?)?;
            match polygons.len() {
                0 => empty_polygon(),
                1 if !is_multi => polygons.swap_remove(0).into(),
                _ => MultiPolygon::new(polygons).into(),
            }
        }
        other => {
            return Err(malformed(&format!(
                "shapes of type {other} are not supported"
            )));
        }
    })
}

/// Polygons of rings: those that turn clockwise are exteriors, the others are interiors of one.
fn polygons(call: &Call<'_>, rings: Vec<LineString<f64>>) -> Result<Vec<Polygon<f64>>> {
    if rings.len() > MOST_RINGS {
        return Err(malformed(&format!("more than {MOST_RINGS} rings")));
    }
    let (mut exteriors, mut interiors) = (Vec::new(), Vec::new());
    for mut ring in rings {
        ring.close();
        if ring.0.len() < 4 {
            return Err(malformed("a ring has fewer than three points"));
        }
        let area = Polygon::new(ring, Vec::new());
        match area.signed_area() <= 0.0 {
            true => exteriors.push((area, Vec::new())),
            false => interiors.push(area),
        }
    }
    for interior in interiors {
        let first = interior.exterior().0.first().copied().map(Point);
        let mut holder = None;
        for (index, (exterior, _)) in exteriors.iter().enumerate() {
            pauses(call, 16 * exterior.exterior().0.len())?;
            if first.is_some_and(|first| exterior.contains(&first)) {
                holder = Some(index);
                break;
            }
        }
        // A ring that turns the other way, in no other one, is an exterior too.
        let ring = interior.into_inner().0;
        match holder.and_then(|index| exteriors.get_mut(index)) {
            Some((_, holes)) => holes.push(ring),
            None => exteriors.push((Polygon::new(ring, Vec::new()), Vec::new())),
        }
    }
    let polygons = exteriors.into_iter();
    Ok(polygons
        .map(|(exterior, holes)| polygon(exterior.into_inner().0, holes))
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, value};

    /// The hexadecimal digits of a shape.
    fn shape(head: u8, kind: u32, starts: &[u32], coords: &[(f64, f64)]) -> String {
        let mut bytes = vec![0, 0, 0, 0, head];
        bytes.extend(kind.to_le_bytes());
        bytes.extend([0; 32]);
        if kind != 8 {
            bytes.extend((starts.len() as u32).to_le_bytes());
        }
        bytes.extend((coords.len() as u32).to_le_bytes());
        bytes.extend(starts.iter().flat_map(|start| start.to_le_bytes()));
        let ordinates = coords.iter().flat_map(|(x, y)| [x, y]);
        bytes.extend(ordinates.flat_map(|ordinate| ordinate.to_le_bytes()));
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn call(shape: &str) -> String {
        format!("ST_AsText(geometry_from_hadoop_shape(from_hex('{shape}')))")
    }

    #[tokio::test]
    async fn shapes_are_read() {
        let line = [(0.0, 0.0), (1.0, 1.0), (5.0, 5.0), (6.0, 5.0)];
        let square = [(0.0, 0.0), (0.0, 9.0), (9.0, 9.0), (9.0, 0.0), (0.0, 0.0)];
        let hole = [(1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 1.0)];
        let both: Vec<_> = square.into_iter().chain(hole).collect();
        for (shape, expected) in [
            (shape(4, 8, &[], &line[..2]), "MULTIPOINT ((0 0), (1 1))"),
            (shape(2, 3, &[0], &line[..2]), "LINESTRING (0 0, 1 1)"),
            (
                shape(5, 3, &[0], &line[..2]),
                "MULTILINESTRING ((0 0, 1 1))",
            ),
            (
                shape(5, 3, &[0, 2], &line),
                "MULTILINESTRING ((0 0, 1 1), (5 5, 6 5))",
            ),
            (
                shape(3, 5, &[0, 5], &both),
                "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 2 2, 2 1, 1 1))",
            ),
            (
                shape(6, 5, &[0], &square),
                "MULTIPOLYGON (((0 0, 9 0, 9 9, 0 9, 0 0)))",
            ),
            ("00000000 00 00000000".replace(' ', ""), "POINT EMPTY"),
        ] {
            assert_eq!(value(&call(&shape)).await.unwrap(), expected, "{shape}");
        }
    }

    #[tokio::test]
    async fn other_bytes_are_errors() {
        let line = [(0.0, 0.0), (1.0, 1.0)];
        let whole = shape(2, 3, &[0], &line);
        for length in (0..whole.len()).step_by(2) {
            let found = error(&call(&whole[..length])).await;
            assert!(found.contains("shape of Hadoop"), "{length}: {found}");
        }
        for (shape, part) in [
            (shape(9, 3, &[0], &line), "no type 9"),
            (shape(2, 11, &[0], &line), "type 11"),
            (shape(2, 3, &[2, 0], &line), "not in order"),
            (shape(2, 3, &[0], &line[..1]), "one point"),
            (shape(3, 5, &[0], &line), "three points"),
        ] {
            let found = error(&call(&shape)).await;
            assert!(found.contains(part), "{part}: {found}");
        }
    }
}
