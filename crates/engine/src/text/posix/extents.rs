//! Finds the length of a match and its groups by PostgreSQL's rules. The whole match is as long as
//! possible, or as short as possible if its first quantifier is lazy. Then each part, from left to
//! right, follows the same rule within what the whole leaves it (`layout.rs`).
//!
//! Like Perl, the crate `regex` takes the first alternative that leads to a match. If that may
//! differ, the ends that a part can have from a given start are computed here as sets, and the
//! parts are laid out along them. A back reference may end wherever the pattern of its group does;
//! whether it is the group's text is known once the group is laid out.

mod layout;

use std::collections::HashMap;
use std::rc::Rc;

use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::nodes::Division;
use super::spelling::{has, is_word};
use super::tree::{Edge, Piece, Place, Tree};
use crate::limits::stop::check;

/// Positions that may be visited for one text: some seconds.
const MOST_STEPS: u64 = 40_000_000;
/// Positions that are remembered for one match, a few bytes each, and those that are kept for the
/// next match.
const MOST_HELD: usize = 1_000_000;
const MOST_KEPT: usize = 250_000;
/// Steps between two checks whether the work must stop.
const STEPS_BETWEEN_CHECKS: u64 = 100_000;

/// Least and most characters; `None` if there is no end, or if it is not known.
type Lengths = (usize, Option<usize>);

/// Returns how many characters a part takes.
fn lengths_of(tree: &Tree, place: Place) -> Lengths {
    let count = |times: u32| usize::try_from(times).unwrap_or(usize::MAX);
    match tree.pieces.get(place) {
        None | Some(Piece::Empty | Piece::Edge(_) | Piece::Look { .. }) => (0, Some(0)),
        Some(Piece::Class(_)) => (1, Some(1)),
        // A part that several references share is not followed for each.
        Some(Piece::Back { .. }) => (0, None),
        Some(Piece::Group { inner, .. }) => lengths_of(tree, *inner),
        Some(Piece::Sequence(pieces)) => {
            let each = pieces.iter().map(|piece| lengths_of(tree, *piece));
            each.fold((0, Some(0)), |all: Lengths, one| {
                let most = all.1.zip(one.1);
                let most = most.map(|(all, one)| all.saturating_add(one));
                (all.0.saturating_add(one.0), most)
            })
        }
        Some(Piece::Either(branches)) => {
            let each = branches.iter().map(|branch| lengths_of(tree, *branch));
            let all = each.reduce(|all, one| {
                let most = all.1.zip(one.1);
                (all.0.min(one.0), most.map(|(all, one)| all.max(one)))
            });
            all.unwrap_or((0, Some(0)))
        }
        Some(Piece::Repeat {
            inner, least, most, ..
        }) => {
            let (shortest, longest) = lengths_of(tree, *inner);
            let most = longest.zip(most.map(count));
            let most = most.map(|(longest, times)| longest.saturating_mul(times));
            (shortest.saturating_mul(count(*least)), most)
        }
    }
}

/// The characters of a group: the first, and the one after the last.
pub(super) type Span = (usize, usize);

/// In ascending order, each once.
type Ends = Rc<[usize]>;

/// The matches of a pattern in one text.
pub(super) struct Extents<'a> {
    tree: &'a Tree,
    division: &'a Division,
    text: &'a [char],
    known: HashMap<(Place, usize), Ends>,
    /// Number of positions in `known`.
    held: usize,
    /// The lengths of what lookbehinds look for.
    lengths: HashMap<Place, Lengths>,
    steps: u64,
}

impl<'a> Extents<'a> {
    pub(super) fn new(tree: &'a Tree, division: &'a Division, text: &'a [char]) -> Self {
        Self {
            tree,
            division,
            text,
            known: HashMap::new(),
            held: 0,
            lengths: HashMap::new(),
            steps: 0,
        }
    }

