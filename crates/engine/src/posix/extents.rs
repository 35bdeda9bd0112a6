//! Finds the length of a match and its groups by PostgreSQL's rules. The whole match is as long as
//! possible, or as short as possible if its first quantifier is lazy. Then each part, from left to
//! right, follows the same rule within what the whole leaves it.
//!
//! Like Perl, the crate `regex` takes the first alternative that leads to a match. If that may
//! differ, the ends that a part can have from a given start are computed here as sets, and the
//! parts are laid out along them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::spelling::{has, is_word};
use super::tree::{Edge, Piece, Place, Tree};
use crate::stop::check;

/// Positions that may be visited for one text: some seconds.
const MOST_STEPS: u64 = 40_000_000;
/// Positions that are remembered for one match, a few bytes each, and those that are kept for the
/// next match.
const MOST_HELD: usize = 1_000_000;
const MOST_KEPT: usize = 250_000;
/// Steps between two checks whether the work must stop.
const STEPS_BETWEEN_CHECKS: u64 = 100_000;

/// Returns whether the crate's matches of a pattern may have another length or other groups. They
/// may with alternatives, with lazy quantifiers, and with repetitions of more than a single
/// character.
pub(super) fn may_differ(tree: &Tree) -> bool {
    tree.pieces.iter().any(|piece| match piece {
        Piece::Either(_) | Piece::Look { .. } => true,
        Piece::Repeat { inner, lazy, .. } => {
            *lazy || !matches!(tree.pieces.get(*inner), Some(Piece::Class(_)))
        }
        _ => false,
    })
}

/// Returns whether the crate's match is PostgreSQL's with all its groups if it reaches the end of
/// the text, so that none is longer. It is if each repeated part has a fixed length: as many
/// repetitions as possible are then as much text as possible.
pub(super) fn is_greedy(tree: &Tree) -> bool {
    tree.pieces.iter().all(|piece| match piece {
        Piece::Either(_) | Piece::Look { .. } => false,
        Piece::Repeat { inner, lazy, .. } => !lazy && is_of_one_length(tree, *inner),
        _ => true,
    })
}

fn is_of_one_length(tree: &Tree, place: Place) -> bool {
    match tree.pieces.get(place) {
        Some(Piece::Class(_)) => true,
        Some(Piece::Group { inner, .. }) => is_of_one_length(tree, *inner),
        Some(Piece::Sequence(pieces)) => {
            !pieces.is_empty() && pieces.iter().all(|piece| is_of_one_length(tree, *piece))
        }
        _ => false,
    }
}

/// Whether a part prefers to match more or fewer characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preference {
    None,
    More,
    Fewer,
}

fn preference(tree: &Tree, place: Place) -> Preference {
    match tree.pieces.get(place) {
        Some(Piece::Group { inner, .. }) => preference(tree, *inner),
        Some(Piece::Either(_)) => Preference::More,
        Some(Piece::Sequence(pieces)) => pieces
            .iter()
            .map(|piece| preference(tree, *piece))
            .find(|preference| *preference != Preference::None)
            .unwrap_or(Preference::None),
        Some(Piece::Repeat {
            inner, fixed: true, ..
        }) => preference(tree, *inner),
        Some(Piece::Repeat { lazy: true, .. }) => Preference::Fewer,
        Some(Piece::Repeat { .. }) => Preference::More,
        _ => Preference::None,
    }
}

/// The characters of a group: the first, and the one after the last.
pub(super) type Span = (usize, usize);

type Ends = Rc<BTreeSet<usize>>;

/// The matches of a pattern in one text.
pub(super) struct Extents<'a> {
    tree: &'a Tree,
    text: &'a [char],
    known: HashMap<(Place, usize), Ends>,
    /// Number of positions in `known`.
    held: usize,
    steps: u64,
}

impl<'a> Extents<'a> {
    pub(super) fn new(tree: &'a Tree, text: &'a [char]) -> Self {
        Self {
            tree,
            text,
            known: HashMap::new(),
            held: 0,
            steps: 0,
        }
    }

