//! Lines of COPY FROM in an encoding other than UTF8.

use lakegate_error::Error;
use lakegate_gateway::values::Encoding;

use super::records::Records;

/// Converts data that arrives in pieces. A piece may end within a character.
#[derive(Debug)]
pub(super) struct Converter {
    encoding: &'static Encoding,
    /// The beginning of a character.
    rest: Vec<u8>,
    /// Why the data behind what was converted is not a text. It comes up once the lines before it are
    /// read.
    error: Option<Error>,
    /// Nothing is converted any more.
    failed: bool,
}

impl Converter {
    pub(super) fn new(encoding: &'static Encoding) -> Self {
        Self {
            encoding,
            rest: Vec::new(),
            error: None,
            failed: false,
        }
    }

    /// Converts a piece, and passes it on.
    pub(super) fn push(&mut self, bytes: &[u8], records: &mut Records) {
        if self.failed {
            return;
        }
        self.rest.extend_from_slice(bytes);
        let decoded = self.encoding.decode_start(&self.rest);
        records.push(decoded.text.as_bytes());
        self.rest.drain(..decoded.length);
        self.failed = decoded.error.is_some();
        self.error = decoded.error;
    }

    /// Says that there is no more data.
    pub(super) fn end(&mut self, records: &mut Records) {
        if !self.failed
            && let Err(error) = self.encoding.decode(&self.rest)
        {
            self.failed = true;
            self.error = Some(error);
        }
        // The line that the error is in has no end.
        if !self.failed {
            records.end();
        }
    }

    /// Takes the error, if there is one.
    pub(super) fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }
}
