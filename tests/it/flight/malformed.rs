//! Parameters whose messages declare wrong lengths, buffers or types.

use std::collections::HashMap;

use arrow::array::{DictionaryArray, Int32Array, NullArray};
use arrow::datatypes::{Field, Int32Type};
use arrow::ipc::writer::IpcWriteOptions;
use arrow::ipc::{self, CompressionType};
use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
use arrow_flight::error::FlightError;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
    CommandPreparedStatementQuery,
};
use arrow_flight::{FlightData, SchemaAsIpc};
use futures::TryStreamExt;

use super::*;

/// Returns the messages of one column of parameters.
async fn messages(column: ArrayRef, compression: Option<CompressionType>) -> Vec<FlightData> {
    let batch = RecordBatch::try_from_iter([("1", column)]).unwrap();
    let options = IpcWriteOptions::default();
    let encoder = FlightDataEncoderBuilder::new()
        .with_options(options.try_with_compression(compression).unwrap())
        .with_dictionary_handling(DictionaryHandling::Resend)
        .build(futures::stream::iter([Ok::<_, FlightError>(batch)]));
    encoder.try_collect().await.unwrap()
}

fn numbers() -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(0..1_000))
}

/// Returns the header with one byte changed so that `wanted` is true for it.
fn patched(
    header: &[u8],
    from: u8,
    to: u8,
    wanted: impl Fn(ipc::Message<'_>) -> bool,
) -> bytes::Bytes {
    let places = header.iter().enumerate().filter(|(_, byte)| **byte == from);
    for (place, _) in places {
        let mut changed = header.to_vec();
        changed[place] = to;
        if ipc::root_as_message(&changed).is_ok_and(&wanted) {
            return changed.into();
        }
    }
    panic!("no byte of the header has that meaning")
}

/// Binds the messages to a prepared statement, and returns the error.
async fn refused(flight: &mut Flight, mut data: Vec<FlightData>) -> tonic::Status {
    let create = ActionCreatePreparedStatementRequest {
        query: "SELECT ?".to_owned(),
        transaction_id: None,
    };
    let body = create.as_any().encode_to_vec();
    let answer = flight.act("CreatePreparedStatement", body).await.unwrap();
    let created = Any::decode(answer[0].clone()).unwrap();
    let created: ActionCreatePreparedStatementResult = created.unpack().unwrap().unwrap();
    let command = CommandPreparedStatementQuery {
        prepared_statement_handle: created.prepared_statement_handle,
    };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    data[0].flight_descriptor = Some(descriptor);
    let put = flight.sql.do_put(futures::stream::iter(data)).await;
    put.map_err(status).map(drop).unwrap_err()
}

#[tokio::test]
async fn messages_that_lie_are_refused_each_with_its_code() {
    let server = Server::shared();
    let mut flight = server.flight("admin").await;
    let plain = messages(numbers(), None).await;
    let zstd = messages(numbers(), Some(CompressionType::ZSTD)).await;
    let changed = |of: &[FlightData], index: usize, change: &dyn Fn(&mut FlightData)| {
        let mut data = of.to_vec();
        change(&mut data[index]);
        data
    };
    let batch_length = |message: ipc::Message<'_>| {
        let batch = message.header_as_record_batch();
        batch.is_some_and(|batch| batch.length() > 1 << 40)
    };
    let no_codec = |message: ipc::Message<'_>| {
        let batch = message.header_as_record_batch();
        let compression = batch.and_then(|batch| batch.compression());
        compression.is_some_and(|compression| compression.codec().0 == 5)
    };
    let odd_width = |message: ipc::Message<'_>| {
        let schema = message
            .header_as_schema()
            .and_then(|schema| schema.fields());
        let int = schema.and_then(|fields| fields.get(0).type_as_int());
        int.is_some_and(|int| int.bitWidth() == 63)
    };
    let malformed: HashMap<&str, Vec<FlightData>> = [
        (
            "a body that is not there",
            changed(&plain, 1, &|data| data.data_body = bytes::Bytes::new()),
        ),
        (
            "a body that is cut off",
            changed(&plain, 1, &|data| data.data_body.truncate(100)),
        ),
        (
            "a compressed body that is cut off",
            changed(&zstd, 1, &|data| data.data_body.truncate(20)),
        ),
        (
            "a header that is no flatbuffer",
            changed(&plain, 1, &|data| data.data_header = "x".repeat(200).into()),
        ),
        (
            "a header that is cut off",
            changed(&plain, 0, &|data| data.data_header.truncate(40)),
        ),
        (
            "a codec that is none",
            changed(&zstd, 1, &|data| {
                data.data_header = patched(&data.data_header, 1, 5, no_codec);
            }),
        ),
        (
            "an integer of 63 bits",
            changed(&plain, 0, &|data| {
                data.data_header = patched(&data.data_header, 64, 63, odd_width);
            }),
        ),
        ("a second schema", vec![plain[0].clone(), plain[0].clone()]),
        ("a batch before the schema", vec![plain[1].clone()]),
        ("lists five hundred deep", vec![nested(500)]),
    ]
    .into();
    for (what, data) in malformed {
        let refused = refused(&mut flight, data).await;
        assert_eq!(refused.code(), Code::InvalidArgument, "{what}: {refused:?}");
    }

    let too_large: HashMap<&str, Vec<FlightData>> = [
        (
            "rows without end",
            messages(Arc::new(NullArray::new(1 << 40)), None).await,
        ),
        (
            "a length that was made up",
            changed(&plain, 1, &|data| {
                data.data_header = patched(&data.data_header, 0, 0x7f, batch_length);
            }),
        ),
        (
            "a dictionary that says one long word many times",
            messages(repeated(), None).await,
        ),
    ]
    .into();
    for (what, data) in too_large {
        let refused = refused(&mut flight, data).await;
        assert_eq!(
            refused.code(),
            Code::ResourceExhausted,
            "{what}: {refused:?}"
        );
        let message = refused.message();
        assert!(
            message.contains("too many parameters") || message.contains("batch is too large"),
            "{what}: {message}"
        );
    }
    flight.run("SELECT 1").await;
}

/// Returns the schema of nested lists.
fn nested(depth: usize) -> FlightData {
    let mut data_type = DataType::Int64;
    for _ in 0..depth {
        data_type = DataType::new_list(data_type, true);
    }
    let schema = Schema::new(vec![Field::new("1", data_type, true)]);
    SchemaAsIpc::new(&schema, &IpcWriteOptions::default()).into()
}

/// Returns an array that repeats a megabyte fifty thousand times, in little more than one megabyte.
fn repeated() -> ArrayRef {
    let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1 << 20)]));
    let keys = Int32Array::from(vec![0; 50_000]);
    Arc::new(DictionaryArray::<Int32Type>::try_new(keys, long).unwrap())
}
