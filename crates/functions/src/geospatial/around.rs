//! `bing_tiles_around`: the tiles next to a place, or those within a distance of it.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;
use geo::Coord;
use lakegate_error::{Code, Error};

use super::call::page;
use super::shape::invalid;
use super::sphere::{EARTH_RADIUS_KM, kilometres};
use super::tiles::{MAX_LATITUDE, Tile, at_place, list};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

/// Bytes of a tile's text.
const TILE: usize = 48;
/// Kilometres around a place, at most, as in Trino.
const MOST_KM: f64 = 1000.0;
/// Tiles of the rectangle around the circle, at most, as in Trino.
const MOST_TILES: i64 = 1_000_000;

static AROUND: Page = page(
    "bing_tiles_around",
    "bing_tiles_around(latitude, longitude, zoom[, kilometres])",
    "Returns the tile of a place and those next to it, or those within a distance of the place.",
    "bing_tiles_around(30.12, 60, 1)",
    "[{\"x\":0,\"y\":0,\"zoom\":1}, {\"x\":0,\"y\":1,\"zoom\":1}, {\"x\":1,\"y\":0,\"zoom\":1}, {\"x\":1,\"y\":1,\"zoom\":1}]",
);

pub(super) fn entries() -> Vec<Entry> {
    let place = || vec![DataType::Float64, DataType::Float64, DataType::Int64];
    let with_radius = [place(), vec![DataType::Float64]].concat();
    let kernel = Kernel::new(
        &AROUND,
        vec![
            TypeSignature::Exact(place()),
            TypeSignature::Exact(with_radius),
        ],
        Returns::Type(list()),
        |call| match call.columns.len() {
            3 => neighbours(call),
            _ => within(call),
        },
    );
    vec![Entry::scalar(kernel)]
}

/// Lists of tiles.
struct Lists<'a> {
    call: &'a Call<'a>,
    lists: ListBuilder<StringBuilder>,
}

impl<'a> Lists<'a> {
    fn new(call: &'a Call<'a>) -> Self {
        Self {
            call,
            lists: ListBuilder::new(StringBuilder::new()),
        }
    }

    fn push(&mut self, tile: Tile) -> Result<()> {
        self.call.work.builds(TILE)?;
        tile.write(self.lists.values());
        self.lists.values().append_value("");
        Ok(())
    }
}

fn neighbours(call: &Call<'_>) -> Result<ArrayRef> {
    let mut lists = Lists::new(call);
    for row in 0..call.rows {
        call.work.step()?;
        let Some(tile) = at_place(call, row)? else {
            lists.lists.append(false);
            continue;
        };
        let end = 1i32 << tile.zoom;
        for x in tile.x - 1..=tile.x + 1 {
            for y in tile.y - 1..=tile.y + 1 {
                if (0..end).contains(&x) && (0..end).contains(&y) {
                    lists.push(Tile { x, y, ..tile })?;
                }
            }
        }
        lists.lists.append(true);
    }
    Ok(Arc::new(lists.lists.finish()))
}

fn within(call: &Call<'_>) -> Result<ArrayRef> {
    let degrees = |index: usize| call.columns[index].primitives::<Float64Type>();
    let (latitudes, longitudes, radii) = (degrees(0), degrees(1), degrees(3));
    let mut lists = Lists::new(call);
    for row in 0..call.rows {
        call.work.step()?;
        let tile = at_place(call, row)?;
        let (Some(tile), Some(y), Some(x), Some(radius)) = (
            tile,
            latitudes.get(row),
            longitudes.get(row),
            radii.get(row),
        ) else {
            lists.lists.append(false);
            continue;
        };
        Circle::new(Coord { x, y }, radius, tile)?.append(&mut lists)?;
        lists.lists.append(true);
    }
    Ok(Arc::new(lists.lists.finish()))
}

/// The places within a distance of a place.
struct Circle {
    center: Coord<f64>,
    /// Kilometres.
    radius: f64,
    tile: Tile,
    /// The first and the last column and row of tiles. The last column is less than the first one
    /// where the circle crosses the end of the map.
    xs: (i32, i32),
    ys: (i32, i32),
}

