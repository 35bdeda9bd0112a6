//! GeoJSON (RFC 7946) of geographies: `from_geojson_geometry` and `to_geojson_geometry`.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use geo::{
    Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon,
    Point, Polygon,
};
use serde_json::Value;

use super::call::{Geometries, Shapes, page, returns_geography, takes, takes_geometries};
use super::shape::{MAX_DEPTH, empty_point, empty_polygon, invalid, is_empty, polygon, shown};
use super::sphere;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static FROM: Page = page(
    "from_geojson_geometry",
    "from_geojson_geometry(text)",
    "Reads a geography in GeoJSON.",
    "ST_AsText(to_geometry(from_geojson_geometry('{\"type\": \"Point\", \"coordinates\": [8.5, 47.4]}')))",
    "POINT (8.5 47.4)",
);
static TO: Page = page(
    "to_geojson_geometry",
    "to_geojson_geometry(geography)",
    "Returns a geography as GeoJSON.",
    "to_geojson_geometry(to_spherical_geography(ST_Point(8.5, 47.4)))",
    "{\"type\":\"Point\",\"coordinates\":[8.5,47.4]}",
);

pub(super) fn entries() -> Vec<Entry> {
    [
        Kernel::new(&FROM, takes(&[DataType::Utf8]), returns_geography(), from),
        Kernel::new(&TO, takes_geometries(1), Returns::Type(DataType::Utf8), to),
    ]
    .into_iter()
    .map(Entry::scalar)
    .collect()
}

fn from(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.columns[0].texts();
    let mut results = Geometries::of(call);
    for row in 0..call.rows {
        let geometry = match texts.get(row) {
            Some(text) => {
                // A coordinate of two characters becomes sixteen bytes.
                call.work.builds(8 * text.len())?;
                let json: Value = serde_json::from_str(text).map_err(|error| {
                    invalid(format!("'{}' is no GeoJSON: {error}", shown(text)))
                })?;
                Some(Reader { call, text }.geometry(&json, 0)?)
            }
            None => None,
        };
        results.append_shape(geometry.as_ref(), true)?;
    }
    Ok(Arc::new(results.finish()))
}

struct Reader<'a> {
    call: &'a Call<'a>,
    text: &'a str,
}

