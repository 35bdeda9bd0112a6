//! Finds the items of a value.

mod access;
mod levels;
mod methods;
mod predicates;

use std::borrow::Cow;
use std::cell::Cell;

use datafusion::error::DataFusionError;
use lakegate_engine::time::Clock;
use lakegate_error::{Code, Error};

use super::{Accessor, Item, Node, Num, Path, Predicate};
use crate::json::scan::{Fault, Raw, Scalar, Scanner};
use crate::json::strings;
use crate::work::Work;

/// Items that the evaluation of a path for one row may keep.
const MAX_ITEMS: usize = 1_000_000;

/// Bytes of a text that count as another item.
const ITEM_BYTES: usize = 64;

/// Which of the errors of SQL/JSON it is that a value does not fit a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonMisfit {
    /// An object has no such member, or what is asked for one is not an object.
    Member,
    /// An array has no such item.
    Subscript,
    /// What is not an array.
    Array,
    /// What is not an object.
    Object,
    /// The argument of a method is not a number.
    Argument,
    /// The argument of `datetime()` is no text of a date or a time.
    Datetime,
    /// The argument of `datetime()` has another form than its template.
    DatetimeForm,
    /// The argument of `datetime()` has a number that is out of range.
    DatetimeRange,
    /// The operand of a sign is not a number.
    Operand,
    /// An operand is not one number.
    Single,
    DivisionByZero,
    Other,
}

/// Why a path has no items.
#[derive(Debug)]
pub(in crate::json) enum Failure {
    /// The value does not fit the path.
    Value(Cow<'static, str>, JsonMisfit),
    Fault(Fault),
}

impl Failure {
    pub(super) fn value(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Value(what.into(), JsonMisfit::Other)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed => Self::value("the value is not valid JSON"),
            fault => Self::Fault(fault),
        }
    }
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        Self::Fault(error.into())
    }
}

type Evaluated<T> = Result<T, Failure>;
type Items<'a> = Vec<Item<'a>>;

/// What a path is evaluated for.
#[derive(Debug)]
pub(in crate::json) struct Row<'a, 'w> {
    /// The text of the value, which is `$`.
    pub json: &'a str,
    /// The values of variables; `None` is an empty sequence.
    pub variables: &'w [(String, Option<Item<'a>>)],
    /// That of dates and times without a zone, where they are compared with others.
    pub clock: Option<Clock>,
    pub work: &'w Work,
}

/// Returns the items of a path.
///
/// # Errors
///
/// The text is not JSON, or does not fit the path.
pub(in crate::json) fn evaluate<'a>(path: &Path, row: &Row<'a, '_>) -> Evaluated<Items<'a>> {
    let mut scanner = Scanner::new(row.json);
    scanner.space();
    let root = item(&mut scanner, row.work)?;
    scanner.end()?;
    let evaluation = Evaluation {
        row,
        lax: path.lax,
        of_postgres: path.of_postgres,
        root,
        items: Cell::new(0),
        ids: Cell::new(0),
    };
    evaluation.node(&path.root, &Scope::default())
}

/// Takes the value at the scanner's place as an item, and moves past it.
fn item<'a>(scanner: &mut Scanner<'a>, work: &Work) -> Result<Item<'a>, Fault> {
    Ok(match scanner.peek() {
        Some(b'[') => Item::Array(scanner.value(work)?),
        Some(b'{') => Item::Object(scanner.value(work)?),
        _ => match scanner.scalar()? {
            Scalar::Null => Item::Null,
            Scalar::Boolean(boolean) => Item::Boolean(boolean),
            Scalar::Number(number) => Item::Written(number),
            Scalar::String(raw) => Item::Text(text(raw)),
        },
    })
}

