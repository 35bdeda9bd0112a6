//! Tells whether the matches of the crate `regex` are PostgreSQL's.
//!
//! The crate takes the first way through a pattern that leads to a match, PostgreSQL the longest, and
//! divides it among the parts by rules of its own (`extents.rs`). Where the next character always
//! decides how the pattern goes on, there is one way only, and both find it:
//!
//! ```text
//! (\w+):(px|em)?     a word character or `:`; `p`, `e` or the end
//! (\w+)(\d+)         a digit may belong to either group
//! ```

use std::collections::HashMap;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class as Letters, ClassUnicode, ClassUnicodeRange, HirKind};

use super::spelling::spelled_class;
use super::tree::{Piece, Place, Tree};

/// Pieces of a pattern whose ways are followed: each has sets of characters.
const MOST_PIECES: usize = 100;

/// When the crate's match of a pattern is PostgreSQL's, with all its groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreement {
    Always,
    /// If it reaches the end of the text, so that none is longer.
    AtTextEnd,
    Never,
}

/// Returns when the crate's match of a pattern is PostgreSQL's.
pub(super) fn agreement(tree: &Tree) -> Agreement {
    let is_simple = tree.pieces.iter().all(|piece| match piece {
        Piece::Either(_) | Piece::Look { .. } | Piece::Back { .. } => false,
        Piece::Repeat { inner, lazy, .. } => !lazy && is_class(tree, *inner),
        _ => true,
    });
    if is_simple {
        return Agreement::Always;
    }
    let mut ways = Ways::new(tree);
    if ways.are_one(tree.root, &ClassUnicode::empty()).is_some() {
        return Agreement::Always;
    }
    match is_greedy(tree, &mut ways) {
        true => Agreement::AtTextEnd,
        false => Agreement::Never,
    }
}

/// Returns whether each repeated part has a fixed length: as many repetitions as possible are then as
/// much text as possible.
fn is_greedy(tree: &Tree, ways: &mut Ways<'_>) -> bool {
    let has_groups = captures(tree, tree.root);
    let mut pieces = tree.pieces.iter().enumerate();
    pieces.all(|(place, piece)| match piece {
        Piece::Either(_) | Piece::Look { .. } | Piece::Back { .. } => false,
        Piece::Repeat { inner, lazy, .. } => !lazy && is_of_one_length(tree, *inner),
        Piece::Sequence(pieces) => {
            !has_groups || takes_most_in_turn(tree, ways, pieces, place == tree.root)
        }
        _ => true,
    })
}

/// Returns whether the parts between two groups take as much text as they can together if each in
/// turn takes as much as it can: `a?(?:ab)?` does not, since `ab` is left by its first part. Parts
/// that the text leaves one way only do not count up to the first that has several.
fn takes_most_in_turn(tree: &Tree, ways: &mut Ways<'_>, pieces: &[Place], is_whole: bool) -> bool {
    let are_forced = ways.are_forced(pieces, is_whole);
    let (mut varying, mut is_long) = (0, false);
    for (piece, is_forced) in pieces.iter().zip(are_forced) {
        if captures(tree, *piece) {
            (varying, is_long) = (0, false);
            continue;
        }
        let is_fixed = is_of_one_length(tree, *piece) || varying == 0 && is_forced;
        if !is_fixed {
            varying += 1;
            is_long |= !repeats_a_character(tree, *piece);
        }
        if varying > 1 && is_long {
            return false;
        }
    }
    true
}

fn captures(tree: &Tree, place: Place) -> bool {
    match tree.pieces.get(place) {
        Some(Piece::Group { number, inner }) => number.is_some() || captures(tree, *inner),
        Some(Piece::Repeat { inner, .. }) => captures(tree, *inner),
        Some(Piece::Sequence(pieces) | Piece::Either(pieces)) => {
            pieces.iter().any(|piece| captures(tree, *piece))
        }
        _ => false,
    }
}

fn is_class(tree: &Tree, place: Place) -> bool {
    matches!(tree.pieces.get(place), Some(Piece::Class(_)))
}

fn repeats_a_character(tree: &Tree, place: Place) -> bool {
    match tree.pieces.get(place) {
        Some(Piece::Repeat { inner, .. }) => is_class(tree, *inner),
        _ => false,
    }
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

/// How a part begins.
#[derive(Debug, Clone)]
struct Start {
    letters: ClassUnicode,
    /// Whether it may also match no text.
    may_be_empty: bool,
}

impl Start {
    fn empty() -> Self {
        Self {
            letters: ClassUnicode::empty(),
            may_be_empty: true,
        }
    }

    /// Returns the letters that may be next where `next` may follow.
    fn before(&self, next: &ClassUnicode) -> ClassUnicode {
        let mut letters = self.letters.clone();
        if self.may_be_empty {
            letters.union(next);
        }
        letters
    }
}

/// The ways through a pattern.
struct Ways<'a> {
    tree: &'a Tree,
    /// Whether the pattern has too many pieces to be followed.
    is_large: bool,
    known: HashMap<Place, Start>,
}

impl<'a> Ways<'a> {
    fn new(tree: &'a Tree) -> Self {
        Self {
            tree,
            is_large: tree.pieces.len() > MOST_PIECES,
            known: HashMap::new(),
        }
    }

