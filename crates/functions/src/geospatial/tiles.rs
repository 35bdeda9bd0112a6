//! Bing's tiles of the world map: squares of a zoom level, in Mercator's projection.
//!
//! A tile is a text, `{"x":1,"y":2,"zoom":3}`, as Athena shows it.

use std::f64::consts::PI;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int8Array, Int32Array, StringArray, StringBuilder, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TypeSignature;
use geo::{Coord, Geometry, LineString};

use super::call::{Geometries, page, returns_geometry, takes};
use super::shape::{invalid, polygon, shown};
use super::sphere;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

const MAX_ZOOM: u32 = 23;
/// The latitude where the map ends.
pub(super) const MAX_LATITUDE: f64 = 85.051_128_78;
const PIXELS: f64 = 256.0;

static TILE: Page = page(
    "bing_tile",
    "bing_tile(x, y, zoom)",
    "Returns the tile of these coordinates and zoom level, or of a quadkey.",
    "bing_tile(3, 5, 3)",
    "{\"x\":3,\"y\":5,\"zoom\":3}",
);
static TILE_AT: Page = page(
    "bing_tile_at",
    "bing_tile_at(latitude, longitude, zoom)",
    "Returns the tile of a place.",
    "bing_tile_at(30.12, 60, 15)",
    "{\"x\":21845,\"y\":13506,\"zoom\":15}",
);
static COORDINATES: Page = page(
    "bing_tile_coordinates",
    "bing_tile_coordinates(tile)",
    "Returns the coordinates of a tile.",
    "bing_tile_coordinates(bing_tile(3, 5, 3))",
    "{x=3, y=5}",
);
static ZOOM: Page = page(
    "bing_tile_zoom_level",
    "bing_tile_zoom_level(tile)",
    "Returns the zoom level of a tile.",
    "bing_tile_zoom_level(bing_tile(3, 5, 3))",
    "3",
);
static QUADKEY: Page = page(
    "bing_tile_quadkey",
    "bing_tile_quadkey(tile)",
    "Returns the quadkey of a tile.",
    "bing_tile_quadkey(bing_tile(3, 5, 3))",
    "213",
);
static POLYGON: Page = page(
    "bing_tile_polygon",
    "bing_tile_polygon(tile)",
    "Returns the rectangle of a tile, in degrees.",
    "ST_XMax(bing_tile_polygon(bing_tile(0, 0, 2)))",
    "-90.0",
);

pub(super) fn entries() -> Vec<Entry> {
    let tile = || Returns::Type(DataType::Utf8);
    let takes_tile = || takes(&[DataType::Utf8]);
    let place = || takes(&[DataType::Float64, DataType::Float64, DataType::Int64]);
    [
        Kernel::new(
            &TILE,
            vec![
                TypeSignature::Exact(vec![DataType::Int64; 3]),
                TypeSignature::Exact(vec![DataType::Utf8]),
            ],
            tile(),
            |call| match call.columns.len() {
                1 => made(call, |call, row| {
                    let texts = call.columns[0].texts();
                    texts.get(row).map(of_quadkey).transpose()
                }),
                _ => made(call, |call, row| {
                    let number = |index: usize| call.columns[index].primitives::<Int64Type>();
                    match (number(0).get(row), number(1).get(row), number(2).get(row)) {
                        (Some(x), Some(y), Some(zoom)) => Tile::new(x, y, zoom).map(Some),
                        _ => Ok(None),
                    }
                }),
            },
        ),
        Kernel::new(&TILE_AT, place(), tile(), |call| made(call, at_place)),
        Kernel::new(&COORDINATES, takes_tile(), Returns::Type(pair()), |call| {
            let tiles = tiles(call)?;
            let xs: Int32Array = tiles.iter().map(|tile| tile.map(|tile| tile.x)).collect();
            let ys: Int32Array = tiles.iter().map(|tile| tile.map(|tile| tile.y)).collect();
            let valid: Vec<bool> = tiles.iter().map(Option::is_some).collect();
            Ok(Arc::new(StructArray::try_new(
                pair_fields(),
                vec![Arc::new(xs), Arc::new(ys)],
                Some(NullBuffer::from(valid)),
            )?))
        }),
        Kernel::new(&ZOOM, takes_tile(), Returns::Type(DataType::Int8), |call| {
            let zooms = tiles(call)?.into_iter();
            let zooms: Int8Array = zooms
                .map(|tile| tile.and_then(|tile| i8::try_from(tile.zoom).ok()))
                .collect();
            Ok(Arc::new(zooms))
        }),
        Kernel::new(&QUADKEY, takes_tile(), tile(), |call| {
            let keys = tiles(call)?.into_iter();
            let keys: StringArray = keys.map(|tile| tile.map(Tile::quadkey)).collect();
            Ok(Arc::new(keys))
        }),
        Kernel::new(&POLYGON, takes_tile(), returns_geometry(), |call| {
            let mut results = Geometries::of(call);
            for tile in tiles(call)? {
                results.append(tile.map(Tile::rectangle).as_ref())?;
            }
            Ok(Arc::new(results.finish()))
        }),
    ]
    .into_iter()
    .map(Entry::scalar)
    .collect()
}

