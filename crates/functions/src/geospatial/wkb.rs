//! Well-known binary, which is also how columns hold geometries.
//!
//! A geography is marked by a reference system of its own in the header, so that it is known where
//! a column's metadata is lost.

use datafusion::error::{DataFusionError, Result};
use geo::{
    Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon,
    Point, Polygon,
};

use super::shape::{self, MAX_DEPTH, Shape, invalid};

const HAS_Z: u32 = 0x8000_0000;
const HAS_M: u32 = 0x4000_0000;
const HAS_SRID: u32 = 0x2000_0000;
/// The reference system that marks a geography.
const SPHERE: u32 = 0x4c47;

/// Where the bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A column of geometries.
    Column,
    /// A user's bytes: rings are turned, a reference system is dropped.
    User,
}

/// Reads a geometry.
///
/// # Errors
///
/// The bytes are not well-known binary in two dimensions, or have coordinates that are not finite.
pub(super) fn read(bytes: &[u8], source: Source) -> Result<Shape> {
    let mut reader = Reader {
        rest: bytes,
        source,
        on_sphere: false,
    };
    let geometry = reader.geometry(0)?;
    match reader.rest.is_empty() {
        true => Ok(Shape {
            geometry,
            on_sphere: reader.on_sphere && source == Source::Column,
        }),
        false => Err(malformed("bytes follow the geometry")),
    }
}

fn malformed(what: &str) -> DataFusionError {
    invalid(format!(
        "these bytes are not a geometry in well-known binary: {what}"
    ))
}

struct Reader<'a> {
    rest: &'a [u8],
    source: Source,
    on_sphere: bool,
}

