//! RegexSerDe and GrokSerDe: the columns of a line are the groups of a regular expression.
//!
//! | | RegexSerDe | GrokSerDe |
//! |---|---|---|
//! | pattern | `input.regex`, Java's syntax | `input.format`: `%{NAME:field}` among Java's syntax |
//! | a line matches | as a whole | if it contains a match |
//! | column | the group of its position; as many groups as columns | the fields of its name |
//!
//! Both: a line that does not match is a row of NULLs. So is a column whose group takes no part in
//! the match, or holds what is not a value of the column's type (`-` in a number). Nested columns are
//! refused. Grok's values lose the quotes around them, as the library java-grok does it, and of
//! several groups for one column the first in the match counts; fields that are named go before
//! patterns that are not.

mod grok;
mod options;
mod pattern;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use lakegate_error::{Code, Error, Result};

pub use self::grok::GrokOptions;
pub use self::options::RegexOptions;
pub(super) use self::pattern::Compiled;
use self::pattern::{Extent, LinePattern};
use super::rows::{BadRow, RowDecoder, Rows};
use super::scalars::{BinaryText, Epoch, Fractions, ScalarRules};

/// How long lines are matched until others have their turn: a pattern may take long for each.
const TURN: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct MatchDecoder {
    rows: Rows,
    /// For each projected column its groups in the pattern, the most wanted first.
    groups: Vec<Vec<usize>>,
    pattern: LinePattern,
    rules: ScalarRules,
    unquotes: bool,
    turn: Instant,
}

impl MatchDecoder {
    /// `fields`: the group of each projected column, from 0. `width`: the columns of the table;
    /// `seen`: those that the principal may select.
    ///
    /// # Errors
    /// The pattern is not valid, or has not one group for each column; a nested column.
    pub(super) fn regex(
        rows: Rows,
        options: &RegexOptions,
        fields: &[usize],
        width: usize,
        seen: usize,
        compiled: &Compiled,
    ) -> Result<Self> {
        let pattern = compiled.get_or_compile(|| regex_pattern(options))?;
        if seen < width && pattern.groups() != width {
            // The numbers would show how many columns are hidden.
            return Err(Error::new(
                Code::InvalidTable,
                "'input.regex' has not one group for each column",
            ));
        }
        check_width(pattern.groups(), width)?;
        let groups = fields.iter().map(|field| vec![field + 1]).collect();
        Self::new(rows, groups, pattern, false, "RegexSerDe")
    }

    /// # Errors
    /// The pattern is not valid, or too large; a nested column.
    pub(super) fn grok(rows: Rows, options: &GrokOptions, compiled: &Compiled) -> Result<Self> {
        let names: Vec<&str> = (0..rows.columns.len())
            .map(|column| rows.name(column))
            .collect();
        let expanded = options.expand(&|field| names.contains(&field))?;
        let pattern = compiled
            .get_or_compile(|| LinePattern::new(&expanded.pattern, Extent::Part))
            .map_err(|error| in_property("input.format", &error))?;
        let groups = names
            .iter()
            .map(|name| expanded.groups(name, pattern.names()))
            .collect();
        Self::new(rows, groups, pattern, true, "GrokSerDe")
    }

    fn new(
        rows: Rows,
        groups: Vec<Vec<usize>>,
        pattern: LinePattern,
        unquotes: bool,
        serde: &str,
    ) -> Result<Self> {
        rows.check_flat(serde)?;
        Ok(Self {
            rows,
            groups,
            pattern,
            rules: ScalarRules {
                fractions: Fractions::Refuse,
                epoch: Epoch::Refuse,
                binary: BinaryText::Raw,
                patterns: Vec::new(),
            },
            unquotes,
            turn: Instant::now(),
        })
    }

    fn row(&mut self, line: &[u8]) -> Result<(), BadRow> {
        if self.groups.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let text: Cow<'_, str> = String::from_utf8_lossy(line);
        let found = self.pattern.captures(&text);
        let found = found.map_err(|error| BadRow(error.message().to_owned()))?;
        let Some(found) = found else {
            self.rows.malformed += 1;
            return Ok(());
        };
        for (column, groups) in self.rows.columns.iter_mut().zip(&self.groups) {
            let group = groups.iter().find_map(|group| found.get(*group));
            let Some(value) = group.and_then(|group| text.get(group.range())) else {
                continue;
            };
            let value = if self.unquotes {
                unquoted(value)
            } else {
                value
            };
            // What does not fit appends nothing, which is NULL in the end.
            let _ = column.append_text(value, &self.rules);
        }
        Ok(())
    }
}

impl RowDecoder for MatchDecoder {
    fn decode(&mut self, line: &[u8]) -> Result<(), BadRow> {
        let read = self.row(line);
        self.rows.end_row(read)
    }

    fn rows(&mut self) -> &mut Rows {
        &mut self.rows
    }

    fn wants_pause(&mut self) -> bool {
        let wants = self.turn.elapsed() >= TURN;
        if wants {
            self.turn = Instant::now();
        }
        wants
    }
}

/// Compiles the pattern of a table of RegexSerDe.
///
/// # Errors
/// It is not valid, or too large.
pub(super) fn regex_pattern(options: &RegexOptions) -> Result<LinePattern> {
    let flags = if options.case_insensitive { "(?i)" } else { "" };
    LinePattern::new(&format!("{flags}{}", options.regex), Extent::Whole)
        .map_err(|error| in_property("input.regex", &error))
}

/// # Errors
/// The pattern of a table of GrokSerDe is not valid, or too large.
pub(super) fn check_grok(options: &GrokOptions) -> Result<()> {
    let expanded = options.expand(&|_| true)?;
    LinePattern::new(&expanded.pattern, Extent::Part)
        .map(|_| ())
        .map_err(|error| in_property("input.format", &error))
}

/// # Errors
/// The pattern has not one group for each column of the table.
pub(super) fn check_width(groups: usize, width: usize) -> Result<()> {
    if groups == width {
        return Ok(());
    }
    Err(Error::new(
        Code::InvalidTable,
        format!(
            "'input.regex' has {groups} groups, but the table has {width} columns besides its partition keys"
        ),
    )
    .with_hint("write (…) for each column, in their order, and (?:…) for other groups"))
}

pub(super) fn in_property(property: &str, error: &Error) -> Error {
    Error::new(
        Code::InvalidTable,
        format!("'{property}': {}", error.message()),
    )
}

/// A value without the quotes around it.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest
                .strip_suffix(quote)
                .unwrap_or(if rest.is_empty() { rest } else { value });
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_around_a_value_are_no_part_of_it() {
        for (value, expected) in [
            ("\"a b\"", "a b"),
            ("'a'", "a"),
            ("\"\"", ""),
            ("\"", ""),
            ("\"a", "\"a"),
            ("\"a'", "\"a'"),
            ("a\"", "a\""),
            ("", ""),
            ("é", "é"),
        ] {
            assert_eq!(unquoted(value), expected, "{value}");
        }
    }
}