fn pair_fields() -> Fields {
    Fields::from(vec![
        Field::new("x", DataType::Int32, true),
        Field::new("y", DataType::Int32, true),
    ])
}

fn pair() -> DataType {
    DataType::Struct(pair_fields())
}

pub(super) fn list() -> DataType {
    DataType::new_list(DataType::Utf8, true)
}

/// A square of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    pub x: i32,
    pub y: i32,
    pub zoom: u32,
}

impl Tile {
    fn new(x: i64, y: i64, zoom: i64) -> Result<Self> {
        let zoom = zoom_level(zoom)?;
        let end = 1i64 << zoom;
        for ordinate in [x, y] {
            if !(0..end).contains(&ordinate) {
                return Err(invalid(format!(
                    "a tile of zoom level {zoom} has coordinates from 0 to {}, not {ordinate}",
                    end - 1
                )));
            }
        }
        let narrow = |ordinate: i64| i32::try_from(ordinate).unwrap_or(0);
        Ok(Self {
            x: narrow(x),
            y: narrow(y),
            zoom,
        })
    }

    pub(super) fn at(latitude: f64, longitude: f64, zoom: i64) -> Result<Self> {
        let zoom = zoom_level(zoom)?;
        sphere::check(Coord {
            x: longitude,
            y: 0.0,
        })?;
        if !(-MAX_LATITUDE..=MAX_LATITUDE).contains(&latitude) {
            return Err(invalid(format!(
                "latitude {latitude} is not between -{MAX_LATITUDE} and {MAX_LATITUDE}"
            )));
        }
        let sine = latitude.to_radians().sin();
        let y = 0.5 - ((1.0 + sine) / (1.0 - sine)).ln() / (4.0 * PI);
        let size = PIXELS * f64::from(1u32 << zoom);
        // Pixels, cut to whole numbers, and then tiles.
        let tile = |part: f64| ((part * size).clamp(0.0, size - 1.0).trunc() / PIXELS) as i32;
        Ok(Self {
            x: tile((longitude + 180.0) / 360.0),
            y: tile(y),
            zoom,
        })
    }

    fn quadkey(self) -> String {
        (0..self.zoom)
            .rev()
            .map(|bit| match ((self.x >> bit) & 1, (self.y >> bit) & 1) {
                (0, 0) => '0',
                (1, 0) => '1',
                (0, _) => '2',
                _ => '3',
            })
            .collect()
    }

    /// The upper left corner of a tile, in degrees.
    pub(super) fn corner(x: i32, y: i32, zoom: u32) -> Coord<f64> {
        let tiles = f64::from(1u32 << zoom);
        let across = f64::from(x) / tiles - 0.5;
        let down = 0.5 - f64::from(y) / tiles;
        Coord {
            x: 360.0 * across,
            y: 90.0 - 360.0 * (-down * 2.0 * PI).exp().atan() / PI,
        }
    }

