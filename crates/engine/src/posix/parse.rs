//! Parses patterns as PostgreSQL parses advanced regular expressions.

use lakegate_error::{Code, Error};

use super::tree::{Class, Edge, Flags, Item, Name, Piece, Place, Tree};

type Result<T> = std::result::Result<T, Error>;

/// Bounds on nested groups and on the pieces of a pattern.
const MAX_DEPTH: usize = 100;
const MAX_PIECES: usize = 20_000;
/// The largest number in a bound such as `{1,255}`.
const MAX_BOUND: u32 = 255;

/// Parses a pattern.
///
/// # Errors
///
/// Returns an error if the pattern is invalid or not supported.
pub(super) fn parse(pattern: &str, flags: Flags) -> Result<Tree> {
    let mut parser = Parser {
        characters: pattern.chars().collect(),
        at: 0,
        flags,
        pieces: Vec::new(),
        groups: 0,
        depth: 0,
    };
    parser.prefix()?;
    let root = match parser.flags.literal {
        true => {
            let rest = parser.characters.split_off(parser.at);
            let letters = rest
                .into_iter()
                .map(|letter| parser.piece(letter_of(letter)));
            let letters = letters.collect::<Result<Vec<_>>>()?;
            parser.piece(Piece::Sequence(letters))?
        }
        false => {
            let root = parser.alternatives()?;
            if parser.peek().is_some() {
                return Err(invalid("parentheses () not balanced"));
            }
            root
        }
    };
    Ok(Tree {
        pieces: parser.pieces,
        root,
        groups: parser.groups,
        any_case: parser.flags.any_case,
    })
}

fn invalid(what: &str) -> Error {
    Error::new(
        Code::InvalidRegex,
        format!("invalid regular expression: {what}"),
    )
}

