//! The states of aggregates that keep a sketch for each group.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use lakegate_engine::stop;

use crate::aggregates::function::too_large;
use crate::aggregates::state::{Selected, State};

/// A summary of values.
pub(crate) trait Sketch: fmt::Debug + Send + Sync + Sized + 'static {
    fn merge(&mut self, other: Self) -> Result<()>;

    /// Returns the sketch as bytes that [`Sketch::read`] reads.
    fn write(&mut self) -> Vec<u8>;

    fn read(bytes: &[u8]) -> Result<Self>;

    fn size(&self) -> usize;
}

/// What an aggregate does with sketches.
pub(crate) trait Summary: fmt::Debug + Send + Sync + 'static {
    type Sketch: Sketch;
    /// The arguments, prepared for a batch.
    type Input;

    fn name(&self) -> &'static str;

    fn input(&self, args: &[ArrayRef]) -> Result<Self::Input>;

    /// Adds a row to the sketch of its group.
    fn add(&self, sketch: &mut Option<Self::Sketch>, input: &Self::Input, row: usize)
    -> Result<()>;

    fn results(&self, sketches: &mut [Option<Self::Sketch>]) -> Result<ArrayRef>;
}

/// The sketches of all groups.
#[derive(Debug)]
pub(crate) struct Sketches<S: Summary> {
    summary: S,
    groups: Vec<Option<S::Sketch>>,
    bytes: usize,
}

impl<S: Summary> Sketches<S> {
    pub(crate) fn boxed(summary: S) -> Box<dyn State> {
        Box::new(Self {
            summary,
            groups: Vec::new(),
            bytes: 0,
        })
    }
}

/// A state is one column of bytes.
pub(crate) fn state(_: &[FieldRef], _: &Field) -> Result<Vec<Field>> {
    Ok(vec![Field::new("", DataType::Binary, true)])
}

fn size_of_sketch<T: Sketch>(sketch: &Option<T>) -> usize {
    sketch.as_ref().map_or(0, Sketch::size)
}

/// Rows between two looks at the query's stop.
const STRIDE: usize = 1024;

impl<S: Summary> State for Sketches<S> {
    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, || None);
    }

    fn update(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()> {
        let input = self.summary.input(args)?;
        let mut steps = 0;
        // The size of a group's sketch is looked up once for each run of its rows.
        let (mut current, mut before) = (usize::MAX, 0);
        let (groups, bytes, summary) = (&mut self.groups, &mut self.bytes, &self.summary);
        rows.each(None, |row, group| {
            steps += 1;
            if steps % STRIDE == 0 {
                stop::check()?;
            }
            if group != current {
                if let Some(sketch) = groups.get(current) {
                    *bytes = *bytes + size_of_sketch(sketch) - before;
                }
                current = group;
                before = size_of_sketch(&groups[group]);
            }
            summary.add(&mut groups[group], &input, row)
        })?;
        if let Some(sketch) = groups.get(current) {
            *bytes = *bytes + size_of_sketch(sketch) - before;
        }
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let Some(state) = states.first() else {
            return Ok(());
        };
        let state = state.as_binary::<i32>();
        for (row, &group) in groups.iter().enumerate() {
            if row % STRIDE == 0 {
                stop::check()?;
            }
            if state.is_null(row) {
                continue;
            }
            let sketch = S::Sketch::read(state.value(row))?;
            let before = size_of_sketch(&self.groups[group]);
            match &mut self.groups[group] {
                Some(merged) => merged.merge(sketch)?,
                none => *none = Some(sketch),
            }
            self.bytes = self.bytes + size_of_sketch(&self.groups[group]) - before;
        }
        Ok(())
    }

    fn evaluate(&mut self, groups: usize) -> Result<ArrayRef> {
        let results = self.summary.results(&mut self.groups[..groups]);
        // A sketch may be smaller after its result.
        self.bytes = self.groups.iter().map(size_of_sketch).sum();
        results
    }

    fn state(&mut self, groups: usize) -> Result<Vec<ArrayRef>> {
        let states = written(self.summary.name(), &mut self.groups[..groups])?;
        self.bytes = self.groups.iter().map(size_of_sketch).sum();
        Ok(vec![states])
    }

    fn forget(&mut self, groups: usize) -> Result<()> {
        self.groups.drain(..groups);
        self.bytes = self.groups.iter().map(size_of_sketch).sum();
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes + self.groups.capacity() * size_of::<Option<S::Sketch>>()
    }
}

/// Returns sketches as bytes; a group without one is NULL.
pub(crate) fn written<T: Sketch>(name: &str, sketches: &mut [Option<T>]) -> Result<ArrayRef> {
    let mut column = BinaryBuilder::new();
    let mut bytes = 0usize;
    for (index, sketch) in sketches.iter_mut().enumerate() {
        if index % STRIDE == 0 {
            stop::check()?;
        }
        match sketch {
            None => column.append_null(),
            Some(sketch) => {
                let value = sketch.write();
                bytes = bytes.saturating_add(value.len());
                if i32::try_from(bytes).is_err() {
                    return Err(too_large(name));
                }
                column.append_value(value);
            }
        }
    }
    Ok(Arc::new(column.finish()))
}
