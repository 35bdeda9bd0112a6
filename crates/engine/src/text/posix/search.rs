//! A compiled pattern and searches with it.

use std::cell::RefCell;
use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use lakegate_error::{Code, Error};
use regex::{CaptureLocations, Regex};

use super::choices::{Agreement, agreement};
use super::extents::{Extents, Span};
use super::nodes::{Division, divided};
use super::parse::parse;
use super::spelling::spelled;
use super::tree::{Edge, Flags, Piece, Tree};
use crate::limits::bounded::check_batch;
use crate::limits::stop::{check, check_search};

/// A pattern to search text with.
#[derive(Debug)]
pub(super) struct Pattern {
    tree: Tree,
    spelled: Option<String>,
    /// `None` if the crate has no such pattern.
    regex: Option<Regex>,
    /// The pattern without `.*$` at its end, if it has that and the crate finds groups: what is left of the
    /// text need not be searched.
    head: Option<Regex>,
    /// The groups of the last match of the crate.
    places: Option<RefCell<CaptureLocations>>,
    /// The parts for [`Extents`], if it finds lengths and groups because those of the crate may differ.
    division: Option<Division>,
    pub(super) agreement: Agreement,
}

/// The groups of a match as byte ranges, the whole first.
pub(super) type Groups = Vec<Option<Span>>;

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// Returns an error if the pattern is invalid, too large or not supported.
    pub(super) fn new(pattern: &str, flags: Flags) -> Result<Self> {
        let mut tree = parse(pattern, flags)?;
        let head = head_of(&tree).and_then(|head| spelled(&head));
        let spelled = spelled(&tree);
        let regex = spelled.as_deref().map(Regex::new).transpose();
        let regex = regex.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => DataFusionError::from(
                Error::new(Code::ResultTooLarge, "the regular expression is too large")
                    .with_hint("write fewer repetitions such as {1,100}"),
            ),
            error => DataFusionError::External(Box::new(error)),
        })?;
        let agreement = agreement(&tree);
        let division = match agreement {
            Agreement::Always => None,
            Agreement::AtTextEnd | Agreement::Never => Some(divided(&mut tree)?),
        };
        let finds_groups = tree.groups > 0 && agreement != Agreement::Never;
        let head = head.filter(|_| regex.is_some() && finds_groups);
        let head = head.and_then(|head| Regex::new(&head).ok());
        let places = head.as_ref().or(regex.as_ref());
        let places = places.map(Regex::capture_locations);
        Ok(Self {
            division,
            head,
            agreement,
            tree,
            spelled,
            places: places.map(RefCell::new),
            regex,
        })
    }

    /// Compiles a pattern whose groups are never those of the crate.
    #[cfg(test)]
    pub(super) fn of_extents(pattern: &str) -> Result<Self> {
        let mut pattern = Self::new(pattern, Flags::default())?;
        pattern.division = Some(divided(&mut pattern.tree)?);
        pattern.agreement = Agreement::Never;
        Ok(pattern)
    }

    /// Returns the pattern in the crate's syntax, which matches in the same texts.
    pub(super) fn spelled(&self) -> Option<&str> {
        self.spelled.as_deref()
    }

    pub(super) fn groups(&self) -> usize {
        self.tree.groups
    }

    /// Starts a search in a text; `name` is the calling function.
    ///
    /// # Errors
    ///
    /// Returns an error if the search would take too long.
    pub(super) fn search<'a>(&'a self, name: &str, text: &'a str) -> Result<Search<'a>> {
        if let Some(spelled) = &self.spelled {
            check_search(name, spelled, text.len())?;
        }
        Ok(Search {
            pattern: self,
            text,
            from: Some(0),
        })
    }

    /// Returns whether the text has a match.
    ///
    /// # Errors
    ///
    /// Returns an error if the search would take too long.
    pub(super) fn is_match(&self, name: &str, text: &str) -> Result<bool> {
        match &self.regex {
            Some(regex) => {
                check_search(
                    name,
                    self.spelled.as_deref().unwrap_or_default(),
                    text.len(),
                )?;
                Ok(regex.is_match(text))
            }
            None => Ok(self.nth(name, text, 0, 1)?.is_some()),
        }
    }

    /// Calls `take` for the matches from the byte `from` on, one after the other, until it breaks.
    /// No match is kept: a text may have as many as it has characters.
    ///
    /// # Errors
    ///
    /// Returns an error of `take`, if the search takes too long, if the text is too long for it, or if
    /// the work must stop.
    pub(super) fn each(
        &self,
        name: &str,
        text: &str,
        from: usize,
        mut take: impl FnMut(Groups) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut search = self.search(name, text)?;
        search.from = Some(from);
        if self.each_of_the_crate(&mut search, &mut take)? {
            return Ok(());
        }
        let (Some(division), Some(_)) = (&self.division, search.from) else {
            return Ok(());
        };
        // In ASCII, the place of a letter is its byte.
        let is_ascii = text.is_ascii();
        let of_letter = match is_ascii {
            true => size_of::<char>(),
            false => size_of::<char>() + size_of::<usize>(),
        };
        check_batch(name, text.len().saturating_mul(of_letter))?;
        let letters: Vec<char> = text.chars().collect();
        let bytes: Vec<usize> = match is_ascii {
            true => Vec::new(),
            false => text.char_indices().map(|(byte, _)| byte).collect(),
        };
        let byte_of = |place: usize| match is_ascii {
            true => place.min(text.len()),
            false => bytes.get(place).copied().unwrap_or(text.len()),
        };
        let place_of = |byte: usize| match is_ascii {
            true => byte,
            false => bytes.partition_point(|start| *start < byte),
        };
        let mut extents = Extents::new(&self.tree, division, &letters);
        while let Some(from) = search.from {
            check()?;
            let start = match &self.regex {
                None => place_of(from),
                Some(regex) => match regex.find_at(text, from) {
                    Some(found) => place_of(found.start()),
                    None => break,
                },
            };
            let Some(groups) = extents.first(start)? else {
                break;
            };
            let groups = groups.into_iter().map(|span| {
                let (start, end) = span?;
                Some((byte_of(start), byte_of(end)))
            });
            let groups: Groups = groups.collect();
            search.go_on(&groups);
            if take(groups)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Calls `take` for matches of the crate, as long as they are PostgreSQL's. Returns whether there are
    /// no others, or `take` breaks.
    fn each_of_the_crate(
        &self,
        search: &mut Search<'_>,
        take: &mut impl FnMut(Groups) -> Result<ControlFlow<()>>,
    ) -> Result<bool> {
        if self.agreement == Agreement::Never {
            return Ok(false);
        }
        loop {
            let Some(groups) = search.next_of_the_crate()? else {
                return Ok(true);
            };
            let end = groups.first().copied().flatten().map(|(_, end)| end);
            if self.agreement == Agreement::AtTextEnd && end != Some(search.text.len()) {
                return Ok(false);
            }
            search.go_on(&groups);
            if take(groups)?.is_break() {
                return Ok(true);
            }
        }
    }

    /// Returns the match that is the `which`-th from the byte `from` on; 1 is the first.
    ///
    /// # Errors
    ///
    /// As for [`Pattern::each`].
    pub(super) fn nth(
        &self,
        name: &str,
        text: &str,
        from: usize,
        which: usize,
    ) -> Result<Option<Groups>> {
        let (mut number, mut wanted) = (0usize, None);
        self.each(name, text, from, |groups| {
            number += 1;
            if number < which {
                return Ok(ControlFlow::Continue(()));
            }
            wanted = Some(groups);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(wanted)
    }
}

/// Returns a pattern without `.*$` at its end, which takes all that is left of any text; `None` for other
/// patterns.
fn head_of(tree: &Tree) -> Option<Tree> {
    let Piece::Sequence(pieces) = tree.pieces.get(tree.root)? else {
        return None;
    };
    let [head @ .., rest, end] = pieces.as_slice() else {
        return None;
    };
    let Piece::Repeat {
        inner,
        least: 0,
        most: None,
        lazy: false,
        ..
    } = tree.pieces.get(*rest)?
    else {
        return None;
    };
    let Piece::Class(class) = tree.pieces.get(*inner)? else {
        return None;
    };
    let is_any = class.negated && class.items.is_empty();
    let is_end = tree.pieces.get(*end)? == &Piece::Edge(Edge::TextEnd);
    if head.is_empty() || !is_any || !is_end {
        return None;
    }
    let head = Piece::Sequence(head.to_vec());
    let mut tree = tree.clone();
    *tree.pieces.get_mut(tree.root)? = head;
    Some(tree)
}

pub(super) struct Search<'a> {
    pattern: &'a Pattern,
    text: &'a str,
    /// The byte at which the next search begins; `None` after the end.
    from: Option<usize>,
}

impl Search<'_> {
    fn next_of_the_crate(&self) -> Result<Option<Groups>> {
        check()?;
        let (Some(regex), Some(from)) = (&self.pattern.regex, self.from) else {
            return Ok(None);
        };
        let places = self.pattern.places.as_ref();
        Ok(match places.filter(|_| self.pattern.groups() > 0) {
            None => {
                let found = regex.find_at(self.text, from);
                found.map(|found| vec![Some((found.start(), found.end()))])
            }
            Some(places) => {
                let mut places = places.borrow_mut();
                let head = self.pattern.head.as_ref();
                let regex = head.unwrap_or(regex);
                let found = regex.captures_read_at(&mut places, self.text, from);
                found.map(|found| {
                    let mut groups: Groups =
                        (0..places.len()).map(|group| places.get(group)).collect();
                    if let (Some(whole), true) = (groups.first_mut(), head.is_some()) {
                        *whole = Some((found.start(), self.text.len()));
                    }
                    groups
                })
            }
        })
    }

    /// The next search begins at the end of the match, or one character later if the match is
    /// empty.
    fn go_on(&mut self, groups: &Groups) {
        let Some((start, end)) = groups.first().copied().flatten() else {
            self.from = None;
            return;
        };
        self.from = match start == end {
            false => Some(end),
            true => {
                let rest = self.text.get(end..).unwrap_or_default();
                rest.chars().next().map(|letter| end + letter.len_utf8())
            }
        };
    }
}
