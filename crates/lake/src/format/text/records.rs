//! Records of CloudTrail's files: the objects of the array `Records` of one JSON object, which may
//! be on one line or on many.
//!
//! The format is documented as
//! [CloudTrail record contents](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).
//! What is around the records is skipped, and the records are checked by the decoder of their JSON.
//! No more than one record's bytes are kept beside the piece at hand.

use bytes::Bytes;

use super::framing::{FrameError, Line};

/// The key of the array.
const RECORDS: &[u8] = b"Records";

/// Cuts pieces into records.
#[derive(Debug)]
pub(super) struct Records {
    piece: Bytes,
    /// Where in the piece the scan goes on.
    at: usize,
    ended: bool,
    place: Place,
    /// Objects and arrays that are open: around the array, or within a record.
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The beginning of the last string around the array.
    string: Vec<u8>,
    /// The last string was a key, [`RECORDS`].
    is_key: bool,
    /// The array was found.
    found: bool,
    /// Bytes of the record at hand.
    record: Vec<u8>,
    /// The record has been handed out.
    is_done: bool,
    /// Bytes before the piece.
    before: u64,
    number: u64,
    limit: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Around,
    Between,
    Within,
}

impl Records {
    /// `limit`: the longest record, in bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            piece: Bytes::new(),
            at: 0,
            ended: false,
            place: Place::Around,
            depth: 0,
            in_string: false,
            escaped: false,
            string: Vec::new(),
            is_key: false,
            found: false,
            record: Vec::new(),
            is_done: false,
            before: 0,
            number: 0,
            limit,
        }
    }

    /// Adds the next piece. The one before must be used up: [`Self::next`] has returned `None`.
    pub(super) fn push(&mut self, piece: Bytes) {
        self.before += self.piece.len() as u64;
        self.piece = piece;
        self.at = 0;
    }

    /// No more pieces follow.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Records handed out so far.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes from the start of the text to where the scan goes on.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.at as u64
    }

    /// The next complete record; none where more bytes are needed, or at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, FrameError> {
        if self.is_done {
            self.record.clear();
            self.is_done = false;
        }
        let piece = self.piece.clone();
        let mut start = self.at;
        while let Some(byte) = piece.get(self.at) {
            self.at += 1;
            match self.place {
                Place::Around => self.around(*byte)?,
                Place::Between => {
                    start = self.at - 1;
                    self.between(*byte)?;
                }
                Place::Within => {
                    self.within(*byte);
                    if self.depth == 0 {
                        self.keep(piece.get(start..self.at).unwrap_or_default())?;
                        self.place = Place::Between;
                        self.is_done = true;
                        self.number += 1;
                        let offset = self.offset().saturating_sub(self.record.len() as u64);
                        return Ok(Some(Line {
                            bytes: &self.record,
                            offset,
                        }));
                    }
                }
            }
        }
        if self.place == Place::Within {
            self.keep(piece.get(start..).unwrap_or_default())?;
        }
        if self.ended {
            self.check_end()?;
        }
        Ok(None)
    }

    fn check_end(&self) -> Result<(), FrameError> {
        let is_open = self.place != Place::Around || self.depth > 0 || self.in_string;
        if is_open {
            return Err(FrameError::Broken("it is cut short: its JSON does not end"));
        }
        if !self.found && self.offset() > 0 {
            return Err(FrameError::Broken("it has no array \"Records\""));
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        if self.record.len() + bytes.len() > self.limit {
            return Err(FrameError::TooLong);
        }
        self.record.extend_from_slice(bytes);
        Ok(())
    }

    /// Whether the byte belongs to a string that goes on.
    fn is_in_string(&mut self, byte: u8) -> bool {
        if !self.in_string {
            return false;
        }
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.in_string = false,
            _ => {}
        }
        true
    }

    fn around(&mut self, byte: u8) -> Result<(), FrameError> {
        if self.is_in_string(byte) {
            // A longer string is another one.
            if self.in_string && self.string.len() <= RECORDS.len() {
                self.string.push(byte);
            }
            return Ok(());
        }
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            // The byte order mark.
            0xEF | 0xBB | 0xBF if self.depth == 0 && self.offset() <= 3 => {}
            b'{' if self.depth == 0 => self.depth = 1,
            _ if self.depth == 0 => {
                return Err(FrameError::Broken(
                    "it is no JSON object with an array \"Records\"",
                ));
            }
            b'"' => {
                self.in_string = true;
                self.string.clear();
                self.is_key = false;
            }
            b':' => self.is_key = self.depth == 1 && self.string == RECORDS,
            b'[' if self.is_key => {
                self.is_key = false;
                self.found = true;
                self.place = Place::Between;
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                self.is_key = false;
            }
            _ => self.is_key = false,
        }
        Ok(())
    }

    fn between(&mut self, byte: u8) -> Result<(), FrameError> {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {}
            b'{' => {
                self.place = Place::Within;
                self.depth = 1;
            }
            b']' => {
                self.place = Place::Around;
                // The object that holds the array.
                self.depth = 1;
            }
            _ => {
                return Err(FrameError::Broken(
                    "an element of its array \"Records\" is no object",
                ));
            }
        }
        Ok(())
    }

    fn within(&mut self, byte: u8) {
        if self.is_in_string(byte) {
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &[u8], size: usize, limit: usize) -> Result<Vec<(u64, String)>, FrameError> {
        let mut records = Records::new(limit);
        let mut all = Vec::new();
        let mut pieces = text.chunks(size);
        loop {
            while let Some(line) = records.next()? {
                let text = String::from_utf8_lossy(line.bytes).into_owned();
                all.push((line.offset, text));
            }
            if records.is_ended() {
                return Ok(all);
            }
            match pieces.next() {
                Some(piece) => records.push(Bytes::copy_from_slice(piece)),
                None => records.end(),
            }
        }
    }

    #[test]
    fn records_are_cut_however_the_pieces_are() {
        let text = r#" { "a":["Records",{"Records":[{"no":1}]}], "n":"x\"]", "Records" : [
            {"a":"}\\\"]{","b":[{"c":[]}]} ,{}, {"d":
            "é"}] , "z":{"Records":[1]}} "#;
        let expected = [
            r#"{"a":"}\\\"]{","b":[{"c":[]}]}"#,
            "{}",
            "{\"d\":\n            \"é\"}",
        ];
        for size in 1..=text.len() {
            let found = records(text.as_bytes(), size, 1000).unwrap_or_default();
            let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(texts, expected, "{size}");
            for (offset, record) in &found {
                let at = usize::try_from(*offset).unwrap_or_default();
                assert_eq!(text.get(at..at + record.len()), Some(record.as_str()));
            }
        }
        assert_eq!(records(b"", 10, 100), Ok(vec![]));
        assert_eq!(records(br#"{"Records":[]}"#, 3, 100), Ok(vec![]));
        let two = br#"{"Records":[{"a":1}]}
{"Records":[{"a":2}]}"#;
        assert_eq!(records(two, 7, 100).map(|all| all.len()), Ok(2));
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        let broken = |text: &str| match records(text.as_bytes(), 5, 100) {
            Err(FrameError::Broken(what)) => what,
            other => {
                assert_eq!(other, Ok(vec![]), "{text}");
                ""
            }
        };
        for (text, part) in [
            (r#"{"Records":[{"a":1},{"b""#, "cut short"),
            (r#"{"Records":["#, "cut short"),
            (r#"{"Records":[]"#, "cut short"),
            (r#"{"a":""#, "cut short"),
            (r#"{"digest":[{"a":1}]}"#, "no array"),
            (r#"{"x":{"Records":[{"a":1}]}}"#, "no array"),
            (r#"{"records":[{"a":1}]}"#, "no array"),
            (r#"{"a":1,"b":"Records","c":[{"a":1}]}"#, "no array"),
            (r#"[{"a":1}]"#, "no JSON object"),
            ("a,b,c", "no JSON object"),
            (r#"{"Records":[1]}"#, "is no object"),
        ] {
            assert!(broken(text).contains(part), "{text}: {}", broken(text));
        }
    }

    #[test]
    fn long_records_are_refused_and_what_is_around_is_not_kept() {
        let long = format!("{{\"Records\":[{{\"a\":\"{}\"}}]}}", "x".repeat(200));
        assert_eq!(records(long.as_bytes(), 10, 100), Err(FrameError::TooLong));
        let around = format!("{{\"a\":\"{}\",\"Records\":[{{}}]}}", "x".repeat(2000));
        assert_eq!(
            records(around.as_bytes(), 10, 100).map(|all| all.len()),
            Ok(1)
        );
    }
}
