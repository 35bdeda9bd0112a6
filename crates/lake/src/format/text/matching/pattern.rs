//! A pattern over one line, within bounds.

use std::fmt;
use std::sync::{Arc, OnceLock};

use fancy_regex::{Captures, Regex};
use lakegate_error::{Error, Result};
use lakegate_regexps::{self as regexps, MAX_COMPILED};

/// What of a line a pattern must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format::text) enum Extent {
    Whole,
    Part,
}

/// A compiled pattern. Lines have no line breaks, so `$` is the end of the text in any case.
#[derive(Clone)]
pub(in crate::format::text) struct LinePattern {
    /// As it was written.
    text: Arc<str>,
    /// For the crate.
    spelled: Arc<str>,
    names: Arc<[(String, usize)]>,
    groups: usize,
    regex: Regex,
    /// Bytes of a line that may be searched.
    longest: usize,
}

impl fmt::Debug for LinePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinePattern")
            .field("text", &self.text)
            .finish_non_exhaustive()
    }
}

impl LinePattern {
    /// # Errors
    /// The pattern is not valid, or too large.
    pub(in crate::format::text) fn new(text: &str, extent: Extent) -> Result<Self> {
        regexps::check_text(text)?;
        let spelling =
            regexps::spell(text, false).map_err(|error| regexps::about(text, error.message()))?;
        let spelled = match extent {
            Extent::Whole => format!("\\A(?:{})\\z", spelling.text),
            Extent::Part => spelling.text,
        };
        let regex = regexps::compile(text, &spelled, MAX_COMPILED)?;
        Ok(Self {
            text: text.into(),
            spelled: spelled.into(),
            names: spelling.names.into(),
            groups: spelling.groups,
            regex,
            longest: regexps::longest(MAX_COMPILED),
        })
    }

    /// Groups that capture, without the match.
    pub(in crate::format::text) fn groups(&self) -> usize {
        self.groups
    }

    /// Names of groups and their numbers, from 1.
    pub(in crate::format::text) fn names(&self) -> &[(String, usize)] {
        &self.names
    }

    /// The groups of the first match in a line, if there is one.
    ///
    /// # Errors
    /// The search takes too many steps, or could take too long for a line of this length.
    pub(in crate::format::text) fn captures<'t>(
        &mut self,
        line: &'t str,
    ) -> Result<Option<Captures<'t, str>>> {
        if line.len() > self.longest {
            // A pattern that takes little room is searched for in long lines too.
            let length = line.len().next_power_of_two();
            regexps::compile(&self.text, &self.spelled, regexps::room(length))?;
            self.longest = length;
        }
        self.regex
            .captures(line)
            .map_err(|error| regexps::failed(&self.text, line.len(), &error))
    }
}

/// The pattern of a scan's files, compiled once.
#[derive(Debug, Clone, Default)]
pub(in crate::format::text) struct Compiled(Arc<OnceLock<LinePattern>>);

impl Compiled {
    /// # Errors
    /// As of `compile`.
    pub(super) fn get_or_compile(
        &self,
        compile: impl FnOnce() -> Result<LinePattern, Error>,
    ) -> Result<LinePattern> {
        if let Some(known) = self.0.get() {
            return Ok(known.clone());
        }
        let compiled = compile()?;
        Ok(self.0.get_or_init(|| compiled).clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Instant;

    use super::*;

    fn matches(pattern: &str, extent: Extent, line: &str) -> bool {
        let mut pattern = LinePattern::new(pattern, extent).unwrap();
        pattern.captures(line).unwrap().is_some()
    }

    #[test]
    fn whole_lines_match_with_each_alternative() {
        for (pattern, line, whole, part) in [
            ("a|ab", "ab", true, true),
            ("a", "ab", false, true),
            ("(?i)A|x", "a", true, true),
            ("^a$", "a", true, true),
            ("a*?", "aaa", true, true),
            ("", "", true, true),
            ("", "a", false, true),
        ] {
            assert_eq!(matches(pattern, Extent::Whole, line), whole, "{pattern}");
            assert_eq!(matches(pattern, Extent::Part, line), part, "{pattern}");
        }
    }

    #[test]
    fn time_of_a_search_is_bounded() {
        let start = Instant::now();
        let mut linear = LinePattern::new("(a*)*b", Extent::Whole).unwrap();
        let line = "a".repeat(1 << 20);
        assert!(linear.captures(&line).unwrap().is_none());
        let mut backtracking = LinePattern::new("(?=a)((?>a?)a?)*b", Extent::Whole).unwrap();
        // Either answer is right; what counts is that there is one.
        let _ = backtracking.captures(&line);
        let mut large = LinePattern::new("(\\p{L}{1,50}x)", Extent::Part).unwrap();
        let error = large.captures(&"é".repeat(8 << 20)).unwrap_err();
        assert!(error.message().contains("too large"), "{error}");
        assert!(start.elapsed().as_secs() < 60);
    }

    #[test]
    fn pattern_is_compiled_once() {
        let compiled = Compiled::default();
        let first = compiled.get_or_compile(|| LinePattern::new("a", Extent::Whole));
        let second = compiled.get_or_compile(|| LinePattern::new("b", Extent::Whole));
        assert_eq!(&*first.unwrap().text, &*second.unwrap().text);
    }
}