    /// Returns the match that begins at `start`: the whole first, then its groups. `None` if there
    /// is no match.
    ///
    /// # Errors
    ///
    /// Returns an error if the search takes too long or the work must stop.
    pub(super) fn at(&mut self, start: usize) -> Result<Option<Vec<Option<Span>>>> {
        if self.held > MOST_KEPT {
            self.known.clear();
            self.held = 0;
        }
        let ends = self.ends(self.tree.root, start)?;
        let end = match preference(self.tree, self.tree.root) {
            Preference::Fewer => ends.first(),
            _ => ends.last(),
        };
        let Some(end) = end.copied() else {
            return Ok(None);
        };
        let mut groups = vec![None; self.tree.groups + 1];
        if let Some(whole) = groups.first_mut() {
            *whole = Some((start, end));
        }
        self.lay_out(self.tree.root, start, end, &mut groups)?;
        Ok(Some(groups))
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
        let ends: BTreeSet<usize> = match tree.pieces.get(place) {
            None | Some(Piece::Empty) => BTreeSet::from([start]),
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
                    false => {
                        let mut found = false;
                        for from in 0..=start {
                            found = found || self.ends(*inner, from)?.contains(&start);
                        }
                        found
                    }
                };
                (found != *negated).then_some(start).into_iter().collect()
            }
            Some(Piece::Group { inner, .. }) => self.ends(*inner, start)?.as_ref().clone(),
            Some(Piece::Sequence(pieces)) => {
                let mut from = BTreeSet::from([start]);
                for piece in pieces {
                    from = self.ends_of_all(*piece, &from)?;
                }
                from
            }
            Some(Piece::Either(branches)) => {
                let mut all = BTreeSet::new();
                for branch in branches {
                    all.extend(self.ends(*branch, start)?.iter().copied());
                }
                all
            }
            Some(Piece::Repeat {
                inner, least, most, ..
            }) => self.ends_of_rounds(*inner, *least, *most, start)?,
        };
        self.held += ends.len() + 1;
        self.step(ends.len())?;
        let ends = Rc::new(ends);
        self.known.insert((place, start), Rc::clone(&ends));
        Ok(ends)
    }

    /// Returns the ends of a part that is repeated `least` to `most` times.
    fn ends_of_rounds(
        &mut self,
        inner: Place,
        least: u32,
        most: Option<u32>,
        start: usize,
    ) -> Result<BTreeSet<usize>> {
        let mut from = BTreeSet::from([start]);
        for _ in 0..least {
            from = self.ends_of_all(inner, &from)?;
        }
        let mut all = from.clone();
        let mut times = least;
        while !from.is_empty() && most.is_none_or(|most| times < most) {
            let next = self.ends_of_all(inner, &from)?;
            from = next.difference(&all).copied().collect();
            all.extend(from.iter().copied());
            times += 1;
        }
        Ok(all)
    }

    fn ends_of_all(&mut self, place: Place, starts: &BTreeSet<usize>) -> Result<BTreeSet<usize>> {
        let mut all = BTreeSet::new();
        for start in starts {
            let ends = self.ends(place, *start)?;
            self.step(ends.len())?;
            all.extend(ends.iter().copied());
        }
        Ok(all)
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

    /// Finds the groups of a part that spans `start` to `end`.
    fn lay_out(
        &mut self,
        place: Place,
        start: usize,
        end: usize,
        groups: &mut [Option<Span>],
    ) -> Result<()> {
        let tree = self.tree;
        match tree.pieces.get(place) {
            Some(Piece::Group { number, inner }) => {
                if let Some(group) = number.and_then(|number| groups.get_mut(number)) {
                    *group = Some((start, end));
                }
                self.lay_out(*inner, start, end, groups)
            }
            Some(Piece::Sequence(pieces)) => {
                for (piece, from, to) in self.parts(pieces, start, end)? {
                    self.lay_out(piece, from, to, groups)?;
                }
                Ok(())
            }
            Some(Piece::Either(branches)) => {
                for branch in branches {
                    if self.ends(*branch, start)?.contains(&end) {
                        return self.lay_out(*branch, start, end, groups);
                    }
                }
                Ok(())
            }
            Some(Piece::Repeat {
                inner, least, most, ..
            }) if self.has_groups(*inner) && *least > 0 => {
                // The rounds before the last are laid out as a whole, and the last one in what they
                // leave.
                let most = most.map(|most| most.saturating_sub(1));
                let before = self.ends_of_rounds(*inner, *least - 1, most, start)?;
                let mut possible = Vec::new();
                for from in before.into_iter().filter(|from| *from <= end) {
                    if self.ends(*inner, from)?.contains(&end) {
                        possible.push(from);
                    }
                }
                let from = match preference(tree, place) {
                    Preference::Fewer => possible.first(),
                    _ => possible.last(),
                };
                match from {
                    Some(from) => self.lay_out(*inner, *from, end, groups),
                    None => Ok(()),
                }
            }
            Some(Piece::Repeat { inner, most, .. }) if self.has_groups(*inner) => {
                // An empty match still has one round, if the part can be empty.
                if start == end {
                    return match *most != Some(0) && self.ends(*inner, start)?.contains(&end) {
                        true => self.lay_out(*inner, start, end, groups),
                        false => Ok(()),
                    };
                }
                for (from, to) in self.rounds(*inner, *most, start, end)? {
                    self.forget(*inner, groups);
                    self.lay_out(*inner, from, to, groups)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Returns where each piece of a sequence begins and ends.
    fn parts(
        &mut self,
        pieces: &[Place],
        start: usize,
        end: usize,
    ) -> Result<Vec<(Place, usize, usize)>> {
        // The positions that can be reached, then those among them from which the end can be
        // reached.
        let mut reached = vec![BTreeSet::from([start])];
        for piece in pieces {
            let next = match reached.last() {
                Some(from) => self.ends_of_all(*piece, &from.clone())?,
                None => BTreeSet::new(),
            };
            reached.push(next);
        }
        let mut leads = BTreeSet::from([end]);
        let mut leading = vec![leads.clone()];
        for (piece, from) in pieces.iter().zip(&reached).rev() {
            let mut before = BTreeSet::new();
            for place in from {
                if !self.ends(*piece, *place)?.is_disjoint(&leads) {
                    before.insert(*place);
                }
            }
            leads = before;
            leading.push(leads.clone());
        }
        leading.reverse();
        let mut parts = Vec::with_capacity(pieces.len());
        let mut from = start;
        for (piece, leads) in pieces.iter().zip(leading.iter().skip(1)) {
            let ends = self.ends(*piece, from)?;
            let mut possible = ends.intersection(leads).copied();
            let to = match preference(self.tree, *piece) {
                Preference::Fewer => possible.next(),
                _ => possible.last(),
            };
            let Some(to) = to else { break };
            parts.push((*piece, from, to));
            from = to;
        }
        Ok(parts)
    }

    /// Returns where each round of a repetition begins and ends. There may be no rounds.
    fn rounds(
        &mut self,
        inner: Place,
        most: Option<u32>,
        start: usize,
        end: usize,
    ) -> Result<Vec<Span>> {
        let most = most.map_or(usize::MAX, |most| {
            usize::try_from(most).unwrap_or(usize::MAX)
        });
        let fewer = preference(self.tree, inner) == Preference::Fewer;
        let mut failed: HashSet<(usize, usize)> = HashSet::new();
        // For each round: its start, and the ends left to try, the best one last.
        let mut tried: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut at = start;
        loop {
            self.step(0)?;
            if at == end {
                break;
            }
            let round = tried.len();
            let mut left: Vec<usize> = match round < most && !failed.contains(&(round, at)) {
                true => {
                    let ends = self.ends(inner, at)?;
                    let possible = ends.iter().copied().filter(|to| *to <= end);
                    // Rounds are never empty here.
                    possible.filter(|to| *to > at).collect()
                }
                false => Vec::new(),
            };
            if fewer {
                left.reverse();
            }
            match left.pop() {
                Some(to) => {
                    tried.push((at, left));
                    at = to;
                }
                None => {
                    failed.insert((round, at));
                    // Backtrack to the last round that could have ended elsewhere.
                    loop {
                        let Some((from, left)) = tried.last_mut() else {
                            return Ok(Vec::new());
                        };
                        if let Some(to) = left.pop() {
                            at = to;
                            break;
                        }
                        let from = *from;
                        tried.pop();
                        failed.insert((tried.len(), from));
                    }
                }
            }
        }
        let mut ends = tried.iter().skip(1).map(|(from, _)| *from);
        Ok(tried
            .iter()
            .map(|(from, _)| (*from, ends.next().unwrap_or(end)))
            .collect())
    }

    fn has_groups(&self, place: Place) -> bool {
        match self.tree.pieces.get(place) {
            Some(Piece::Group { number, inner }) => number.is_some() || self.has_groups(*inner),
            Some(Piece::Sequence(pieces) | Piece::Either(pieces)) => {
                pieces.iter().any(|piece| self.has_groups(*piece))
            }
            Some(Piece::Repeat { inner, .. }) => self.has_groups(*inner),
            _ => false,
        }
    }

    /// Clears the groups of the previous round.
    fn forget(&self, place: Place, groups: &mut [Option<Span>]) {
        match self.tree.pieces.get(place) {
            Some(Piece::Group { number, inner }) => {
                if let Some(group) = number.and_then(|number| groups.get_mut(number)) {
                    *group = None;
                }
                self.forget(*inner, groups);
            }
            Some(Piece::Sequence(pieces) | Piece::Either(pieces)) => {
                for piece in pieces {
                    self.forget(*piece, groups);
                }
            }
            Some(Piece::Repeat { inner, .. }) => self.forget(*inner, groups),
            _ => {}
        }
    }
}