impl Circle {
    fn new(center: Coord<f64>, radius: f64, tile: Tile) -> Result<Self> {
        if !(0.0..=MOST_KM).contains(&radius) {
            return Err(invalid(format!(
                "the radius {radius} is not between 0 and {MOST_KM} kilometres"
            )));
        }
        let zoom = i64::from(tile.zoom);
        let (sine, cosine) = (radius / EARTH_RADIUS_KM).sin_cos();
        let (sine_y, cosine_y) = center.y.to_radians().sin_cos();
        let latitude = |direction: f64| {
            let end = (sine_y * cosine + direction * cosine_y * sine).asin();
            end.to_degrees().clamp(-MAX_LATITUDE, MAX_LATITUDE)
        };
        let longitude = |direction: f64| {
            let across = (direction * sine * cosine_y).atan2(cosine - sine_y * sine_y);
            match center.x + across.to_degrees() {
                end if end > 180.0 => end - 360.0,
                end if end < -180.0 => end + 360.0,
                end => end,
            }
        };
        let row = |direction: f64| Tile::at(latitude(direction), center.x, zoom).map(|tile| tile.y);
        let column =
            |direction: f64| Tile::at(center.y, longitude(direction), zoom).map(|tile| tile.x);
        let circle = Self {
            center,
            radius,
            tile,
            xs: (column(-1.0)?, column(1.0)?),
            ys: (row(1.0)?, row(-1.0)?),
        };
        let width = (circle.xs.1 - circle.xs.0).rem_euclid(circle.end()) + 1;
        let count = i64::from(width) * i64::from(circle.ys.1 - circle.ys.0 + 1);
        match count <= MOST_TILES {
            true => Ok(circle),
            false => Err(Error::new(
                Code::TooComplex,
                format!(
                    "bing_tiles_around: {count} tiles of zoom level {zoom} are within {radius} km, \
                     which is too many"
                ),
            )
            .with_hint("use a lower zoom level, or a smaller radius")
            .into()),
        }
    }

    /// The number of columns of the map.
    fn end(&self) -> i32 {
        1i32 << self.tile.zoom
    }

    fn reaches(&self, corner: Coord<f64>) -> bool {
        kilometres(self.center, corner) <= self.radius
    }

    /// Appends the tiles in Trino's order: those of the center's row and of its column, then those
    /// to the right and to the left of it, each from the outside.
    fn append(&self, lists: &mut Lists<'_>) -> Result<()> {
        let (tile, end) = (self.tile, self.end());
        let mut x = self.xs.0;
        loop {
            lists.push(Tile { x, ..tile })?;
            if x == self.xs.1 {
                break;
            }
            x = (x + 1).rem_euclid(end);
        }
        for y in (self.ys.0..=self.ys.1).filter(|y| *y != tile.y) {
            lists.push(Tile { y, ..tile })?;
        }
        // The step from the outside, and how far the nearer side of a column is from its left one.
        for (outside, step, side) in [(self.xs.1, -1, 0), (self.xs.0, 1, 1)] {
            let mut x = outside;
            while x != tile.x {
                let reached = |y: i32| self.reaches(Tile::corner(x + side, y, tile.zoom));
                // What is nearer to the center than a tile in the circle is in it too.
                for y in (self.ys.0..tile.y).skip_while(|y| !reached(y + 1)) {
                    lists.push(Tile { x, y, ..tile })?;
                }
                for y in (tile.y + 1..=self.ys.1).rev().skip_while(|y| !reached(*y)) {
                    lists.push(Tile { x, y, ..tile })?;
                }
                lists.call.work.step()?;
                x = (x + step).rem_euclid(end);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, value};

    async fn tiles(arguments: &str) -> String {
        let call = format!(
            "(SELECT array_join(transform(bing_tiles_around({arguments}), t -> bing_tile_quadkey(t)), ' '))"
        );
        value(&call).await.unwrap()
    }

    #[tokio::test]
    async fn tiles_are_within_a_distance() {
        assert_eq!(tiles("52.52, 13.405, 12, 1").await, "120210233222");
        assert_eq!(tiles("52.52, 13.405, 3, 0").await, "120");
        assert_eq!(
            tiles("52.52, 13.405, 9, 50").await,
            "120210232 120210233 120210322 120210231 120212011 120212100 120210230 120212010"
        );
        // Over the end of the map.
        assert_eq!(tiles("0.1, 179.9, 2, 500").await, "13 02 31 20");
        assert_eq!(
            value("bing_tiles_around(1, 2, 3, NULL)").await.unwrap(),
            "NULL"
        );
    }

    #[tokio::test]
    async fn circles_are_bounded() {
        for (arguments, part) in [
            ("1, 1, 3, -1", "radius"),
            ("1, 1, 3, 1001", "radius"),
            ("1, 1, 23, 1000", "too many"),
            ("86, 1, 3, 1", "latitude"),
        ] {
            let found = error(&format!("bing_tiles_around({arguments})")).await;
            assert!(found.contains(part), "{arguments}: {found}");
        }
    }
}
