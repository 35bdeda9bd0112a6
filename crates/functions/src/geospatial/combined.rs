//! Geometries of many: `geometry_union` of an array, and the aggregates `geometry_union_agg` and
//! `convex_hull_agg`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;
use geo::{Geometry, GeometryCollection};
use lakegate_engine::stop;

use super::call::{Geometries, geometry_field, is_array_of_geometries, items, page};
use super::overlay::united;
use super::places::hull;
use super::shape::is_empty;
use super::wkb::{self, Source};
use crate::aggregates::function::{self, Aggregate, Depends, too_large};
use crate::aggregates::state::{Selected, State};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};
use crate::sketches::one_of_bytes;
use crate::work::Work;

static UNION: Page = page(
    "geometry_union",
    "geometry_union(geometries)",
    "Returns the points of all geometries of an array.",
    "ST_AsText(geometry_union(ARRAY[ST_Point(1, 2), ST_Point(3, 4), ST_Point(1, 2)]))",
    "MULTIPOINT ((1 2), (3 4))",
);
static UNION_AGG: Page = page(
    "geometry_union_agg",
    "geometry_union_agg(geometry)",
    "Returns the points of all geometries.",
    "(SELECT ST_AsText(geometry_union_agg(ST_GeometryFromText(x))) FROM (VALUES 'POLYGON ((0 0, 2 0, 2 2, 0 2))', 'POLYGON ((0 2, 2 2, 2 3, 0 3))') t(x))",
    "POLYGON ((0 0, 2 0, 2 3, 0 3, 0 0))",
);
static HULL_AGG: Page = page(
    "convex_hull_agg",
    "convex_hull_agg(geometry)",
    "Returns the smallest convex geometry that has all geometries in it.",
    "(SELECT ST_Area(convex_hull_agg(ST_GeometryFromText(x))) FROM (VALUES 'POINT (0 0)', 'POINT (2 0)', 'POINT (0 2)', 'POINT (0.5 0.5)') t(x))",
    "2.0",
);

pub(super) fn entries() -> Vec<Entry> {
    let of_array = Kernel::new(
        &UNION,
        vec![TypeSignature::Any(1)],
        Returns::Field(|fields| {
            let types: Vec<DataType> = fields.iter().map(|f| f.data_type().clone()).collect();
            is_array_of_geometries("geometry_union", &types)?;
            Ok(geometry_field())
        }),
        of_arrays,
    );
    vec![
        Entry::scalar(of_array),
        aggregate(&UNION_AGG, |call| {
            Ok(Box::new(Combined::new(call.name, union)))
        }),
        aggregate(&HULL_AGG, |call| {
            Ok(Box::new(Combined::new(call.name, convex)))
        }),
    ]
}

fn aggregate(page: &'static Page, make: fn(&function::Call) -> Result<Box<dyn State>>) -> Entry {
    Aggregate {
        page,
        takes: |name, types| one_of_bytes(name, "a geometry", types),
        returns: |_, _| Ok(geometry_field().as_ref().clone()),
        state: |_, _| Ok(vec![Field::new("", DataType::Binary, true)]),
        make,
        depends: Depends::Nothing,
    }
    .entry()
}

fn of_arrays(call: &Call<'_>) -> Result<ArrayRef> {
    let mut results = Geometries::of(call);
    for row in 0..call.rows {
        let list = call.columns[0].lists().and_then(|lists| lists.get(row));
        let mut all = None;
        if let Some(list) = list {
            for geometry in items(call, &list)?.into_iter().flatten() {
                all = Some(union(call, all.as_ref(), &geometry)?);
            }
        }
        results.append(all.as_ref())?;
    }
    Ok(Arc::new(results.finish()))
}

fn union(
    call: &Call<'_>,
    all: Option<&Geometry<f64>>,
    geometry: &Geometry<f64>,
) -> Result<Geometry<f64>> {
    match all {
        Some(all) => united(call, all, geometry),
        None => Ok(geometry.clone()),
    }
}

fn convex(
    _: &Call<'_>,
    all: Option<&Geometry<f64>>,
    geometry: &Geometry<f64>,
) -> Result<Geometry<f64>> {
    let both = all.into_iter().chain([geometry]);
    let both: Vec<Geometry<f64>> = both.filter(|of| !is_empty(of)).cloned().collect();
    Ok(match both.is_empty() {
        true => geometry.clone(),
        false => hull(&Geometry::GeometryCollection(GeometryCollection::from(
            both,
        ))),
    })
}

