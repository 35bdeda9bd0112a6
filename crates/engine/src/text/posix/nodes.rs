//! The parts of a pattern among which PostgreSQL divides a match: its groups, its back references,
//! what contains them, and what lies between. A part of none of these is matched as a whole.
//!
//! ```text
//! a?b(c|d)e\1     Pair(a?b, Pair(Group(c|d), Pair(e, Pair(Back, empty))))
//! (?:(a)|b)*      Pair(empty, Pair(Rounds(Either(Group(a), b)), empty))
//! ```
//!
//! A quantifier prefers more or fewer characters, and so does what begins with it. Parts that do not
//! prefer the same are not matched as one.

use lakegate_error::{Code, Error};

use super::tree::{Piece, Place, Tree};

type Result<T> = std::result::Result<T, Error>;

/// Parts that are divided further: the search nests as deeply.
const MAX_DIVIDED: usize = 400;

/// Whether a part prefers to match more or fewer characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preference {
    None,
    More,
    Fewer,
}

impl Preference {
    fn or(self, other: Self) -> Self {
        match self {
            Self::None => other,
            own => own,
        }
    }

    fn agrees(self, other: Self) -> bool {
        self == Self::None || other == Self::None || self == other
    }
}

/// What is known of a piece with all that it contains.
#[derive(Debug, Clone, Copy)]
struct Traits {
    preference: Preference,
    /// Whether its parts prefer different things.
    mixed: bool,
    captures: bool,
    refers_back: bool,
}

impl Traits {
    const NONE: Self = Self {
        preference: Preference::None,
        mixed: false,
        captures: false,
        refers_back: false,
    };

    fn followed_by(self, other: Self) -> Self {
        Self {
            preference: self.preference.or(other.preference),
            mixed: self.mixed || other.mixed || !self.preference.agrees(other.preference),
            captures: self.captures || other.captures,
            refers_back: self.refers_back || other.refers_back,
        }
    }

    fn of_quantifier(lazy: bool, fixed: bool) -> Self {
        Self {
            preference: match (fixed, lazy) {
                (true, _) => Preference::None,
                (false, true) => Preference::Fewer,
                (false, false) => Preference::More,
            },
            ..Self::NONE
        }
    }

    fn of(tree: &Tree, place: Place) -> Self {
        match tree.pieces.get(place) {
            Some(Piece::Group { number, inner }) => {
                let inner = Self::of(tree, *inner);
                Self {
                    captures: inner.captures || number.is_some(),
                    ..inner
                }
            }
            Some(Piece::Sequence(pieces)) => pieces.iter().rev().fold(Self::NONE, |rest, piece| {
                Self::of(tree, *piece).followed_by(rest)
            }),
            Some(Piece::Either(branches)) => {
                let mut all = Self {
                    preference: Preference::More,
                    ..Self::NONE
                };
                for branch in branches {
                    let branch = Self::of(tree, *branch);
                    all.mixed |= branch.mixed;
                    all.captures |= branch.captures;
                    all.refers_back |= branch.refers_back;
                }
                all
            }
            Some(Piece::Back { .. }) => Self {
                refers_back: true,
                ..Self::NONE
            },
            // A part that is never there.
            Some(Piece::Repeat { most: Some(0), .. }) => Self::NONE,
            Some(Piece::Repeat {
                inner, lazy, fixed, ..
            }) => Self::of_quantifier(*lazy, *fixed).followed_by(Self::of(tree, *inner)),
            _ => Self::NONE,
        }
    }

    /// Returns whether the part is matched as a whole.
    fn is_plain(self) -> bool {
        !(self.mixed || self.captures || self.refers_back)
    }
}

/// A part of a pattern.
#[derive(Debug)]
pub(super) struct Node {
    /// The piece whose matches those of the part are, apart from what back references refuse.
    pub place: Place,
    pub kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Plain,
    Group {
        number: usize,
        inner: Box<Node>,
    },
    /// The text of a group, `least` to `most` times.
    Back {
        number: usize,
        least: u32,
        most: Option<u32>,
    },
    Pair {
        left: Box<Node>,
        right: Box<Node>,
        /// Whether the left side takes as little as possible.
        fewer: bool,
    },
    Either(Vec<Node>),
    Rounds {
        round: Box<Node>,
        least: u32,
        most: Option<u32>,
        /// Whether each round takes as little as possible.
        fewer: bool,
    },
}

/// The parts of a pattern.
#[derive(Debug)]
pub(super) struct Division {
    pub root: Node,
    /// Whether the whole match is as short as possible.
    pub fewer: bool,
    pub refers_back: bool,
}

/// Divides a pattern, to whose tree pieces are added.
///
/// # Errors
///
/// It has too many parts.
pub(super) fn divided(tree: &mut Tree) -> Result<Division> {
    let traits = Traits::of(tree, tree.root);
    let whole = tree.root;
    let root = Builder { tree, divided: 0 }.node(whole)?;
    Ok(Division {
        root,
        fewer: traits.preference == Preference::Fewer,
        refers_back: traits.refers_back,
    })
}

