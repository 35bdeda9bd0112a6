//! What a client's bytes meet before anything is looked up, callable without a server: for the
//! targets of `fuzz/`, and for the test below, which gives the same entries some thousands of
//! broken messages.
//!
//! Every entry takes any bytes, and says whether they were a message. A panic, or memory beyond the
//! bounds, is a defect.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array,
    ListArray, MapBuilder, NullArray, RecordBatch, RunArray, StringArray, StringBuilder,
    StringViewArray, StructArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, TimeUnit};
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
use tonic::metadata::{MetadataMap, MetadataValue};

use super::actions::{self, Asked};
use super::auth::{self, COOKIE};
use super::delivery::{Delivery, OPTIONS};
use super::info::{self, Part};
use super::{metadata, parameters, session_options};

/// Bytes, and an entry that takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A ticket.
    Ticket,
    /// A descriptor of GetFlightInfo, GetSchema and PollFlightInfo, as protobuf.
    Descriptor,
    /// An action with its body, as protobuf.
    Action,
    /// The messages of a DoPut, as protobuf, each with its length before it.
    Put,
    /// The `authorization` header, and in a second line the `cookie` header.
    Headers,
}

pub const TARGETS: [Target; 5] = [
    Target::Ticket,
    Target::Descriptor,
    Target::Action,
    Target::Put,
    Target::Headers,
];

impl Target {
    /// `true`: the bytes are a message that would be looked into further.
    pub fn takes(self, bytes: &[u8]) -> bool {
        match self {
            Self::Ticket => ticket(bytes),
            Self::Descriptor => descriptor(bytes),
            Self::Action => action(bytes),
            Self::Put => put(bytes),
            Self::Headers => headers(bytes),
        }
    }

    /// Messages that it takes, for a fuzzer to begin with.
    pub fn seeds(self) -> Vec<Vec<u8>> {
        match self {
            Self::Ticket => commands(),
            Self::Descriptor => commands()
                .into_iter()
                .map(|command| FlightDescriptor::new_cmd(command).encode_to_vec())
                .collect(),
            Self::Action => action_seeds(),
            Self::Put => put_seeds(),
            Self::Headers => [
                "Basic YWRhOmEgc2VjcmV0\nlakegate_session=abc",
                "Basic YWRhOmEgc2VjcmV0IA\na=b; lakegate_session=\"abc\"; c",
                "Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
            ]
            .map(|text| text.as_bytes().to_vec())
            .to_vec(),
        }
    }
}

fn ticket(bytes: &[u8]) -> bool {
    let _ = actions::part_of(&Bytes::copy_from_slice(bytes));
    let Ok(command) = info::command(bytes) else {
        return false;
    };
    let _ = metadata::schema(&command);
    if let messages::Command::TicketStatementQuery(ticket) = &command {
        let _ = Part::read(&ticket.statement_handle);
    }
    true
}

fn descriptor(bytes: &[u8]) -> bool {
    FlightDescriptor::decode(bytes).is_ok_and(|descriptor| info::described(&descriptor).is_ok())
}

fn action(bytes: &[u8]) -> bool {
    let Ok(action) = Action::decode(bytes) else {
        return false;
    };
    let Ok(asked) = Asked::read(&action) else {
        return false;
    };
    match asked {
        Asked::CancelQuery(info) | Asked::CancelFlightInfo(info) => {
            let tickets = info.endpoint.into_iter().filter_map(|known| known.ticket);
            for ticket in tickets {
                let _ = actions::part_of(&ticket.ticket);
            }
        }
        Asked::Renew(endpoint) => {
            let _ = endpoint.ticket.map(|known| actions::part_of(&known.ticket));
        }
        Asked::SetOptions(options) => {
            let mut delivery = Delivery::default();
            for (name, value) in &options.session_options {
                let value = session_options::text(value);
                if OPTIONS.contains(&name.as_str()) {
                    let _ = delivery.set(name, value.as_deref());
                }
            }
            assert!(delivery.ipc().is_ok());
        }
        Asked::ClosePrepared(close) => {
            let _ = Handle::read(&close.prepared_statement_handle);
        }
        Asked::Prepare(_) | Asked::PreparePlan(_) | Asked::GetOptions | Asked::CloseSession => {}
    }
    true
}