impl Reader<'_> {
    fn malformed(&self, what: &str) -> DataFusionError {
        let text = shown(self.text);
        invalid(format!("'{text}' is no geometry in GeoJSON: {what}"))
    }

    fn geometry(&self, json: &Value, depth: usize) -> Result<Geometry<f64>> {
        self.call.work.step()?;
        if depth > MAX_DEPTH {
            return Err(self.malformed("its collections are nested too deeply"));
        }
        let kind = json.get("type").and_then(Value::as_str);
        let kind = kind.ok_or_else(|| self.malformed("it has no type"))?;
        if kind == "GeometryCollection" {
            let parts = self.items(json.get("geometries"), "geometries")?.iter();
            let parts = parts.map(|part| self.geometry(part, depth + 1));
            let parts: Vec<_> = parts.collect::<Result<_>>()?;
            let parts: Vec<_> = parts.into_iter().filter(|part| !is_empty(part)).collect();
            return Ok(Geometry::GeometryCollection(GeometryCollection::from(
                parts,
            )));
        }
        let items = self.items(json.get("coordinates"), "coordinates")?;
        Ok(match kind {
            "Point" if items.is_empty() => empty_point(),
            "Point" => Point(self.place(items)?).into(),
            "LineString" => self.line(items)?.into(),
            "Polygon" => self.polygon(items)?.map_or_else(empty_polygon, Into::into),
            "MultiPoint" => {
                MultiPoint::new(self.line_of(items)?.into_iter().map(Point).collect()).into()
            }
            "MultiLineString" => {
                let lines = self.each(items, |items| self.line(items))?.into_iter();
                MultiLineString::new(lines.filter(|line| !line.0.is_empty()).collect()).into()
            }
            "MultiPolygon" => {
                let polygons = self.each(items, |items| self.polygon(items))?;
                MultiPolygon::new(polygons.into_iter().flatten().collect()).into()
            }
            _ => return Err(self.malformed(&format!("there is no type {}", shown(kind)))),
        })
    }

    fn items<'j>(&self, json: Option<&'j Value>, name: &str) -> Result<&'j [Value]> {
        let items = json.and_then(Value::as_array).map(Vec::as_slice);
        items.ok_or_else(|| self.malformed(&format!("{name} must be an array")))
    }

    /// Calls `of` with each item, which must be an array.
    fn each<T>(&self, items: &[Value], of: impl Fn(&[Value]) -> Result<T>) -> Result<Vec<T>> {
        let items = items.iter();
        items
            .map(|item| of(self.items(Some(item), "an item of coordinates")?))
            .collect()
    }

    fn place(&self, numbers: &[Value]) -> Result<Coord<f64>> {
        self.call.work.step()?;
        let number = |index: usize| numbers.get(index).and_then(Value::as_f64);
        match (number(0), number(1), numbers.len()) {
            (Some(x), Some(y), 2) => {
                let place = Coord { x, y };
                sphere::check(place)?;
                Ok(place)
            }
            (.., 3..) => Err(invalid("geometries with Z coordinates are not supported")),
            _ => Err(self.malformed("a place must be two numbers")),
        }
    }

    fn line_of(&self, items: &[Value]) -> Result<Vec<Coord<f64>>> {
        self.each(items, |numbers| self.place(numbers))
    }

    fn line(&self, items: &[Value]) -> Result<LineString<f64>> {
        let line = self.line_of(items)?;
        match line.len() {
            1 => Err(self.malformed("a line must have two places")),
            _ => Ok(LineString::new(line)),
        }
    }

    /// A polygon; `None` of no rings.
    fn polygon(&self, items: &[Value]) -> Result<Option<Polygon<f64>>> {
        let rings = self.each(items, |items| self.line_of(items))?;
        let mut rings =
            rings.into_iter().map(
                |ring| match ring.len() >= 4 && ring.first() == ring.last() {
                    true => Ok(LineString::new(ring)),
                    false => Err(self.malformed("a ring must have four places and be closed")),
                },
            );
        let Some(exterior) = rings.next() else {
            return Ok(None);
        };
        Ok(Some(polygon(exterior?, rings.collect::<Result<_>>()?)))
    }
}

fn to(call: &Call<'_>) -> Result<ArrayRef> {
    let mut shapes = Shapes::of(call, 0);
    let mut texts = StringBuilder::new();
    let mut text = String::new();
    for row in 0..call.rows {
        let Some((shape, _)) = shapes.get(row)? else {
            texts.append_null();
            continue;
        };
        if !shape.on_sphere {
            return Err(invalid(
                "to_geojson_geometry takes a geography; make one with to_spherical_geography",
            ));
        }
        text.clear();
        write(call, &shape.geometry, &mut text)?;
        call.work.builds(text.len())?;
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

/// Appends items in brackets.
fn listed<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    mut of: impl FnMut(T, &mut String) -> Result<()>,
) -> Result<()> {
    out.push('[');
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        of(item, out)?;
    }
    out.push(']');
    Ok(())
}

