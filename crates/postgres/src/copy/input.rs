//! COPY .. FROM STDIN: the messages of the client become batches for the gateway.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use lakegate_error::{Code, Error};
use lakegate_gateway::sql::ast::{self, CopyFormat};
use lakegate_gateway::{CopyIn, Ingestion, Prepared};

use super::decoder::Decoder;
use super::options::{Direction, Options};
use crate::backend;
use crate::connection::Connection;
use crate::encode::Format;
use crate::link::Ended;
use crate::rows::Failed;

impl Connection {
    /// Runs COPY .. FROM STDIN. If it fails or the client is lost, no row becomes visible.
    pub(crate) async fn copy_in(
        &mut self,
        prepared: &Prepared,
        copy: &ast::CopyFrom,
    ) -> Result<(), Failed> {
        let options = Options::of(copy.format, &copy.options, Direction::In)?;
        let session = Arc::clone(&self.session);
        let CopyIn {
            columns,
            mut ingestion,
        } = self.link.run(session.copy_in(prepared)).await??;
        let width = columns.fields().len();
        let decoder = Decoder::new(copy, options, &columns, self.style());
        let decoder = decoder.and_then(|decoder| match i16::try_from(width) {
            Ok(_) => Ok(decoder),
            Err(_) => Err(Error::not_supported("COPY of more than 32767 columns")),
        });
        let received = match decoder {
            Ok(decoder) => {
                let format = match copy.format {
                    CopyFormat::Binary => Format::Binary,
                    CopyFormat::Text | CopyFormat::Csv => Format::Text,
                };
                backend::copy_in_response(&mut self.link.out, format, width);
                self.receive(&mut ingestion, decoder).boxed().await
            }
            Err(error) => Err(error.into()),
        };
        match received {
            Ok(skipped) => {
                let rows = self.link.run(ingestion.finish()).await??;
                if skipped > 0 {
                    let those = if skipped == 1 { "row was" } else { "rows were" };
                    self.session.notice(format!(
                        "{skipped} {those} skipped due to data type incompatibility"
                    ));
                }
                self.tell_warnings();
                backend::command_complete(&mut self.link.out, "COPY", Some(rows));
                Ok(())
            }
            Err(Failed::Statement(error)) => {
                Err(self.link.run(ingestion.give_up(error)).await?.into())
            }
            Err(lost) => Err(lost),
        }
    }

    /// Reads the client's messages up to CopyDone. Returns the number of rows that are left out because
    /// of a value.
    async fn receive(
        &mut self,
        ingestion: &mut Ingestion,
        mut decoder: Decoder,
    ) -> Result<u64, Failed> {
        loop {
            let frame = ingestion.receive(self.link.frame_of_statement()).await??;
            if let Some(error) = frame.refused {
                return Err(error.into());
            }
            match frame.tag {
                b'd' => decoder.push(&frame.body),
                b'c' => decoder.end(),
                b'f' => return Err(given_up(&frame.body).into()),
                // Flush and Sync, which clients send ahead.
                b'H' | b'S' => continue,
                b'X' => return Err(Ended::Gone.into()),
                other => {
                    let why =
                        format!("unexpected message type 0x{other:02X} during COPY from stdin");
                    return Err(Error::new(Code::ProtocolViolation, why).into());
                }
            }
            drop(frame.body);
            // One batch at a time: other connections of the thread have their turn in between.
            loop {
                let batch = if decoder.takes_long() {
                    let decoding = ingestion.aside(move || {
                        let batch = decoder.next();
                        (decoder, batch)
                    });
                    let (back, batch) = self.link.run(decoding).await??;
                    decoder = back;
                    batch?
                } else {
                    ingestion.metered(async { decoder.next() }).await?
                };
                let Some(batch) = batch else {
                    break;
                };
                self.link.run(ingestion.write(batch)).await??;
            }
            if frame.tag == b'c' {
                return Ok(decoder.skipped());
            }
        }
    }
}

/// The error of a CopyFail, whose body is the client's reason.
fn given_up(body: &Bytes) -> Error {
    let reason = String::from_utf8_lossy(body.split(|byte| *byte == 0).next().unwrap_or_default());
    Error::new(
        Code::QueryCancelled,
        format!("COPY from stdin failed: {reason}"),
    )
}
