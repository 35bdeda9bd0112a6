//! `st_buffer`: the points within a distance of a geometry.

use std::f64::consts::TAU;

use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use geo::buffer::{BufferStyle, LineCap, LineJoin};
use geo::{BoundingRect, Buffer, Geometry, Polygon};

use super::call::{guarded, mapped, page, returns_geometry, takes};
use super::overlay::{Parts, normal};
use super::shape::{invalid, is_empty, vertices};
use super::validity::check_polygons;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel};

/// Vertices of a full circle of a buffer, as in Athena.
const CIRCLE: usize = 96;

static BUFFER: Page = page(
    "st_buffer",
    "st_buffer(geometry, distance)",
    "Returns the polygon of the points within a distance of a geometry.",
    "round(ST_Area(ST_Buffer(ST_Point(0, 0), 1)), 2)",
    "3.14",
);

pub(super) fn entries() -> Vec<Entry> {
    let kernel = Kernel::new(
        &BUFFER,
        takes(&[DataType::Binary, DataType::Float64]),
        returns_geometry(),
        |call| {
            let distances = call.columns[1].primitives::<Float64Type>();
            mapped(call, |geometry, row| match distances.get(row) {
                Some(distance) => buffer(call, geometry, distance),
                None => Ok(None),
            })
        },
    );
    vec![Entry::scalar(kernel)]
}

fn buffer(
    call: &Call<'_>,
    geometry: &Geometry<f64>,
    distance: f64,
) -> Result<Option<Geometry<f64>>> {
    if !(0.0..f64::INFINITY).contains(&distance) {
        return Err(invalid(format!(
            "the distance {distance} of ST_Buffer must be finite and not negative"
        )));
    }
    if distance == 0.0 {
        return Ok(Some(geometry.clone()));
    }
    if is_empty(geometry) {
        return Ok(None);
    }
    check_polygons(call, geometry)?;
    // Each vertex can become a part of a circle.
    let made = vertices(geometry).saturating_mul(16 * CIRCLE);
    call.work.builds(made)?;
    let angle = TAU / CIRCLE as f64;
    let style = BufferStyle::new(distance)
        .line_cap(LineCap::Round(angle))
        .line_join(LineJoin::Round(angle));
    let around = guarded(call.name, || geometry.buffer_with_style(style))?;
    let finite = around.bounding_rect().is_some_and(|rect| {
        rect.min().x.is_finite()
            && rect.max().x.is_finite()
            && rect.min().y.is_finite()
            && rect.max().y.is_finite()
    });
    if !finite {
        return Err(invalid(
            "the buffer of this geometry is not finite, or has no area",
        ));
    }
    let polygons: Vec<Polygon<f64>> = around.0.into_iter().filter_map(normal).collect();
    Ok(Some(Parts::of_polygons(polygons)))
}
