//! Evaluates the functions row by row.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Int32Builder, ListBuilder, StringBuilder,
};
use arrow::datatypes::Int64Type;
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::functions::{Argument, Kind};
use super::search::{Groups, Pattern};
use super::tree::Flags;
use crate::limits::bounded::{check_batch, check_value};
use crate::limits::stop::check;

/// The arguments of a call.
pub(super) struct Call {
    pub kind: Kind,
    /// Each argument's values, and whether they are one value for all rows.
    pub columns: Vec<(Argument, ArrayRef, bool)>,
}

/// Compiled patterns that are cached. If a batch has this many different ones, the cache is
/// cleared.
const MOST_KEPT: usize = 64;

/// Bytes of a group beside its text.
const GROUP_BYTES: usize = 8;

/// A compiled pattern and its flags.
type Known = Rc<(Pattern, Flags)>;

/// Compiled patterns by text and flags, filled as rows are read.
#[derive(Default)]
struct Compiled {
    all: HashMap<(String, String), Known>,
    /// The text, the flags and the pattern of the last row, which most rows have.
    last: Option<(String, String, Known)>,
}

impl Compiled {
    fn of(&mut self, kind: Kind, pattern: &str, flags: &str) -> Result<Known> {
        if let Some((text, with, known)) = &self.last
            && text == pattern
            && with == flags
        {
            return Ok(Rc::clone(known));
        }
        let compiled = self.looked_up(kind, pattern, flags)?;
        let last = Rc::clone(&compiled);
        self.last = Some((pattern.to_owned(), flags.to_owned(), last));
        Ok(compiled)
    }

    fn looked_up(&mut self, kind: Kind, pattern: &str, flags: &str) -> Result<Known> {
        let key = (pattern.to_owned(), flags.to_owned());
        if let Some(known) = self.all.get(&key) {
            return Ok(Rc::clone(known));
        }
        let read = Flags::of(flags)?;
        if read.global && !matches!(kind, Kind::Replace | Kind::Matches) {
            return Err(Error::new(
                Code::InvalidParameter,
                format!("{}() does not support the \"global\" option", kind.name()),
            )
            .into());
        }
        let made = Rc::new((Pattern::new(pattern, read)?, read));
        if self.all.len() >= MOST_KEPT {
            self.all.clear();
        }
        self.all.insert(key, Rc::clone(&made));
        Ok(made)
    }
}

/// What one row is searched for.
struct Row<'a> {
    text: &'a str,
    found: Rc<(Pattern, Flags)>,
    /// The byte at which to start; `None` past the end.
    from: Option<usize>,
    row: usize,
}

impl Call {
    fn column(&self, wanted: Argument, row: usize) -> Option<(&ArrayRef, usize)> {
        let (_, column, repeated) = self
            .columns
            .iter()
            .find(|(argument, ..)| *argument == wanted)?;
        Some((column, if *repeated { 0 } else { row }))
    }

    fn text(&self, wanted: Argument, row: usize) -> Option<&str> {
        let (column, row) = self.column(wanted, row)?;
        let texts = column.as_string_opt::<i32>()?;
        texts.is_valid(row).then(|| texts.value(row))
    }

    fn number(&self, wanted: Argument, row: usize) -> Option<i64> {
        let (column, row) = self.column(wanted, row)?;
        let numbers = column.as_primitive_opt::<Int64Type>()?;
        numbers.is_valid(row).then(|| numbers.value(row))
    }

    fn is_null(&self, row: usize) -> bool {
        self.columns.iter().any(|(_, column, repeated)| {
            let row = if *repeated { 0 } else { row };
            column.is_null(row)
        })
    }

    /// Returns a number that is at least `least`; `otherwise` if the argument is missing.
    fn at_least(&self, wanted: Argument, row: usize, least: i64, otherwise: i64) -> Result<usize> {
        let number = self.number(wanted, row).unwrap_or(otherwise);
        if number < least {
            let (name, _) = wanted.name();
            return Err(Error::new(
                Code::InvalidParameter,
                format!("invalid value for parameter \"{name}\": {number}"),
            )
            .with_hint(format!("it must be at least {least}"))
            .into());
        }
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    }

