//! Maps the columns of a client's batches to those of a table: by name, in any order and case, each
//! cast to its column's type.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use lakegate_catalog::hive_type::HiveType;
use lakegate_error::{Code, Error, Result};

use super::assignable::assignable;
use super::bounds::Bound;
use super::views::{compact, viewed};
use crate::leaves::cast_rounded;
use crate::{STRICT, type_name};

/// Values of all columns that are made the table's at once: 64 MiB of NULLs.
const PIECE_VALUES: usize = 8 * 1024 * 1024;

/// How batches of one schema become rows of a table.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// The table's columns, partition keys last.
    schema: SchemaRef,
    /// For each of them the column of the batches; `None`: it is not sent, and NULL.
    sources: Vec<Option<usize>>,
    /// Columns that have one value in all rows: the only one of the array.
    fixed: Vec<(usize, ArrayRef)>,
    /// Columns that have a value in each row.
    required: Vec<usize>,
    /// What the values of the columns must be, beside their type. Empty: any values.
    bounds: Vec<Option<Bound>>,
    /// The name of the table, for the error of a row without one.
    relation: String,
}

impl Mapping {
    /// `table`: its name, for messages. `columns`: those that may be written; the others are as if
    /// they were not there.
    ///
    /// # Errors
    /// A column that the table does not have, or that is sent twice; one whose values cannot become
    /// its column's.
    pub fn new(
        table: &str,
        schema: &SchemaRef,
        incoming: &Schema,
        may_write: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let mut sources = vec![None; schema.fields().len()];
        let fields = schema.fields().iter().zip(&mut sources);
        let mut columns: HashMap<&str, _> = fields
            .filter(|(column, _)| may_write(column.name()))
            .map(|(column, source)| (column.name().as_str(), (column, source)))
            .collect();
        for (index, field) in incoming.fields().iter().enumerate() {
            let name = field.name().to_lowercase();
            let Some((column, source)) = columns.get_mut(name.as_str()) else {
                let known: Vec<&str> = schema
                    .fields()
                    .iter()
                    .map(|column| column.name().as_str())
                    .filter(|column| may_write(column))
                    .collect();
                return Err(Error::new(
                    Code::ColumnNotFound,
                    format!(
                        "column \"{}\" of table {table} does not exist",
                        field.name()
                    ),
                )
                .with_hint(format!("its columns are {}", known.join(", "))));
            };
            if source.is_some() {
                return Err(Error::new(
                    Code::DuplicateColumn,
                    format!("column \"{name}\" is sent twice; send it once"),
                ));
            }
            if !assignable(field.data_type(), column.data_type()) {
                return Err(Error::new(
                    Code::TypeMismatch,
                    format!(
                        "column \"{name}\" of table {table} is of type {}, and values of type {} are sent",
                        type_name(column.data_type()),
                        type_name(field.data_type())
                    ),
                )
                .with_hint("cast the column before it is sent"));
            }
            **source = Some(index);
        }
        if !sources.is_empty() && sources.iter().all(Option::is_none) {
            return Err(Error::invalid(format!(
                "the batches have no columns; send at least one of table {table}"
            )));
        }
        Ok(Self {
            schema: Arc::clone(schema),
            sources,
            fixed: Vec::new(),
            required: Vec::new(),
            bounds: Vec::new(),
            relation: String::new(),
        })
    }

    /// Makes it an error that a row has no value of some columns. `relation`: the name of the table.
    /// `places`: those of the columns, among all of the table.
    pub fn require(&mut self, relation: &str, places: Vec<usize>) {
        relation.clone_into(&mut self.relation);
        self.required = places;
    }

    /// The mapping of rows that may lack values where they are required.
    #[must_use]
    pub fn without_required(self) -> Self {
        Self {
            required: Vec::new(),
            ..self
        }
    }

    /// Makes it an error that a text or a decimal is longer than its column's type. `declared`: the
    /// types of all columns of the table, in their order; `None`: it has none that is known.
    pub fn declare(&mut self, declared: impl Iterator<Item = Option<HiveType>>) {
        let bounds = declared.map(|declared| Bound::of(declared.as_ref()?));
        self.bounds = bounds.collect();
    }

