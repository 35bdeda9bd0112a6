//! Functions over columns of geometries: what each needs to read its arguments and to build its
//! result.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, BinaryBuilder};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TypeSignature;
use geo::{Geometry, Rect};
use lakegate_error::{Code, Error};

use super::shape::{self, Shape};
use super::wkb::{self, Source};
use crate::columns::Values;
use crate::docs::Page;
use crate::kernel::{Call, Returns};

const EXTENSION: &str = "ARROW:extension:name";

/// Documentation of a function of this family.
pub(super) const fn page(
    name: &'static str,
    syntax: &'static str,
    sentence: &'static str,
    example: &'static str,
    result: &'static str,
) -> Page {
    Page {
        name,
        section: "Geospatial",
        syntax,
        sentence,
        example,
        result,
    }
}

/// A signature of these types.
pub(super) fn takes(types: &[DataType]) -> Vec<TypeSignature> {
    vec![TypeSignature::Exact(types.to_vec())]
}

/// The signature of `count` geometries.
pub(super) fn takes_geometries(count: usize) -> Vec<TypeSignature> {
    takes(&vec![DataType::Binary; count])
}

fn marked(name: &str) -> FieldRef {
    let metadata = HashMap::from([(EXTENSION.to_owned(), name.to_owned())]);
    Arc::new(Field::new("geometry", DataType::Binary, true).with_metadata(metadata))
}

/// A field of geometries.
pub(super) fn geometry_field() -> FieldRef {
    marked("lakegate.geometry")
}

/// The function returns geometries.
pub(super) fn returns_geometry() -> Returns {
    Returns::Field(|_| Ok(geometry_field()))
}

/// The function returns geographies.
pub(super) fn returns_geography() -> Returns {
    Returns::Field(|_| Ok(marked("lakegate.geography")))
}

/// The function returns arrays of geometries.
pub(super) fn returns_geometries() -> Returns {
    Returns::Field(|_| {
        let list = DataType::List(geometry_item());
        Ok(Arc::new(Field::new("geometries", list, true)))
    })
}

/// The field of an array's items.
pub(super) fn geometry_item() -> FieldRef {
    Arc::new(geometry_field().as_ref().clone().with_name("item"))
}

/// A shape with its bounds; an empty one has none.
type Measured = (Shape, Option<Rect<f64>>);

/// An argument that is a column of geometries.
pub(super) struct Shapes<'a> {
    values: Values<'a, BinaryArray>,
    call: &'a Call<'a>,
    /// The shape of the row that was read last, or of the constant.
    read: Option<Measured>,
}

impl<'a> Shapes<'a> {
    pub(super) fn of(call: &'a Call<'a>, argument: usize) -> Self {
        Self {
            values: call.columns[argument].bytes(),
            call,
            read: None,
        }
    }

    pub(super) fn is_constant(&self) -> bool {
        self.values.constant
    }

    /// Returns the shape of a row and its bounds; `None` for NULL.
    ///
    /// # Errors
    ///
    /// The value is not a geometry, or the query was stopped.
    pub(super) fn get(&mut self, row: usize) -> Result<Option<&Measured>> {
        let Some(bytes) = self.values.get(row) else {
            return Ok(None);
        };
        if self.read.is_none() || !self.values.constant {
            pauses(self.call, bytes.len())?;
            let shape = wkb::read(bytes, Source::Column)?;
            let bounds = shape::bounds(&shape.geometry);
            self.read = Some((shape, bounds));
        }
        Ok(self.read.as_ref())
    }
}

/// Stops with the query: a step for each part of a value's work.
///
/// # Errors
///
/// The query was stopped.
pub(super) fn pauses(call: &Call<'_>, bytes: usize) -> Result<()> {
    for _ in 0..=(bytes / 1024).min(64) {
        call.work.step()?;
    }
    Ok(())
}

/// Evaluates a function of one geometry; NULL for NULL.
pub(super) fn each<T>(
    call: &Call<'_>,
    mut body: impl FnMut(&Shape, usize) -> Result<Option<T>>,
) -> Result<Vec<Option<T>>> {
    let mut shapes = Shapes::of(call, 0);
    let mut results = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        results.push(match shapes.get(row)? {
            Some((shape, _)) => body(shape, row)?,
            None => None,
        });
    }
    Ok(results)
}

