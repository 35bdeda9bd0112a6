//! Geometries: points, lines and polygons on the plane, and Bing's tiles.
//!
//! ```text
//! WKT, WKB ─ wkt, wkb ─▶ Shape ─ relations, overlay, measures … ─▶ values, or WKB of a column
//! ```
//!
//! A column of geometries is `Binary`: well-known binary, marked `lakegate.geometry` in the field.
//! A geography, `lakegate.geography`, is also marked in each value, so that a function never takes
//! degrees for a plane. Coordinates have two dimensions; others are errors.

mod around;
mod buffers;
mod call;
mod combined;
mod geojson;
mod hadoop;
mod linework;
mod makers;
mod measures;
mod nearest;
mod overlay;
mod parts;
mod places;
mod polylines;
mod relations;
mod shape;
mod simplify;
mod sphere;
#[cfg(test)]
mod tests;
mod tiles;
mod tiling;
mod validity;
mod wkb;
mod wkt;

use crate::entry::Entry;

pub(crate) fn entries() -> Vec<Entry> {
    let families = [
        makers::entries,
        parts::entries,
        places::entries,
        measures::entries,
        relations::entries,
        validity::entries,
        overlay::entries,
        buffers::entries,
        sphere::entries,
        tiles::entries,
        around::entries,
        tiling::entries,
        combined::entries,
        geojson::entries,
        hadoop::entries,
        nearest::entries,
        polylines::entries,
        simplify::entries,
    ];
    families.iter().flat_map(|family| family()).collect()
}
