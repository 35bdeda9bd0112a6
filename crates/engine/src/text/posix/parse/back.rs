//! Back references, such as `\1`.

use super::super::tree::{Piece, Place};
use super::{Parser, Result, invalid, letter_of};

/// The largest character that digits after a backslash mean.
const LAST_OCTAL: u32 = 0xff;

impl Parser {
    /// Parses the digits after a backslash. Several are a character if there are not so many groups.
    pub(super) fn reference(&mut self) -> Result<Piece> {
        let first = self.at;
        let mut number = 0usize;
        while let Some(digit) = self.peek().and_then(|digit| digit.to_digit(10)) {
            let digit = usize::try_from(digit).unwrap_or_default();
            number = number.saturating_mul(10).saturating_add(digit);
            self.at += 1;
        }
        if self.at == first + 1 || number <= self.groups {
            return self.back(number);
        }
        self.at = first;
        let mut letter = self.digits(8, 1, 3)?;
        if u32::from(letter) > LAST_OCTAL {
            self.at = first;
            letter = self.digits(8, 1, 2)?;
        }
        Ok(letter_of(letter))
    }

    fn back(&mut self, number: usize) -> Result<Piece> {
        let group = number.checked_sub(1);
        let group = group.and_then(|place| self.closed.get(place).copied().flatten());
        match group {
            Some(inner) if self.looks == 0 => Ok(Piece::Back {
                number,
                like: self.like(inner)?,
            }),
            _ => Err(invalid("invalid backreference number")),
        }
    }

    /// Returns a piece that matches all texts that another one may match, wherever they are.
    fn like(&mut self, place: Place) -> Result<Place> {
        let Some(piece) = self.pieces.get(place).cloned() else {
            return Ok(place);
        };
        let alike = match piece {
            Piece::Empty | Piece::Class(_) => return Ok(place),
            Piece::Edge(_) | Piece::Look { .. } => Piece::Empty,
            Piece::Group { inner, .. } => return self.like(inner),
            Piece::Back { like, .. } => return Ok(like),
            Piece::Sequence(pieces) => Piece::Sequence(self.all_like(pieces)?),
            Piece::Either(branches) => Piece::Either(self.all_like(branches)?),
            Piece::Repeat {
                inner,
                least,
                most,
                lazy,
                fixed,
            } => Piece::Repeat {
                inner: self.like(inner)?,
                least,
                most,
                lazy,
                fixed,
            },
        };
        self.piece(alike)
    }

    fn all_like(&mut self, places: Vec<Place>) -> Result<Vec<Place>> {
        places.into_iter().map(|place| self.like(place)).collect()
    }
}
