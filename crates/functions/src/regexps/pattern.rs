//! A compiled pattern, and the search for its matches.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use datafusion::error::Result;
use fancy_regex::{Regex, RegexInput};
use lakegate_engine::stop;
use lakegate_error::Error;
use lakegate_regexps::{self as regexps, MAX_COMPILED, Spelling};
use memchr::memmem::Finder;

/// Bytes of a text from which each search is worth a look at the query's stop.
const LONG: usize = 4096;
/// Patterns that a thread keeps for its next batches.
const KEPT: usize = 4;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    text: String,
    spelling: Spelling,
    regex: Regex,
    /// What each match starts with, if that is known.
    prefix: Option<Finder<'static>>,
    /// For texts that end with a newline, if that matters.
    before_newline: OnceLock<Regex>,
    /// Bytes of a text that may be searched.
    within: AtomicUsize,
}

impl Pattern {
    /// Compiles a pattern of Java's syntax.
    ///
    /// # Errors
    ///
    /// The pattern is not valid, or too large.
    pub(crate) fn new(text: &str) -> Result<Self> {
        regexps::check_text(text)?;
        let spelling = spelled(text, false)?;
        let regex = compiled(text, &spelling.text, MAX_COMPILED)?;
        let prefix = prefix(text).filter(|_| !spelling.backtracks);
        Ok(Self {
            text: text.to_owned(),
            prefix: prefix.map(|prefix| Finder::new(prefix).into_owned()),
            spelling,
            regex,
            before_newline: OnceLock::new(),
            within: AtomicUsize::new(regexps::longest(MAX_COMPILED)),
        })
    }

    /// Returns the pattern as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the number of groups, without the match.
    pub(crate) fn groups(&self) -> usize {
        self.spelling.groups
    }

    /// Returns the number of a named group.
    pub(crate) fn group(&self, name: &str) -> Option<usize> {
        let mut names = self.spelling.names.iter();
        names
            .find(|(known, _)| known == name)
            .map(|(_, number)| *number)
    }

    /// Returns the pattern for a text.
    ///
    /// # Errors
    ///
    /// The search could take too long, or the query was stopped.
    fn of(&self, text: &str) -> Result<&Regex> {
        if self.spelling.backtracks || text.len() >= LONG {
            stop::check()?;
        }
        self.check_length(text.len())?;
        if !self.spelling.ends_matter || !text.ends_with('\n') {
            return Ok(&self.regex);
        }
        if let Some(regex) = self.before_newline.get() {
            return Ok(regex);
        }
        let spelling = spelled(&self.text, true)?;
        let regex = compiled(&self.text, &spelling.text, MAX_COMPILED)?;
        Ok(self.before_newline.get_or_init(|| regex))
    }

    /// The time is at worst the product of the lengths. So for a long text, the pattern is compiled
    /// within what the text leaves for it.
    fn check_length(&self, length: usize) -> Result<()> {
        if length <= self.within.load(Ordering::Relaxed) {
            return Ok(());
        }
        let length = length.checked_next_power_of_two().unwrap_or(usize::MAX);
        compiled(&self.text, &self.spelling.text, regexps::room(length))?;
        self.within.store(length, Ordering::Relaxed);
        Ok(())
    }

    /// # Errors
    ///
    /// The search takes too long, or the query was stopped.
    pub(crate) fn is_match(&self, text: &str) -> Result<bool> {
        let regex = self.of(text)?;
        Ok(regex
            .is_match(text)
            .map_err(|error| self.failed(text, &error))?)
    }

    /// Returns the first match at or after a byte.
    ///
    /// # Errors
    ///
    /// The search takes too long, or the query was stopped.
    pub(crate) fn find(&self, text: &str, from: usize) -> Result<Option<Range<usize>>> {
        if from > text.len() {
            return Ok(None);
        }
        let found = self
            .of(text)?
            .find_input(RegexInput::new(text).from_pos(from));
        let found = found.map_err(|error| self.failed(text, &error))?;
        Ok(found.map(|found| found.range()))
    }

    /// Returns the groups of the first match at or after a byte; group 0 is the match.
    ///
    /// # Errors
    ///
    /// The search takes too long, or the query was stopped.
    pub(crate) fn captures<'t>(&self, text: &'t str, from: usize) -> Result<Option<Groups<'t>>> {
        let Some(rest) = text.as_bytes().get(from..) else {
            return Ok(None);
        };
        let regex = self.of(text)?;
        let failed = |error: fancy_regex::Error| self.failed(text, &error);
        let mut input = RegexInput::new(text).from_pos(from);
        // The first match is usually at the first place where one may start, and groups are found
        // faster at a known place. There is one try, so that the time stays linear.
        let prefix = self.prefix.as_ref();
        if let Some(prefix) = prefix.filter(|_| std::ptr::eq(regex, &self.regex)) {
            let Some(at) = prefix.find(rest) else {
                return Ok(None);
            };
            input = input.from_pos(from + at);
            let here = regex.captures_input(input.clone().anchored(true));
            if let Some(groups) = here.map_err(failed)? {
                return Ok(Some(Groups(groups)));
            }
        }
        let found = regex.captures_input(input);
        Ok(found.map_err(failed)?.map(Groups))
    }

    fn failed(&self, text: &str, error: &fancy_regex::Error) -> Error {
        regexps::failed(&self.text, text.len(), error)
    }
}

