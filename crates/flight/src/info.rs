//! Builds FlightInfo, endpoints and schemas, and decodes tickets and descriptors.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow::datatypes::Schema;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::sql::{Any, Command, ProstMessageExt, TicketStatementQuery};
use arrow_flight::{
    FlightDescriptor, FlightEndpoint, FlightInfo, IpcMessage, Location, SchemaAsIpc, Ticket,
};
use bytes::Bytes;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::detached::handles::Handle;
use prost::Message;
use prost_types::Timestamp;

use super::Door;

/// Decodes the command of a descriptor or a ticket.
///
/// # Errors
///
/// The bytes are not a message, or are a message of another protocol.
pub(super) fn command(bytes: &[u8]) -> Result<Command> {
    let malformed = |why: String| {
        Error::new(
            Code::ProtocolViolation,
            format!("the command is not a Flight SQL message: {why}"),
        )
    };
    let any = Any::decode(bytes).map_err(|e| malformed(e.to_string()))?;
    match Command::try_from(any).map_err(|e| malformed(e.to_string()))? {
        Command::Unknown(any) => Err(malformed(format!("its type is '{}'", any.type_url))),
        command => Ok(command),
    }
}

/// Decodes the command of a descriptor.
///
/// # Errors
///
/// As for [`command`], or the descriptor is a path, which names nothing here.
pub(super) fn described(descriptor: &FlightDescriptor) -> Result<Command> {
    if descriptor.cmd.is_empty() {
        return Err(Error::new(
            Code::ProtocolViolation,
            "the descriptor has no command; paths name nothing here",
        ));
    }
    command(&descriptor.cmd)
}

/// Encodes the schema as an encapsulated IPC message.
pub(super) fn schema_bytes(schema: &Schema) -> Result<Bytes> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) =
        SchemaAsIpc::new(schema, &options)
            .try_into()
            .map_err(|e: arrow::error::ArrowError| {
                Error::internal(format!("a schema cannot be sent: {e}"))
            })?;
    Ok(bytes)
}

/// A part of a result, as named by a ticket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub handle: Handle,
    /// `None` for the whole result.
    pub index: Option<u16>,
}

impl Part {
    fn bytes(&self) -> Bytes {
        let mut bytes = self.handle.bytes().to_vec();
        if let Some(index) = self.index {
            bytes.extend(index.to_be_bytes());
        }
        bytes.into()
    }

    /// Parses the bytes of a handle; returns `None` if they are not a ticket of this server.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (handle, rest) = bytes.split_at_checked(Handle::BYTES)?;
        let index = match rest {
            [] => None,
            [high, low] => Some(u16::from_be_bytes([*high, *low])),
            _ => return None,
        };
        Some(Self {
            handle: Handle::read(handle)?,
            index,
        })
    }

    /// Returns the bytes of its ticket.
    pub(crate) fn message(&self) -> Bytes {
        let ticket = TicketStatementQuery {
            statement_handle: self.bytes(),
        };
        ticket.as_any().encode_to_vec().into()
    }
}

/// Converts an instant in the near future to wall clock time.
pub(super) fn timestamp(at: Instant) -> Timestamp {
    let left = at.saturating_duration_since(Instant::now());
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        + left;
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
    }
}

impl Door {
    /// Builds an endpoint. `ticket`: the bytes that the client passes to DoGet.
    pub(crate) fn endpoint(&self, ticket: Bytes, expires: Option<Instant>) -> FlightEndpoint {
        let location = self.options.config.location.iter();
        FlightEndpoint {
            ticket: Some(Ticket { ticket }),
            location: location.map(|uri| Location { uri: uri.clone() }).collect(),
            expiration_time: expires.map(timestamp),
            app_metadata: Bytes::new(),
        }
    }
}

/// Describes a result of unknown size, ordered by its endpoints.
///
/// `schema`: `None` for a command, whose result has no columns. Without a schema, clients wait for
/// the first message of DoGet, and so until the command is done.
pub(super) fn flight_info(
    schema: Option<&Schema>,
    endpoints: Vec<FlightEndpoint>,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo> {
    Ok(FlightInfo {
        schema: schema.map(schema_bytes).transpose()?.unwrap_or_default(),
        flight_descriptor: Some(descriptor),
        endpoint: endpoints,
        total_records: -1,
        total_bytes: -1,
        ordered: true,
        app_metadata: Bytes::new(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parts_are_read_as_they_are_written() {
        let handle = Handle::random();
        for index in [None, Some(0), Some(513)] {
            let bytes = Part { handle, index }.bytes();
            let read = Part::read(&bytes).unwrap();
            assert_eq!((read.handle, read.index), (handle, index));
        }
    }

    #[test]
    fn other_bytes_are_no_tickets_and_no_commands() {
        for length in [0, 1, 31, 33, 35, 64] {
            assert!(Part::read(&vec![7; length]).is_none(), "{length}");
        }
        for bytes in [&b""[..], b"\xff\xff\xff", b"SELECT 1", &[0; 100]] {
            let refused = command(bytes).err().unwrap();
            assert_eq!(refused.code(), Code::ProtocolViolation);
        }
    }
}
