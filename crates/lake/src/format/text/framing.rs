//! Lines from pieces of a file. No more than one line's bytes are kept beside the piece at hand.

use bytes::Bytes;

use super::records::Records;

/// Cuts pieces into lines at `\n`, `\r\n` and a lone `\r`, as Hadoop's readers do. The byte order
/// mark of a file is left out.
#[derive(Debug)]
pub(super) struct Lines {
    piece: Bytes,
    /// Where in the piece the next line starts or goes on.
    at: usize,
    /// The beginning of a line that ends in a later piece.
    carry: Vec<u8>,
    /// The line that `carry` holds has been handed out.
    carry_done: bool,
    /// Bytes of the current line that were dropped instead of kept.
    dropped: u64,
    dropping: bool,
    /// The last line ended with the `\r` at the end of a piece: a `\n` that follows belongs to it.
    after_return: bool,
    ended: bool,
    /// Where the next line starts, in bytes from the start of the text.
    offset: u64,
    /// Lines handed out or dropped so far.
    number: u64,
    limit: usize,
}

/// Why there is no next line or record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameError {
    /// It is longer than the limit.
    TooLong,
    /// The file is not of its format: what is wrong with it.
    Broken(&'static str),
}

/// How a file is cut into what a decoder takes.
#[derive(Debug)]
pub(super) enum Framing {
    Lines(Lines),
    Records(Records),
}

impl Framing {
    /// Adds the next piece. The one before must be used up: [`Self::next`] has returned `None`.
    pub(super) fn push(&mut self, piece: Bytes) {
        match self {
            Self::Lines(lines) => lines.push(piece),
            Self::Records(records) => records.push(piece),
        }
    }

    /// No more pieces follow.
    pub(super) fn end(&mut self) {
        match self {
            Self::Lines(lines) => lines.end(),
            Self::Records(records) => records.end(),
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        match self {
            Self::Lines(lines) => lines.is_ended(),
            Self::Records(records) => records.is_ended(),
        }
    }

    /// The number of the last line or record that was handed out, from 1.
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.number(),
            Self::Records(records) => records.number(),
        }
    }

    /// The next one does not start before this byte.
    pub(super) fn offset(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.offset(),
            Self::Records(records) => records.offset(),
        }
    }

    /// The next complete line or record; none where more bytes are needed.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, FrameError> {
        match self {
            Self::Lines(lines) => lines.next(),
            Self::Records(records) => records.next(),
        }
    }

    /// What errors call it.
    pub(super) fn unit(&self) -> &'static str {
        match self {
            Self::Lines(_) => "line",
            Self::Records(_) => "record",
        }
    }
}

/// A line, and where it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub bytes: &'a [u8],
    /// Bytes from the start of the text to the line's first.
    pub offset: u64,
}

/// UTF-8's byte order mark, at the start of a file.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Where a line's bytes are.
enum Place {
    Piece(std::ops::Range<usize>),
    Carry,
}

impl Lines {
    /// `offset`: of the first byte that will be pushed. `limit`: the longest line, in bytes.
    pub(super) fn new(offset: u64, limit: usize) -> Self {
        Self {
            piece: Bytes::new(),
            at: 0,
            carry: Vec::new(),
            carry_done: false,
            dropped: 0,
            dropping: false,
            after_return: false,
            ended: false,
            offset,
            number: 0,
            limit,
        }
    }

    /// Drops what comes before the first line break, however long it is, and the break.
    pub(super) fn drop_first(&mut self) {
        self.dropping = true;
    }

    /// Adds the next piece. The one before must be used up: [`Self::next`] has returned `None`.
    pub(super) fn push(&mut self, piece: Bytes) {
        self.piece = piece;
        self.at = 0;
    }

    /// No more pieces follow: what is left is the last line.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Lines handed out or dropped so far: the number of the last one, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line does not start before this byte.
    pub(super) fn offset(&self) -> u64 {
        self.offset + self.dropped
    }

