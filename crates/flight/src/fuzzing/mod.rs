//! Fuzz targets for the Flight SQL door's decoders of client input, called without a server.

#[cfg(test)]
mod seeds;

use arrow::datatypes::{DataType, TimeUnit};
use arrow_flight::sql as messages;
use arrow_flight::{Action, FlightData, FlightDescriptor};
use bytes::Bytes;
use lakegate_fuzzing::Target;
use lakegate_gateway::detached::handles::Handle;
use prost::Message;
use tonic::metadata::{MetadataMap, MetadataValue};

use super::actions::{self, Asked};
use super::auth::{self, COOKIE};
use super::delivery::{Delivery, OPTIONS};
use super::info::{self, Part};
use super::{metadata, parameters, session_options};

pub const TARGETS: [Target; 5] = [
    // A ticket.
    Target {
        name: "flight_ticket",
        accepts: ticket,
    },
    // A descriptor of GetFlightInfo, GetSchema and PollFlightInfo, as protobuf.
    Target {
        name: "flight_descriptor",
        accepts: descriptor,
    },
    // An action with its body, as protobuf.
    Target {
        name: "flight_action",
        accepts: action,
    },
    // The messages of a DoPut, as protobuf, each preceded by its length.
    Target {
        name: "flight_put",
        accepts: put,
    },
    // The `authorization` header, and on a second line the `cookie` header.
    Target {
        name: "flight_headers",
        accepts: headers,
    },
];

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

/// Parameter types; each column is converted to one of them.
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
    auth::authorization(&metadata).is_ok_and(|found| found.is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hostile_bytes_are_accepted_or_refused() {
        lakegate_fuzzing::check(&TARGETS, 4_000).unwrap();
    }
}
