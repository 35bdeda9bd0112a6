//! Groups, their flags, and references to them.

use std::fmt::Write as _;

use lakegate_error::Error;

use super::{Flags, Group, Last, MAX_GROUPS, Syntax, invalid};

impl Syntax<'_> {
    pub(super) fn refer(&mut self, number: usize) {
        self.backtracks = true;
        self.highest_reference = self.highest_reference.max(number);
        // Digits may follow.
        self.item(&format!("(?:\\{number})"));
    }

    /// Takes as many digits as groups that precede have.
    pub(super) fn reference(&mut self, first: char) {
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

    pub(super) fn named_reference(&mut self) -> Result<(), Error> {
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

    pub(super) fn name(&mut self, end: char) -> Result<String, Error> {
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

    pub(super) fn group(&mut self) -> Result<(), Error> {
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

    pub(super) fn end_of_group(&mut self) -> Result<(), Error> {
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