    /// The next complete line; none where more bytes are needed.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, FrameError> {
        if self.carry_done {
            self.carry.clear();
            self.carry_done = false;
        }
        let (place, line_bytes) = loop {
            let mut rest = self.piece.get(self.at..).unwrap_or_default();
            if self.after_return
                && let Some(first) = rest.first()
            {
                self.after_return = false;
                if *first == b'\n' {
                    self.at += 1;
                    self.offset += 1;
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
            let found = memchr::memchr2(b'\n', b'\r', rest);
            let length = found.unwrap_or(rest.len());
            // Bytes of the line break.
            let ending = match rest.get(length..).unwrap_or_default() {
                [b'\r', b'\n', ..] => 2,
                [] => 0,
                [..] => 1,
            };
            let is_cut = rest.get(length..) == Some(b"\r");
            if self.dropping {
                self.at += length + ending;
                self.dropped += length as u64;
                match found {
                    Some(_) => {
                        self.offset += self.dropped + ending as u64;
                        self.dropped = 0;
                        self.dropping = false;
                        self.after_return = is_cut;
                        self.number += 1;
                        continue;
                    }
                    None => return Ok(None),
                }
            }
            if self.carry.len() + length > self.limit {
                return Err(FrameError::TooLong);
            }
            match found {
                Some(_) => {
                    self.after_return = is_cut;
                    let start = self.at;
                    self.at += length + ending;
                    if self.carry.is_empty() {
                        break (Place::Piece(start..start + length), length + ending);
                    }
                    self.carry
                        .extend_from_slice(rest.get(..length).unwrap_or_default());
                    break (Place::Carry, self.carry.len() + ending);
                }
                None => {
                    self.carry.extend_from_slice(rest);
                    self.at += length;
                    // A file of a byte order mark alone has no line.
                    let is_mark = self.offset == 0 && self.carry == MARK;
                    if self.ended && !self.carry.is_empty() && !is_mark {
                        break (Place::Carry, self.carry.len());
                    }
                    return Ok(None);
                }
            }
        };
        let bytes = match place {
            Place::Piece(range) => self.piece.get(range).unwrap_or_default(),
            Place::Carry => {
                self.carry_done = true;
                &self.carry
            }
        };
        let offset = self.offset;
        self.offset += line_bytes as u64;
        self.number += 1;
        let bytes = if offset == 0 {
            bytes.strip_prefix(MARK).unwrap_or(bytes)
        } else {
            bytes
        };
        Ok(Some(Line { bytes, offset }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    /// Lines with their offsets, the text coming in pieces of `size` bytes.
    fn lines(
        text: &[u8],
        size: usize,
        mut lines: Lines,
    ) -> Result<Vec<(u64, Vec<u8>)>, FrameError> {
        let mut all = Vec::new();
        let mut pieces = text.chunks(size);
        loop {
            while let Some(line) = lines.next()? {
                all.push((line.offset, line.bytes.to_vec()));
            }
            if lines.ended {
                assert!(lines.number() - (all.len() as u64) <= 1);
                return Ok(all);
            }
            match pieces.next() {
                Some(piece) => lines.push(Bytes::copy_from_slice(piece)),
                None => lines.end(),
            }
        }
    }

    #[test]
    fn a_byte_order_mark_is_in_no_line_and_makes_none() {
        for size in 1..5 {
            let of = |text: &[u8]| lines(text, size, Lines::new(0, 100)).unwrap();
            assert!(of(MARK).is_empty());
            assert_eq!(of(b"\xEF\xBB\xBFa"), [(0, b"a".to_vec())]);
            assert_eq!(of(b"\xEF\xBB\xBF\n"), [(0, Vec::new())]);
            assert_eq!(of(b"\xEF\xBB"), [(0, b"\xEF\xBB".to_vec())]);
        }
    }

    #[test]
    fn lines_do_not_depend_on_how_the_bytes_arrive() {
        let text = b"one\r\n\ntwo\nthree and more\rfour\r\r\n\rlast";
        let expected: Vec<(u64, Vec<u8>)> = [
            (0, "one"),
            (5, ""),
            (6, "two"),
            (10, "three and more"),
            (25, "four"),
            (30, ""),
            (32, ""),
            (33, "last"),
        ]
        .map(|(offset, line)| (offset, line.as_bytes().to_vec()))
        .to_vec();
        for size in 1..=text.len() {
            assert_eq!(
                lines(text, size, Lines::new(0, 100)).unwrap(),
                expected,
                "{size}"
            );
        }
    }

    #[test]
    fn line_break_at_the_end_starts_no_line() {
        for size in 1..4 {
            assert_eq!(
                lines(b"a\n", size, Lines::new(0, 9)).unwrap(),
                [(0, b"a".to_vec())]
            );
            for end in [&b"a\r"[..], b"a\r\n"] {
                assert_eq!(
                    lines(end, size, Lines::new(0, 9)).unwrap(),
                    [(0, b"a".to_vec())]
                );
            }
            assert_eq!(
                lines(b"\n", size, Lines::new(0, 9)).unwrap(),
                [(0, Vec::new())]
            );
            assert!(lines(b"", size, Lines::new(0, 9)).unwrap().is_empty());
        }
    }

    #[test]
    fn byte_order_mark_is_no_part_of_the_first_line() {
        assert_eq!(
            lines(b"\xEF\xBB\xBFa\n\xEF\xBB\xBFb", 2, Lines::new(0, 9)).unwrap()[0].1,
            b"a"
        );
        assert_eq!(
            lines(b"\xEF\xBB\xBFa\n\xEF\xBB\xBFb", 2, Lines::new(0, 9)).unwrap()[1].1,
            b"\xEF\xBB\xBFb"
        );
    }

    #[test]
    fn line_beyond_the_limit_is_refused_and_not_kept() {
        for size in [1, 3, 100] {
            assert!(lines(b"abcd\nefgh", size, Lines::new(0, 4)).is_ok());
            assert_eq!(
                lines(b"abcd\nefghi\n", size, Lines::new(0, 4)),
                Err(FrameError::TooLong),
                "{size}"
            );
        }
        let mut endless = Lines::new(0, 1000);
        for _ in 0..100 {
            endless.push(Bytes::from_static(&[b'x'; 64]));
            if endless.next().is_err() {
                assert!(endless.carry.len() <= 1000);
                return;
            }
        }
        panic!("a line without end was accepted");
    }

    /// Where a line starts decides which of two ranges has it, wherever the cut is.
    #[test]
    fn each_line_starts_in_one_range() {
        let text = b"a\r\nbb\rccc\n\r\n\r\rd\n\ne";
        let whole = lines(text, text.len(), Lines::new(0, 9)).unwrap();
        for cut in 1..text.len() as u64 {
            for size in 1..4 {
                let mut second = Lines::new(cut - 1, 9);
                second.drop_first();
                let rest = lines(&text[cut as usize - 1..], size, second).unwrap();
                let expected: Vec<_> = whole.iter().filter(|(at, _)| *at >= cut).cloned().collect();
                assert_eq!(rest, expected, "{cut} {size}");
            }
        }
    }

    #[test]
    fn dropped_beginning_may_be_longer_than_the_limit() {
        for size in 1..12 {
            let mut from_middle = Lines::new(7, 3);
            from_middle.drop_first();
            let expected = vec![(15, b"a".to_vec()), (17, b"b".to_vec())];
            assert_eq!(
                lines(b"xxxxxxx\na\nb", size, from_middle).unwrap(),
                expected
            );
        }
        let mut nothing = Lines::new(7, 3);
        nothing.drop_first();
        assert!(lines(b"no line break", 2, nothing).unwrap().is_empty());
    }
}
