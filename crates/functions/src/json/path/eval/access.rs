//! What accessors find in an item: members, elements, and what passes a filter.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{
    Accessor, Evaluated, Evaluation, Failure, Item, Items, JsonMisfit, Node, Scope, item, text,
};
use crate::json::scan::Scanner;
use crate::json::strings;

impl<'a> Evaluation<'a, '_, '_> {
    pub(super) fn access(
        &self,
        items: Items<'a>,
        accessor: &Accessor,
        scope: &Scope<'a>,
    ) -> Evaluated<Items<'a>> {
        let mut found = Vec::new();
        match accessor {
            Accessor::Member(name) => {
                for item in self.unwrapped(items)? {
                    let value = match &item {
                        Item::Object(object) => self.member(object, name)?,
                        Item::Entry(entry) => {
                            let mut members = entry.members(self.entry_name()).into_iter();
                            members.find(|(of, _)| of == name).map(|(_, value)| value)
                        }
                        _ if self.lax => None,
                        item => {
                            let what = "jsonpath member accessor can only be applied to an object";
                            let other = wrong_type("an object", item);
                            return Err(self.misfit(JsonMisfit::Member, what.to_owned(), other));
                        }
                    };
                    match value {
                        Some(value) => self.push(value, &mut found)?,
                        None if self.lax => (),
                        None => {
                            let what = format!("JSON object does not contain key \"{name}\"");
                            let other = format!("the object has no member \"{name}\"");
                            return Err(self.misfit(JsonMisfit::Member, what, other));
                        }
                    }
                }
            }
            Accessor::AnyMember => {
                for item in self.unwrapped(items)? {
                    for (_, value) in self.members_of(item)? {
                        self.push(value, &mut found)?;
                    }
                }
            }
            Accessor::Descendant(name) => self.descendants(items, name, &mut found)?,
            Accessor::Levels(first, last) => self.levels(items, *first, *last, &mut found)?,
            Accessor::AnyElement => {
                for item in items {
                    match item {
                        Item::Array(array) => self.elements(array, &mut found)?,
                        item if self.lax => self.push(item, &mut found)?,
                        item => return Err(self.no_array("wildcard array accessor", &item)),
                    }
                }
            }
            Accessor::Elements(subscripts) => {
                for item in items {
                    self.subscripted(item, subscripts, scope, &mut found)?;
                }
            }
            Accessor::Filter(predicate) => {
                let mut scope = scope.clone();
                for item in self.unwrapped(items)? {
                    scope.current = Some(item);
                    let items = self.items.get();
                    let is = self.predicate(predicate, &scope)?;
                    // Those of the predicate are gone.
                    self.items.set(items);
                    if let (Some(true), Some(item)) = (is, scope.current.take()) {
                        self.push(item, &mut found)?;
                    }
                }
            }
            Accessor::Method(method) => return self.method(items, *method),
            Accessor::Templated(template) => return self.datetime(items, Some(template)),
        }
        Ok(found)
    }

    /// The members of an object; of several of one name, the last.
    fn members(&self, object: &'a str) -> Evaluated<Vec<(Cow<'a, str>, Item<'a>)>> {
        let mut members: Vec<(Cow<'a, str>, Item<'a>)> = Vec::new();
        let mut places: HashMap<Cow<'a, str>, usize> = HashMap::new();
        let mut scanner = Scanner::new(object);
        let mut more = scanner.enter(b'}');
        while more {
            self.row.work.step()?;
            let name = text(scanner.key()?);
            let value = item(&mut scanner, self.row.work)?;
            let place = *places.entry(name.clone()).or_insert(members.len());
            match members.get_mut(place) {
                Some(member) => member.1 = value,
                None => members.push((name, value)),
            }
            more = scanner.next(b'}')?;
        }
        Ok(members)
    }

    /// The value of the last member of a name.
    fn member(&self, object: &'a str, name: &str) -> Evaluated<Option<Item<'a>>> {
        let mut found = None;
        let mut scanner = Scanner::new(object);
        let mut more = scanner.enter(b'}');
        while more {
            self.row.work.step()?;
            match strings::equals(scanner.key()?, name) {
                true => found = Some(item(&mut scanner, self.row.work)?),
                false => scanner.skip(self.row.work)?,
            }
            more = scanner.next(b'}')?;
        }
        Ok(found)
    }

    /// All members of an item; in lax mode, what is not an object has none.
    pub(super) fn members_of(&self, item: Item<'a>) -> Evaluated<Vec<(Cow<'a, str>, Item<'a>)>> {
        match item {
            Item::Object(object) => self.members(object),
            Item::Entry(entry) => {
                let members = entry.members(self.entry_name()).into_iter();
                Ok(members
                    .map(|(name, value)| (Cow::Borrowed(name), value))
                    .collect())
            }
            _ if self.lax => Ok(Vec::new()),
            item => Err(self.no_object("wildcard member accessor", &item)),
        }
    }

    fn subscripted(
        &self,
        item: Item<'a>,
        subscripts: &[(Node, Option<Node>)],
        scope: &Scope<'a>,
        found: &mut Items<'a>,
    ) -> Evaluated<()> {
        let mut elements = Vec::new();
        match item {
            Item::Array(array) => self.elements(array, &mut elements)?,
            item if self.lax => elements.push(item),
            item => return Err(self.no_array("array accessor", &item)),
        }
        let size = i64::try_from(elements.len()).unwrap_or(i64::MAX);
        if size == 0 {
            return match self.lax {
                true => Ok(()),
                false => Err(self.out_of_bounds("a subscript of an empty array")),
            };
        }
        let mut scope = scope.clone();
        scope.last = Some(size - 1);
        let no_number = || {
            let what = "jsonpath array subscript is not a single numeric value".to_owned();
            self.misfit(
                JsonMisfit::Subscript,
                what,
                "a subscript must be one number",
            )
        };
        let index = |node: &Node| match self.node(node, &scope)?.as_slice() {
            [item] if self.of_postgres => match self.number(item) {
                Ok(number) => number.whole_index(),
                Err(Failure::Value(..)) => Err(no_number()),
                Err(failure) => Err(failure),
            },
            [item] => item.expect_number()?.index(),
            _ => Err(no_number()),
        };
        for (from, to) in subscripts {
            let from = index(from)?;
            let to = match to {
                Some(to) => index(to)?,
                None => from,
            };
            if !self.lax && (from < 0 || to >= size || from > to) {
                let message =
                    format!("the subscript {from} to {to} of an array of {size} elements");
                return Err(self.out_of_bounds(message));
            }
            for at in from.max(0)..=to.min(size - 1) {
                let element = usize::try_from(at).ok().and_then(|at| elements.get(at));
                if let Some(element) = element {
                    self.push(element.clone(), found)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn no_object(&self, by: &str, item: &Item<'a>) -> Failure {
        let what = format!("jsonpath {by} can only be applied to an object");
        self.misfit(JsonMisfit::Object, what, wrong_type("an object", item))
    }

    pub(super) fn no_array(&self, by: &str, item: &Item<'a>) -> Failure {
        let what = format!("jsonpath {by} can only be applied to an array");
        self.misfit(JsonMisfit::Array, what, wrong_type("an array", item))
    }

    fn out_of_bounds(&self, other: impl Into<Cow<'static, str>>) -> Failure {
        let what = "jsonpath array subscript is out of bounds".to_owned();
        self.misfit(JsonMisfit::Subscript, what, other)
    }
}

fn wrong_type(expected: &str, item: &Item<'_>) -> String {
    format!("{expected} is expected instead of {}", item.type_name())
}
