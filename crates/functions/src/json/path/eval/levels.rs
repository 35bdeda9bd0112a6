//! What is at several levels of a value: `..name` and `.**`.

use super::super::LEAVES;
use super::{Accessor, Evaluated, Evaluation, Failure, Item, Items, Scope};

impl<'a> Evaluation<'a, '_, '_> {
    /// The members of a name at all levels: those of an object, then those of its values.
    pub(super) fn descendants(
        &self,
        items: Items<'a>,
        name: &str,
        found: &mut Items<'a>,
    ) -> Evaluated<()> {
        // The next item is the last.
        let mut next = items;
        next.reverse();
        while let Some(item) = next.pop() {
            let from = next.len();
            match item {
                Item::Array(array) => self.elements(array, &mut next)?,
                item @ (Item::Object(_) | Item::Entry(_)) => {
                    for (of, value) in self.members_of(item)? {
                        if of == name {
                            self.push(value.clone(), found)?;
                        }
                        self.push(value, &mut next)?;
                    }
                }
                _ => (),
            }
            next.get_mut(from..).unwrap_or_default().reverse();
        }
        Ok(())
    }

    /// What is from `first` to `last` levels below the items, which are at level 0 themselves: each
    /// item before those within it.
    pub(super) fn levels(
        &self,
        items: Items<'a>,
        first: u32,
        last: u32,
        found: &mut Items<'a>,
    ) -> Evaluated<()> {
        // The next item is the last.
        let mut next: Vec<(Item<'a>, u32)> =
            items.into_iter().rev().map(|item| (item, 0)).collect();
        while let Some((item, level)) = next.pop() {
            let mut within = Vec::new();
            if level < last {
                match &item {
                    Item::Array(array) => self.elements(array, &mut within)?,
                    Item::Object(_) | Item::Entry(_) => {
                        for (_, value) in self.members_of(item.clone())? {
                            self.push(value, &mut within)?;
                        }
                    }
                    _ => (),
                }
            }
            let is_wanted = match first {
                LEAVES => is_leaf(&item),
                first => (first..=last).contains(&level),
            };
            if is_wanted {
                self.push(item, found)?;
            }
            let within = within.into_iter().rev();
            next.extend(within.map(|item| (item, level.saturating_add(1))));
        }
        Ok(())
    }

    /// What an accessor finds in the items that fit it.
    pub(super) fn access_fitting(
        &self,
        items: Items<'a>,
        accessor: &Accessor,
        scope: &Scope<'a>,
    ) -> Evaluated<Items<'a>> {
        let mut found = Vec::new();
        for item in items {
            match self.access(vec![item], accessor, scope) {
                Ok(items) => found.extend(items),
                Err(Failure::Value(..)) => (),
                Err(failure) => return Err(failure),
            }
        }
        Ok(found)
    }
}

/// Whether an item has no others within.
fn is_leaf(item: &Item<'_>) -> bool {
    !matches!(item, Item::Array(_) | Item::Object(_) | Item::Entry(_))
}