#[derive(Clone, Copy)]
struct Header {
    little_endian: bool,
    kind: u32,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or_else(|| malformed("they end early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn number(&mut self, little_endian: bool) -> Result<u32> {
        let bytes = self.take::<4>()?;
        Ok(match little_endian {
            true => u32::from_le_bytes(bytes),
            false => u32::from_be_bytes(bytes),
        })
    }

    /// The number of the parts that follow, each of at least `size` bytes.
    fn count(&mut self, header: Header, size: usize) -> Result<usize> {
        let count = self.number(header.little_endian)? as usize;
        match count <= self.rest.len() / size {
            true => Ok(count),
            false => Err(malformed("they end early")),
        }
    }

    fn header(&mut self) -> Result<Header> {
        let little_endian = match self.take::<1>()? {
            [0] => false,
            [1] => true,
            [other] => return Err(malformed(&format!("the byte order is {other}"))),
        };
        let code = self.number(little_endian)?;
        let kind = code & !(HAS_Z | HAS_M | HAS_SRID);
        if code & HAS_SRID != 0 && self.number(little_endian)? == SPHERE {
            self.on_sphere = true;
        }
        match kind {
            1..=7 if code & (HAS_Z | HAS_M) == 0 => Ok(Header {
                little_endian,
                kind,
            }),
            1..=7 | 1001..=1007 | 2001..=2007 | 3001..=3007 => Err(invalid(
                "geometries with Z or M coordinates are not supported",
            )),
            _ => Err(malformed(&format!("there is no type {kind}"))),
        }
    }

    fn ordinate(&mut self, little_endian: bool) -> Result<f64> {
        let bytes = self.take::<8>()?;
        Ok(match little_endian {
            true => f64::from_le_bytes(bytes),
            false => f64::from_be_bytes(bytes),
        })
    }

    fn coord(&mut self, header: Header) -> Result<Coord<f64>> {
        let x = self.ordinate(header.little_endian)?;
        let y = self.ordinate(header.little_endian)?;
        match x.is_finite() && y.is_finite() {
            true => Ok(Coord { x, y }),
            false => Err(invalid("coordinates must be finite numbers")),
        }
    }

    /// A point; `None` if it is empty.
    fn point(&mut self, header: Header) -> Result<Option<Point<f64>>> {
        let nan = |bytes: &[u8; 8]| match header.little_endian {
            true => f64::from_le_bytes(*bytes).is_nan(),
            false => f64::from_be_bytes(*bytes).is_nan(),
        };
        if let Some((x, rest)) = self.rest.split_first_chunk::<8>()
            && let Some((y, rest)) = rest.split_first_chunk::<8>()
            && nan(x)
            && nan(y)
        {
            self.rest = rest;
            return Ok(None);
        }
        Ok(Some(Point(self.coord(header)?)))
    }

    fn coords(&mut self, header: Header) -> Result<Vec<Coord<f64>>> {
        let count = self.count(header, 16)?;
        let mut coords = Vec::with_capacity(count);
        for _ in 0..count {
            coords.push(self.coord(header)?);
        }
        Ok(coords)
    }

    fn line(&mut self, header: Header) -> Result<LineString<f64>> {
        let coords = self.coords(header)?;
        match coords.len() {
            1 => Err(malformed("a line of one point")),
            _ => Ok(LineString::new(coords)),
        }
    }

    fn polygon(&mut self, header: Header) -> Result<Polygon<f64>> {
        let count = self.count(header, 4)?;
        let mut exterior = LineString::new(Vec::new());
        let mut interiors = Vec::new();
        for ring in 0..count {
            let coords = self.coords(header)?;
            if matches!(coords.len(), 1 | 2) {
                return Err(malformed("a ring of fewer than three points"));
            }
            match ring {
                0 => exterior = LineString::new(coords),
                _ if coords.is_empty() => {}
                _ => interiors.push(LineString::new(coords)),
            }
        }
        if exterior.0.is_empty() && !interiors.is_empty() {
            return Err(malformed("a polygon of interior rings only"));
        }
        Ok(match self.source {
            Source::User => shape::polygon(exterior, interiors),
            Source::Column => Polygon::new(exterior, interiors),
        })
    }

    /// The header of a part, which must have the type `kind`.
    fn part(&mut self, kind: u32) -> Result<Header> {
        let header = self.header()?;
        match header.kind == kind {
            true => Ok(header),
            false => Err(malformed("a part of another type")),
        }
    }

    fn geometry(&mut self, depth: usize) -> Result<Geometry<f64>> {
        if depth > MAX_DEPTH {
            return Err(malformed("collections are nested too deeply"));
        }
        let header = self.header()?;
        Ok(match header.kind {
            1 => match self.point(header)? {
                Some(point) => Geometry::Point(point),
                None => shape::empty_point(),
            },
            2 => Geometry::LineString(self.line(header)?),
            3 => Geometry::Polygon(self.polygon(header)?),
            4 => {
                let mut points = Vec::new();
                for _ in 0..self.count(header, 21)? {
                    let header = self.part(1)?;
                    points.extend(self.point(header)?);
                }
                Geometry::MultiPoint(MultiPoint::new(points))
            }
            5 => {
                let mut lines = Vec::new();
                for _ in 0..self.count(header, 9)? {
                    let header = self.part(2)?;
                    let line = self.line(header)?;
                    if !line.0.is_empty() {
                        lines.push(line);
                    }
                }
                Geometry::MultiLineString(MultiLineString::new(lines))
            }
            6 => {
                let mut polygons = Vec::new();
                for _ in 0..self.count(header, 9)? {
                    let header = self.part(3)?;
                    let polygon = self.polygon(header)?;
                    if !polygon.exterior().0.is_empty() {
                        polygons.push(polygon);
                    }
                }
                Geometry::MultiPolygon(MultiPolygon::new(polygons))
            }
            _ => {
                let mut parts = Vec::new();
                for _ in 0..self.count(header, 9)? {
                    let part = self.geometry(depth + 1)?;
                    if !shape::is_empty(&part) {
                        parts.push(part);
                    }
                }
                Geometry::GeometryCollection(GeometryCollection::from(parts))
            }
        })
    }
}

/// Returns an upper bound of the bytes of a geometry.
pub(super) fn size(geometry: &Geometry<f64>) -> usize {
    let lines = |lines: &[LineString<f64>]| -> usize {
        lines.iter().map(|line| 9 + 16 * line.0.len()).sum()
    };
    let polygon = |polygon: &Polygon<f64>| -> usize {
        13 + 16 * polygon.exterior().0.len() + lines(polygon.interiors())
    };
    let of = match geometry {
        Geometry::Point(_) => 16,
        Geometry::LineString(line) => 16 * line.0.len(),
        Geometry::Polygon(one) => polygon(one),
        Geometry::MultiPoint(points) => 21 * points.0.len(),
        Geometry::MultiLineString(all) => lines(&all.0),
        Geometry::MultiPolygon(all) => all.0.iter().map(polygon).sum(),
        Geometry::GeometryCollection(parts) => parts.0.iter().map(size).sum(),
        Geometry::Line(_) | Geometry::Rect(_) | Geometry::Triangle(_) => 0,
    };
    of + 13
}

/// Appends a geometry in well-known binary, little-endian.
pub(super) fn write(geometry: &Geometry<f64>, on_sphere: bool, out: &mut Vec<u8>) {
    let header = |kind: u32, out: &mut Vec<u8>| {
        out.push(1);
        match on_sphere {
            true => {
                out.extend((kind | HAS_SRID).to_le_bytes());
                out.extend(SPHERE.to_le_bytes());
            }
            false => out.extend(kind.to_le_bytes()),
        }
    };
    match geometry {
        Geometry::Point(point) => {
            header(1, out);
            coord(point.0, out);
        }
        Geometry::LineString(line) => {
            header(2, out);
            coords(line, out);
        }
        Geometry::Polygon(polygon) => {
            header(3, out);
            rings(polygon, out);
        }
        Geometry::MultiPoint(points) => {
            header(4, out);
            count(points.0.len(), out);
            for point in points {
                plain(1, out);
                coord(point.0, out);
            }
        }
        Geometry::MultiLineString(lines) => {
            header(5, out);
            count(lines.0.len(), out);
            for line in lines {
                plain(2, out);
                coords(line, out);
            }
        }
        Geometry::MultiPolygon(polygons) => {
            header(6, out);
            count(polygons.0.len(), out);
            for polygon in polygons {
                plain(3, out);
                rings(polygon, out);
            }
        }
        Geometry::GeometryCollection(parts) => {
            header(7, out);
            count(parts.0.len(), out);
            for part in parts {
                write(part, false, out);
            }
        }
        Geometry::Line(line) => write(&LineString::from(line).into(), on_sphere, out),
        Geometry::Rect(rect) => write(&rect.to_polygon().into(), on_sphere, out),
        Geometry::Triangle(triangle) => write(&triangle.to_polygon().into(), on_sphere, out),
    }
}

fn plain(kind: u32, out: &mut Vec<u8>) {
    out.push(1);
    out.extend(kind.to_le_bytes());
}

/// A value's bytes are fewer than 4 GiB, so each count fits.
fn count(items: usize, out: &mut Vec<u8>) {
    out.extend(u32::try_from(items).unwrap_or(u32::MAX).to_le_bytes());
}

fn coord(coord: Coord<f64>, out: &mut Vec<u8>) {
    out.extend(coord.x.to_le_bytes());
    out.extend(coord.y.to_le_bytes());
}

fn coords(line: &LineString<f64>, out: &mut Vec<u8>) {
    count(line.0.len(), out);
    for point in line {
        coord(*point, out);
    }
}

fn rings(polygon: &Polygon<f64>, out: &mut Vec<u8>) {
    if polygon.exterior().0.is_empty() {
        return count(0, out);
    }
    count(1 + polygon.interiors().len(), out);
    coords(polygon.exterior(), out);
    for ring in polygon.interiors() {
        coords(ring, out);
    }
}