    /// Gives all rows one value of a column that is not sent, of the column's type.
    ///
    /// # Errors
    /// The table does not have the column.
    pub fn fix(&mut self, column: &str, value: ArrayRef) -> Result<()> {
        let place = self.schema.index_of(column);
        let place = place.map_err(|error| Error::internal(error.to_string()))?;
        self.fixed.push((place, value));
        Ok(())
    }

    /// Makes texts and bytes of the first `columns` columns views, which are copied less than values.
    ///
    /// # Errors
    /// A fixed value has no view.
    pub(super) fn with_views(mut self, columns: usize) -> Result<Self> {
        let fields = self.schema.fields().iter().enumerate();
        let fields = fields.map(|(place, field)| match viewed(field.data_type()) {
            Some(view) if place < columns => Arc::new(field.as_ref().clone().with_data_type(view)),
            _ => Arc::clone(field),
        });
        let schema = Schema::new_with_metadata(
            fields.collect::<Vec<FieldRef>>(),
            self.schema.metadata().clone(),
        );
        for (place, value) in &mut self.fixed {
            let made = cast(value, schema.field(*place).data_type());
            *value = made.map_err(|error| Error::internal(error.to_string()))?;
        }
        self.schema = Arc::new(schema);
        Ok(self)
    }

    /// The table's columns, partition keys last.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The mapping of batches whose rows passed this one: they have the table's columns in their
    /// places, and perhaps others behind them.
    #[must_use]
    pub fn applied(&self) -> Self {
        Self {
            schema: Arc::clone(&self.schema),
            sources: (0..self.sources.len()).map(Some).collect(),
            fixed: Vec::new(),
            required: self.required.clone(),
            bounds: Vec::new(),
            relation: self.relation.clone(),
        }
    }

    /// The parts of a batch that are mapped at once: columns that are not sent, or sent as NULLs,
    /// take memory only then.
    pub fn pieces(&self, batch: RecordBatch) -> impl Iterator<Item = RecordBatch> + use<> {
        let (rows, piece) = (batch.num_rows(), self.rows_of_piece());
        let starts = (0..rows).step_by(piece);
        starts.map(move |start| batch.slice(start, piece.min(rows - start)))
    }

    fn rows_of_piece(&self) -> usize {
        (PIECE_VALUES / self.values_of_row().max(1)).max(1)
    }

    /// Values of a row of the table, those within structs one by one: what a row takes at least,
    /// NULL or not.
    fn values_of_row(&self) -> usize {
        let fields = self.schema.fields().iter();
        fields.map(|field| values_of(field.data_type())).sum()
    }

    /// # Errors
    /// A value that does not fit its column, or none where one is required. The column is named.
    pub fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let columns = self
            .schema
            .fields()
            .iter()
            .zip(&self.sources)
            .enumerate()
            .map(|(place, (field, source))| {
                if let Some((_, value)) = self.fixed.iter().find(|(fixed, _)| *fixed == place) {
                    return repeated(value, rows);
                }
                let Some(column) = source.and_then(|at| batch.columns().get(at)) else {
                    return Ok(new_null_array(field.data_type(), rows));
                };
                let column = converted(column, field)?;
                match self.bounds.get(place).and_then(Option::as_ref) {
                    Some(bound) => bound.fit(field.name(), &column),
                    None => Ok(column),
                }
            })
            .collect::<Result<Vec<ArrayRef>>>()?;
        self.check_required(&columns)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| Error::internal(format!("rows do not form a batch: {error}")))
    }

    /// # Errors
    /// A row has no value where one is required.
    fn check_required(&self, columns: &[ArrayRef]) -> Result<()> {
        let has_null = |place: &&usize| {
            columns
                .get(**place)
                .is_some_and(|column| column.null_count() > 0)
        };
        let Some(place) = self.required.iter().find(has_null) else {
            return Ok(());
        };
        let column = self.schema.fields().get(*place);
        let column = column.map_or("", |column| column.name().as_str());
        Err(Error::new(
            Code::NotNullViolation,
            format!(
                "null value in column \"{column}\" of relation \"{}\" violates not-null constraint",
                self.relation
            ),
        ))
    }
}