fn text(raw: Raw<'_>) -> Cow<'_, str> {
    if !raw.escaped {
        return Cow::Borrowed(raw.text);
    }
    let mut decoded = String::new();
    strings::decode(raw, &mut decoded);
    Cow::Owned(decoded)
}

/// What `@` and `last` are.
#[derive(Debug, Clone, Default)]
struct Scope<'a> {
    current: Option<Item<'a>>,
    last: Option<i64>,
}

/// What asks for numbers.
#[derive(Debug, Clone, Copy)]
enum Of {
    Sign(&'static str),
    Method(&'static str),
}

#[derive(Debug)]
struct Evaluation<'a, 'r, 'w> {
    row: &'r Row<'a, 'w>,
    lax: bool,
    of_postgres: bool,
    root: Item<'a>,
    /// Items made so far.
    items: Cell<usize>,
    /// The next number of an object for `keyvalue()`.
    ids: Cell<i64>,
}

impl<'a> Evaluation<'a, '_, '_> {
    fn push(&self, item: Item<'a>, into: &mut Items<'a>) -> Evaluated<()> {
        let held = match &item {
            Item::Text(Cow::Owned(text)) => text.len() / ITEM_BYTES,
            _ => 0,
        };
        let items = self.items.get() + 1 + held;
        self.items.set(items);
        if items > MAX_ITEMS {
            let message = format!("a JSON path may make at most {MAX_ITEMS} items of a value");
            return Err(Failure::from(DataFusionError::from(Error::new(
                Code::ResultTooLarge,
                message,
            ))));
        }
        self.row.work.step()?;
        into.push(item);
        Ok(())
    }

    fn node(&self, node: &Node, scope: &Scope<'a>) -> Evaluated<Items<'a>> {
        Ok(vec![match node {
            Node::Null => Item::Null,
            Node::Boolean(boolean) => Item::Boolean(*boolean),
            Node::Number(number) => Item::Number(*number),
            Node::Text(text) => Item::Text(Cow::Owned(text.clone())),
            Node::Context => self.root.clone(),
            Node::Current => match &scope.current {
                Some(item) => item.clone(),
                None => return Err(Failure::value("@ is used outside of a filter")),
            },
            Node::Last => match scope.last {
                Some(last) => Item::Number(Num::Whole(last, false)),
                None => return Err(Failure::value("last is used outside of a subscript")),
            },
            Node::Variable(name) => {
                let mut variables = self.row.variables.iter();
                match variables.find(|(variable, _)| variable == name) {
                    Some((_, Some(item))) => item.clone(),
                    Some((_, None)) => return Ok(Vec::new()),
                    None => {
                        let message = format!("no value is passed for the path's variable ${name}");
                        return Err(DataFusionError::from(Error::invalid(message)).into());
                    }
                }
            }
            Node::Arithmetic(first, rest) => {
                let next = rest.first().map_or("+", |(operator, _)| operator.symbol());
                let mut result = self.single_number(first, ("left", next), scope)?;
                for (operator, operand) in rest {
                    self.row.work.step()?;
                    let side = ("right", operator.symbol());
                    let operand = self.single_number(operand, side, scope)?;
                    result = match self.of_postgres {
                        true => result.apply_exactly(*operator, operand)?,
                        false => result.apply(*operator, operand)?,
                    };
                }
                Item::Number(result)
            }
            Node::Negated(base) => {
                return self.each_number(self.node(base, scope)?, Of::Sign("-"), Num::negated);
            }
            Node::Judged(predicate) => match self.predicate(predicate, scope)? {
                Some(is) => Item::Boolean(is),
                None => Item::Null,
            },
            Node::Numeric(base) => {
                return self.each_number(self.node(base, scope)?, Of::Sign("+"), Ok);
            }
            Node::Accessed(base, accessors) => {
                let mut items = self.node(base, scope)?;
                let mut skips = false;
                for accessor in accessors {
                    items = match skips {
                        true => self.access_fitting(items, accessor, scope)?,
                        false => self.access(items, accessor, scope)?,
                    };
                    // Few of the items of all levels have what follows.
                    skips |= matches!(accessor, Accessor::Levels(..));
                }
                return Ok(items);
            }
        }])
    }

    /// The member of what `keyvalue()` makes that has the name.
    fn entry_name(&self) -> &'static str {
        if self.of_postgres { "key" } else { "name" }
    }