    /// Returns the first match that begins at `start` or after it: the whole first, then its groups.
    ///
    /// # Errors
    ///
    /// Returns an error if the search takes too long or the work must stop.
    pub(super) fn first(&mut self, start: usize) -> Result<Option<Vec<Option<Span>>>> {
        if !self.division.refers_back {
            for start in start..=self.text.len() {
                if let Some(groups) = self.at(start)? {
                    return Ok(Some(groups));
                }
            }
            return Ok(None);
        }
        // As in PostgreSQL: what may match ends first at some place. A match may begin up to there,
        // or after it, but not at the end of the text: it does not go on searching there.
        let mut from = start;
        loop {
            let Some(close) = self.first_end(from)? else {
                return Ok(None);
            };
            for start in from..=close {
                if let Some(groups) = self.at(start)? {
                    return Ok(Some(groups));
                }
            }
            from = close + 1;
            if from >= self.text.len() {
                return Ok(None);
            }
        }
    }

    /// Returns the first place after `from` at which anything ends that may match.
    fn first_end(&mut self, from: usize) -> Result<Option<usize>> {
        let mut first: Option<usize> = None;
        let mut start = from;
        while start <= first.unwrap_or(self.text.len()) {
            self.forget();
            let ends = self.ends(self.tree.root, start)?;
            if let Some(end) = ends.first() {
                first = Some(first.map_or(*end, |first| first.min(*end)));
            }
            start += 1;
        }
        Ok(first)
    }

    /// Makes room for the positions of another match.
    fn forget(&mut self) {
        if self.held > MOST_KEPT {
            self.known.clear();
            self.held = 0;
        }
    }

    /// Returns the match that begins at `start`; `None` if there is none.
    fn at(&mut self, start: usize) -> Result<Option<Vec<Option<Span>>>> {
        self.forget();
        let division = self.division;
        let ends = self.ends(self.tree.root, start)?;
        let mut ends = ends.to_vec();
        if !division.fewer {
            ends.reverse();
        }
        for end in ends {
            let mut groups = vec![None; self.tree.groups + 1];
            if self.lay_out(&division.root, start, end, &mut groups)? {
                if let Some(whole) = groups.first_mut() {
                    *whole = Some((start, end));
                }
                return Ok(Some(groups));
            }
        }
        Ok(None)
    }

    fn step(&mut self, steps: usize) -> Result<()> {
        let before = self.steps;
        self.steps += steps as u64 + 1;
        if before / STEPS_BETWEEN_CHECKS != self.steps / STEPS_BETWEEN_CHECKS {
            check()?;
        }
        if self.steps > MOST_STEPS || self.held > MOST_HELD {
            return Err(Error::new(
                Code::ResultTooLarge,
                "the regular expression would take too long: its parts may end at many places of a long text",
            )
            .with_hint("search shorter texts, or leave out alternatives and repeated groups")
            .into());
        }
        Ok(())
    }

    /// Returns the ends of a part that begins at `start`.
    fn ends(&mut self, place: Place, start: usize) -> Result<Ends> {
        if let Some(known) = self.known.get(&(place, start)) {
            return Ok(Rc::clone(known));
        }
        let tree = self.tree;
        let ends: Vec<usize> = match tree.pieces.get(place) {
            None | Some(Piece::Empty) => vec![start],
            Some(Piece::Class(class)) => {
                let letter = self.text.get(start);
                let found = letter.is_some_and(|letter| has(class, *letter, tree.any_case));
                found.then_some(start + 1).into_iter().collect()
            }
            Some(Piece::Edge(edge)) => self
                .is_edge(*edge, start)
                .then_some(start)
                .into_iter()
                .collect(),
            Some(Piece::Look {
                ahead,
                negated,
                inner,
            }) => {
                let found = match ahead {
                    true => !self.ends(*inner, start)?.is_empty(),
                    false => self.ends_at(*inner, start)?,
                };
                (found != *negated).then_some(start).into_iter().collect()
            }
            Some(Piece::Group { inner, .. } | Piece::Back { like: inner, .. }) => {
                self.ends(*inner, start)?.to_vec()
            }
            Some(Piece::Sequence(pieces)) => {
                let mut from = vec![start];
                for piece in pieces {
                    from = self.ends_of_all(*piece, &from)?;
                }
                from
            }
            Some(Piece::Either(branches)) => {
                let mut all = Vec::new();
                for branch in branches {
                    all.extend_from_slice(&self.ends(*branch, start)?);
                }
                in_order(all)
            }
            Some(Piece::Repeat {
                inner, least, most, ..
            }) => self.ends_of_rounds(*inner, *least, *most, start)?,
        };
        self.held += ends.len() + 1;
        self.step(ends.len())?;
        let ends = Ends::from(ends);
        self.known.insert((place, start), Rc::clone(&ends));
        Ok(ends)
    }

