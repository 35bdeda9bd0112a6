//! The Arrow schema by which the Parquet crate reads a file, corrected where the file's own is
//! wrong or incomplete.
//!
//! | column | the crate alone | here |
//! |---|---|---|
//! | INT96 | nanoseconds, which end in 1677 and 2262 | microseconds |
//! | INT64 timestamps | the unit and zone of the schema that the writer embedded | those of the column |
//! | UUID | 16 bytes | 16 bytes that say what they are |

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit as Unit, Type};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::convert::{FORM, UUID};

/// The schema with its columns put right; none if nothing changes. `schema`: as the crate makes it
/// of `columns`.
pub(super) fn corrected(schema: &Schema, columns: &SchemaDescriptor) -> Option<Schema> {
    let mut leaves = Leaves { columns, next: 0 };
    let fields = leaves.fields(schema.fields());
    // A leaf for each column, in the same order: else it is not known which is which.
    (leaves.next == columns.num_columns() && fields != *schema.fields())
        .then(|| Schema::new_with_metadata(fields, schema.metadata().clone()))
}

struct Leaves<'a> {
    columns: &'a SchemaDescriptor,
    next: usize,
}

impl Leaves<'_> {
    fn fields(&mut self, fields: &Fields) -> Fields {
        fields.iter().map(|field| self.field(field)).collect()
    }

    fn field(&mut self, field: &FieldRef) -> FieldRef {
        use DataType as T;
        let changed = match field.data_type() {
            T::Struct(fields) => T::Struct(self.fields(fields)),
            T::List(item) => T::List(self.field(item)),
            T::LargeList(item) => T::LargeList(self.field(item)),
            T::FixedSizeList(item, length) => T::FixedSizeList(self.field(item), *length),
            T::ListView(item) => T::ListView(self.field(item)),
            T::LargeListView(item) => T::LargeListView(self.field(item)),
            T::Map(entries, sorted) => T::Map(self.field(entries), *sorted),
            _ => return self.leaf(field),
        };
        if changed == *field.data_type() {
            return Arc::clone(field);
        }
        Arc::new(field.as_ref().clone().with_data_type(changed))
    }

    fn leaf(&mut self, field: &FieldRef) -> FieldRef {
        let leaf = self.next;
        self.next += 1;
        if leaf >= self.columns.num_columns() {
            return Arc::clone(field);
        }
        match self.columns.columns().get(leaf) {
            Some(column) => leaf_of(field, column),
            None => Arc::clone(field),
        }
    }
}

fn leaf_of(field: &FieldRef, column: &ColumnDescriptor) -> FieldRef {
    let with_type = |data_type: DataType| {
        if *field.data_type() == data_type {
            return Arc::clone(field);
        }
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    };
    match column.physical_type() {
        Type::INT96 => with_type(DataType::Timestamp(TimeUnit::Microsecond, None)),
        Type::INT64 => match timestamp(column) {
            Some(data_type) => with_type(data_type),
            None => Arc::clone(field),
        },
        Type::FIXED_LEN_BYTE_ARRAY
            if matches!(column.logical_type_ref(), Some(LogicalType::Uuid)) =>
        {
            let mut metadata = field.metadata().clone();
            metadata.insert(FORM.to_owned(), UUID.to_owned());
            let field: Field = field.as_ref().clone().with_metadata(metadata);
            Arc::new(field)
        }
        _ => Arc::clone(field),
    }
}

/// What a column is annotated as, if that is a timestamp.
fn timestamp(column: &ColumnDescriptor) -> Option<DataType> {
    let utc = || Some(Arc::from("UTC"));
    match column.logical_type_ref() {
        Some(LogicalType::Timestamp(timestamp)) => {
            let unit = match timestamp.unit {
                Unit::MILLIS => TimeUnit::Millisecond,
                Unit::MICROS => TimeUnit::Microsecond,
                Unit::NANOS => TimeUnit::Nanosecond,
            };
            let zone = timestamp.is_adjusted_to_u_t_c.then(utc).flatten();
            Some(DataType::Timestamp(unit, zone))
        }
        Some(_) => None,
        None => match column.converted_type() {
            ConvertedType::TIMESTAMP_MILLIS => {
                Some(DataType::Timestamp(TimeUnit::Millisecond, utc()))
            }
            ConvertedType::TIMESTAMP_MICROS => {
                Some(DataType::Timestamp(TimeUnit::Microsecond, utc()))
            }
            _ => None,
        },
    }
}
