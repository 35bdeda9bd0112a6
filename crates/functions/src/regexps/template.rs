//! The replacement of `regexp_replace`: `$1`, `${name}`, and `\` before a character that stands for
//! itself.

use std::ops::Range;

use lakegate_error::{Code, Error};

use super::pattern::Pattern;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

/// A replacement for a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// # Errors
    ///
    /// The replacement ends early, or refers to a group that the pattern lacks.
    pub(super) fn new(replacement: &str, pattern: &Pattern) -> Result<Self, Error> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut chars = replacement.chars();
        while let Some(next) = chars.next() {
            let group = match next {
                '\\' => {
                    text.push(
                        chars
                            .next()
                            .ok_or_else(|| illegal(replacement, "ends with \\"))?,
                    );
                    continue;
                }
                '$' => match chars.next() {
                    Some('{') => {
                        let name: String = chars.by_ref().take_while(|next| *next != '}').collect();
                        pattern.group(&name).ok_or_else(|| {
                            illegal(replacement, "refers to a name that the pattern lacks")
                        })?
                    }
                    Some(digit @ '0'..='9') => {
                        let mut group = digit.to_digit(10).unwrap_or(0) as usize;
                        if group > pattern.groups() {
                            return Err(illegal(
                                replacement,
                                "refers to a group that the pattern lacks",
                            ));
                        }
                        // The largest number that the pattern has.
                        while let Some(digit) = chars.clone().next().and_then(|c| c.to_digit(10)) {
                            let longer = group * 10 + digit as usize;
                            if longer > pattern.groups() {
                                break;
                            }
                            group = longer;
                            chars.next();
                        }
                        group
                    }
                    _ => {
                        return Err(illegal(
                            replacement,
                            "has a $ without a group; write \\$ for a dollar sign",
                        ));
                    }
                },
                other => {
                    text.push(other);
                    continue;
                }
            };
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(Piece::Group(group));
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(Self { pieces })
    }

    /// Whether it refers to groups other than the match.
    pub(super) fn has_groups(&self) -> bool {
        let mut pieces = self.pieces.iter();
        pieces.any(|piece| matches!(piece, Piece::Group(group) if *group > 0))
    }

    /// Calls `add` with each part of the replacement of a match.
    ///
    /// # Errors
    ///
    /// `add` fails.
    pub(super) fn each<E>(
        &self,
        text: &str,
        group: impl Fn(usize) -> Option<Range<usize>>,
        mut add: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        for piece in &self.pieces {
            match piece {
                Piece::Text(part) => add(part)?,
                Piece::Group(number) => {
                    if let Some(part) = group(*number).and_then(|range| text.get(range)) {
                        add(part)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn illegal(replacement: &str, message: &str) -> Error {
    let shown: String = replacement.chars().take(100).collect();
    Error::new(
        Code::InvalidParameter,
        format!("the replacement '{shown}' {message}"),
    )
}