/// The groups of a match.
#[derive(Debug)]
pub(crate) struct Groups<'t>(fancy_regex::Captures<'t, str>);

impl Groups<'_> {
    /// Returns the bytes of a group; `None` if it is not in the match.
    pub(crate) fn get(&self, group: usize) -> Option<Range<usize>> {
        self.0.get(group).map(|found| found.range())
    }

    /// Returns the bytes of the match.
    pub(crate) fn whole(&self) -> Range<usize> {
        self.get(0).unwrap_or(0..0)
    }
}

/// Returns the characters that each match of a pattern starts with, if they are easy to see.
fn prefix(pattern: &str) -> Option<&str> {
    /// Bytes of a prefix that is worth a search of its own.
    const LEAST: usize = 2;
    if pattern.contains('|') {
        return None;
    }
    let end = pattern.find(|one| "\\[](){}.^$*+?#".contains(one));
    let end = end.unwrap_or(pattern.len());
    let (characters, after) = pattern.split_at(end);
    // What follows may repeat the last one, or make it optional.
    let last = match after.chars().next() {
        Some('*' | '+' | '?' | '{') => characters.chars().next_back().map_or(0, char::len_utf8),
        _ => 0,
    };
    let prefix = characters.get(..characters.len() - last)?;
    (prefix.len() >= LEAST).then_some(prefix)
}

/// Returns where the search goes on after a match.
pub(crate) fn after(text: &str, found: &Range<usize>) -> usize {
    if !found.is_empty() {
        return found.end;
    }
    let next = text.get(found.end..).and_then(|rest| rest.chars().next());
    found.end + next.map_or(1, char::len_utf8)
}

fn spelled(pattern: &str, before_newline: bool) -> Result<Spelling> {
    let spelling = regexps::spell(pattern, before_newline);
    Ok(spelling.map_err(|error| regexps::about(pattern, error.message()))?)
}

fn compiled(pattern: &str, spelled: &str, within: usize) -> Result<Regex> {
    stop::check()?;
    Ok(regexps::compile(pattern, spelled, within)?)
}

thread_local! {
    /// The patterns that the thread used last.
    static RECENT: RefCell<Vec<Arc<Pattern>>> = const { RefCell::new(Vec::new()) };
}

/// The pattern of the last row, for the next one.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    last: Option<Arc<Pattern>>,
}

impl Patterns {
    /// Returns the compiled pattern.
    ///
    /// # Errors
    ///
    /// The pattern is not valid, or too large.
    #[inline]
    pub(crate) fn get(&mut self, text: &str) -> Result<&Pattern> {
        let known = match self.last.take() {
            Some(last) if last.text == text => last,
            _ => recent(text)?,
        };
        Ok(self.last.insert(known))
    }
}

fn recent(text: &str) -> Result<Arc<Pattern>> {
    let found = RECENT.with_borrow_mut(|recent| {
        let place = recent.iter().position(|pattern| pattern.text == text)?;
        let pattern = recent.remove(place);
        recent.push(Arc::clone(&pattern));
        Some(pattern)
    });
    if let Some(pattern) = found {
        return Ok(pattern);
    }
    let pattern = Arc::new(Pattern::new(text)?);
    RECENT.with_borrow_mut(|recent| {
        if recent.len() >= KEPT {
            recent.remove(0);
        }
        recent.push(Arc::clone(&pattern));
    });
    Ok(pattern)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn prefixes_are_what_each_match_starts_with() {
        for (pattern, expected) in [
            ("path/([0-9]+)", Some("path/")),
            ("été, (a)", Some("été, ")),
            ("abc", Some("abc")),
            ("abc?d", Some("ab")),
            ("abé*", Some("ab")),
            ("ab{2}", None),
            ("a(b)", None),
            ("ab|cd", None),
            ("ab(c|d)", None),
            ("(?i)abc", None),
            ("\\Qabc", None),
            ("[abc]d", None),
            ("^abc", None),
            ("", None),
        ] {
            assert_eq!(prefix(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn groups_of_patterns_with_a_prefix_are_those_of_others() {
        let texts = [
            "",
            "ab",
            "abab12",
            "ab12 ab3",
            "aab1",
            "ab ab ab ab7",
            "éab😀ab5é",
            "AB1",
            "abab1\n",
            "xab12x",
        ];
        for pattern in [
            "ab([0-9]+)",
            "ab([0-9])*",
            "ab(?i)(A?)(b?)",
            "ab([^a]*)([0-9])$",
            "ab(\\b.)",
            "ab([0-9]*?)",
            "ab(x)?([0-9])?",
            "ab(?:ab)+([0-9])",
        ] {
            let with = Pattern::new(pattern).unwrap();
            assert!(with.prefix.is_some(), "{pattern}");
            let mut without = Pattern::new(pattern).unwrap();
            without.prefix = None;
            for text in texts {
                for from in 0..=text.len() {
                    if !text.is_char_boundary(from) {
                        continue;
                    }
                    let all = |pattern: &Pattern| -> Option<Vec<Option<Range<usize>>>> {
                        let groups = pattern.captures(text, from).unwrap()?;
                        Some(
                            (0..=pattern.groups())
                                .map(|group| groups.get(group))
                                .collect(),
                        )
                    };
                    assert_eq!(all(&with), all(&without), "{pattern} {text:?} {from}");
                }
            }
        }
    }
}
