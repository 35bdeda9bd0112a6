//! Messages as clients send them, from which the files in `fuzz/seeds` are written.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array,
    ListArray, MapBuilder, NullArray, RecordBatch, RunArray, StringArray, StringBuilder,
    StringViewArray, StructArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
use arrow_flight::error::FlightError;
use arrow_flight::sql::{self as messages, Any, ProstMessageExt, SqlInfo};
use arrow_flight::{Action, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use bytes::Bytes;
use futures::TryStreamExt;
use lakegate_gateway::detached::handles::Handle;
use lakegate_proto::arrow::flight::protocol::session_option_value::{OptionValue, StringListValue};
use lakegate_proto::arrow::flight::protocol::{SessionOptionValue, SetSessionOptionsRequest};
use prost::Message;

use super::TARGETS;

fn seeds(name: &str) -> Vec<Vec<u8>> {
    match name {
        "flight_ticket" => commands(),
        "flight_descriptor" => commands()
            .into_iter()
            .map(|command| FlightDescriptor::new_cmd(command).encode_to_vec())
            .collect(),
        "flight_action" => action_seeds(),
        "flight_put" => put_seeds(),
        _ => [
            "Basic YWRhOmEgc2VjcmV0\nlakegate_session=abc",
            "Basic YWRhOmEgc2VjcmV0IA\na=b; lakegate_session=\"abc\"; c",
            "Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
    }
}

/// `LAKEGATE_UPDATE_GOLDEN=1` rewrites the files.
#[test]
fn clients_messages_are_accepted_and_are_the_seeds() {
    for target in &TARGETS {
        let seeds = seeds(target.name);
        assert!(seeds.len() >= 3);
        let folder = lakegate_fuzzing::seed_folder(target.name);
        if std::env::var_os("LAKEGATE_UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(&folder).unwrap();
            for (index, seed) in seeds.iter().enumerate() {
                fs::write(folder.join(format!("seed-{index:02}")), seed).unwrap();
            }
        }
        for (index, seed) in seeds.iter().enumerate() {
            assert!((target.accepts)(seed), "{target:?} {index}");
        }
        assert_eq!(
            lakegate_fuzzing::seeds(target.name).unwrap().len(),
            seeds.len(),
            "{target:?}"
        );
    }
    assert_eq!(put_seeds().len(), 9);
}

fn commands() -> Vec<Vec<u8>> {
    let text = |text: &str| text.to_owned();
    let named = |name: &str| Some(name.to_owned());
    let handle = Bytes::from_static(&[7; Handle::BYTES]);
    let part = Bytes::from_static(&[7; Handle::BYTES + 2]);
    let commands: Vec<Any> = vec![
        messages::CommandStatementQuery {
            query: text("SELECT 1"),
            transaction_id: Some(Bytes::from_static(b"t")),
        }
        .as_any(),
        messages::CommandStatementUpdate {
            query: text("DROP TABLE t"),
            transaction_id: None,
        }
        .as_any(),
        messages::TicketStatementQuery {
            statement_handle: handle.clone(),
        }
        .as_any(),
        messages::TicketStatementQuery {
            statement_handle: part,
        }
        .as_any(),
        messages::CommandPreparedStatementQuery {
            prepared_statement_handle: handle.clone(),
        }
        .as_any(),
        messages::CommandPreparedStatementUpdate {
            prepared_statement_handle: handle,
        }
        .as_any(),
        messages::CommandStatementIngest {
            table: text("t"),
            schema: named("curated"),
            ..Default::default()
        }
        .as_any(),
        messages::CommandGetTables {
            catalog: named("awsdatacatalog"),
            db_schema_filter_pattern: named("cur%"),
            table_name_filter_pattern: named("_rders"),
            table_types: vec![text("TABLE")],
            include_schema: true,
        }
        .as_any(),
        messages::CommandGetDbSchemas {
            catalog: None,
            db_schema_filter_pattern: named("%"),
        }
        .as_any(),
        messages::CommandGetSqlInfo {
            info: vec![
                SqlInfo::FlightSqlServerName as u32,
                SqlInfo::FlightSqlServerSql as u32,
            ],
        }
        .as_any(),
        messages::CommandGetXdbcTypeInfo { data_type: Some(4) }.as_any(),
        messages::CommandGetPrimaryKeys {
            table: text("t"),
            ..Default::default()
        }
        .as_any(),
        messages::CommandGetCatalogs {}.as_any(),
    ];
    commands.iter().map(Any::encode_to_vec).collect()
}

fn action_seeds() -> Vec<Vec<u8>> {
    let ticket = commands().swap_remove(2);
    let endpoint = FlightEndpoint {
        ticket: Some(Ticket::new(ticket)),
        ..Default::default()
    };
    let info = FlightInfo {
        endpoint: vec![endpoint.clone()],
        flight_descriptor: Some(FlightDescriptor::new_cmd(commands().swap_remove(0))),
        ..Default::default()
    };
    let handle = Bytes::from_static(&[7; Handle::BYTES]);
    let prepare = messages::ActionCreatePreparedStatementRequest {
        query: "SELECT ?".to_owned(),
        transaction_id: None,
    };
    let close = messages::ActionClosePreparedStatementRequest {
        prepared_statement_handle: handle,
    };
    let cancel = messages::ActionCancelQueryRequest {
        info: info.encode_to_vec().into(),
    };
    let value = |value| SessionOptionValue {
        option_value: Some(value),
    };
    let options = SetSessionOptionsRequest {
        session_options: [
            (
                "compression".to_owned(),
                value(OptionValue::StringValue("zstd".to_owned())),
            ),
            (
                "batch_size".to_owned(),
                value(OptionValue::Int64Value(1_000)),
            ),
            (
                "schema".to_owned(),
                value(OptionValue::StringListValue(StringListValue {
                    values: vec!["raw".to_owned(), "curated".to_owned()],
                })),
            ),
        ]
        .into(),
    };
    [
        ("CreatePreparedStatement", prepare.as_any().encode_to_vec()),
        ("ClosePreparedStatement", close.as_any().encode_to_vec()),
        ("CancelQuery", cancel.as_any().encode_to_vec()),
        (
            "CancelFlightInfo",
            arrow_flight::CancelFlightInfoRequest::new(info).encode_to_vec(),
        ),
        (
            "RenewFlightEndpoint",
            arrow_flight::RenewFlightEndpointRequest::new(endpoint).encode_to_vec(),
        ),
        ("SetSessionOptions", options.encode_to_vec()),
        ("GetSessionOptions", Vec::new()),
        ("CloseSession", Vec::new()),
    ]
    .map(|(name, body)| Action::new(name, body).encode_to_vec())
    .to_vec()
}

fn put_seeds() -> Vec<Vec<u8>> {
    let words = || StringArray::from(vec![Some("2024-05-05"), None, Some("12.50")]);
    let dictionary: DictionaryArray<Int32Type> =
        ["a", "b", "a"].into_iter().map(Some).collect::<_>();
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    let mut entries = Vec::new();
    for key in ["k", "l", "m"] {
        map.keys().append_value(key);
        map.values().append_value("v");
        entries.push(map.append(true).is_ok());
    }
    let plain: [(&str, ArrayRef); 5] = [
        ("1", Arc::new(words())),
        (
            "2",
            Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])),
        ),
        ("3", Arc::new(Float64Array::from(vec![1.5, f64::NAN, -0.0]))),
        ("4", Arc::new(BooleanArray::from(vec![true, false, true]))),
        ("5", Arc::new(NullArray::new(3))),
    ];
    let mut encoded: Vec<(&str, ArrayRef)> = vec![
        ("1", Arc::new(dictionary)),
        (
            "2",
            Arc::new(StringViewArray::from(vec![
                "a view of more than twelve bytes",
                "short",
                "",
            ])),
        ),
        (
            "3",
            Arc::new(BinaryViewArray::from(vec![&b"\xff"[..], b"", b"0"])),
        ),
    ];
    let ends = Int32Array::from(vec![2, 3]);
    if let Ok(runs) = RunArray::try_new(&ends, &Int64Array::from(vec![7, 8])) {
        encoded.push(("4", Arc::new(runs)));
    }
    let lists = [Some(vec![Some(1), None]), None, Some(vec![])];
    let field = Arc::new(Field::new("w", DataType::Utf8, true));
    let nested: [(&str, ArrayRef); 3] = [
        (
            "1",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists)),
        ),
        (
            "2",
            Arc::new(StructArray::from(vec![(
                field,
                Arc::new(words()) as ArrayRef,
            )])),
        ),
        ("3", Arc::new(map.finish())),
    ];
    let mut seeds = Vec::new();
    for columns in [plain.to_vec(), encoded, nested.to_vec()] {
        let Ok(batch) = RecordBatch::try_from_iter(columns) else {
            continue;
        };
        for compression in [
            None,
            Some(CompressionType::ZSTD),
            Some(CompressionType::LZ4_FRAME),
        ] {
            seeds.extend(encode(&batch, compression));
        }
    }
    seeds
}

/// Encodes a batch as a client does; `None` if it cannot be encoded.
fn encode(batch: &RecordBatch, compression: Option<CompressionType>) -> Option<Vec<u8>> {
    let options = IpcWriteOptions::default();
    let encoder = FlightDataEncoderBuilder::new()
        .with_options(options.try_with_compression(compression).ok()?)
        .with_dictionary_handling(DictionaryHandling::Resend)
        .with_flight_descriptor(Some(FlightDescriptor::new_cmd(commands().swap_remove(4))));
    let batches = [batch.clone(), batch.slice(0, 1)].map(Ok::<_, FlightError>);
    let messages = encoder.build(futures::stream::iter(batches)).try_collect();
    let messages: Vec<FlightData> = futures::executor::block_on(messages).ok()?;
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend(message.encode_length_delimited_to_vec());
    }
    Some(bytes)
}
