//! `geometry_to_bing_tiles`: the tiles that a geometry has points in.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use geo::{Coord, CoordsIter, Geometry, Intersects, Rect, Relate};
use lakegate_error::{Code, Error};

use super::call::{Shapes, guarded, page, takes};
use super::shape::vertices;
use super::sphere;
use super::tiles::{Tile, list, zoom_level};
use super::validity::check_polygons;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

/// The zoom level from which large tiles are tested before the small ones in them.
const COARSE: u32 = 10;
/// Tiles of a point or a rectangle, at most, as in Trino.
const MOST_TILES: u64 = 1_000_000;
/// The product of tiles and vertices of another geometry, at most, as in Trino.
const MOST_TESTS: u64 = 25_000_000;
/// Bytes of a tile's text.
const TILE: usize = 48;

static TO_TILES: Page = page(
    "geometry_to_bing_tiles",
    "geometry_to_bing_tiles(geometry, zoom)",
    "Returns an array of the tiles of a zoom level that a geometry has points in.",
    "geometry_to_bing_tiles(ST_Point(60, 30.12), 10)",
    "[{\"x\":682,\"y\":422,\"zoom\":10}]",
);

pub(super) fn entries() -> Vec<Entry> {
    let kernel = Kernel::new(
        &TO_TILES,
        takes(&[DataType::Binary, DataType::Int64]),
        Returns::Type(list()),
        |call| {
            let zooms = call.columns[1].primitives::<Int64Type>();
            let mut shapes = Shapes::of(call, 0);
            let mut lists = ListBuilder::new(StringBuilder::new());
            for row in 0..call.rows {
                call.work.builds(8)?;
                let (Some((shape, bounds)), Some(zoom)) = (shapes.get(row)?, zooms.get(row)) else {
                    lists.append(false);
                    continue;
                };
                let geometry = shape.planar(call.name)?;
                let zoom = zoom_level(zoom)?;
                if let Some(bounds) = bounds {
                    let tiles = &mut Tiles {
                        call,
                        geometry,
                        lists: &mut lists,
                    };
                    tiles.of(*bounds, zoom)?;
                }
                lists.append(true);
            }
            Ok(Arc::new(lists.finish()) as ArrayRef)
        },
    );
    vec![Entry::scalar(kernel)]
}

struct Tiles<'a> {
    call: &'a Call<'a>,
    geometry: &'a Geometry<f64>,
    lists: &'a mut ListBuilder<StringBuilder>,
}

fn places(from: i32, to: i32) -> RangeInclusive<i32> {
    from.min(to)..=to
}

impl Tiles<'_> {
    fn of(&mut self, bounds: Rect<f64>, zoom: u32) -> Result<()> {
        let (min, max) = (bounds.min(), bounds.max());
        sphere::check(min)?;
        sphere::check(max)?;
        let level = i64::from(zoom);
        let first = Tile::at(max.y, min.x, level)?;
        let mut last = Tile::at(min.y, max.x, level)?;
        // Where only a border is shared, the tile before.
        let corner = Tile::corner(last.x, last.y, zoom);
        last.x -= i32::from(corner.x == max.x && last.x > first.x);
        last.y -= i32::from(corner.y == min.y && last.y > first.y);
        let (xs, ys) = (places(first.x, last.x), places(first.y, last.y));
        let side =
            |range: &RangeInclusive<i32>| u64::from(range.end().abs_diff(*range.start())) + 1;
        let count = side(&xs) * side(&ys);
        let is_covered = is_point_or_rectangle(self.geometry, bounds);
        let tests = count.saturating_mul(vertices(self.geometry) as u64);
        let is_too_much = match is_covered {
            true => count > MOST_TILES,
            false => tests > MOST_TESTS,
        };
        if is_too_much {
            return Err(Error::new(
                Code::TooComplex,
                format!(
                    "geometry_to_bing_tiles: {count} tiles of zoom level {zoom} may have points of \
                     the geometry, which is too many"
                ),
            )
            .with_hint("use a lower zoom level, or simplify the geometry")
            .into());
        }
        if is_covered || zoom <= COARSE {
            for x in xs {
                for y in ys.clone() {
                    let tile = Tile { x, y, zoom };
                    if is_covered || self.meets(tile)? {
                        self.append(tile)?;
                    }
                }
            }
            return Ok(());
        }
        check_polygons(self.call, self.geometry)?;
        let coarse = |at: i32| at >> (zoom - COARSE);
        for x in coarse(first.x)..=coarse(last.x) {
            for y in coarse(first.y)..=coarse(last.y) {
                self.within(Tile { x, y, zoom: COARSE }, zoom)?;
            }
        }
        Ok(())
    }

    fn meets(&self, tile: Tile) -> Result<bool> {
        for _ in 0..=vertices(self.geometry) / 64 {
            self.call.work.step()?;
        }
        Ok(tile.rectangle().intersects(self.geometry))
    }

    fn append(&mut self, tile: Tile) -> Result<()> {
        self.call.work.builds(TILE)?;
        tile.write(self.lists.values());
        self.lists.values().append_value("");
        Ok(())
    }

    /// Appends the tiles of a level that are within a larger tile and have points of the geometry.
    fn within(&mut self, tile: Tile, zoom: u32) -> Result<()> {
        if !self.meets(tile)? {
            return Ok(());
        }
        if tile.zoom == zoom {
            return self.append(tile);
        }
        let rectangle = tile.rectangle();
        let relation = guarded(self.call.name, || self.geometry.relate(&rectangle))?;
        let levels = zoom - tile.zoom;
        let deeper = if relation.is_contains() { levels } else { 1 };
        for x in tile.x << deeper..(tile.x + 1) << deeper {
            for y in tile.y << deeper..(tile.y + 1) << deeper {
                let part = Tile {
                    x,
                    y,
                    zoom: tile.zoom + deeper,
                };
                match deeper == levels && relation.is_contains() {
                    true => self.append(part)?,
                    false => self.within(part, zoom)?,
                }
            }
        }
        Ok(())
    }
}

