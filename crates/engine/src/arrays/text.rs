//! `array_to_string`, which formats items as PostgreSQL does: `t` for true, `1` for the double 1,
//! `\x01` for bytes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::execution::SessionState;

use super::function::{Definition, Lists, item_type, list_of, register as register_all};
use crate::limits::bounded::check_value;
use crate::limits::stop::check;
use crate::text::texts;

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    register_all(state, &FUNCTIONS)
}

static FUNCTIONS: [Definition; 1] = [Definition {
    names: &[
        "array_to_string",
        "list_to_string",
        "array_join",
        "list_join",
    ],
    arguments: &[
        ("array", "The array."),
        ("separator", "What stands between two items."),
        (
            "for_null",
            "What stands for NULL, which is left out otherwise.",
        ),
    ],
    needs: 2,
    description: "The items as one text, those of arrays in it too.",
    coerced: |name, types| {
        let array = types.first().unwrap_or(&DataType::Null);
        let mut coerced = vec![list_of(item_type(name, array)?)];
        coerced.extend(types.iter().skip(1).map(|_| DataType::Utf8));
        Ok(coerced)
    },
    returns: |_| Ok(DataType::Utf8),
    body: |columns, _| joined(columns),
}];

fn joined(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = Lists::of("array_to_string", columns.first())?;
    let separators = columns
        .get(1)
        .and_then(|texts| texts.as_string_opt::<i32>());
    let for_null = columns
        .get(2)
        .and_then(|texts| texts.as_string_opt::<i32>());
    let mut built = StringBuilder::new();
    for row in 0..lists.rows() {
        check()?;
        let separator = separators.filter(|texts| texts.is_valid(row));
        let Some((items, separator)) = lists.items(row).zip(separator) else {
            built.append_null();
            continue;
        };
        let for_null = for_null.filter(|texts| texts.is_valid(row));
        let mut text = Joined {
            text: String::new(),
            first: true,
            separator: separator.value(row),
            for_null: for_null.map(|texts| texts.value(row)),
        };
        text.items(&lists.list.values().slice(items.start, items.len()))?;
        built.append_value(text.text);
    }
    Ok(Arc::new(built.finish()))
}

struct Joined<'a> {
    text: String,
    first: bool,
    separator: &'a str,
    for_null: Option<&'a str>,
}

impl Joined<'_> {
    fn items(&mut self, items: &ArrayRef) -> Result<()> {
        let item = match items.data_type() {
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                item
            }
            _ => {
                for item in &texts::item_texts(items)? {
                    self.item(item)?;
                }
                return Ok(());
            }
        };
        let lists = cast(items, &DataType::List(Arc::clone(item)))?;
        for list in lists.as_list::<i32>().iter() {
            match list {
                Some(list) => self.items(&list)?,
                None => self.item(None)?,
            }
        }
        Ok(())
    }

    fn item(&mut self, item: Option<&str>) -> Result<()> {
        let Some(item) = item.or(self.for_null) else {
            return Ok(());
        };
        if !self.first {
            self.text.push_str(self.separator);
        }
        self.first = false;
        self.text.push_str(item);
        check_value("array_to_string", self.text.len())
    }
}
