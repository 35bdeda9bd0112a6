//! Parameters that arrive in unions: some clients know a value's type only once they have the
//! value.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, RecordBatch, RecordBatchOptions, UnionArray,
};
use arrow::compute::{TakeOptions, take};
use arrow::datatypes::{DataType, Field, Schema};
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::values::type_name;

use super::incoming::Received;

/// Replaces each union column by the values that it holds.
///
/// # Errors
///
/// The values of one parameter are of several types.
pub(super) fn flatten(received: &mut Received) -> Result<()> {
    let Some(schema) = &received.schema else {
        return Ok(());
    };
    let is_union = |field: &Arc<Field>| matches!(field.data_type(), DataType::Union(..));
    if !schema.fields().iter().any(is_union) || received.batches.is_empty() {
        return Ok(());
    }
    let mut flat = Vec::with_capacity(received.batches.len());
    for batch in &received.batches {
        let batch = flat_batch(batch)?;
        same_types(flat.first().unwrap_or(&batch), &batch)?;
        flat.push(batch);
    }
    received.schema = flat.first().map(RecordBatch::schema);
    received.batches = flat;
    Ok(())
}

fn flat_batch(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = batch.schema();
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (index, (field, column)) in schema.fields().iter().zip(batch.columns()).enumerate() {
        let column = match column.as_union_opt() {
            Some(union) => values_of(union, index + 1)?,
            None => Arc::clone(column),
        };
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &rows).map_err(|e| {
        Error::internal(format!(
            "parameters cannot be taken out of their unions: {e}"
        ))
    })
}

/// Returns the rows of a union, all of which must be of the same member type.
fn values_of(union: &UnionArray, number: usize) -> Result<ArrayRef> {
    let ids = union.type_ids();
    let Some(id) = ids.first().copied() else {
        return Ok(arrow::array::new_empty_array(&DataType::Null));
    };
    let child = union.child(id);
    if let Some(other) = ids.iter().find(|other| **other != id) {
        return Err(mixed(
            number,
            child.data_type(),
            union.child(*other).data_type(),
        ));
    }
    let broken = |why: &str| {
        Error::new(
            Code::ProtocolViolation,
            format!("parameter ${number} cannot be taken out of its union: {why}"),
        )
    };
    let rows: Vec<i32> = match union.offsets() {
        // The format requires increasing offsets. With repeated ones, a small message could expand
        // without bounds.
        Some(offsets) if offsets.windows(2).all(|pair| pair[0] < pair[1]) => offsets.to_vec(),
        Some(_) => return Err(broken("its offsets do not increase")),
        None => (0..).take(union.len()).collect(),
    };
    let options = Some(TakeOptions { check_bounds: true });
    take(child, &Int32Array::from(rows), options).map_err(|e| broken(&e.to_string()))
}

/// Checks that both batches have the same column types.
///
/// # Errors
///
/// A parameter has another type in the later batch.
fn same_types(first: &RecordBatch, later: &RecordBatch) -> Result<()> {
    for (index, (a, b)) in first.columns().iter().zip(later.columns()).enumerate() {
        if a.data_type() != b.data_type() {
            return Err(mixed(index + 1, a.data_type(), b.data_type()));
        }
    }
    Ok(())
}

fn mixed(number: usize, a: &DataType, b: &DataType) -> Error {
    let (a, b) = (type_name(a), type_name(b));
    Error::new(
        Code::InvalidParameter,
        format!("the values of parameter ${number} are of several types: {a} and {b}"),
    )
    .with_hint("send those of one type at a time")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Int64Array, StringArray};
    use arrow::buffer::ScalarBuffer;
    use arrow::datatypes::{Int64Type, UnionFields};

    use super::*;

    fn union(ids: &[i8], offsets: Option<[i32; 2]>) -> ArrayRef {
        let fields = [(0, DataType::Int64), (1, DataType::Utf8)];
        let fields: UnionFields = fields
            .into_iter()
            .map(|(id, data_type)| (id, Arc::new(Field::new("", data_type, true))))
            .collect();
        let children: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![7, 8, 9])),
            Arc::new(StringArray::from(vec!["a", "b", "c"])),
        ];
        let offsets = offsets.map(|offsets| ScalarBuffer::from(offsets.to_vec()));
        let ids = ScalarBuffer::from(ids.to_vec());
        Arc::new(UnionArray::try_new(fields, ids, offsets, children).unwrap())
    }

    fn flattened(batches: &[ArrayRef]) -> Result<Received> {
        let batches: Vec<RecordBatch> = batches
            .iter()
            .map(|column| RecordBatch::try_from_iter([("param_0", Arc::clone(column))]).unwrap())
            .collect();
        let mut received = Received {
            schema: Some(batches[0].schema()),
            batches,
            bytes: 0,
        };
        flatten(&mut received)?;
        Ok(received)
    }

    #[test]
    fn values_come_out_of_their_unions() {
        let dense = union(&[0, 0], Some([0, 2]));
        let received = flattened(&[Arc::clone(&dense), dense]).unwrap();
        let numbers = received.batches[1].column(0).as_primitive::<Int64Type>();
        assert_eq!(numbers.values(), &[7, 9]);
        let schema = received.schema.unwrap();
        assert_eq!(schema.field(0).data_type(), &DataType::Int64);
        let text = flattened(&[union(&[1, 1], Some([1, 2]))]).unwrap();
        assert_eq!(text.batches[0].column(0).as_string::<i32>().value(0), "b");
    }

    #[test]
    fn values_of_several_types_are_refused() {
        let mixed = flattened(&[union(&[0, 1], Some([0, 0]))]).unwrap_err();
        assert!(
            mixed
                .message()
                .contains("parameter $1 are of several types")
        );
        let later = [union(&[0, 0], Some([0, 1])), union(&[1, 1], Some([0, 1]))];
        assert!(flattened(&later).is_err());
    }

    #[test]
    fn offsets_that_repeat_a_value_are_refused() {
        assert!(flattened(&[union(&[0, 0], Some([1, 1]))]).is_err());
    }
}
