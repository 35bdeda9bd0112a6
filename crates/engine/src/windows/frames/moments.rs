//! Sums of numbers and of pairs of numbers, and of their squares and products, which can be
//! combined from parts.
//!
//! Squares are those of distances from the mean: Chan, Golub and LeVeque, "Updating Formulae and a
//! Pairwise Algorithm for Computing Sample Variances", 1979.

use super::stacks::Merge;

/// The sums of numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    pub count: f64,
    pub sum: f64,
    pub mean: f64,
    /// The sum of the squares of distances from the mean.
    pub squares: f64,
}

/// Returns 0, or NaN for an infinity or NaN.
fn distance_from_itself(value: f64) -> f64 {
    if value.is_finite() { 0.0 } else { f64::NAN }
}

impl Moments {
    pub(super) fn of(value: f64) -> Self {
        Self {
            count: 1.0,
            sum: value,
            mean: value,
            squares: distance_from_itself(value),
        }
    }
}

impl Merge for Moments {
    const NOTHING: Self = Self {
        count: 0.0,
        sum: 0.0,
        mean: 0.0,
        squares: 0.0,
    };

    fn merge(&self, later: &Self) -> Self {
        if self.count == 0.0 {
            return *later;
        }
        if later.count == 0.0 {
            return *self;
        }
        let count = self.count + later.count;
        let distance = later.mean - self.mean;
        Self {
            count,
            sum: self.sum + later.sum,
            mean: self.mean + distance * (later.count / count),
            squares: self.squares
                + later.squares
                + distance * distance * (self.count * later.count / count),
        }
    }
}

/// The sums of pairs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairs {
    pub x: Moments,
    pub y: Moments,
    /// The sum of the products of both distances from the means.
    pub products: f64,
}

impl Pairs {
    pub(super) fn of(y: f64, x: f64) -> Self {
        Self {
            x: Moments::of(x),
            y: Moments::of(y),
            products: distance_from_itself(x) * distance_from_itself(y),
        }
    }

    pub(super) fn count(&self) -> f64 {
        self.x.count
    }
}

impl Merge for Pairs {
    const NOTHING: Self = Self {
        x: Moments::NOTHING,
        y: Moments::NOTHING,
        products: 0.0,
    };

    fn merge(&self, later: &Self) -> Self {
        if self.count() == 0.0 {
            return *later;
        }
        if later.count() == 0.0 {
            return *self;
        }
        let parts = self.count() * later.count() / (self.count() + later.count());
        let distances = (later.x.mean - self.x.mean) * (later.y.mean - self.y.mean);
        Self {
            x: self.x.merge(&later.x),
            y: self.y.merge(&later.y),
            products: self.products + later.products + distances * parts,
        }
    }
}
