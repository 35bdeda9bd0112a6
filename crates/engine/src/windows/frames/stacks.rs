//! A queue that returns the total of its items without subtraction.

/// A part of a frame, which can be merged with another part.
pub(super) trait Merge: Copy {
    /// The part without items.
    const NOTHING: Self;

    /// Returns the part that consists of this part and a later one.
    fn merge(&self, later: &Self) -> Self;
}

/// A first-in, first-out queue. New items are kept as they are; each older item is stored as the
/// total of itself and the older items that came after it. An item is moved once, so that the cost
/// of a total does not depend on the number of items.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// Totals; the oldest item's is last.
    older: Vec<T>,
    newer: Vec<T>,
    of_newer: T,
}

impl<T: Merge> Queue<T> {
    pub(super) fn new() -> Self {
        Self {
            older: Vec::new(),
            newer: Vec::new(),
            of_newer: T::NOTHING,
        }
    }

    pub(super) fn push(&mut self, item: T) {
        self.newer.push(item);
        self.of_newer = self.of_newer.merge(&item);
    }

    /// Removes the oldest item.
    pub(super) fn pop(&mut self) {
        if self.older.is_empty() {
            let mut total = T::NOTHING;
            for item in self.newer.drain(..).rev() {
                total = item.merge(&total);
                self.older.push(total);
            }
            self.of_newer = T::NOTHING;
        }
        self.older.pop();
    }

    pub(super) fn total(&self) -> T {
        match self.older.last() {
            Some(older) => older.merge(&self.of_newer),
            None => self.of_newer,
        }
    }

    /// Returns the bytes of memory.
    pub(super) fn size(&self) -> usize {
        (self.older.capacity() + self.newer.capacity()) * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Merge for i64 {
        const NOTHING: Self = 0;

        fn merge(&self, later: &Self) -> Self {
            // The order of merges matters.
            if *later == 0 {
                *self
            } else {
                self * 10 + later
            }
        }
    }

    #[test]
    fn the_total_is_that_of_the_items_that_are_left_in_their_order() {
        let mut queue = Queue::<i64>::new();
        assert_eq!(queue.total(), 0);
        queue.push(1);
        queue.push(2);
        assert_eq!(queue.total(), 12);
        queue.pop();
        assert_eq!(queue.total(), 2);
        queue.push(3);
        assert_eq!(queue.total(), 23);
        queue.pop();
        assert_eq!(queue.total(), 3);
        queue.pop();
        assert_eq!(queue.total(), 0);
        queue.pop();
        queue.push(4);
        assert_eq!(queue.total(), 4);
    }
}
