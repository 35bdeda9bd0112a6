//! Parses patterns as PostgreSQL parses advanced regular expressions.

mod back;
mod brackets;
mod escapes;

use lakegate_error::{Code, Error};

use super::tree::{Class, Edge, Flags, Item, Piece, Place, Tree};

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
        closed: Vec::new(),
        looks: 0,
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

struct Parser {
    characters: Vec<char>,
    at: usize,
    flags: Flags,
    pieces: Vec<Piece>,
    groups: usize,
    /// What each group holds; `None` until it is closed.
    closed: Vec<Option<Place>>,
    /// How many lookaheads and lookbehinds are open.
    looks: usize,
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
            // What a look finds is not captured.
            false if self.looks > 0 => None,
            false => {
                self.groups += 1;
                self.closed.push(None);
                Some(self.groups)
            }
        };
        let looks = usize::from(look.is_some());
        self.looks += looks;
        let inner = self.alternatives()?;
        self.looks -= looks;
        if !self.takes(")") {
            return Err(invalid("parentheses () not balanced"));
        }
        if let Some(group) = number.and_then(|number| self.closed.get_mut(number - 1)) {
            *group = Some(inner);
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
}
