//! Reads a pattern of Java's syntax, and spells it for the crate `fancy_regex`.

mod groups;

use std::str::Chars;

use lakegate_error::{Code, Error};

use crate::classes;
use crate::escapes::{self, Escape};

/// Largest number of a repetition, as in Joni.
const MAX_REPEAT: u32 = 100_000;
/// Maximum groups of a pattern.
const MAX_GROUPS: usize = 1000;

/// A pattern as the crate `fancy_regex` reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    pub text: String,
    /// Groups that capture, without the match.
    pub groups: usize,
    /// Names of groups and their numbers, from 1.
    pub names: Vec<(String, usize)>,
    /// Whether the crate must backtrack: the time is not linear.
    pub backtracks: bool,
    /// Whether the spelling for texts that end with a newline is another one.
    pub ends_matter: bool,
}

/// Returns an error about a pattern; the caller adds the pattern.
pub(crate) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::InvalidParameter, message)
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Flags {
    any_case: bool,
    lines: bool,
    dot_is_all: bool,
    comments: bool,
}

/// A group that is open.
#[derive(Debug, Default)]
struct Group {
    flags: Flags,
    /// Whether something precedes in the group.
    started: bool,
    /// Whether flags changed after something.
    late_flags: bool,
}

/// What precedes a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Anchor,
    Item,
    Repeated,
}

/// The reader of a pattern.
#[derive(Debug)]
pub(crate) struct Syntax<'a> {
    chars: Chars<'a>,
    spelled: String,
    groups: usize,
    names: Vec<(String, usize)>,
    highest_reference: usize,
    open: Vec<Group>,
    flags: Flags,
    started: bool,
    late_flags: bool,
    last: Last,
    /// For texts that end with a newline.
    before_newline: bool,
    backtracks: bool,
    ends_matter: bool,
}

/// Spells a pattern; `before_newline` for texts that end with a newline, where `$` is at two places.
///
/// # Errors
///
/// The pattern is not valid. The caller adds which one it is: see [`about`](crate::about).
pub fn spell(pattern: &str, before_newline: bool) -> Result<Spelling, Error> {
    let mut syntax = Syntax {
        chars: pattern.chars(),
        spelled: String::with_capacity(pattern.len() + 16),
        groups: 0,
        names: Vec::new(),
        highest_reference: 0,
        open: Vec::new(),
        flags: Flags::default(),
        started: false,
        late_flags: false,
        last: Last::Nothing,
        before_newline,
        backtracks: false,
        ends_matter: false,
    };
    while let Some(next) = syntax.next() {
        syntax.part(next)?;
    }
    if !syntax.open.is_empty() {
        return Err(invalid("a ( lacks its )"));
    }
    if syntax.highest_reference > syntax.groups {
        let number = syntax.highest_reference;
        return Err(invalid(format!(
            "\\{number} refers to a group that it lacks"
        )));
    }
    Ok(Spelling {
        text: syntax.spelled,
        groups: syntax.groups,
        names: syntax.names,
        backtracks: syntax.backtracks,
        ends_matter: syntax.ends_matter,
    })
}

