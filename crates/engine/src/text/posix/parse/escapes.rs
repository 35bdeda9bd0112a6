//! What a backslash begins: classes, edges and characters.

use super::super::tree::{Class, Edge, Item, Name, Piece};
use super::{Parser, Result, invalid, letter_of};

impl Parser {
    /// Parses what follows a backslash.
    pub(super) fn escape(&mut self) -> Result<Piece> {
        let Some(letter) = self.peek() else {
            return Err(invalid("invalid escape \\ sequence"));
        };
        let piece = match letter {
            'd' => named(Name::Digit),
            's' => named(Name::Space),
            'w' => named(Name::Word),
            'D' => self.within_lines(except(Name::Digit)),
            'S' => except(Name::Space),
            'W' => self.within_lines(except(Name::Word)),
            'A' => Piece::Edge(Edge::TextStart),
            'Z' => Piece::Edge(Edge::TextEnd),
            'm' => Piece::Edge(Edge::WordStart),
            'M' => Piece::Edge(Edge::WordEnd),
            'y' | 'b' => Piece::Edge(Edge::Word),
            'Y' | 'B' => Piece::Edge(Edge::NoWord),
            '1'..='9' => return self.reference(),
            _ => return Ok(letter_of(self.character()?)),
        };
        self.at += 1;
        Ok(piece)
    }

    fn within_lines(&self, piece: Piece) -> Piece {
        match piece {
            Piece::Class(Class { items, .. }) if self.flags.dot_within_lines => {
                let items = items.into_iter().map(|item| match item {
                    Item::Except(name) => Item::Named(name),
                    other => other,
                });
                Piece::Class(Class {
                    negated: true,
                    items: items.chain(self.newline()).collect(),
                })
            }
            piece => piece,
        }
    }

    /// Parses the character that an escape represents, after its backslash.
    pub(super) fn character(&mut self) -> Result<char> {
        let wrong = || invalid("invalid escape \\ sequence");
        let letter = self.next().ok_or_else(wrong)?;
        Ok(match letter {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'e' => '\u{1b}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'B' => '\\',
            'c' => {
                let of = self.next().ok_or_else(wrong)?;
                char::from_u32(u32::from(of) & 0x1f).ok_or_else(wrong)?
            }
            'u' => self.digits(16, 4, 4)?,
            'U' => self.digits(16, 8, 8)?,
            'x' => self.digits(16, 1, 255)?,
            '0' => {
                self.at -= 1;
                self.digits(8, 1, 3)?
            }
            letter if letter.is_ascii_alphanumeric() => return Err(wrong()),
            letter => letter,
        })
    }

    pub(super) fn digits(&mut self, radix: u32, least: usize, most: usize) -> Result<char> {
        let mut number = 0u32;
        let mut count = 0;
        while count < most
            && let Some(digit) = self.peek().and_then(|digit| digit.to_digit(radix))
        {
            number = number.saturating_mul(radix).saturating_add(digit);
            count += 1;
            self.at += 1;
        }
        let letter = char::from_u32(number).filter(|_| count >= least);
        letter.ok_or_else(|| invalid("invalid escape \\ sequence"))
    }
}

fn named(name: Name) -> Piece {
    Piece::Class(Class {
        negated: false,
        items: vec![Item::Named(name)],
    })
}

fn except(name: Name) -> Piece {
    Piece::Class(Class {
        negated: false,
        items: vec![Item::Except(name)],
    })
}
