//! The methods of items, such as `.size()`.

use super::super::Method;
use super::super::datetime::Datetime;
use super::super::items::Entry;
use super::super::template::{Misread, Template};
use super::{Evaluated, Evaluation, Item, Items, JsonMisfit, Num, Of};
use crate::json::numbers;
use crate::json::scan::Scanner;

impl<'a> Evaluation<'a, '_, '_> {
    pub(super) fn method(&self, items: Items<'a>, method: Method) -> Evaluated<Items<'a>> {
        let mut found = Vec::new();
        match method {
            Method::Type => {
                for item in items {
                    self.push(Item::Text(item.type_name().into()), &mut found)?;
                }
            }
            Method::Size => {
                for item in items {
                    let size = match item {
                        Item::Array(array) => {
                            let mut scanner = Scanner::new(array);
                            crate::json::extract::count(&mut scanner, self.row.work)?.unwrap_or(0)
                        }
                        _ if self.lax => 1,
                        item => return Err(self.no_array("item method .size()", &item)),
                    };
                    let size = i64::try_from(size).unwrap_or(i64::MAX);
                    self.push(Item::Number(Num::Whole(size, false)), &mut found)?;
                }
            }
            Method::Double => {
                for item in self.unwrapped(items)? {
                    let number = match item.text() {
                        Some(text) => {
                            let number = numbers::read_double(text)
                                .filter(|number| number.is_finite() || !self.of_postgres);
                            let number = number.ok_or_else(|| {
                                let what = "string argument of jsonpath item method .double() is not a valid representation of a double precision number";
                                let kind = JsonMisfit::Argument;
                                self.misfit(kind, what.to_owned(), "a text is no number")
                            })?;
                            let exact = Num::of_double(number).filter(|_| self.of_postgres);
                            Item::Number(exact.unwrap_or(Num::Double(number)))
                        }
                        // PostgreSQL checks the number, and leaves it.
                        None if self.of_postgres && item.expect_number()?.double().is_finite() => {
                            item
                        }
                        None => Item::Number(Num::Double(item.expect_number()?.double())),
                    };
                    self.push(number, &mut found)?;
                }
            }
            Method::Ceiling => {
                let of = |number: Num| number.rounded(true);
                return self.each_number(items, Of::Method("ceiling"), of);
            }
            Method::Floor => {
                let of = |number: Num| number.rounded(false);
                return self.each_number(items, Of::Method("floor"), of);
            }
            Method::Abs => return self.each_number(items, Of::Method("abs"), Num::abs),
            Method::Datetime => return self.datetime(items, None),
            Method::KeyValue => {
                for item in self.unwrapped(items)? {
                    if !matches!(item, Item::Object(_) | Item::Entry(_)) {
                        return Err(self.no_object("item method .keyvalue()", &item));
                    }
                    let id = self.ids.get();
                    self.ids.set(id + 1);
                    for (name, value) in self.members_of(item)? {
                        let entry = Box::new(Entry { name, value, id });
                        self.push(Item::Entry(entry), &mut found)?;
                    }
                }
            }
        }
        Ok(found)
    }

    /// The dates and times that texts have, in the forms of the standard or by a template.
    pub(super) fn datetime(
        &self,
        items: Items<'a>,
        template: Option<&Template>,
    ) -> Evaluated<Items<'a>> {
        let mut found = Vec::new();
        for item in self.unwrapped(items)? {
            let wrong = |kind, what: String| self.misfit(kind, what, "a text is no date or time");
            let text = item.text().ok_or_else(|| {
                let what = "jsonpath item method .datetime() can only be applied to a string";
                wrong(JsonMisfit::Datetime, what.to_owned())
            })?;
            let shown = || text.chars().take(100).collect::<String>();
            let time = match template {
                None => Datetime::read(text).ok_or_else(|| {
                    let what = format!("datetime format is not recognized: \"{}\"", shown());
                    wrong(JsonMisfit::Datetime, what)
                }),
                Some(template) => template.read(text).map_err(|misread| match misread {
                    Misread::Form(what) => wrong(JsonMisfit::DatetimeForm, what),
                    Misread::Range => {
                        let what = format!("date/time field value out of range: \"{}\"", shown());
                        wrong(JsonMisfit::DatetimeRange, what)
                    }
                }),
            };
            self.push(Item::Time(time?), &mut found)?;
        }
        Ok(found)
    }
}