/// Evaluates a function of two geometries; NULL for NULL.
pub(super) fn each_pair<T>(
    call: &Call<'_>,
    mut body: impl FnMut(&Shape, &Shape) -> Result<Option<T>>,
) -> Result<Vec<Option<T>>> {
    let (mut left, mut right) = (Shapes::of(call, 0), Shapes::of(call, 1));
    let mut results = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        results.push(match (left.get(row)?, right.get(row)?) {
            (Some((a, _)), Some((b, _))) => body(a, b)?,
            _ => None,
        });
    }
    Ok(results)
}

/// A column of geometries being built.
pub(super) struct Geometries<'a> {
    call: &'a Call<'a>,
    builder: BinaryBuilder,
    scratch: Vec<u8>,
}

impl<'a> Geometries<'a> {
    pub(super) fn of(call: &'a Call<'a>) -> Self {
        Self {
            call,
            builder: BinaryBuilder::new(),
            scratch: Vec::new(),
        }
    }

    /// # Errors
    ///
    /// The query was stopped, or the result is too large.
    pub(super) fn append(&mut self, geometry: Option<&Geometry<f64>>) -> Result<()> {
        self.append_shape(geometry, false)
    }

    /// As [`Self::append`], on the plane or on the sphere.
    pub(super) fn append_shape(
        &mut self,
        geometry: Option<&Geometry<f64>>,
        on_sphere: bool,
    ) -> Result<()> {
        let Some(geometry) = geometry else {
            self.call.work.builds(0)?;
            self.builder.append_null();
            return Ok(());
        };
        self.call.work.builds(wkb::size(geometry))?;
        self.scratch.clear();
        wkb::write(geometry, on_sphere, &mut self.scratch);
        self.builder.append_value(&self.scratch);
        Ok(())
    }

    pub(super) fn finish(mut self) -> BinaryArray {
        self.builder.finish()
    }
}

/// Evaluates a function from geometries to geometries.
pub(super) fn mapped(
    call: &Call<'_>,
    mut body: impl FnMut(&Geometry<f64>, usize) -> Result<Option<Geometry<f64>>>,
) -> Result<ArrayRef> {
    let mut shapes = Shapes::of(call, 0);
    let mut results = Geometries::of(call);
    for row in 0..call.rows {
        let result = match shapes.get(row)? {
            Some((shape, _)) => body(shape.planar(call.name)?, row)?,
            None => None,
        };
        results.append(result.as_ref())?;
    }
    Ok(Arc::new(results.finish()))
}

/// The geometries of one value of an array column; `None` for a NULL item.
///
/// # Errors
///
/// The array's items are not geometries.
pub(super) fn items(call: &Call<'_>, items: &ArrayRef) -> Result<Vec<Option<Geometry<f64>>>> {
    if items.data_type() == &DataType::Null {
        return Ok(vec![None; items.len()]);
    }
    if !items.data_type().is_binary() {
        return Err(not_geometries(call.name));
    }
    let items = arrow::compute::cast(items, &DataType::Binary)?;
    let values = Values {
        array: arrow::array::AsArray::as_binary::<i32>(&items),
        constant: false,
    };
    (0..items.len())
        .map(|item| {
            let Some(bytes) = values.get(item) else {
                return Ok(None);
            };
            call.work.step()?;
            let shape = wkb::read(bytes, Source::Column)?;
            shape.planar(call.name).cloned().map(Some)
        })
        .collect()
}

/// Checks the types of a call whose first argument is an array of geometries.
pub(super) fn is_array_of_geometries(name: &str, types: &[DataType]) -> Result<()> {
    match types.first() {
        Some(DataType::List(item))
            if item.data_type().is_binary() || item.data_type().is_null() =>
        {
            Ok(())
        }
        Some(DataType::Null) => Ok(()),
        _ => Err(not_geometries(name)),
    }
}

fn not_geometries(name: &str) -> DataFusionError {
    let message = format!("{name} takes an array of geometries");
    Error::new(Code::TypeMismatch, message).into()
}

/// Runs an algorithm of `geo` that asserts what it cannot prove. The callers check that their
/// geometries are finite and valid, but rounding can still break an assertion.
///
/// # Errors
///
/// An assertion failed.
pub(super) fn guarded<T>(function: &str, body: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|_| {
        let message = format!(
            "{function} cannot be computed for these geometries; simplify them or round their \
             coordinates"
        );
        Error::new(Code::DataException, message).into()
    })
}
