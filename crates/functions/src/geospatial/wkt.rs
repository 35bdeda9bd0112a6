//! Well-known text.

use std::fmt::Write;

use datafusion::error::{DataFusionError, Result};
use geo::{
    Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon,
    Point, Polygon,
};

use super::shape::{self, MAX_DEPTH, invalid, is_empty, shown};
use crate::work::Work;

/// Reads a geometry.
///
/// # Errors
///
/// The text is not well-known text in two dimensions, or has coordinates that are not finite.
pub(super) fn read(text: &str, work: &Work) -> Result<Geometry<f64>> {
    let mut reader = Reader { text, at: 0, work };
    let geometry = reader.geometry(0)?;
    reader.spaces();
    match reader.at == text.len() {
        true => Ok(geometry),
        false => Err(reader.expected("the end")),
    }
}

struct Reader<'a> {
    text: &'a str,
    /// A byte that starts a character.
    at: usize,
    work: &'a Work,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn expected(&self, what: &str) -> DataFusionError {
        let found = match self.rest() {
            "" => "the end".to_owned(),
            rest => format!("'{}'", shown(rest)),
        };
        invalid(format!(
            "'{}' is not a geometry in well-known text: {what} expected, not {found}",
            shown(self.text)
        ))
    }

    fn spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_ascii_start().len();
    }

    fn takes(&mut self, byte: char) -> bool {
        self.spaces();
        let found = self.rest().starts_with(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn must(&mut self, byte: char) -> Result<()> {
        match self.takes(byte) {
            true => Ok(()),
            false => Err(self.expected(&format!("'{byte}'"))),
        }
    }

    /// A word of letters; empty if there is none.
    fn word(&mut self) -> &'a str {
        self.spaces();
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn takes_empty(&mut self) -> Result<bool> {
        let before = self.at;
        let word = self.word();
        if word.is_empty() {
            return Ok(false);
        }
        if word.eq_ignore_ascii_case("EMPTY") {
            return Ok(true);
        }
        if ["Z", "M", "ZM"]
            .iter()
            .any(|z| word.eq_ignore_ascii_case(z))
        {
            return Err(invalid(
                "geometries with Z or M coordinates are not supported",
            ));
        }
        self.at = before;
        Err(self.expected("'(' or EMPTY"))
    }

    fn number(&mut self) -> Result<f64> {
        self.spaces();
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E')))
            .unwrap_or(rest.len());
        let number = rest.get(..end).unwrap_or_default().parse::<f64>();
        match number {
            Ok(number) if number.is_finite() => {
                self.at += end;
                Ok(number)
            }
            Ok(_) => Err(invalid("coordinates must be finite numbers")),
            Err(_) => Err(self.expected("a number")),
        }
    }

    fn coord(&mut self) -> Result<Coord<f64>> {
        self.work.step()?;
        let x = self.number()?;
        let y = self.number()?;
        self.spaces();
        if self
            .rest()
            .starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
        {
            return Err(invalid(
                "geometries with Z or M coordinates are not supported",
            ));
        }
        Ok(Coord { x, y })
    }

    /// A list in parentheses, or nothing for EMPTY.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<Option<T>>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        if self.takes_empty()? {
            return Ok(items);
        }
        self.must('(')?;
        loop {
            self.work.step()?;
            items.extend(item(self)?);
            if !self.takes(',') {
                break;
            }
        }
        self.must(')')?;
        Ok(items)
    }

    fn line(&mut self) -> Result<LineString<f64>> {
        let coords = self.list(|reader| reader.coord().map(Some))?;
        match coords.len() {
            1 => Err(invalid("a line has at least two points")),
            _ => Ok(LineString::new(coords)),
        }
    }

    fn ring(&mut self) -> Result<LineString<f64>> {
        let coords = self.list(|reader| reader.coord().map(Some))?;
        match coords.len() {
            1 | 2 => Err(invalid("a ring has at least three points")),
            _ => Ok(LineString::new(coords)),
        }
    }

    fn polygon(&mut self) -> Result<Polygon<f64>> {
        let rings = self.list(|reader| {
            let ring = reader.ring()?;
            Ok((!ring.0.is_empty()).then_some(ring))
        })?;
        let mut rings = rings.into_iter();
        let exterior = rings.next().unwrap_or_else(|| LineString::new(Vec::new()));
        Ok(shape::polygon(exterior, rings.collect()))
    }

    /// A point of a multipoint, in parentheses or not.
    fn member(&mut self) -> Result<Option<Point<f64>>> {
        self.spaces();
        let plain = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
        if self.rest().starts_with(plain) {
            return Ok(Some(Point(self.coord()?)));
        }
        self.point()
    }

    fn point(&mut self) -> Result<Option<Point<f64>>> {
        if self.takes_empty()? {
            return Ok(None);
        }
        self.must('(')?;
        let coord = self.coord()?;
        self.must(')')?;
        Ok(Some(Point(coord)))
    }

    fn geometry(&mut self, depth: usize) -> Result<Geometry<f64>> {
        if depth > MAX_DEPTH {
            return Err(invalid(
                "the collections of this geometry are nested too deeply",
            ));
        }
        let start = self.at;
        let word = self.word().to_ascii_uppercase();
        Ok(match word.as_str() {
            "POINT" => match self.point()? {
                Some(point) => Geometry::Point(point),
                None => shape::empty_point(),
            },
            "LINESTRING" => Geometry::LineString(self.line()?),
            "POLYGON" => Geometry::Polygon(self.polygon()?),
            "MULTIPOINT" => Geometry::MultiPoint(MultiPoint::new(self.list(Self::member)?)),
            "MULTILINESTRING" => {
                let lines = self.list(|reader| {
                    let line = reader.line()?;
                    Ok((!line.0.is_empty()).then_some(line))
                })?;
                Geometry::MultiLineString(MultiLineString::new(lines))
            }
            "MULTIPOLYGON" => {
                let polygons = self.list(|reader| {
                    let polygon = reader.polygon()?;
                    Ok((!polygon.exterior().0.is_empty()).then_some(polygon))
                })?;
                Geometry::MultiPolygon(MultiPolygon::new(polygons))
            }
            "GEOMETRYCOLLECTION" => {
                let parts = self.list(|reader| {
                    let part = reader.geometry(depth + 1)?;
                    Ok((!is_empty(&part)).then_some(part))
                })?;
                Geometry::GeometryCollection(GeometryCollection::from(parts))
            }
            _ => {
                self.at = start;
                self.spaces();
                return Err(self.expected("a type such as POINT or POLYGON"));
            }
        })
    }
}