    /// Returns `None` for a row with a NULL argument.
    fn row<'a>(&'a self, row: usize, compiled: &mut Compiled) -> Result<Option<Row<'a>>> {
        check()?;
        if self.is_null(row) {
            return Ok(None);
        }
        let (Some(text), Some(pattern)) = (
            self.text(Argument::Text, row),
            self.text(Argument::Pattern, row),
        ) else {
            return Ok(None);
        };
        let flags = self.text(Argument::Flags, row).unwrap_or_default();
        let skipped = self.at_least(Argument::Start, row, 1, 1)? - 1;
        let from = match skipped {
            0 => Some(0),
            skipped => {
                let bytes = text.char_indices().map(|(byte, _)| byte);
                bytes.chain([text.len()]).nth(skipped)
            }
        };
        Ok(Some(Row {
            text,
            found: compiled.of(self.kind, pattern, flags)?,
            from,
            row,
        }))
    }

    /// Returns the results of `rows` rows.
    ///
    /// # Errors
    ///
    /// Returns an error for an invalid pattern, if a search takes too long, or if the work must
    /// stop.
    pub(super) fn made(&self, rows: usize) -> Result<ArrayRef> {
        let mut compiled = Compiled::default();
        let each = (0..rows).map(|row| self.row(row, &mut compiled));
        Ok(match self.kind {
            Kind::Count => numbers(each, |row| self.count(&row))?,
            Kind::Instr => numbers(each, |row| self.place(&row))?,
            Kind::Like => {
                let mut flags = BooleanBuilder::with_capacity(rows);
                for row in each {
                    flags.append_option(match row? {
                        Some(row) => Some(row.found.0.is_match(self.kind.name(), row.text)?),
                        None => None,
                    });
                }
                Arc::new(flags.finish())
            }
            Kind::Match => lists(each, |row, lists| self.groups(&row, lists))?,
            Kind::Matches => self.matches(each)?,
            Kind::SplitToArray => lists(each, |row, lists| self.parts(&row, lists))?,
            Kind::Replace => {
                let same = self.same_replacement();
                self.texts(each, |row| self.replaced(&row, same.as_deref()).map(Some))?
            }
            Kind::Substr => self.texts(each, |row| self.part(&row))?,
        })
    }

    fn texts<'a>(
        &self,
        each: impl Iterator<Item = Result<Option<Row<'a>>>>,
        of: impl Fn(Row<'a>) -> Result<Option<String>>,
    ) -> Result<ArrayRef> {
        let mut texts = StringBuilder::new();
        let mut bytes = 0usize;
        for row in each {
            let text = match row? {
                Some(row) => of(row)?,
                None => None,
            };
            bytes = bytes.saturating_add(text.as_ref().map_or(0, String::len));
            check_batch(self.kind.name(), bytes)?;
            texts.append_option(text);
        }
        Ok(Arc::new(texts.finish()))
    }

    /// Calls `take` for the matches of a row, one after the other, until it breaks.
    fn each(
        &self,
        row: &Row<'_>,
        take: impl FnMut(Groups) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        match row.from {
            Some(from) => row.found.0.each(self.kind.name(), row.text, from, take),
            None => Ok(()),
        }
    }

    /// Returns the `which`-th match of a row; 1 is the first.
    fn nth(&self, row: &Row<'_>, which: usize) -> Result<Option<Groups>> {
        match row.from {
            Some(from) => row.found.0.nth(self.kind.name(), row.text, from, which),
            None => Ok(None),
        }
    }

    fn count(&self, row: &Row<'_>) -> Result<i32> {
        let mut count = 0i32;
        self.each(row, |_| {
            count = count.saturating_add(1);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(count)
    }

    /// Returns the group of the match that the arguments `n` and `group` select.
    fn wanted(&self, row: &Row<'_>) -> Result<Option<(usize, usize)>> {
        let which = self.at_least(Argument::N, row.row, 1, 1)?;
        let group = self.at_least(Argument::Group, row.row, 0, 0)?;
        let found = self.nth(row, which)?;
        Ok(found.and_then(|groups| {
            // The match is the only group of a pattern without any.
            let group = match groups.len() {
                1 => group.saturating_sub(1),
                _ => group,
            };
            groups.get(group).copied().flatten()
        }))
    }

    fn place(&self, row: &Row<'_>) -> Result<i32> {
        let end = self.at_least(Argument::End, row.row, 0, 0)?;
        if end > 1 {
            return Err(Error::new(
                Code::InvalidParameter,
                format!("invalid value for parameter \"end\": {end}"),
            )
            .with_hint("0 is for the place of the match, 1 for the one after it")
            .into());
        }
        let found = self.wanted(row)?;
        let byte = found.map(|(from, to)| if end == 1 { to } else { from });
        let before = byte.and_then(|byte| row.text.get(..byte));
        Ok(before.map_or(0, |before| {
            i32::try_from(before.chars().count() + 1).unwrap_or(i32::MAX)
        }))
    }

    fn part(&self, row: &Row<'_>) -> Result<Option<String>> {
        let found = self.wanted(row)?;
        let part = found.and_then(|(from, to)| row.text.get(from..to));
        Ok(part.map(str::to_owned))
    }

    fn groups(&self, row: &Row<'_>, lists: &mut ListBuilder<StringBuilder>) -> Result<bool> {
        let Some(groups) = self.nth(row, 1)? else {
            return Ok(false);
        };
        let first = usize::from(groups.len() > 1);
        let mut bytes = 0;
        for group in groups.into_iter().skip(first) {
            let group = group.and_then(|(from, to)| row.text.get(from..to));
            bytes += group.map_or(0, str::len);
            check_value(self.kind.name(), bytes)?;
            lists.values().append_option(group);
        }
        Ok(true)
    }

    /// Returns the lists of the groups of each match, of the first one without the flag g.
    fn matches<'a>(&self, each: impl Iterator<Item = Result<Option<Row<'a>>>>) -> Result<ArrayRef> {
        let mut lists = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
        let mut bytes = 0usize;
        for row in each {
            let Some(row) = row? else {
                lists.append(false);
                continue;
            };
            self.each(&row, |groups| {
                let first = usize::from(groups.len() > 1);
                for group in groups.into_iter().skip(first) {
                    let group = group.and_then(|(from, to)| row.text.get(from..to));
                    bytes = bytes.saturating_add(group.map_or(0, str::len) + GROUP_BYTES);
                    lists.values().values().append_option(group);
                }
                lists.values().append(true);
                check_batch(self.kind.name(), bytes)?;
                Ok(match row.found.1.global {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                })
            })?;
            lists.append(true);
        }
        Ok(Arc::new(lists.finish()))
    }

    fn parts(&self, row: &Row<'_>, lists: &mut ListBuilder<StringBuilder>) -> Result<bool> {
        let (mut last, mut bytes) = (0, 0usize);
        self.each(row, |groups| {
            let span = groups.first().copied().flatten();
            // Empty matches at the edges of the text, and right after another match, split nothing.
            let Some((from, to)) = span.filter(|(from, to)| *from < row.text.len() && *to > last)
            else {
                return Ok(ControlFlow::Continue(()));
            };
            let part = row.text.get(last..from);
            bytes = bytes.saturating_add(part.map_or(0, str::len) + GROUP_BYTES);
            check_batch(self.kind.name(), bytes)?;
            lists.values().append_option(part);
            last = to;
            Ok(ControlFlow::Continue(()))
        })?;
        lists.values().append_option(row.text.get(last..));
        Ok(true)
    }

    /// Returns the parts of the replacement if all rows have the same one.
    fn same_replacement(&self) -> Option<Vec<Replacement>> {
        let is_same = |(argument, _, repeated): &(Argument, ArrayRef, bool)| {
            *argument == Argument::Replacement && *repeated
        };
        if !self.columns.iter().any(is_same) {
            return None;
        }
        self.text(Argument::Replacement, 0).map(pieces)
    }

    /// `same`: the parts of the replacement of all rows.
    fn replaced(&self, row: &Row<'_>, same: Option<&[Replacement]>) -> Result<String> {
        let own;
        let replacement = match same {
            Some(same) => same,
            None => {
                let text = self.text(Argument::Replacement, row.row);
                own = pieces(text.unwrap_or_default());
                own.as_slice()
            }
        };
        let which = match self.column(Argument::N, row.row) {
            Some(_) => self.at_least(Argument::N, row.row, 0, 0)?,
            None if row.found.1.global => 0,
            None => 1,
        };
        let (mut made, mut last, mut number) = (String::new(), 0, 0usize);
        self.each(row, |groups| {
            number += 1;
            let span = groups.first().copied().flatten();
            let Some((from, to)) = span.filter(|_| number >= which) else {
                return Ok(ControlFlow::Continue(()));
            };
            made.push_str(row.text.get(last..from).unwrap_or_default());
            for piece in replacement {
                match piece {
                    Replacement::Text(text) => made.push_str(text),
                    Replacement::Group(number) => {
                        let group = groups.get(*number).copied().flatten();
                        let group = group.and_then(|(from, to)| row.text.get(from..to));
                        made.push_str(group.unwrap_or_default());
                    }
                }
            }
            check_value(self.kind.name(), made.len())?;
            last = to;
            Ok(match which {
                0 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            })
        })?;
        made.push_str(row.text.get(last..).unwrap_or_default());
        Ok(made)
    }
}