    pub(super) fn rectangle(self) -> Geometry<f64> {
        let upper = Self::corner(self.x, self.y, self.zoom);
        let lower = Self::corner(self.x + 1, self.y + 1, self.zoom);
        let corners = vec![
            Coord {
                x: upper.x,
                y: lower.y,
            },
            lower,
            Coord {
                x: lower.x,
                y: upper.y,
            },
            upper,
        ];
        polygon(LineString::new(corners), Vec::new()).into()
    }

    pub(super) fn write(self, out: &mut impl Write) {
        // Writing to memory does not fail.
        let _ = write!(
            out,
            "{{\"x\":{},\"y\":{},\"zoom\":{}}}",
            self.x, self.y, self.zoom
        );
    }

    /// Reads a tile as [`Self::write`] writes it.
    fn read(text: &str) -> Result<Self> {
        let numbers = text
            .strip_prefix("{\"x\":")
            .and_then(|rest| rest.strip_suffix('}'))
            .and_then(|rest| rest.split_once(",\"y\":"))
            .and_then(|(x, rest)| rest.split_once(",\"zoom\":").map(|(y, zoom)| (x, y, zoom)));
        let parsed = numbers
            .and_then(|(x, y, zoom)| Some((x.parse().ok()?, y.parse().ok()?, zoom.parse().ok()?)));
        match parsed {
            Some((x, y, zoom)) => Self::new(x, y, zoom),
            None => Err(invalid(format!(
                "'{}' is not a tile; make one with bing_tile",
                shown(text)
            ))),
        }
    }
}

pub(super) fn zoom_level(zoom: i64) -> Result<u32> {
    let error = || -> DataFusionError {
        invalid(format!(
            "the zoom level {zoom} is not between 0 and {MAX_ZOOM}"
        ))
    };
    u32::try_from(zoom)
        .ok()
        .filter(|zoom| *zoom <= MAX_ZOOM)
        .ok_or_else(error)
}

fn of_quadkey(key: &str) -> Result<Tile> {
    let zoom = i64::try_from(key.len()).unwrap_or(i64::MAX);
    zoom_level(zoom)?;
    let (mut x, mut y) = (0i64, 0i64);
    for digit in key.bytes() {
        let digit = match digit {
            b'0'..=b'3' => i64::from(digit - b'0'),
            _ => {
                return Err(invalid(format!(
                    "'{}' is not a quadkey: its digits are 0 to 3",
                    shown(key)
                )));
            }
        };
        x = (x << 1) | (digit & 1);
        y = (y << 1) | (digit >> 1);
    }
    Tile::new(x, y, zoom)
}

fn made(call: &Call<'_>, of: fn(&Call<'_>, usize) -> Result<Option<Tile>>) -> Result<ArrayRef> {
    let mut texts = StringBuilder::new();
    for row in 0..call.rows {
        call.work.builds(48)?;
        match of(call, row)? {
            Some(tile) => {
                tile.write(&mut texts);
                texts.append_value("");
            }
            None => texts.append_null(),
        }
    }
    Ok(Arc::new(texts.finish()))
}

pub(super) fn at_place(call: &Call<'_>, row: usize) -> Result<Option<Tile>> {
    let degrees = |index: usize| call.columns[index].primitives::<Float64Type>();
    let zoom = call.columns[2].primitives::<Int64Type>();
    match (degrees(0).get(row), degrees(1).get(row), zoom.get(row)) {
        (Some(latitude), Some(longitude), Some(zoom)) => {
            Tile::at(latitude, longitude, zoom).map(Some)
        }
        _ => Ok(None),
    }
}

fn tiles(call: &Call<'_>) -> Result<Vec<Option<Tile>>> {
    let texts = call.columns[0].texts();
    (0..call.rows)
        .map(|row| {
            call.work.builds(48)?;
            texts.get(row).map(Tile::read).transpose()
        })
        .collect()
}