/// Whether all tiles of the bounds have points of the geometry.
fn is_point_or_rectangle(geometry: &Geometry<f64>, bounds: Rect<f64>) -> bool {
    match geometry {
        Geometry::Point(_) => true,
        Geometry::Polygon(polygon) => {
            let is_corner = |coord: Coord<f64>| {
                (coord.x == bounds.min().x || coord.x == bounds.max().x)
                    && (coord.y == bounds.min().y || coord.y == bounds.max().y)
            };
            let ring = polygon.exterior();
            polygon.interiors().is_empty()
                && ring.0.len() == 5
                && ring.coords_iter().all(is_corner)
                && ring
                    .lines()
                    .all(|line| line.start.x == line.end.x || line.start.y == line.end.y)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, value};

    async fn keys(text: &str, zoom: u32) -> String {
        let call = format!(
            "(SELECT array_join(transform(geometry_to_bing_tiles(ST_GeometryFromText('{text}'), {zoom}), x -> bing_tile_quadkey(x)), ' '))"
        );
        value(&call).await.unwrap()
    }

    #[tokio::test]
    async fn geometries_are_covered_by_tiles() {
        for (text, zoom, expected) in [
            ("POINT (60 30.12)", 10, "1230301230"),
            ("POINT (60 30.12)", 15, "123030123010121"),
            ("POINT EMPTY", 10, ""),
            (
                "POLYGON ((0 0, 0 10, 10 10, 10 0, 0 0))",
                6,
                "122220 122222 122221 122223",
            ),
        ] {
            assert_eq!(keys(text, zoom).await, expected, "{text}");
        }
        // A triangle has fewer tiles than its bounds.
        let triangle = "POLYGON ((0 0, 0 10, 10 10, 0 0))";
        assert_eq!(keys(triangle, 6).await, "122220 122222 122221");
        // Both ways give the same number of tiles.
        let fine = "(SELECT cardinality(array_distinct(transform(geometry_to_bing_tiles(g, 12), x -> substr(bing_tile_quadkey(x), 1, 10)))) = cardinality(geometry_to_bing_tiles(g, 10)) FROM (SELECT ST_GeometryFromText('POLYGON ((0 0, 0 3, 3 3, 0 0))') AS g))";
        assert_eq!(value(fine).await.unwrap(), "true");
    }

    #[tokio::test]
    async fn too_many_tiles_are_an_error() {
        for (call, part) in [
            (
                "ST_GeometryFromText('POLYGON ((0 0, 0 80, 80 80, 80 0, 0 0))'), 16",
                "too many",
            ),
            (
                "ST_GeometryFromText('POLYGON ((0 0, 0 80, 80 80, 0 0))'), 14",
                "too many",
            ),
            ("ST_Point(1, 2), 24", "zoom level"),
            ("ST_Point(1, 89), 2", "latitude"),
            ("ST_Point(181, 2), 2", "longitude"),
        ] {
            let found = error(&format!("geometry_to_bing_tiles({call})")).await;
            assert!(found.contains(part), "{call}: {found}");
        }
        let null = "geometry_to_bing_tiles(NULL, 3)";
        assert_eq!(value(null).await.unwrap(), "NULL");
    }
}