    /// An item as a number. Those of PostgreSQL have no type that is exceeded.
    fn number(&self, item: &Item<'a>) -> Evaluated<Num> {
        if !self.of_postgres {
            return item.expect_number();
        }
        let exact = match item {
            Item::Written(written) if !written.whole && !written.text.contains(['e', 'E']) => {
                Num::decimal(written.text)
            }
            _ => None,
        };
        Ok(match exact {
            Some(number) => number,
            None => match item.expect_number()? {
                Num::Whole(number, _) => Num::Whole(number, true),
                number => number,
            },
        })
    }

    /// That a value does not fit, in the words of PostgreSQL or in those of Trino's dialects.
    fn misfit(
        &self,
        kind: JsonMisfit,
        of_postgres: String,
        other: impl Into<Cow<'static, str>>,
    ) -> Failure {
        match self.of_postgres {
            true => Failure::Value(of_postgres.into(), kind),
            false => Failure::value(other),
        }
    }

    /// The one number that a node is. `side`: which operand of which operator it is.
    fn single_number(
        &self,
        node: &Node,
        (side, operator): (&str, &str),
        scope: &Scope<'a>,
    ) -> Evaluated<Num> {
        let wrong = |other: Cow<'static, str>| {
            let what = format!(
                "{side} operand of jsonpath operator {operator} is not a single numeric value"
            );
            self.misfit(JsonMisfit::Single, what, other)
        };
        let items = self.unwrapped(self.node(node, scope)?)?;
        match items.as_slice() {
            [item] => self.number(item).map_err(|failure| match failure {
                Failure::Value(what, _) => wrong(what),
                failure => failure,
            }),
            _ => Err(wrong("arithmetic needs one number on each side".into())),
        }
    }

    fn each_number(
        &self,
        items: Items<'a>,
        by: Of,
        of: impl Fn(Num) -> Evaluated<Num>,
    ) -> Evaluated<Items<'a>> {
        let number = |item: &Item<'a>| {
            self.number(item).map_err(|failure| match (failure, by) {
                (Failure::Value(other, _), Of::Sign(sign)) => {
                    let what =
                        format!("operand of unary jsonpath operator {sign} is not a numeric value");
                    self.misfit(JsonMisfit::Operand, what, other)
                }
                (Failure::Value(other, _), Of::Method(method)) => {
                    let what = format!(
                        "jsonpath item method .{method}() can only be applied to a numeric value"
                    );
                    self.misfit(JsonMisfit::Argument, what, other)
                }
                (failure, _) => failure,
            })
        };
        let items = self.unwrapped(items)?.into_iter();
        let numbers = items.map(|item| Ok(Item::Number(of(number(&item)?)?)));
        numbers.collect()
    }

    /// In lax mode, the items with the elements of arrays instead of these.
    fn unwrapped(&self, items: Items<'a>) -> Evaluated<Items<'a>> {
        if !self.lax || !items.iter().any(|item| matches!(item, Item::Array(_))) {
            return Ok(items);
        }
        let mut unwrapped = Vec::new();
        for item in items {
            match item {
                Item::Array(text) => self.elements(text, &mut unwrapped)?,
                item => self.push(item, &mut unwrapped)?,
            }
        }
        Ok(unwrapped)
    }

    fn elements(&self, array: &'a str, into: &mut Items<'a>) -> Evaluated<()> {
        let mut scanner = Scanner::new(array);
        let mut more = scanner.enter(b']');
        while more {
            self.push(item(&mut scanner, self.row.work)?, into)?;
            more = scanner.next(b']')?;
        }
        Ok(())
    }
}