    /// Returns whether a part ends at `end`, wherever it begins.
    fn ends_at(&mut self, place: Place, end: usize) -> Result<bool> {
        let tree = self.tree;
        let lengths = self.lengths.entry(place);
        let (least, most) = *lengths.or_insert_with(|| lengths_of(tree, place));
        let Some(last) = end.checked_sub(least) else {
            return Ok(false);
        };
        let first = most.map_or(0, |most| end.saturating_sub(most));
        for start in first..=last {
            self.step(0)?;
            if has_end(&self.ends(place, start)?, end) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the ends of a part that is repeated `least` to `most` times.
    fn ends_of_rounds(
        &mut self,
        inner: Place,
        least: u32,
        most: Option<u32>,
        start: usize,
    ) -> Result<Vec<usize>> {
        if let Some(Piece::Class(class)) = self.tree.pieces.get(inner) {
            let any_case = self.tree.any_case;
            let rest = self.text.get(start..).unwrap_or_default();
            let count = |times: u32| usize::try_from(times).unwrap_or(usize::MAX);
            let rest = rest.iter().take(most.map_or(usize::MAX, count));
            let length = rest.take_while(|letter| has(class, **letter, any_case));
            let length = length.count();
            self.step(length)?;
            return Ok((count(least)..=length).map(|times| start + times).collect());
        }
        let mut from = vec![start];
        for _ in 0..least {
            from = self.ends_of_all(inner, &from)?;
        }
        let mut all = from.clone();
        let mut times = least;
        while !from.is_empty() && most.is_none_or(|most| times < most) {
            from = self.ends_of_all(inner, &from)?;
            from.retain(|end| !has_end(&all, *end));
            let is_behind = all.last() < from.first();
            all.extend_from_slice(&from);
            if !is_behind && !from.is_empty() {
                self.step(all.len())?;
                all = in_order(all);
            }
            times += 1;
        }
        Ok(all)
    }

    fn ends_of_all(&mut self, place: Place, starts: &[usize]) -> Result<Vec<usize>> {
        let mut all = Vec::new();
        for start in starts {
            let ends = self.ends(place, *start)?;
            self.step(ends.len())?;
            all.extend_from_slice(&ends);
        }
        Ok(in_order(all))
    }

    fn is_edge(&self, edge: Edge, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.text.get(before));
        let after = self.text.get(at);
        let (was, is) = (
            before.is_some_and(|letter| is_word(*letter)),
            after.is_some_and(|letter| is_word(*letter)),
        );
        match edge {
            Edge::TextStart => before.is_none(),
            Edge::TextEnd => after.is_none(),
            Edge::LineStart => before.is_none_or(|letter| *letter == '\n'),
            Edge::LineEnd => after.is_none_or(|letter| *letter == '\n'),
            Edge::WordStart => !was && is,
            Edge::WordEnd => was && !is,
            Edge::Word => was != is,
            Edge::NoWord => was == is,
        }
    }
}

/// Sorts ends, of which each is then there once.
fn in_order(mut ends: Vec<usize>) -> Vec<usize> {
    if !ends.is_sorted_by(|left, right| left < right) {
        ends.sort_unstable();
        ends.dedup();
    }
    ends
}

fn has_end(ends: &[usize], end: usize) -> bool {
    ends.binary_search(&end).is_ok()
}

/// Returns the ends up to `limit`.
fn up_to(ends: &[usize], limit: usize) -> &[usize] {
    let length = ends.partition_point(|end| *end <= limit);
    ends.get(..length).unwrap_or_default()
}