/// The first value of an array, in each row.
fn repeated(value: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    let first = UInt32Array::from(vec![0_u32; rows]);
    take(value.as_ref(), &first, None)
        .map_err(|error| Error::internal(format!("a value cannot be repeated: {error}")))
}

fn converted(column: &ArrayRef, field: &FieldRef) -> Result<ArrayRef> {
    if column.data_type() == field.data_type() {
        return Ok(compact(column));
    }
    if column.null_count() == column.len() {
        return Ok(new_null_array(field.data_type(), column.len()));
    }
    // Times that are finer than the table's are rounded, as by a cast in SQL.
    let cast = cast_rounded(column, field.data_type(), &STRICT);
    cast.map(|column| compact(&column)).map_err(|error| {
        Error::new(
            Code::NumericOutOfRange,
            format!(
                "a value of column \"{}\" is not of type {}: {}",
                field.name(),
                type_name(field.data_type()),
                reason(error)
            ),
        )
    })
}

/// What is wrong with a value, without the kind of the error.
fn reason(error: ArrowError) -> String {
    match error {
        ArrowError::CastError(why)
        | ArrowError::ComputeError(why)
        | ArrowError::InvalidArgumentError(why) => why,
        other => other.to_string(),
    }
}

/// Of a list there is one value, which says where its items are.
fn values_of(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => {
            let fields = fields.iter();
            1 + fields
                .map(|field| values_of(field.data_type()))
                .sum::<usize>()
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::array::{AsArray, Int32Array, Int64Array, StringArray, StringViewArray};
    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    fn table() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int32, true),
            Field::new("name", DataType::Utf8, true),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("day", DataType::Date32, true),
        ]))
    }

    fn mapping(fields: Vec<Field>) -> Result<Mapping> {
        Mapping::new("sales.t", &table(), &Schema::new(fields), |name| {
            name != "at"
        })
    }

    #[test]
    fn columns_are_found_by_name_and_missing_ones_are_null() {
        let incoming = Schema::new(vec![
            Field::new("NAME", DataType::Utf8View, false),
            Field::new("Id", DataType::Int64, false),
        ]);
        let batch = RecordBatch::try_new(
            Arc::new(incoming.clone()),
            vec![
                Arc::new(StringViewArray::from(vec!["a", "b"])),
                Arc::new(Int64Array::from(vec![1, 2])),
            ],
        )
        .unwrap();
        let mapping = Mapping::new("sales.t", &table(), &incoming, |_| true).unwrap();
        let mapped = mapping.apply(&batch).unwrap();
        assert_eq!(mapped.schema(), table());
        assert_eq!(
            mapped.column(0).as_ref(),
            &Int32Array::from(vec![1, 2]) as &dyn Array
        );
        assert_eq!(
            mapped.column(1).as_ref(),
            &StringArray::from(vec!["a", "b"]) as &dyn Array
        );
        assert_eq!(mapped.column(3).null_count(), 2);
    }

    /// A column of structs that is sent as NULLs takes what its fields take.
    #[test]
    fn values_within_structs_count() {
        let many = (0..400).map(|n| Field::new(format!("f{n}"), DataType::Int64, true));
        let inner = DataType::Struct(many.collect());
        let nested = DataType::Struct(vec![Field::new("inner", inner, true)].into());
        let schema = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("x", nested, true),
        ]));
        let incoming = Schema::new(vec![Field::new("x", DataType::Null, true)]);
        let mapping = Mapping::new("sales.t", &schema, &incoming, |_| true).unwrap();
        assert_eq!(mapping.values_of_row(), 1 + 1 + 1 + 400);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_the_name_of_its_column() {
        for (fields, code, part) in [
            (
                vec![Field::new("other", DataType::Int32, true)],
                Code::ColumnNotFound,
                "\"other\"",
            ),
            // A column that the principal does not see is not there.
            (
                vec![Field::new("at", DataType::Date32, true)],
                Code::ColumnNotFound,
                "\"at\"",
            ),
            (
                vec![
                    Field::new("id", DataType::Int32, true),
                    Field::new("ID", DataType::Int32, true),
                ],
                Code::DuplicateColumn,
                "\"id\"",
            ),
            (
                vec![Field::new("id", DataType::Utf8, true)],
                Code::TypeMismatch,
                "\"id\" of table sales.t is of type int, and values of type string",
            ),
            (
                vec![Field::new("id", DataType::Float64, true)],
                Code::TypeMismatch,
                "double",
            ),
            (vec![], Code::InvalidParameter, "no columns"),
        ] {
            let error = mapping(fields).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.message().contains(part), "{error}");
            assert!(
                error.hint().is_none_or(|hint| !hint.contains("at,")),
                "{error}"
            );
        }
    }

    #[test]
    fn row_without_a_required_value_is_an_error_that_names_the_column() {
        let incoming = Schema::new(vec![
            Field::new("id", DataType::Int32, true),
            Field::new("name", DataType::Utf8, true),
        ]);
        let batch = |ids: Vec<Option<i32>>| {
            let names: Vec<Option<&str>> = vec![None; ids.len()];
            RecordBatch::try_new(
                Arc::new(incoming.clone()),
                vec![
                    Arc::new(Int32Array::from(ids)),
                    Arc::new(StringArray::from(names)),
                ],
            )
            .unwrap()
        };
        let mut mapping = Mapping::new("sales.t", &table(), &incoming, |_| true).unwrap();
        mapping.require("t", vec![0]);
        assert!(mapping.apply(&batch(vec![Some(1), Some(2)])).is_ok());
        let error = mapping.apply(&batch(vec![Some(1), None])).unwrap_err();
        assert_eq!(error.code(), Code::NotNullViolation);
        assert_eq!(
            error.message(),
            "null value in column \"id\" of relation \"t\" violates not-null constraint"
        );
        // Also where the rows are in their places already, or the column is not sent.
        let rows = mapping.apply(&batch(vec![Some(1)])).unwrap();
        assert!(mapping.applied().apply(&rows).is_ok());
        mapping.require("t", vec![0, 3]);
        assert!(mapping.applied().apply(&rows).is_err());
        let error = mapping.apply(&batch(vec![Some(1)])).unwrap_err();
        assert!(error.message().contains("\"day\""), "{error}");
        assert!(mapping.apply(&batch(vec![])).is_ok());
        let any = mapping.without_required();
        assert!(any.apply(&batch(vec![Some(1), None])).is_ok());
    }

    #[test]
    fn texts_are_held_to_the_length_that_is_declared() {
        let incoming = Schema::new(vec![Field::new("name", DataType::Utf8, true)]);
        let mut mapping = Mapping::new("sales.t", &table(), &incoming, |_| true).unwrap();
        mapping.declare([None, Some(HiveType::Varchar(2)), None, None].into_iter());
        let mapping = mapping.with_views(4).unwrap();
        let batch = |text: &str| {
            let texts: ArrayRef = Arc::new(StringArray::from(vec![text]));
            RecordBatch::try_new(Arc::new(incoming.clone()), vec![texts]).unwrap()
        };
        let written = mapping.apply(&batch("ab ")).unwrap();
        assert_eq!(written.column(1).as_string_view().value(0), "ab");
        let error = mapping.apply(&batch("abc")).unwrap_err();
        assert_eq!(error.code(), Code::TextTooLong);
        assert!(error.message().contains("\"name\""), "{error}");
        let again = mapping.applied().apply(&written).unwrap();
        assert_eq!(again, written);
    }

    #[test]
    fn value_out_of_range_is_an_error_that_names_the_column() {
        let fields = vec![Field::new("id", DataType::Int64, true)];
        let batch = RecordBatch::try_new(
            Arc::new(Schema::new(fields.clone())),
            vec![Arc::new(Int64Array::from(vec![i64::MAX]))],
        )
        .unwrap();
        let error = mapping(fields).unwrap().apply(&batch).unwrap_err();
        assert_eq!(error.code(), Code::NumericOutOfRange);
        assert!(error.message().contains("\"id\""), "{error}");
    }
}
