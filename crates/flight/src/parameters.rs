//! Converts the batches of parameters that a client sends to values of the statement's parameter
//! types.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast_with_options;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow_flight::FlightData;
use datafusion::common::ScalarValue;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use futures::Stream;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::detached::executions::Values;
use lakegate_gateway::values::cast_rounded;
use lakegate_gateway::values::{STRICT, type_name};
use tonic::Status;

use super::expansion;
use super::incoming::{Batches, Received, malformed};
use super::status::to_status;
use super::unions;

/// Rows of parameters in one call; each row is one execution.
const MAX_ROWS: usize = 100_000;
/// Bytes in memory of the parameters of one call.
pub(super) const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Reads the whole stream of parameters.
///
/// # Errors
///
/// The parameters exceed the bounds, or a message is not a batch.
pub(super) async fn receive<S>(incoming: S) -> Result<Received, Status>
where
    S: Stream<Item = Result<FlightData, Status>> + Send + 'static,
{
    let mut decoded = Batches::new(incoming);
    let mut received = Received {
        schema: None,
        batches: Vec::new(),
        bytes: 0,
    };
    let mut rows = 0;
    let mut budget = MAX_BYTES;
    while let Some(batch) = decoded.next().await.map_err(malformed)? {
        rows += batch.num_rows();
        // Counted: the larger of the batch in memory and the batch written out, and its scalar
        // values.
        let written_out = expansion::bytes(&batch, &mut budget)
            .ok_or_else(too_large)
            .map_err(to_status)?;
        let values = batch.num_rows().saturating_mul(batch.num_columns());
        received.bytes = received
            .bytes
            .saturating_add(get_record_batch_memory_size(&batch).max(written_out))
            .saturating_add(values.saturating_mul(size_of::<ScalarValue>()));
        if rows > MAX_ROWS || received.bytes > MAX_BYTES {
            return Err(to_status(too_large()));
        }
        if batch.num_rows() > 0 {
            received.batches.push(batch);
        }
    }
    received.schema = decoded.schema().cloned();
    unions::flatten(&mut received).map_err(to_status)?;
    Ok(received)
}

fn too_large() -> Error {
    Error::new(
        Code::TooManyQueries,
        format!(
            "too many parameters: {MAX_ROWS} rows and {} MiB of memory are the most",
            MAX_BYTES / 1024 / 1024
        ),
    )
}

/// Returns the schema of a statement's parameters as announced to the client. Values may be sent in
/// any type that converts.
pub(super) fn schema_of(parameters: &[DataType]) -> Schema {
    let fields: Vec<Field> = parameters
        .iter()
        .enumerate()
        .map(|(index, data_type)| Field::new(format!("${}", index + 1), announced(data_type), true))
        .collect();
    super::types::result_schema(&Schema::new(fields), super::delivery::ArrowTypes::Plain)
        .as_ref()
        .clone()
}

/// Returns the type that is announced for a parameter.
///
/// Times are announced in milliseconds: the JDBC driver (18.3) sends milliseconds whatever the unit
/// is, so any other unit would change the time. Other clients send the type of their values.
fn announced(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        DataType::Time64(_) => DataType::Time32(TimeUnit::Millisecond),
        other => other.clone(),
    }
}

/// Converts every row to the types that the statement takes.
///
/// # Errors
///
/// The number of columns differs, or a value does not fit the type of its parameter. The error
/// names the parameter.
pub(super) fn values(batches: &[RecordBatch], types: &[DataType]) -> Result<Vec<Values>> {
    let mut rows = Vec::new();
    for batch in batches {
        if batch.num_columns() != types.len() {
            return Err(Error::invalid(format!(
                "the statement takes {} parameters, {} were sent",
                types.len(),
                batch.num_columns()
            )));
        }
        let columns = batch
            .columns()
            .iter()
            .zip(types)
            .enumerate()
            .map(|(index, (column, data_type))| convert(column, data_type, index + 1))
            .collect::<Result<Vec<ArrayRef>>>()?;
        for row in 0..batch.num_rows() {
            let values = columns
                .iter()
                .map(|column| ScalarValue::try_from_array(column, row))
                .collect::<Result<Values, _>>()
                .map_err(|e| Error::internal(format!("a parameter cannot be read: {e}")))?;
            rows.push(values);
        }
    }
    Ok(rows)
}

