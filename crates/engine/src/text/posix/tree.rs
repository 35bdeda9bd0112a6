//! The syntax tree of a pattern, and the flags of its parsing.

use lakegate_error::{Code, Error};

type Result<T> = std::result::Result<T, Error>;

/// A piece of a pattern, as an index into [`Tree::pieces`].
pub(super) type Place = usize;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Matches the empty text anywhere.
    Empty,
    /// One character.
    Class(Class),
    Edge(Edge),
    /// The text of a group again.
    Back {
        number: usize,
        /// What the group's pattern is without edges and groups: what may match here.
        like: Place,
    },
    /// A lookahead or lookbehind, which is not part of the match.
    Look {
        ahead: bool,
        negated: bool,
        inner: Place,
    },
    Group {
        /// Starts at 1; `None` for `(?:…)`.
        number: Option<usize>,
        inner: Place,
    },
    Sequence(Vec<Place>),
    Either(Vec<Place>),
    Repeat {
        inner: Place,
        least: u32,
        most: Option<u32>,
        /// Matches as little as possible.
        lazy: bool,
        /// Written `{m}`, and not `{m,m}`: it prefers more or fewer characters as its part does.
        fixed: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordStart,
    WordEnd,
    Word,
    NoWord,
}

/// A set of characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Class {
    pub negated: bool,
    pub items: Vec<Item>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Range(char, char),
    Named(Name),
    Except(Name),
}

/// Named character classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Alnum,
    Alpha,
    Blank,
    Cntrl,
    Digit,
    Graph,
    Lower,
    Print,
    Punct,
    Space,
    Upper,
    Word,
    XDigit,
}

/// The syntax tree of a pattern.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub pieces: Vec<Piece>,
    pub root: Place,
    /// Number of capturing groups.
    pub groups: usize,
    pub any_case: bool,
}

/// The flags of a function call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub any_case: bool,
    /// `.` and `[^…]` do not match a newline.
    pub dot_within_lines: bool,
    /// `^` and `$` match at the edges of lines.
    pub edges_of_lines: bool,
    pub expanded: bool,
    pub literal: bool,
    /// Find all matches instead of the first.
    pub global: bool,
}

impl Flags {
    /// Parses the letters of a flags argument.
    ///
    /// # Errors
    ///
    /// Returns an error for a letter that is not a flag.
    pub(super) fn of(letters: &str) -> Result<Self> {
        let mut flags = Self::default();
        for letter in letters.chars() {
            flags.add(letter)?;
        }
        Ok(flags)
    }

    /// Sets the flag of a letter.
    ///
    /// # Errors
    ///
    /// Returns an error for a letter that is not a flag.
    pub(super) fn add(&mut self, letter: char) -> Result<()> {
        let lines = |flags: &mut Self, dot, edges| {
            flags.dot_within_lines = dot;
            flags.edges_of_lines = edges;
        };
        match letter {
            'g' => self.global = true,
            'i' => self.any_case = true,
            'c' => self.any_case = false,
            'n' | 'm' => lines(self, true, true),
            'p' => lines(self, true, false),
            's' => lines(self, false, false),
            'w' => lines(self, false, true),
            'x' => self.expanded = true,
            't' => self.expanded = false,
            'q' => self.literal = true,
            'b' | 'e' => {
                return Err(Error::not_supported(format!(
                    "regular expressions with the flag \"{letter}\" are not supported"
                ))
                .with_hint("write an advanced regular expression, which needs no flag"));
            }
            other => {
                return Err(Error::new(
                    Code::InvalidParameter,
                    format!("invalid regular expression option: \"{other}\""),
                )
                .with_hint("options are c, g, i, m, n, p, q, s, t, w and x"));
            }
        }
        Ok(())
    }
}
