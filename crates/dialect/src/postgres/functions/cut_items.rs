//! Texts of an array, cut to the length of a type such as `varchar(3)[]`.

use arrow::datatypes::DataType;

use crate::postgres::{Cell, PgFunction};

/// The function of an array of texts and a number of characters.
pub(in crate::postgres) const CUT_ITEMS: &str = "$cut_items";

/// `$cut_items(x, n)`: the array with at most `n` characters of each item.
pub(super) fn function() -> PgFunction {
    let returns = DataType::new_list(DataType::Utf8, true);
    let function = PgFunction::new(CUT_ITEMS, 2..=2, returns, |args| {
        let [items, length] = args else {
            return Ok(Cell::Null);
        };
        let length = length
            .as_int()
            .and_then(|length| usize::try_from(length).ok());
        Ok(cut(items, length.unwrap_or(usize::MAX)))
    });
    function.immutable()
}

fn cut(cell: &Cell<'static>, length: usize) -> Cell<'static> {
    match cell {
        Cell::List(items) => Cell::List(items.iter().map(|item| cut(item, length)).collect()),
        Cell::Text(text) => {
            let end = text.char_indices().nth(length);
            let end = end.map_or(text.len(), |(end, _)| end);
            Cell::text(text.get(..end).unwrap_or_default().to_owned())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_have_as_many_characters_as_fit() {
        let items = Cell::List(vec![
            Cell::text("äbc"),
            Cell::text("d"),
            Cell::Null,
            Cell::text(""),
        ]);
        let expected = Cell::List(vec![
            Cell::text("äb"),
            Cell::text("d"),
            Cell::Null,
            Cell::text(""),
        ]);
        assert_eq!(cut(&items, 2), expected);
        assert_eq!(cut(&items, usize::MAX), items);
        assert_eq!(cut(&Cell::Null, 2), Cell::Null);
    }
}