fn convert(column: &ArrayRef, data_type: &DataType, number: usize) -> Result<ArrayRef> {
    if column.data_type() == data_type {
        return Ok(Arc::clone(column));
    }
    let wrong = |why: String| {
        Error::new(
            Code::InvalidParameter,
            format!(
                "parameter ${number} is {}, and what was sent as {} is not: {why}",
                type_name(data_type),
                type_name(column.data_type())
            ),
        )
        .with_hint(format!(
            "send {}, or CAST the parameter in the statement to what you send",
            type_name(data_type)
        ))
    };
    // Times with a finer unit than the parameter's are rounded, as by a cast in SQL.
    let converted = cast_rounded(column, data_type, &STRICT).map_err(|e| wrong(e.to_string()))?;
    if loses(column.data_type(), data_type) {
        // A value that does not survive the round trip was truncated.
        let back = cast_with_options(&converted, column.data_type(), &STRICT)
            .map_err(|e| wrong(e.to_string()))?;
        if back.to_data() != column.to_data() && !same_values(&back, column) {
            return Err(wrong("a value would lose a part of itself".to_owned()));
        }
    }
    if data_type.is_decimal() && column.data_type().is_string() {
        let exact = |values: &ArrayRef| cast_with_options(values, &WIDEST, &STRICT);
        let (sent, taken) = (exact(column), exact(&converted));
        let (sent, taken) = (
            sent.map_err(|e| wrong(e.to_string()))?,
            taken.map_err(|e| wrong(e.to_string()))?,
        );
        if sent.to_data() != taken.to_data() && !same_values(&sent, &taken) {
            return Err(wrong("a value would lose a part of itself".to_owned()));
        }
    }
    Ok(converted)
}

/// A decimal with more digits than any parameter type has.
const WIDEST: DataType = DataType::Decimal256(76, 38);

/// Returns whether a cast between these types silently truncates values that do not fit.
fn loses(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    let fraction = from.is_floating() || from.is_decimal();
    match to {
        to if to.is_integer() => fraction,
        to if to.is_decimal() => fraction,
        T::Date32 => matches!(from, T::Timestamp(..) | T::Date64),
        T::Time64(_) => matches!(from, T::Timestamp(..) | T::Time64(_)),
        T::Timestamp(to, _) => {
            let rounded = (TimeUnit::Nanosecond, TimeUnit::Microsecond);
            matches!(from, T::Timestamp(from, _) if (*from, *to) != rounded)
        }
        _ => false,
    }
}