/// Types of parameters, of which each column is read as one.
const PARAMETERS: [DataType; 8] = [
    DataType::Utf8,
    DataType::Int32,
    DataType::Int64,
    DataType::Float64,
    DataType::Decimal128(10, 2),
    DataType::Date32,
    DataType::Timestamp(TimeUnit::Microsecond, None),
    DataType::Binary,
];

fn put(mut bytes: &[u8]) -> bool {
    let mut sent = Vec::new();
    while let Ok(data) = FlightData::decode_length_delimited(&mut bytes) {
        if let Some(descriptor) = &data.flight_descriptor {
            let _ = info::described(descriptor);
        }
        sent.push(Ok(data));
    }
    let received = parameters::receive(futures::stream::iter(sent));
    let Ok(received) = futures::executor::block_on(received) else {
        return false;
    };
    assert!(received.bytes <= parameters::MAX_BYTES);
    let columns = received.schema.map_or(0, |schema| schema.fields().len());
    for first in 0..PARAMETERS.len() {
        let types = PARAMETERS.iter().cycle().skip(first).take(columns);
        let _ = parameters::values(&received.batches, &types.cloned().collect::<Vec<_>>());
    }
    true
}

fn headers(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut metadata = MetadataMap::new();
    for name in ["authorization", "cookie"] {
        if let Ok(value) = MetadataValue::try_from(lines.next().unwrap_or_default()) {
            metadata.insert(name, value);
        }
    }
    let _ = auth::cookie(&metadata, COOKIE);
    auth::credentials(&metadata).is_ok_and(|found| found.is_some())
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

/// Batches as a client's encoder sends them; `None` where that cannot be.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// For each target.
    const CASES: usize = 4_000;

    /// What breaks readers: ends of ranges, and lengths.
    const VALUES: [u64; 8] = [
        0,
        1,
        0x7f,
        0xff,
        i32::MAX as u64,
        u32::MAX as u64,
        i64::MAX as u64,
        u64::MAX,
    ];

    fn broken(random: &mut StdRng, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
        for _ in 0..random.random_range(1..=4) {
            let length = bytes.len();
            if length == 0 {
                return vec![random.random(); random.random_range(0..64)];
            }
            let at = random.random_range(0..length);
            let until = (at + random.random_range(1..=16)).min(length);
            match random.random_range(0..7) {
                0 => bytes[at] ^= 1 << random.random_range(0..8),
                1 => bytes[at] = random.random(),
                2 => bytes.truncate(at),
                3 => {
                    let repeated = bytes[at..until].to_vec();
                    bytes.splice(at..at, repeated);
                }
                4 => {
                    bytes.drain(at..until);
                }
                5 => {
                    let value = VALUES[random.random_range(0..VALUES.len())].to_le_bytes();
                    let width = [1, 2, 4, 8][random.random_range(0..4)].min(length - at);
                    bytes[at..at + width].copy_from_slice(&value[..width]);
                }
                _ => {
                    let other = &seeds[random.random_range(0..seeds.len())];
                    let from = random.random_range(0..=other.len());
                    bytes.truncate(at);
                    bytes.extend(&other[from..]);
                }
            }
        }
        bytes
    }

    #[test]
    fn seeds_are_messages() {
        for target in TARGETS {
            let seeds = target.seeds();
            assert!(seeds.len() >= 3);
            for (index, seed) in seeds.iter().enumerate() {
                assert!(target.takes(seed), "{target:?} {index}");
            }
        }
        assert_eq!(Target::Put.seeds().len(), 9);
    }

    #[test]
    fn broken_messages_are_taken_or_refused_and_nothing_else() {
        for target in TARGETS {
            let seeds = target.seeds();
            let mut random = StdRng::seed_from_u64(4);
            let mut taken = 0;
            for _ in 0..CASES {
                taken += usize::from(target.takes(&broken(&mut random, &seeds)));
            }
            assert!((1..CASES).contains(&taken), "{target:?}: {taken} taken");
        }
    }
}
