//! Bracket expressions such as `[a-z[:digit:]]`.

use lakegate_error::Error;

use super::super::tree::{Class, Item, Name};
use super::{Parser, Result, invalid};

impl Parser {
    /// Parses a bracket expression, after its opening bracket.
    pub(super) fn brackets(&mut self) -> Result<Class> {
        let negated = self.takes("^");
        let mut class = Class {
            negated,
            items: if negated { self.newline() } else { Vec::new() },
        };
        let mut first = true;
        loop {
            let letter = match self.peek() {
                None => return Err(invalid("brackets [] not balanced")),
                Some(']') if !first => {
                    self.at += 1;
                    return Ok(class);
                }
                Some(letter) => letter,
            };
            first = false;
            if self.takes("[:") {
                class.items.push(Item::Named(self.named_class()?));
                continue;
            }
            let shorthand = match (letter, self.characters.get(self.at + 1)) {
                ('\\', Some('d')) => Some(Item::Named(Name::Digit)),
                ('\\', Some('s')) => Some(Item::Named(Name::Space)),
                ('\\', Some('w')) => Some(Item::Named(Name::Word)),
                ('\\', Some('D')) => Some(Item::Except(Name::Digit)),
                ('\\', Some('S')) => Some(Item::Except(Name::Space)),
                ('\\', Some('W')) => Some(Item::Except(Name::Word)),
                _ => None,
            };
            if let Some(item) = shorthand {
                self.at += 2;
                class.items.push(item);
                continue;
            }
            let start = self.bracket_character()?;
            let is_range = self.peek() == Some('-')
                && self
                    .characters
                    .get(self.at + 1)
                    .is_some_and(|end| *end != ']');
            let end = match is_range {
                true => {
                    self.at += 1;
                    self.bracket_character()?
                }
                false => start,
            };
            if end < start {
                return Err(invalid("invalid character range"));
            }
            class.items.push(Item::Range(start, end));
        }
    }

    fn bracket_character(&mut self) -> Result<char> {
        for (open, close) in [("[.", ".]"), ("[=", "=]")] {
            if self.takes(open) {
                let letter = self.next();
                return match letter {
                    Some(letter) if self.takes(close) => Ok(letter),
                    _ => Err(Error::not_supported(
                        "character names in a regular expression are not supported",
                    )
                    .with_hint("write the character itself")),
                };
            }
        }
        match self.next() {
            Some('\\') => self.character(),
            Some(letter) => Ok(letter),
            None => Err(invalid("brackets [] not balanced")),
        }
    }

    fn named_class(&mut self) -> Result<Name> {
        let names = [
            ("alnum:]", Name::Alnum),
            ("alpha:]", Name::Alpha),
            ("blank:]", Name::Blank),
            ("cntrl:]", Name::Cntrl),
            ("digit:]", Name::Digit),
            ("graph:]", Name::Graph),
            ("lower:]", Name::Lower),
            ("print:]", Name::Print),
            ("punct:]", Name::Punct),
            ("space:]", Name::Space),
            ("upper:]", Name::Upper),
            ("word:]", Name::Word),
            ("xdigit:]", Name::XDigit),
        ];
        let name = names.into_iter().find(|(name, _)| self.takes(name));
        name.map(|(_, name)| name)
            .ok_or_else(|| invalid("invalid character class"))
    }
}