fn numbers<'a>(
    each: impl Iterator<Item = Result<Option<Row<'a>>>>,
    of: impl Fn(Row<'a>) -> Result<i32>,
) -> Result<ArrayRef> {
    let mut numbers = Int32Builder::new();
    for row in each {
        numbers.append_option(match row? {
            Some(row) => Some(of(row)?),
            None => None,
        });
    }
    Ok(Arc::new(numbers.finish()))
}

/// Builds a column of lists. `of` appends the items of a row's list, and returns whether the list
/// is not NULL.
fn lists<'a>(
    each: impl Iterator<Item = Result<Option<Row<'a>>>>,
    of: impl Fn(Row<'a>, &mut ListBuilder<StringBuilder>) -> Result<bool>,
) -> Result<ArrayRef> {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in each {
        let is_there = match row? {
            Some(row) => of(row, &mut lists)?,
            None => false,
        };
        lists.append(is_there);
        check_batch("a regular expression", lists.values().values_slice().len())?;
    }
    Ok(Arc::new(lists.finish()))
}

/// A part of a replacement.
#[derive(Debug, PartialEq, Eq)]
enum Replacement {
    Text(String),
    Group(usize),
}

/// Parses `\1` and `\&` as in PostgreSQL, and `$1` and `${1}` as in Athena. `\\` is a backslash,
/// `\$` a dollar sign.
fn pieces(replacement: &str) -> Vec<Replacement> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = replacement;
    while let Some(letter) = rest.chars().next() {
        let after = rest.get(letter.len_utf8()..).unwrap_or_default();
        let next = after.chars().next();
        let digit = next.and_then(|digit| digit.to_digit(10));
        let digit = digit.and_then(|digit| usize::try_from(digit).ok());
        let (group, taken) = match (letter, next, digit) {
            ('\\', Some('&'), _) => (Some(0), 2),
            ('\\', _, Some(number)) if number > 0 => (Some(number), 2),
            ('$', _, Some(number)) => (Some(number), 2),
            ('$', Some('{'), _) => match after.get(1..).and_then(|of| of.split_once('}')) {
                Some((number, _)) if number.parse::<usize>().is_ok_and(|of| of < 100) => {
                    (number.parse().ok(), number.len() + 3)
                }
                _ => (None, 1),
            },
            ('\\', Some(literal @ ('\\' | '$')), _) => {
                text.push(literal);
                rest = rest.get(2..).unwrap_or_default();
                continue;
            }
            _ => (None, letter.len_utf8()),
        };
        match group {
            Some(number) => {
                if !text.is_empty() {
                    pieces.push(Replacement::Text(std::mem::take(&mut text)));
                }
                pieces.push(Replacement::Group(number));
            }
            None => text.push(letter),
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    if !text.is_empty() {
        pieces.push(Replacement::Text(text));
    }
    pieces
}