type Combine = fn(&Call<'_>, Option<&Geometry<f64>>, &Geometry<f64>) -> Result<Geometry<f64>>;

/// The geometry of each group so far.
struct Combined {
    name: &'static str,
    combine: Combine,
    groups: Vec<Option<Geometry<f64>>>,
    bytes: usize,
}

impl std::fmt::Debug for Combined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Combined")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn bytes_of(geometry: &Option<Geometry<f64>>) -> usize {
    geometry.as_ref().map_or(0, wkb::size)
}

impl Combined {
    fn new(name: &'static str, combine: Combine) -> Self {
        Self {
            name,
            combine,
            groups: Vec::new(),
            bytes: 0,
        }
    }

    fn add(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()> {
        let Some(values) = args.first() else {
            return Ok(());
        };
        let values = values.as_binary::<i32>();
        let returns = DataType::Binary;
        let call = Call {
            name: self.name,
            rows: values.len(),
            columns: Vec::new(),
            fields: &[],
            returns: &returns,
            work: Work::new(self.name, false),
        };
        rows.each(values.nulls(), |row, group| {
            stop::check()?;
            let shape = wkb::read(values.value(row), Source::Column)?;
            let geometry = shape.planar(self.name)?;
            let before = bytes_of(&self.groups[group]);
            let all = self.groups[group].as_ref();
            self.groups[group] = Some((self.combine)(&call, all, geometry)?);
            self.bytes = self.bytes + bytes_of(&self.groups[group]) - before;
            Ok(())
        })
    }

    fn written(&self, groups: usize) -> Result<ArrayRef> {
        let mut column = BinaryBuilder::new();
        let (mut bytes, mut scratch) = (0usize, Vec::new());
        for geometry in &self.groups[..groups] {
            stop::check()?;
            let Some(geometry) = geometry else {
                column.append_null();
                continue;
            };
            scratch.clear();
            wkb::write(geometry, false, &mut scratch);
            bytes = bytes.saturating_add(scratch.len());
            if i32::try_from(bytes).is_err() {
                return Err(too_large(self.name));
            }
            column.append_value(&scratch);
        }
        Ok(Arc::new(column.finish()))
    }
}

impl State for Combined {
    fn resize(&mut self, groups: usize) {
        self.groups.resize(groups, None);
    }

    fn update(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()> {
        self.add(args, rows)
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let filter = None;
        self.add(states, &Selected { groups, filter })
    }

    fn evaluate(&mut self, groups: usize) -> Result<ArrayRef> {
        self.written(groups)
    }

    fn state(&mut self, groups: usize) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.written(groups)?])
    }

    fn forget(&mut self, groups: usize) -> Result<()> {
        let forgotten = self.groups.drain(..groups);
        self.bytes -= forgotten.map(|geometry| bytes_of(&geometry)).sum::<usize>();
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes + self.groups.capacity() * size_of::<Option<Geometry<f64>>>()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn arrays_are_united() {
        for (array, expected) in [
            ("ARRAY[ST_Point(1, 2)]", "POINT (1 2)"),
            (
                "ARRAY[ST_Point(1, 2), ST_GeometryFromText('LINESTRING (0 2, 3 2)')]",
                "LINESTRING (0 2, 3 2)",
            ),
            ("ARRAY[]", "NULL"),
            ("NULL", "NULL"),
        ] {
            let call = format!("ST_AsText(geometry_union({array}))");
            assert_eq!(value(&call).await.unwrap(), expected, "{call}");
        }
        assert!(
            error("geometry_union(ARRAY[1])")
                .await
                .contains("array of geometries")
        );
    }

    #[tokio::test]
    async fn rows_are_combined_by_group() {
        let query = "SELECT ST_AsText(geometry_union_agg(ST_GeometryFromText(x))) FROM (VALUES (1, 'POINT (1 2)'), (1, NULL), (1, 'POINT (3 4)'), (2, NULL), (3, 'POINT (5 6)')) t(g, x) GROUP BY g ORDER BY g";
        let expected = ["MULTIPOINT ((1 2), (3 4))", "NULL", "POINT (5 6)"];
        assert_eq!(rows(query).await.unwrap(), expected);
        let query = "SELECT ST_AsText(convex_hull_agg(ST_GeometryFromText(x))) FROM (VALUES (1, 'POINT (1 2)'), (1, NULL), (2, 'POINT (0 0)'), (2, 'POINT (2 2)'), (2, 'POINT (1 1)'), (3, 'POINT EMPTY')) t(g, x) GROUP BY g ORDER BY g";
        let expected = ["POINT (1 2)", "LINESTRING (0 0, 2 2)", "POINT EMPTY"];
        assert_eq!(rows(query).await.unwrap(), expected);
    }
}
