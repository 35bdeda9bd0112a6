//! The characters of an encoding.
//!
//! ```text
//! data/single.txt    WIN1252   80:20ac 82:201a … a0-ff:a0     bytes, and the character of the first
//! data/sjis.txt      8140      　、。，．・                   a code, and its character and the next
//!                    >fa2d     fc49                           a character, and its code
//! ```
//!
//! Where several codes have the same character, it is written as the least of them, unless a line
//! with `>` says otherwise.

use std::collections::HashMap;

/// How many bytes a character has, by its first one, and which may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// One byte each.
    Single,
    /// Two bytes, the second of which is not zero.
    Double,
    /// Two bytes, both from 0xa1 on.
    Euc,
    /// The same, and after 0x8e one byte, after 0x8f two.
    EucJp,
    /// One byte from 0xa1 to 0xdf, or two.
    Sjis,
}

impl Lead {
    /// Returns the number of bytes of the character that begins with a byte.
    pub(super) fn length(self, first: u8) -> usize {
        match self {
            _ if first.is_ascii() => 1,
            Self::Single => 1,
            Self::Sjis if (0xa1..=0xdf).contains(&first) => 1,
            Self::Euc | Self::EucJp if first == 0x8f => 3,
            Self::Double | Self::Euc | Self::EucJp | Self::Sjis => 2,
        }
    }

    /// Returns whether bytes may be a character that is not ASCII; they have the length for it.
    pub(super) fn is_valid(self, character: &[u8]) -> bool {
        let high = |byte: &u8| (0xa1..=0xfe).contains(byte);
        match (self, character) {
            (Self::Single, [_]) => true,
            (Self::Double, [_, second]) => *second != 0,
            (Self::EucJp, [0x8e, second]) => (0xa1..=0xdf).contains(second),
            (Self::EucJp, [0x8f, second, third]) => high(second) && high(third),
            (Self::Euc | Self::EucJp, [first, second]) => high(first) && high(second),
            (Self::Sjis, [one]) => (0xa1..=0xdf).contains(one),
            (Self::Sjis, [first, second]) => {
                matches!(first, 0x81..=0x9f | 0xe0..=0xfc)
                    && matches!(second, 0x40..=0x7e | 0x80..=0xfc)
            }
            _ => false,
        }
    }
}

/// The characters of an encoding beside ASCII.
pub(super) struct Tables {
    /// By code: the bytes as a big-endian number.
    characters: HashMap<u32, char>,
    codes: HashMap<char, u32>,
}

impl Tables {
    /// Reads a line of `data/single.txt`.
    pub(super) fn single(name: &str) -> Self {
        let mut tables = Self::empty();
        let lines = include_str!("data/single.txt").lines();
        let found = lines.filter_map(|line| line.split_once('\t'));
        let runs = found.filter(|(of, _)| *of == name).map(|(_, runs)| runs);
        for run in runs.flat_map(|runs| runs.split(' ')) {
            let Some((codes, character)) = run.split_once(':') else {
                continue;
            };
            let (first, last) = codes.split_once('-').unwrap_or((codes, codes));
            let (Some(first), Some(last), Some(character)) =
                (number(first), number(last), number(character))
            else {
                continue;
            };
            for code in first..=last {
                if let Some(character) = char::from_u32(character + (code - first)) {
                    tables.add(code, character);
                }
            }
        }
        tables
    }

    /// Reads a table of its own.
    pub(super) fn of_lines(data: &str) -> Self {
        let mut tables = Self::empty();
        for (code, rest) in data.lines().filter_map(|line| line.split_once('\t')) {
            if let Some(character) = code.strip_prefix('>') {
                let character = number(character).and_then(char::from_u32);
                if let (Some(character), Some(code)) = (character, number(rest)) {
                    tables.codes.insert(character, code);
                }
                continue;
            }
            let Some(first) = number(code) else {
                continue;
            };
            for (code, character) in (first..).zip(rest.chars()) {
                tables.add(code, character);
            }
        }
        tables
    }

    fn empty() -> Self {
        Self {
            characters: HashMap::new(),
            codes: HashMap::new(),
        }
    }

    /// Adds a code. Codes come in ascending order.
    fn add(&mut self, code: u32, character: char) {
        self.characters.insert(code, character);
        self.codes.entry(character).or_insert(code);
    }

    /// Returns the character of at most three bytes.
    pub(super) fn character(&self, bytes: &[u8]) -> Option<char> {
        let code = bytes
            .iter()
            .fold(0, |code, byte| code << 8 | u32::from(*byte));
        self.characters.get(&code).copied()
    }

    /// Returns the bytes of a character as a big-endian number.
    pub(super) fn code(&self, character: char) -> Option<u32> {
        self.codes.get(&character).copied()
    }
}

fn number(hex: &str) -> Option<u32> {
    u32::from_str_radix(hex, 16).ok()
}