/// Returns whether the arrays are equal wherever neither is NULL. Both have NULLs in the same
/// places, because casts keep them.
fn same_values(a: &ArrayRef, b: &ArrayRef) -> bool {
    arrow::compute::kernels::cmp::neq(a, b).is_ok_and(|differ| differ.true_count() == 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::array::{
        Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, NullArray, StringArray,
        TimestampMicrosecondArray, TimestampNanosecondArray,
    };

    use super::*;

    fn convert_to(column: impl Array + 'static, to: DataType) -> Result<ArrayRef> {
        convert(&(Arc::new(column) as ArrayRef), &to, 2)
    }

    #[test]
    fn values_become_what_the_statement_takes() {
        let row = RecordBatch::try_from_iter([
            (
                "0",
                Arc::new(Int64Array::from(vec![Some(7), None])) as ArrayRef,
            ),
            (
                "1",
                Arc::new(StringArray::from(vec!["2024-05-05", "2024-05-06"])),
            ),
        ])
        .unwrap();
        let rows = values(
            std::slice::from_ref(&row),
            &[DataType::Int32, DataType::Date32],
        )
        .unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0][0], ScalarValue::Int32(Some(7)));
        assert_eq!(rows[1][0], ScalarValue::Int32(None));
        assert_eq!(rows[0][1].data_type(), DataType::Date32);
        let error = values(std::slice::from_ref(&row), &[DataType::Int32]).unwrap_err();
        assert!(error.message().contains("takes 1 parameters, 2 were sent"));
    }

    #[test]
    fn what_does_not_fit_is_an_error_that_names_the_parameter() {
        for (result, part) in [
            (
                convert_to(Int64Array::from(vec![1 << 40]), DataType::Int32),
                "$2",
            ),
            (
                convert_to(StringArray::from(vec!["x"]), DataType::Int64),
                "$2",
            ),
            (
                convert_to(Float64Array::from(vec![1.5]), DataType::Int32),
                "lose",
            ),
            (
                convert_to(TimestampMicrosecondArray::from(vec![1]), DataType::Date32),
                "lose",
            ),
        ] {
            let error = result.unwrap_err();
            assert_eq!(error.code(), Code::InvalidParameter);
            assert!(error.message().contains(part), "{error}");
        }
    }

    #[test]
    fn what_fits_loses_nothing() {
        assert!(convert_to(Float64Array::from(vec![Some(2.0), None]), DataType::Int32).is_ok());
        assert!(convert_to(Int32Array::from(vec![3]), DataType::Float64).is_ok());
        assert!(convert_to(NullArray::new(2), DataType::Utf8).is_ok());
        assert!(convert_to(Float64Array::from(vec![19.99]), DataType::Decimal128(10, 2)).is_ok());
        assert!(
            convert_to(
                Float64Array::from(vec![19.999]),
                DataType::Decimal128(10, 2)
            )
            .is_err()
        );
        let price = Decimal128Array::from(vec![100])
            .with_precision_and_scale(9, 2)
            .unwrap();
        assert!(convert_to(price, DataType::Decimal128(10, 2)).is_ok());
        let midnight = TimestampMicrosecondArray::from(vec![86_400_000_000]);
        assert!(convert_to(midnight, DataType::Date32).is_ok());
        let finer = TimestampNanosecondArray::from(vec![1_500]);
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let rounded = convert_to(finer, micros).unwrap();
        let expected: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![2]));
        assert_eq!(&rounded, &expected);
        let day = Date32Array::from(vec![1]);
        assert!(convert_to(day, DataType::Timestamp(TimeUnit::Microsecond, None)).is_ok());
    }

    #[tokio::test]
    async fn messages_that_declare_too_much_are_refused_before_they_are_decoded() {
        use arrow_flight::utils::batches_to_flight_data;

        use super::super::incoming::check_alone;
        let rows = MAX_ROWS + 1;
        let nulls: ArrayRef = Arc::new(NullArray::new(rows));
        let batch = RecordBatch::try_from_iter([("n", nulls)]).unwrap();
        let data = batches_to_flight_data(&batch.schema(), vec![batch]).unwrap();
        let refused = receive(futures::stream::iter(data.into_iter().map(Ok))).await;
        assert_eq!(
            refused.err().unwrap().code(),
            tonic::Code::ResourceExhausted
        );

        let huge: ArrayRef = Arc::new(NullArray::new(1 << 40));
        let batch = RecordBatch::try_from_iter([("n", huge)]).unwrap();
        let data = batches_to_flight_data(&batch.schema(), vec![batch]).unwrap();
        assert!(check_alone(&data[1]).is_err());
        assert!(check_alone(&FlightData::new().with_data_header("nonsense")).is_err());
    }

    #[tokio::test]
    async fn a_buffer_that_columns_share_is_counted_once() {
        use arrow_flight::utils::batches_to_flight_data;
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..20_000));
        let columns = (0..24).map(|index| (index.to_string(), Arc::clone(&numbers)));
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let data = batches_to_flight_data(&batch.schema(), vec![batch]).unwrap();
        let received = receive(futures::stream::iter(data.into_iter().map(Ok)))
            .await
            .unwrap();
        let values = 24 * 20_000;
        let least = values * (size_of::<i64>() + size_of::<ScalarValue>());
        assert!(
            (least..least + least / 8).contains(&received.bytes),
            "{}",
            received.bytes
        );
    }

    #[tokio::test]
    async fn compressed_parameters_are_read_and_bombs_are_not() {
        use arrow_flight::encode::FlightDataEncoderBuilder;
        use futures::TryStreamExt;

        use super::super::incoming::check_alone;
        let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; 50_000]));
        let batch = RecordBatch::try_from_iter([("n", zeros)]).unwrap();
        let options = arrow::ipc::writer::IpcWriteOptions::default()
            .try_with_compression(Some(arrow::ipc::CompressionType::ZSTD))
            .unwrap();
        let encoder = FlightDataEncoderBuilder::new().with_options(options);
        let stream = encoder.build(futures::stream::iter([Ok(batch)]));
        let mut data: Vec<FlightData> = stream.try_collect().await.unwrap();
        let received = receive(futures::stream::iter(data.clone().into_iter().map(Ok)))
            .await
            .unwrap();
        assert_eq!(received.batches[0].num_rows(), 50_000);
        let message = data.last_mut().unwrap();
        let header = message.data_header.clone();
        let values = arrow::ipc::root_as_message(&header)
            .unwrap()
            .header_as_record_batch()
            .unwrap()
            .buffers()
            .unwrap()
            .iter()
            .find(|buffer| buffer.length() > 0)
            .map(|buffer| usize::try_from(buffer.offset()).unwrap())
            .unwrap();
        let mut body = message.data_body.to_vec();
        body[values..values + 8].copy_from_slice(&i64::MAX.to_le_bytes());
        message.data_body = body.into();
        assert!(check_alone(message).is_err());
    }
}