/// Appends a geometry as text. Athena shows an empty line or polygon as an empty multi-geometry.
///
/// # Errors
///
/// The query was stopped, or the text is too long.
pub(super) fn write(geometry: &Geometry<f64>, work: &Work, out: &mut String) -> Result<()> {
    if is_empty(geometry) {
        work.builds(32)?;
        out.push_str(match geometry {
            Geometry::Point(_) => "POINT EMPTY",
            Geometry::MultiPoint(_) => "MULTIPOINT EMPTY",
            Geometry::LineString(_) | Geometry::MultiLineString(_) => "MULTILINESTRING EMPTY",
            Geometry::GeometryCollection(_) => "GEOMETRYCOLLECTION EMPTY",
            _ => "MULTIPOLYGON EMPTY",
        });
        return Ok(());
    }
    work.builds(32)?;
    match geometry {
        Geometry::Point(point) => {
            out.push_str("POINT ");
            listed(&[point.0], out, |coord, out| pair(*coord, work, out))
        }
        Geometry::LineString(line) => {
            out.push_str("LINESTRING ");
            coords(line, work, out)
        }
        Geometry::Polygon(polygon) => {
            out.push_str("POLYGON ");
            rings(polygon, work, out)
        }
        Geometry::MultiPoint(points) => {
            out.push_str("MULTIPOINT ");
            listed(&points.0, out, |point, out| {
                listed(&[point.0], out, |coord, out| pair(*coord, work, out))
            })
        }
        Geometry::MultiLineString(lines) => {
            out.push_str("MULTILINESTRING ");
            listed(&lines.0, out, |line, out| coords(line, work, out))
        }
        Geometry::MultiPolygon(polygons) => {
            out.push_str("MULTIPOLYGON ");
            listed(&polygons.0, out, |polygon, out| rings(polygon, work, out))
        }
        Geometry::GeometryCollection(parts) => {
            out.push_str("GEOMETRYCOLLECTION ");
            listed(&parts.0, out, |part, out| write(part, work, out))
        }
        Geometry::Line(line) => write(&LineString::from(line).into(), work, out),
        Geometry::Rect(rect) => write(&rect.to_polygon().into(), work, out),
        Geometry::Triangle(triangle) => write(&triangle.to_polygon().into(), work, out),
    }
}

fn listed<T>(
    items: &[T],
    out: &mut String,
    mut item: impl FnMut(&T, &mut String) -> Result<()>,
) -> Result<()> {
    out.push('(');
    for (index, one) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        item(one, out)?;
    }
    out.push(')');
    Ok(())
}

fn coords(line: &LineString<f64>, work: &Work, out: &mut String) -> Result<()> {
    listed(&line.0, out, |coord, out| pair(*coord, work, out))
}

fn rings(polygon: &Polygon<f64>, work: &Work, out: &mut String) -> Result<()> {
    out.push('(');
    coords(polygon.exterior(), work, out)?;
    for ring in polygon.interiors() {
        out.push_str(", ");
        coords(ring, work, out)?;
    }
    out.push(')');
    Ok(())
}

fn pair(coord: Coord<f64>, work: &Work, out: &mut String) -> Result<()> {
    let before = out.len();
    // Writing to a String does not fail.
    let _ = write!(out, "{} {}", coord.x, coord.y);
    work.builds(out.len() - before + 4)
}
