//! Divides a match among the parts of a pattern, as PostgreSQL does. Each part in turn takes as much
//! or as little as it prefers, as long as the rest can still match; where a back reference refuses
//! the text, the part before it takes the next best.

use datafusion::error::Result;

use super::super::nodes::{Kind, Node};
use super::{Extents, Span, has_end, up_to};

/// How often something is repeated.
#[derive(Clone, Copy)]
struct Times {
    least: u32,
    most: Option<u32>,
}

impl Times {
    /// Returns the numbers of rounds that a text of so many characters may have. Rounds are only empty
    /// if there are not enough others, and no text at all has at least one round, if that matches.
    fn in_text(self, length: usize) -> (usize, usize) {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let least = count(self.least.max(1));
        let most = self.most.map_or(length, |most| length.min(count(most)));
        (least, most.max(least))
    }
}

impl Extents<'_> {
    /// Finds the groups of a part that spans `start` to `end`, where it may match. Returns whether its
    /// back references do; else none of its groups is set.
    pub(super) fn lay_out(
        &mut self,
        node: &Node,
        start: usize,
        end: usize,
        groups: &mut [Option<Span>],
    ) -> Result<bool> {
        match &node.kind {
            Kind::Plain => Ok(true),
            Kind::Group { number, inner } => {
                let found = self.lay_out(inner, start, end, groups)?;
                if let Some(group) = groups.get_mut(*number).filter(|_| found) {
                    *group = Some((start, end));
                }
                Ok(found)
            }
            Kind::Back {
                number,
                least,
                most,
            } => {
                let of = groups.get(*number).copied().flatten();
                let times = Times {
                    least: *least,
                    most: *most,
                };
                self.is_repeated(of, times, start, end)
            }
            Kind::Pair { left, right, fewer } => {
                let ends = self.ends(left.place, start)?;
                let mut places = up_to(&ends, end).to_vec();
                if !*fewer {
                    places.reverse();
                }
                for place in places {
                    self.step(0)?;
                    if !has_end(&self.ends(right.place, place)?, end) {
                        continue;
                    }
                    if self.lay_out(left, start, place, groups)? {
                        if self.lay_out(right, place, end, groups)? {
                            return Ok(true);
                        }
                        clear(left, groups);
                    }
                }
                Ok(false)
            }
            Kind::Either(branches) => {
                for branch in branches {
                    self.step(0)?;
                    if has_end(&self.ends(branch.place, start)?, end)
                        && self.lay_out(branch, start, end, groups)?
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Kind::Rounds {
                round,
                least,
                most,
                fewer,
            } => {
                let times = Times {
                    least: *least,
                    most: *most,
                };
                match *fewer {
                    true => self.short_rounds(round, times, (start, end), groups),
                    false => self.long_rounds(round, times, (start, end), groups),
                }
            }
        }
    }

    /// Returns whether a part of the text is that of a group, so many times.
    fn is_repeated(
        &mut self,
        of: Option<Span>,
        times: Times,
        start: usize,
        end: usize,
    ) -> Result<bool> {
        let Some((from, to)) = of else {
            return Ok(false);
        };
        let (length, given) = (to.saturating_sub(from), end.saturating_sub(start));
        if length == 0 {
            return Ok(given == 0);
        }
        if given == 0 {
            return Ok(times.least == 0);
        }
        let count = u32::try_from(given / length).unwrap_or(u32::MAX);
        let is_of_count = count >= times.least && times.most.is_none_or(|most| count <= most);
        let text = self.text;
        let (Some(group), Some(part)) = (text.get(from..to), text.get(start..end)) else {
            return Ok(false);
        };
        if given % length != 0 || !is_of_count {
            return Ok(false);
        }
        self.step(given)?;
        let any_case = self.tree.any_case;
        let is_same = |left: &char, right: &char| {
            left == right || any_case && left.to_lowercase().eq(right.to_lowercase())
        };
        let mut repeated = part.iter().zip(group.iter().cycle());
        Ok(repeated.all(|(left, right)| is_same(left, right)))
    }

    /// Lays out rounds each of which takes as much as possible.
    fn long_rounds(
        &mut self,
        round: &Node,
        times: Times,
        (start, end): Span,
        groups: &mut [Option<Span>],
    ) -> Result<bool> {
        let (least, most) = times.in_text(end.saturating_sub(start));
        // The rounds before the one that is looked for, which begins at `from`, and ends at `limit` or
        // before it.
        let mut chosen: Vec<Span> = Vec::new();
        let (mut from, mut limit) = (start, end);
        // Number of rounds that are laid out.
        let mut verified = 0;
        loop {
            self.step(0)?;
            let number = chosen.len() + 1;
            let ends = self.ends(round.place, from)?;
            let found = up_to(&ends, limit).last().copied();
            // The round that is to end elsewhere; `None` for the one before.
            let mut other = found.map(|to| (from, to));
            if let Some(to) = found {
                verified = verified.min(number - 1);
                if to == end {
                    if number >= least {
                        chosen.push((from, to));
                        if self.are_rounds(round, &chosen, &mut verified, groups)? {
                            return Ok(true);
                        }
                        chosen.pop();
                    }
                } else if number >= most {
                    other = None;
                } else if to > from || number < least && least - number >= end - to {
                    chosen.push((from, to));
                    (from, limit) = (to, end);
                    continue;
                }
            }
            loop {
                match other.or_else(|| chosen.pop()) {
                    Some((begin, to)) if to > begin => {
                        (from, limit) = (begin, to - 1);
                        break;
                    }
                    Some(_) => other = None,
                    None => return Ok(times.least == 0 && start == end),
                }
            }
        }
    }

    /// Lays out rounds each of which takes as little as possible.
    fn short_rounds(
        &mut self,
        round: &Node,
        times: Times,
        (start, end): Span,
        groups: &mut [Option<Span>],
    ) -> Result<bool> {
        if times.least == 0 && start == end {
            return Ok(true);
        }
        let (least, most) = times.in_text(end.saturating_sub(start));
        // As for long rounds, but the round ends at `limit` or after it.
        let mut chosen: Vec<Span> = Vec::new();
        let (mut from, mut limit) = (start, start);
        let mut verified = 0;
        loop {
            self.step(0)?;
            let number = chosen.len() + 1;
            let may_be_empty = number < least && least - number >= end.saturating_sub(from);
            if limit == from && limit < end && !may_be_empty {
                limit += 1;
            }
            if number >= most {
                limit = end;
            }
            let ends = self.ends(round.place, from)?;
            let found = ends.get(ends.partition_point(|to| *to < limit)).copied();
            let found = found.filter(|to| *to <= end);
            let mut other = found.map(|to| (from, to));
            if let Some(to) = found {
                verified = verified.min(number - 1);
                if to < end {
                    chosen.push((from, to));
                    (from, limit) = (to, to);
                    continue;
                }
                if number >= least {
                    chosen.push((from, to));
                    if self.are_rounds(round, &chosen, &mut verified, groups)? {
                        return Ok(true);
                    }
                    chosen.pop();
                }
            }
            loop {
                match other.or_else(|| chosen.pop()) {
                    Some((begin, to)) if to < end => {
                        (from, limit) = (begin, to + 1);
                        break;
                    }
                    Some(_) => other = None,
                    None => return Ok(false),
                }
            }
        }
    }

    /// Lays out rounds after those that are `verified`.
    fn are_rounds(
        &mut self,
        round: &Node,
        chosen: &[Span],
        verified: &mut usize,
        groups: &mut [Option<Span>],
    ) -> Result<bool> {
        for (place, (from, to)) in chosen.iter().enumerate().skip(*verified) {
            clear(round, groups);
            if !self.lay_out(round, *from, *to, groups)? {
                return Ok(false);
            }
            *verified = place + 1;
        }
        Ok(true)
    }
}

/// Clears the groups of a part.
fn clear(node: &Node, groups: &mut [Option<Span>]) {
    match &node.kind {
        Kind::Plain | Kind::Back { .. } => {}
        Kind::Group { number, inner } => {
            if let Some(group) = groups.get_mut(*number) {
                *group = None;
            }
            clear(inner, groups);
        }
        Kind::Pair { left, right, .. } => {
            clear(left, groups);
            clear(right, groups);
        }
        Kind::Either(branches) => {
            for branch in branches {
                clear(branch, groups);
            }
        }
        Kind::Rounds { round, .. } => clear(round, groups),
    }
}