struct Builder<'a> {
    tree: &'a mut Tree,
    /// Number of parts that are divided.
    divided: usize,
}

impl Builder<'_> {
    fn traits(&self, place: Place) -> Traits {
        Traits::of(self.tree, place)
    }

    fn add(&mut self, piece: Piece) -> Place {
        self.tree.pieces.push(piece);
        self.tree.pieces.len() - 1
    }

    fn plain(place: Place) -> Node {
        Node {
            place,
            kind: Kind::Plain,
        }
    }

    fn pair(&mut self, left: Node, right: Node, fewer: bool) -> Node {
        let place = self.add(Piece::Sequence(vec![left.place, right.place]));
        Node {
            place,
            kind: Kind::Pair {
                left: Box::new(left),
                right: Box::new(right),
                fewer,
            },
        }
    }

    fn count(&mut self) -> Result<()> {
        self.divided += 1;
        match self.divided > MAX_DIVIDED {
            true => Err(Error::new(
                Code::TooComplex,
                "the regular expression has too many groups, back references and lazy quantifiers",
            )
            .with_hint("write (?:…) for groups whose texts are not needed")),
            false => Ok(()),
        }
    }

    fn node(&mut self, place: Place) -> Result<Node> {
        if self.traits(place).is_plain() {
            return Ok(Self::plain(place));
        }
        self.count()?;
        let kind = match self.tree.pieces.get(place).cloned() {
            Some(Piece::Group {
                number: Some(number),
                inner,
            }) => Kind::Group {
                number,
                inner: Box::new(self.node(inner)?),
            },
            Some(Piece::Group {
                number: None,
                inner,
            }) => return self.node(inner),
            Some(Piece::Sequence(pieces)) => return self.sequence(&pieces),
            Some(Piece::Either(branches)) => {
                let branches = branches.into_iter().map(|branch| self.node(branch));
                Kind::Either(branches.collect::<Result<_>>()?)
            }
            Some(Piece::Back { number, .. }) => Kind::Back {
                number,
                least: 1,
                most: Some(1),
            },
            Some(Piece::Repeat {
                inner,
                least,
                most,
                lazy,
                fixed,
            }) => {
                return self.repeated(
                    place,
                    inner,
                    least,
                    most,
                    Traits::of_quantifier(lazy, fixed),
                );
            }
            _ => Kind::Plain,
        };
        Ok(Node { place, kind })
    }

    /// The parts of a quantifier: `place` is its piece, `inner` the one that it repeats.
    fn repeated(
        &mut self,
        place: Place,
        inner: Place,
        least: u32,
        most: Option<u32>,
        quantifier: Traits,
    ) -> Result<Node> {
        if let Some(Piece::Back { number, .. }) = self.tree.pieces.get(inner) {
            let number = *number;
            return Ok(Node {
                place,
                kind: Kind::Back {
                    number,
                    least,
                    most,
                },
            });
        }
        let traits = self.traits(inner);
        let wanted = quantifier.preference;
        let says_nothing = wanted == Preference::None
            || !traits.mixed
                && (traits.preference == Preference::None || traits.preference == wanted);
        if least == 1 && most == Some(1) && says_nothing {
            return self.node(inner);
        }
        if !traits.captures && !traits.refers_back {
            return Ok(Self::plain(place));
        }
        let round = self.node(inner)?;
        if least > 0 && !traits.refers_back {
            // The rounds before the last are matched as a whole: groups are those of the last one.
            let before = self.add(Piece::Repeat {
                inner,
                least: least - 1,
                most: most.map(|most| most.saturating_sub(1)),
                lazy: false,
                fixed: false,
            });
            let fewer = wanted.or(traits.preference) == Preference::Fewer;
            return Ok(self.pair(Self::plain(before), round, fewer));
        }
        Ok(Node {
            place,
            kind: Kind::Rounds {
                round: Box::new(round),
                least,
                most,
                fewer: traits.preference == Preference::Fewer,
            },
        })
    }

    fn sequence(&mut self, pieces: &[Place]) -> Result<Node> {
        let mut preference = Preference::None;
        let mut length = 0;
        for piece in pieces {
            let traits = self.traits(*piece);
            if !traits.is_plain() || !preference.agrees(traits.preference) {
                break;
            }
            preference = preference.or(traits.preference);
            length += 1;
        }
        let (before, others) = pieces.split_at(length);
        let before = self.add(Piece::Sequence(before.to_vec()));
        let Some((first, others)) = others.split_first() else {
            return Ok(Self::plain(before));
        };
        self.count()?;
        let fewer = self.traits(*first).preference == Preference::Fewer;
        let first = self.node(*first)?;
        let others = self.sequence(others)?;
        let others = self.pair(first, others, fewer);
        Ok(self.pair(Self::plain(before), others, preference == Preference::Fewer))
    }
}