fn letter_of(letter: char) -> Piece {
    Piece::Class(Class {
        negated: false,
        items: vec![Item::Range(letter, letter)],
    })
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

struct Parser {
    characters: Vec<char>,
    at: usize,
    flags: Flags,
    pieces: Vec<Piece>,
    groups: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn follows(&self, text: &str) -> bool {
        let rest = self.characters.get(self.at..).unwrap_or_default();
        let length = text.chars().count();
        rest.len() >= length && text.chars().eq(rest.iter().take(length).copied())
    }

    fn takes(&mut self, text: &str) -> bool {
        let follows = self.follows(text);
        if follows {
            self.at += text.chars().count();
        }
        follows
    }

    fn piece(&mut self, piece: Piece) -> Result<Place> {
        if self.pieces.len() >= MAX_PIECES {
            return Err(invalid("it is too long"));
        }
        self.pieces.push(piece);
        Ok(self.pieces.len() - 1)
    }

    /// Parses the prefixes `***=` and `***:`, and flags such as `(?i)`.
    fn prefix(&mut self) -> Result<()> {
        if self.takes("***=") {
            self.flags.literal = true;
            return Ok(());
        }
        if self.flags.literal {
            return Ok(());
        }
        self.takes("***:");
        let letters: String = match self.follows("(?") {
            true => {
                let rest = self.characters.iter().skip(self.at + 2);
                rest.take_while(|letter| letter.is_ascii_alphabetic())
                    .collect()
            }
            false => String::new(),
        };
        let end = self.at + 2 + letters.len();
        if letters.is_empty() || self.characters.get(end) != Some(&')') {
            return Ok(());
        }
        for letter in letters.chars() {
            if letter == 'g' {
                return Err(invalid("invalid embedded option"));
            }
            self.flags.add(letter)?;
        }
        self.at = end + 1;
        Ok(())
    }

    /// Skips comments, and white space in expanded syntax.
    fn skip(&mut self) -> Result<()> {
        loop {
            if self.takes("(?#") {
                loop {
                    match self.next() {
                        Some(')') => break,
                        Some(_) => {}
                        None => return Err(invalid("parentheses () not balanced")),
                    }
                }
            } else if self.flags.expanded && self.peek().is_some_and(char::is_whitespace) {
                self.at += 1;
            } else if self.flags.expanded && self.peek() == Some('#') {
                while self.peek().is_some_and(|letter| letter != '\n') {
                    self.at += 1;
                }
            } else {
                return Ok(());
            }
        }
    }

    fn alternatives(&mut self) -> Result<Place> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(invalid("its groups nest too deeply"));
        }
        let mut branches = vec![self.sequence()?];
        while self.takes("|") {
            branches.push(self.sequence()?);
        }
        self.depth -= 1;
        match branches.as_slice() {
            [only] => Ok(*only),
            _ => self.piece(Piece::Either(branches)),
        }
    }

    fn sequence(&mut self) -> Result<Place> {
        let mut pieces = Vec::new();
        loop {
            self.skip()?;
            match self.peek() {
                None | Some('|') => break,
                Some(')') => break,
                Some(_) => pieces.push(self.quantified()?),
            }
        }
        match pieces.as_slice() {
            [] => self.piece(Piece::Empty),
            [only] => Ok(*only),
            _ => self.piece(Piece::Sequence(pieces)),
        }
    }

    fn quantified(&mut self) -> Result<Place> {
        let atom = self.atom()?;
        self.skip()?;
        let Some((least, most, fixed)) = self.bounds()? else {
            return Ok(atom);
        };
        if matches!(
            self.pieces.get(atom),
            Some(Piece::Edge(_) | Piece::Look { .. })
        ) {
            return Err(invalid("quantifier operand invalid"));
        }
        let lazy = self.takes("?");
        self.skip()?;
        if self.bounds()?.is_some() {
            return Err(invalid("quantifier operand invalid"));
        }
        self.piece(Piece::Repeat {
            inner: atom,
            least,
            most,
            lazy,
            fixed,
        })
    }

    /// Parses a quantifier, if one follows: the least and the most repetitions, and whether they are
    /// written as one number.
    fn bounds(&mut self) -> Result<Option<(u32, Option<u32>, bool)>> {
        Ok(Some(match self.peek() {
            Some('*') => {
                self.at += 1;
                (0, None, false)
            }
            Some('+') => {
                self.at += 1;
                (1, None, false)
            }
            Some('?') => {
                self.at += 1;
                (0, Some(1), false)
            }
            Some('{') if self.begins_bound() => {
                self.at += 1;
                let least = self.number()?;
                let (most, fixed) = match self.takes(",") {
                    false => (Some(least), true),
                    true if self.peek() == Some('}') => (None, false),
                    true => (Some(self.number()?), false),
                };
                if !self.takes("}") {
                    return Err(invalid("braces {} not balanced"));
                }
                if most.is_some_and(|most| most < least) {
                    return Err(invalid("invalid repetition count(s)"));
                }
                (least, most, fixed)
            }
            _ => return Ok(None),
        }))
    }

    fn begins_bound(&self) -> bool {
        self.characters
            .get(self.at + 1)
            .is_some_and(char::is_ascii_digit)
    }

    fn number(&mut self) -> Result<u32> {
        let mut number = 0u32;
        let mut digits = 0;
        while let Some(digit) = self.peek().and_then(|digit| digit.to_digit(10)) {
            number = number.saturating_mul(10).saturating_add(digit);
            digits += 1;
            self.at += 1;
        }
        if digits == 0 || number > MAX_BOUND {
            return Err(invalid("invalid repetition count(s)"));
        }
        Ok(number)
    }

    fn atom(&mut self) -> Result<Place> {
        let piece = match self.next() {
            Some('(') => return self.group(),
            Some('[') => match () {
                () if self.takes("[:<:]]") => Piece::Edge(Edge::WordStart),
                () if self.takes("[:>:]]") => Piece::Edge(Edge::WordEnd),
                () => Piece::Class(self.brackets()?),
            },
            Some('.') => Piece::Class(Class {
                negated: true,
                items: self.newline(),
            }),
            Some('^') if self.flags.edges_of_lines => Piece::Edge(Edge::LineStart),
            Some('^') => Piece::Edge(Edge::TextStart),
            Some('$') if self.flags.edges_of_lines => Piece::Edge(Edge::LineEnd),
            Some('$') => Piece::Edge(Edge::TextEnd),
            Some('\\') => self.escape()?,
            Some('*' | '+' | '?') => return Err(invalid("quantifier operand invalid")),
            Some('{') if self.peek().is_some_and(|digit| digit.is_ascii_digit()) => {
                return Err(invalid("quantifier operand invalid"));
            }
            Some(letter) => letter_of(letter),
            None => Piece::Empty,
        };
        self.piece(piece)
    }

    fn newline(&self) -> Vec<Item> {
        match self.flags.dot_within_lines {
            true => vec![Item::Range('\n', '\n')],
            false => Vec::new(),
        }
    }

    fn group(&mut self) -> Result<Place> {
        let looks = [
            ("?=", true, false),
            ("?!", true, true),
            ("?<=", false, false),
            ("?<!", false, true),
        ];
        let look = looks.into_iter().find(|(sign, ..)| self.follows(sign)).map(
            |(sign, ahead, negated)| {
                self.takes(sign);
                (ahead, negated)
            },
        );
        let number = match look.is_some() || self.takes("?:") {
            true => None,
            false if self.peek() == Some('?') => {
                return Err(invalid("quantifier operand invalid"));
            }
            false => {
                self.groups += 1;
                Some(self.groups)
            }
        };
        let groups = self.groups;
        let inner = self.alternatives()?;
        if !self.takes(")") {
            return Err(invalid("parentheses () not balanced"));
        }
        if look.is_some() && self.groups > groups {
            return Err(
                Error::not_supported("groups within (?=…) and similar are not supported")
                    .with_hint("write (?:…) for a group that is not captured"),
            );
        }
        self.piece(match look {
            Some((ahead, negated)) => Piece::Look {
                ahead,
                negated,
                inner,
            },
            None => Piece::Group { number, inner },
        })
    }

    /// Parses what follows a backslash.
    fn escape(&mut self) -> Result<Piece> {
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
            '1'..='9' => {
                return Err(Error::not_supported(
                    "back references within a regular expression are not supported",
                ));
            }
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
    fn character(&mut self) -> Result<char> {
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

    fn digits(&mut self, radix: u32, least: usize, most: usize) -> Result<char> {
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

    /// Parses a bracket expression, after its opening bracket.
    fn brackets(&mut self) -> Result<Class> {
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