    /// Returns how a part begins; `None` if that is not known.
    fn start(&mut self, place: Place) -> Option<Start> {
        if self.is_large {
            return None;
        }
        if let Some(known) = self.known.get(&place) {
            return Some(known.clone());
        }
        let tree = self.tree;
        let start = match tree.pieces.get(place)? {
            Piece::Empty | Piece::Edge(_) | Piece::Repeat { most: Some(0), .. } => Start::empty(),
            Piece::Look { .. } | Piece::Back { .. } => return None,
            Piece::Class(class) => Start {
                letters: letters(&spelled_class(class), tree.any_case)?,
                may_be_empty: false,
            },
            Piece::Group { inner, .. } => self.start(*inner)?,
            Piece::Sequence(pieces) => {
                let mut all = Start::empty();
                for piece in pieces {
                    if !all.may_be_empty {
                        break;
                    }
                    let next = self.start(*piece)?;
                    all.letters.union(&next.letters);
                    all.may_be_empty = next.may_be_empty;
                }
                all
            }
            Piece::Either(branches) => {
                let mut all = Start {
                    may_be_empty: false,
                    ..Start::empty()
                };
                for branch in branches {
                    let branch = self.start(*branch)?;
                    all.letters.union(&branch.letters);
                    all.may_be_empty |= branch.may_be_empty;
                }
                all
            }
            Piece::Repeat { inner, least, .. } => {
                let mut start = self.start(*inner)?;
                start.may_be_empty |= *least == 0;
                start
            }
        };
        self.known.insert(place, start.clone());
        Some(start)
    }

    /// Returns whether the next character decides how a part goes on, where one of `next` or the end of
    /// the text may follow it; `None` if it does not, or if that is not known.
    fn are_one(&mut self, place: Place, next: &ClassUnicode) -> Option<()> {
        let tree = self.tree;
        match tree.pieces.get(place)? {
            Piece::Empty | Piece::Edge(_) | Piece::Class(_) => Some(()),
            Piece::Look { .. } | Piece::Back { .. } => None,
            Piece::Group { inner, .. } => self.are_one(*inner, next),
            Piece::Sequence(pieces) => {
                let mut next = next.clone();
                for piece in pieces.iter().rev() {
                    self.are_one(*piece, &next)?;
                    next = self.start(*piece)?.before(&next);
                }
                Some(())
            }
            Piece::Either(branches) => {
                let mut others = ClassUnicode::empty();
                for (number, branch) in branches.iter().enumerate() {
                    self.are_one(*branch, next)?;
                    let start = self.start(*branch)?;
                    let is_last = number + 1 == branches.len();
                    let may_end = !start.may_be_empty || is_last && are_apart(&others, next);
                    if !may_end || !are_apart(&others, &start.letters) {
                        return None;
                    }
                    others.union(&start.letters);
                }
                Some(())
            }
            Piece::Repeat { most: Some(0), .. } => Some(()),
            Piece::Repeat {
                inner,
                least,
                most,
                lazy,
                ..
            } => {
                let start = self.start(*inner)?;
                let repeats = *most != Some(1);
                // The crate keeps the groups of earlier rounds.
                let is_unknown = *lazy || start.may_be_empty || repeats && captures(tree, *inner);
                let is_fixed = *most == Some(*least);
                if is_unknown || !is_fixed && !are_apart(&start.letters, next) {
                    return None;
                }
                let mut next = next.clone();
                if repeats {
                    next.union(&start.letters);
                }
                self.are_one(*inner, &next)
            }
        }
    }

    /// Returns for each part of a sequence whether the next character decides how it goes on. The
    /// sequence is the whole pattern, or what follows it is not known.
    fn are_forced(&mut self, pieces: &[Place], is_whole: bool) -> Vec<bool> {
        let mut next = is_whole.then(ClassUnicode::empty);
        let forced = pieces.iter().rev().map(|piece| {
            let is_forced = next
                .as_ref()
                .is_some_and(|next| self.are_one(*piece, next).is_some());
            next = self.start(*piece).and_then(|start| match &next {
                Some(next) => Some(start.before(next)),
                None => (!start.may_be_empty).then_some(start.letters),
            });
            is_forced
        });
        let mut forced: Vec<bool> = forced.collect();
        forced.reverse();
        forced
    }
}

fn are_apart(left: &ClassUnicode, right: &ClassUnicode) -> bool {
    let mut both = left.clone();
    both.intersect(right);
    both.ranges().is_empty()
}

/// Returns the characters of a class in the crate's syntax.
fn letters(class: &str, any_case: bool) -> Option<ClassUnicode> {
    let mut parser = ParserBuilder::new().case_insensitive(any_case).build();
    match parser.parse(class).ok()?.into_kind() {
        HirKind::Class(Letters::Unicode(letters)) => Some(letters),
        HirKind::Literal(letter) => {
            let mut letters = std::str::from_utf8(&letter.0).ok()?.chars();
            let only = letters.next().filter(|_| letters.next().is_none())?;
            Some(ClassUnicode::new([ClassUnicodeRange::new(only, only)]))
        }
        _ => None,
    }
}
