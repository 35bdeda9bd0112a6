//! Reads a pattern of Java's syntax, and spells it for the crate `fancy_regex`.

use std::fmt::Write as _;
use std::str::Chars;

use lakegate_error::{Code, Error};

use super::classes;
use super::escapes::{self, Escape};

/// Largest number of a repetition, as in Joni.
const MAX_REPEAT: u32 = 100_000;
/// Maximum groups of a pattern.
const MAX_GROUPS: usize = 1000;

/// A pattern for the crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spelling {
    pub text: String,
    /// Groups that capture, without the match.
    pub groups: usize,
    pub names: Vec<(String, usize)>,
    /// Whether the crate must backtrack: the time is not linear.
    pub backtracks: bool,
    /// Whether the spelling for texts that end with a newline is another one.
    pub ends_matter: bool,
}

/// Returns an error about a pattern; the caller adds the pattern.
pub(super) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
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
pub(super) struct Syntax<'a> {
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
/// The pattern is not valid.
pub(super) fn spell(pattern: &str, before_newline: bool) -> Result<Spelling, Error> {
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
    pub(super) fn next(&mut self) -> Option<char> {
        self.chars.next()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.chars.clone().next()
    }

    /// Takes the next character if it is this one.
    pub(super) fn eat(&mut self, character: char) -> bool {
        let is = self.peek() == Some(character);
        if is {
            self.next();
        }
        is
    }

    pub(super) fn rest(&self) -> &str {
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

    fn refer(&mut self, number: usize) {
        self.backtracks = true;
        self.highest_reference = self.highest_reference.max(number);
        // Digits may follow.
        self.item(&format!("(?:\\{number})"));
    }

    /// Takes as many digits as groups that precede have.
    fn reference(&mut self, first: char) {
        let mut number = first.to_digit(10).unwrap_or(0) as usize;
        while let Some(digit) = self.peek().and_then(|next| next.to_digit(10)) {
            let longer = number * 10 + digit as usize;
            if longer > self.groups {
                break;
            }
            number = longer;
            self.next();
        }
        self.refer(number);
    }

    fn named_reference(&mut self) -> Result<(), Error> {
        let name = match self.next() {
            Some('<') => self.name('>')?,
            Some('\'') => self.name('\'')?,
            _ => return Err(invalid("\\k lacks a name such as \\k<name>")),
        };
        let found = self.names.iter().find(|(known, _)| *known == name);
        let Some(&(_, number)) = found else {
            return Err(invalid(format!(
                "\\k<{name}> refers to a group that it lacks"
            )));
        };
        self.refer(number);
        Ok(())
    }

    fn name(&mut self, end: char) -> Result<String, Error> {
        let mut name = String::new();
        loop {
            match self.next() {
                Some(next) if next == end && !name.is_empty() => return Ok(name),
                Some(next)
                    if (next.is_alphabetic() || next == '_' || !name.is_empty())
                        && (next.is_alphanumeric() || next == '_')
                        && name.len() < 128 =>
                {
                    name.push(next);
                }
                _ => return Err(invalid("a group lacks a name such as (?<name>…)")),
            }
        }
    }

    fn group(&mut self) -> Result<(), Error> {
        if !self.eat('?') {
            self.captures()?;
            self.begin("(", self.flags);
            return Ok(());
        }
        match self.next() {
            Some(':') => self.begin("(?:", self.flags),
            Some('=') => self.looks("(?="),
            Some('!') => self.looks("(?!"),
            Some('>') => self.looks("(?>"),
            Some('<') if self.eat('=') => self.looks("(?<="),
            Some('<') if self.eat('!') => self.looks("(?<!"),
            Some('<') => self.named('>')?,
            Some('\'') => self.named('\'')?,
            Some('#') => loop {
                match self.next() {
                    Some(')') => break,
                    Some('\\') => {
                        self.next();
                    }
                    Some(_) => {}
                    None => return Err(invalid("a ( lacks its )")),
                }
            },
            Some(first) => self.set_flags(first)?,
            None => return Err(invalid("a ( lacks its )")),
        }
        Ok(())
    }

    fn captures(&mut self) -> Result<(), Error> {
        self.groups += 1;
        if self.groups > MAX_GROUPS {
            return Err(invalid(format!("it has more than {MAX_GROUPS} groups")));
        }
        Ok(())
    }

    fn named(&mut self, end: char) -> Result<(), Error> {
        let name = self.name(end)?;
        if self.names.iter().any(|(known, _)| *known == name) {
            return Err(invalid(format!("two groups are named {name}")));
        }
        self.captures()?;
        self.names.push((name, self.groups));
        self.begin("(", self.flags);
        Ok(())
    }

    fn looks(&mut self, opening: &str) {
        self.backtracks = true;
        self.begin(opening, self.flags);
    }

    fn begin(&mut self, opening: &str, flags: Flags) {
        self.open.push(Group {
            flags: self.flags,
            started: true,
            late_flags: self.late_flags,
        });
        self.spelled.push_str(opening);
        self.flags = flags;
        self.started = false;
        self.late_flags = false;
        self.last = Last::Nothing;
    }

    fn end_of_group(&mut self) -> Result<(), Error> {
        let Some(group) = self.open.pop() else {
            return Err(invalid("a ) lacks its ("));
        };
        self.spelled.push(')');
        self.flags = group.flags;
        self.started = group.started;
        self.late_flags = group.late_flags;
        self.last = Last::Item;
        Ok(())
    }

    /// `(?i)`, `(?i-s)` and `(?i:…)`.
    fn set_flags(&mut self, first: char) -> Result<(), Error> {
        let mut flags = self.flags;
        let mut on = true;
        let mut next = Some(first);
        let is_group = loop {
            match next {
                Some('i') => flags.any_case = on,
                Some('m') => flags.lines = on,
                Some('s') => flags.dot_is_all = on,
                Some('x') => flags.comments = on,
                Some('-') if on => on = false,
                Some(':') => break true,
                Some(')') => break false,
                Some(other) => {
                    return Err(invalid(format!(
                        "the flag {other} of (?{other}) is not supported; i, m, s and x are"
                    )));
                }
                None => return Err(invalid("a ( lacks its )")),
            }
            next = self.next();
        };
        let any_case = match (self.flags.any_case, flags.any_case) {
            (false, true) => "i",
            (true, false) => "-i",
            _ => "",
        };
        if is_group {
            let mut opening = String::new();
            // Writing to a string cannot fail.
            let _ = write!(opening, "(?{any_case}:");
            self.begin(&opening, flags);
            return Ok(());
        }
        self.late_flags |= self.started;
        self.flags = flags;
        if !any_case.is_empty() {
            let _ = write!(self.spelled, "(?{any_case})");
        }
        self.last = Last::Nothing;
        Ok(())
    }
}