/// Appends a geometry, whose size is bounded by the bytes that it was read from.
fn write(call: &Call<'_>, geometry: &Geometry<f64>, out: &mut String) -> Result<()> {
    let place = |coord: &Coord<f64>, out: &mut String| -> Result<()> {
        call.work.step()?;
        // Writing to memory does not fail.
        let _ = write!(out, "[{},{}]", coord.x + 0.0, coord.y + 0.0);
        Ok(())
    };
    let line = |line: &LineString<f64>, out: &mut String| listed(&line.0, out, place);
    let rings = |polygon: &Polygon<f64>, out: &mut String| {
        let has_rings = !polygon.exterior().0.is_empty();
        let exterior = has_rings.then_some(polygon.exterior()).into_iter();
        listed(exterior.chain(polygon.interiors()), out, line)
    };
    let kind = match geometry {
        Geometry::Point(_) => "Point",
        Geometry::LineString(_) | Geometry::Line(_) => "LineString",
        Geometry::Polygon(_) | Geometry::Rect(_) | Geometry::Triangle(_) => "Polygon",
        Geometry::MultiPoint(_) => "MultiPoint",
        Geometry::MultiLineString(_) => "MultiLineString",
        Geometry::MultiPolygon(_) => "MultiPolygon",
        Geometry::GeometryCollection(_) => "GeometryCollection",
    };
    let key = match geometry {
        Geometry::GeometryCollection(_) => "geometries",
        _ => "coordinates",
    };
    let _ = write!(out, "{{\"type\":\"{kind}\",\"{key}\":");
    match geometry {
        Geometry::Point(_) if is_empty(geometry) => out.push_str("[]"),
        Geometry::Point(point) => place(&point.0, out)?,
        Geometry::LineString(of) => line(of, out)?,
        Geometry::Polygon(of) => rings(of, out)?,
        Geometry::MultiPoint(points) => {
            listed(&points.0, out, |point, out| place(&point.0, out))?;
        }
        Geometry::MultiLineString(lines) => listed(&lines.0, out, line)?,
        Geometry::MultiPolygon(polygons) => listed(&polygons.0, out, rings)?,
        Geometry::GeometryCollection(parts) => {
            listed(&parts.0, out, |part, out| write(call, part, out))?;
        }
        Geometry::Line(of) => line(&LineString::from(of), out)?,
        Geometry::Rect(of) => rings(&of.to_polygon(), out)?,
        Geometry::Triangle(of) => rings(&of.to_polygon(), out)?,
    }
    out.push('}');
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, value};

    #[tokio::test]
    async fn geographies_are_written_as_they_are_read() {
        for json in [
            r#"{"type":"Point","coordinates":[]}"#,
            r#"{"type":"Point","coordinates":[-180,89.25]}"#,
            r#"{"type":"MultiPoint","coordinates":[[1,2],[3,4]]}"#,
            r#"{"type":"LineString","coordinates":[[1,2],[3,4]]}"#,
            r#"{"type":"MultiLineString","coordinates":[[[1,2],[3,4]],[[5,6],[7,8]]]}"#,
            r#"{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,0]],[[5,1],[8,4],[8,1],[5,1]]]}"#,
            r#"{"type":"MultiPolygon","coordinates":[[[[0,0],[9,0],[9,9],[0,0]]]]}"#,
            r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]}]}"#,
        ] {
            let call = format!("to_geojson_geometry(from_geojson_geometry('{json}'))");
            assert_eq!(value(&call).await.unwrap(), json);
        }
        let null = "from_geojson_geometry(CAST(NULL AS varchar))";
        assert_eq!(value(null).await.unwrap(), "NULL");
    }

    #[tokio::test]
    async fn other_json_is_an_error() {
        for (json, part) in [
            ("", "is no GeoJSON"),
            ("[1]", "no type"),
            (r#"{"type": "Circle", "coordinates": []}"#, "no type Circle"),
            (r#"{"type": "Point"}"#, "must be an array"),
            (
                r#"{"type": "Point", "coordinates": [1, "2"]}"#,
                "two numbers",
            ),
            (
                r#"{"type": "Point", "coordinates": [1, 2, 3]}"#,
                "Z coordinates",
            ),
            (r#"{"type": "Point", "coordinates": [181, 0]}"#, "longitude"),
            (
                r#"{"type": "LineString", "coordinates": [[1, 2]]}"#,
                "two places",
            ),
            (
                r#"{"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 9]]]}"#,
                "closed",
            ),
        ] {
            let found = error(&format!("from_geojson_geometry('{json}')")).await;
            assert!(found.contains(part), "{json}: {found}");
        }
        let deep = "(SELECT from_geojson_geometry(concat(rpad('', 60 * 100, x), '1')) FROM (VALUES '{\"type\":\"GeometryCollection\",\"geometries\":[') t(x))";
        assert!(error(deep).await.contains("GeoJSON"));
        let plane = "to_geojson_geometry(ST_Point(1, 2))";
        assert!(error(plane).await.contains("to_spherical_geography"));
    }
}
