//! What only PostgreSQL's paths have: `.**` and `like_regex`.

use super::super::LEAVES;
use super::super::template::Template;
use super::{Accessor, Either, Node, Parsed, Parser, Predicate};

impl Parser<'_> {
    /// The pattern of `left like_regex "pattern" flag "i"`, and its flags.
    pub(super) fn like_regex(&mut self, left: Node) -> Parsed<Either> {
        let pattern = self.quoted()?;
        let flags = match self.word("flag") {
            true => self.quoted()?,
            false => String::new(),
        };
        let pattern = with_flags(&pattern, &flags)?;
        let like = Predicate::LikeRegex(Box::new(left), pattern);
        Ok(Either::Predicate(like))
    }

    /// The levels of `**`: all, or those in braces.
    pub(super) fn levels(&mut self) -> Parsed<Accessor> {
        if !self.symbol("{") {
            return Ok(Accessor::Levels(0, LEAVES));
        }
        let first = self.level()?;
        let last = match self.word("to") {
            true => self.level()?,
            false => first,
        };
        self.expect("}", "'}' is expected")?;
        Ok(Accessor::Levels(first, last))
    }

    fn level(&mut self) -> Parsed<u32> {
        if self.word("last") {
            return Ok(LEAVES);
        }
        self.space();
        let end = self.rest.find(|char: char| !char.is_ascii_digit());
        let (digits, _) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let level = digits.parse().map_err(|_| "a level is expected")?;
        self.skip(digits.len());
        Ok(level)
    }

    /// The template of `datetime("HH24:MI")`, after its parenthesis.
    pub(super) fn template(&mut self) -> Parsed<Accessor> {
        let template = Template::of(&self.quoted()?)?;
        self.expect(")", "')' is expected")?;
        Ok(Accessor::Templated(template))
    }

    /// A text that must be in quotes.
    fn quoted(&mut self) -> Parsed<String> {
        self.space();
        match self.rest.starts_with('"') {
            true => self.string(),
            false => Err("a text in quotes is expected"),
        }
    }
}

/// Returns a pattern of `like_regex` with its flags, as Java writes them.
fn with_flags(pattern: &str, flags: &str) -> Parsed<String> {
    let mut own = String::new();
    let mut literal = false;
    for flag in flags.chars() {
        match flag {
            'i' | 's' | 'm' => own.push(flag),
            'q' => literal = true,
            'x' => return Err("the flag x of like_regex is not supported"),
            _ => return Err("a flag of like_regex is none of i, s, m and q"),
        }
    }
    let mut spelled = match own.is_empty() {
        true => String::new(),
        false => format!("(?{own})"),
    };
    for char in pattern.chars() {
        if literal && char.is_ascii_punctuation() {
            spelled.push('\\');
        }
        spelled.push(char);
    }
    Ok(spelled)
}