impl Syntax<'_> {
    pub(crate) fn next(&mut self) -> Option<char> {
        self.chars.next()
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.chars.clone().next()
    }

    /// Takes the next character if it is this one.
    pub(crate) fn eat(&mut self, character: char) -> bool {
        let is = self.peek() == Some(character);
        if is {
            self.next();
        }
        is
    }

    pub(crate) fn rest(&self) -> &str {
        self.chars.as_str()
    }

    fn part(&mut self, next: char) -> Result<(), Error> {
        if self.flags.comments {
            match next {
                ' ' | '\t' | '\n' | '\r' | '\u{c}' => return Ok(()),
                '#' => {
                    while self.next().is_some_and(|next| next != '\n') {}
                    return Ok(());
                }
                _ => {}
            }
        }
        match next {
            '\\' => self.escape(),
            '[' => {
                let class = classes::read(self, 0)?;
                self.item(&class);
                Ok(())
            }
            '(' => self.group(),
            ')' => self.end_of_group(),
            '|' => {
                if self.late_flags {
                    return Err(invalid(
                        "flags such as (?i) must be at the start of a group with several alternatives",
                    ));
                }
                self.spelled.push('|');
                self.started = true;
                self.last = Last::Nothing;
                Ok(())
            }
            '.' => {
                let any = if self.flags.dot_is_all { "(?s:.)" } else { "." };
                self.item(any);
                Ok(())
            }
            '^' => {
                match (self.flags.lines, self.before_newline) {
                    (false, _) => self.anchor("\\A"),
                    (true, false) => {
                        self.ends_matter = true;
                        self.anchor("(?m:^)");
                    }
                    (true, true) => {
                        self.backtracks = true;
                        self.anchor("(?:\\A|(?m:^)(?!\\z))");
                    }
                }
                Ok(())
            }
            '$' => {
                match self.flags.lines {
                    true => self.anchor("(?m:$)"),
                    false => self.end(),
                }
                Ok(())
            }
            '*' => self.repeat("*"),
            '+' => self.repeat("+"),
            '?' => self.repeat("?"),
            '{' => match self.interval()? {
                Some(interval) => self.repeat(&interval),
                None => {
                    self.literal('{');
                    Ok(())
                }
            },
            other => {
                self.literal(other);
                Ok(())
            }
        }
    }

    /// The end, or the place before a newline that ends the text.
    fn end(&mut self) {
        if self.before_newline {
            self.backtracks = true;
            self.anchor("(?=\\n?\\z)");
        } else {
            self.ends_matter = true;
            self.anchor("\\z");
        }
    }

    fn item(&mut self, item: &str) {
        self.spelled.push_str(item);
        self.started = true;
        self.last = Last::Item;
    }

    fn anchor(&mut self, anchor: &str) {
        self.item(anchor);
        self.last = Last::Anchor;
    }

    fn literal(&mut self, character: char) {
        if "\\.+*?()|[]{}^$".contains(character) {
            self.spelled.push('\\');
        }
        self.spelled.push(character);
        self.started = true;
        self.last = Last::Item;
    }

    fn repeat(&mut self, operator: &str) -> Result<(), Error> {
        match self.last {
            Last::Item => {}
            Last::Nothing => return Err(invalid(format!("{operator} lacks what it repeats"))),
            Last::Anchor => return Err(invalid(format!("{operator} cannot repeat a place"))),
            Last::Repeated => {
                return Err(invalid(format!(
                    "{operator} repeats a repetition; put that into a group: (?:…)"
                )));
            }
        }
        self.spelled.push_str(operator);
        if self.eat('?') {
            self.spelled.push('?');
        } else if self.eat('+') {
            self.spelled.push('+');
            self.backtracks = true;
        }
        self.last = Last::Repeated;
        Ok(())
    }

    /// Reads `n}`, `n,}` or `n,m}` after a `{`; anything else makes it a character.
    fn interval(&mut self) -> Result<Option<String>, Error> {
        let Some((bounds, _)) = self.rest().split_once('}') else {
            return Ok(None);
        };
        let (low, high) = match bounds.split_once(',') {
            None => (bounds, None),
            Some((low, high)) => (low, Some(high)),
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(low) || !high.is_none_or(|high| high.is_empty() || is_number(high)) {
            return Ok(None);
        }
        let number = |text: &str| match text.parse::<u32>() {
            Ok(number) if number <= MAX_REPEAT => Ok(number),
            _ => Err(invalid(format!(
                "more than {MAX_REPEAT} repetitions are not supported"
            ))),
        };
        let lowest = number(low)?;
        let interval = match high {
            None => format!("{{{lowest}}}"),
            Some("") => format!("{{{lowest},}}"),
            Some(high) => {
                let highest = number(high)?;
                if lowest > highest {
                    return Err(invalid(format!("{{{low},{high}}} is empty")));
                }
                format!("{{{lowest},{highest}}}")
            }
        };
        let length = bounds.len() + 1;
        for _ in 0..length {
            self.next();
        }
        Ok(Some(interval))
    }

    fn escape(&mut self) -> Result<(), Error> {
        let Some(letter) = self.next() else {
            return Err(invalid("it ends with \\"));
        };
        match letter {
            'Q' => {
                while let Some(next) = self.next() {
                    if next == '\\' && self.eat('E') {
                        break;
                    }
                    self.literal(next);
                }
            }
            // The end of a quotation that is not open.
            'E' => {}
            'A' => self.anchor("\\A"),
            'Z' => self.end(),
            'z' => self.anchor("\\z"),
            'b' => self.anchor("\\b"),
            'B' => self.anchor("\\B"),
            'G' => {
                self.backtracks = true;
                self.anchor("\\G");
            }
            'R' => {
                self.backtracks = true;
                self.item("(?>\\r\\n|[\\n-\\r\\x{85}\\x{2028}\\x{2029}])");
            }
            'k' => self.named_reference()?,
            '1'..='9' => self.reference(letter),
            letter => match escapes::read(self, letter)? {
                Escape::Char(character) => self.literal(character),
                // Only the letters of a pattern match in any case, not its sets.
                set => {
                    let class = classes::of_escape(&set);
                    match self.flags.any_case {
                        true => self.item(&format!("(?-i:{class})")),
                        false => self.item(&class),
                    }
                }
            },
        }
        Ok(())
    }
}
