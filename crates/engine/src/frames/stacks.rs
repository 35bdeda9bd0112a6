//! A queue that returns the total of its items without subtraction.

/// What two parts of a frame make together.
pub trait Merge: Copy {
    /// Of no items.
    const NOTHING: Self;

    /// That of this part and a later one.
    fn merge(&self, later: &Self) -> Self;
}

/// First in, first out. The items that came last are kept as they came; of the older ones each knows the total of itself and
/// those that came after it. An item is moved once, so that the total costs the same however many there are.
#[derive(Debug)]
pub struct Queue<T> {
    /// Totals, that of the oldest item last.
    older: Vec<T>,
    newer: Vec<T>,
    of_newer: T,
}

impl<T: Merge> Queue<T> {
    pub fn new() -> Self {
        Self {
            older: Vec::new(),
            newer: Vec::new(),
            of_newer: T::NOTHING,
        }
    }

    pub fn push(&mut self, item: T) {
        self.newer.push(item);
        self.of_newer = self.of_newer.merge(&item);
    }

    /// Removes the oldest item.
    pub fn pop(&mut self) {
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

    pub fn total(&self) -> T {
        match self.older.last() {
            Some(older) => older.merge(&self.of_newer),
            None => self.of_newer,
        }
    }

    /// Bytes of memory.
    pub fn size(&self) -> usize {
        (self.older.capacity() + self.newer.capacity()) * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Merge for i64 {
        const NOTHING: Self = 0;

        fn merge(&self, later: &Self) -> Self {
            // Not the same the other way round.
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
