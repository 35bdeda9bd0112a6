//! Whether it pays to group rows before they are joined, by estimates.

use super::way::{Place, Way};
use crate::plans::estimates::Estimate;

/// Groups for each row that is grouped early, at most. Where the groups are more, a partial
/// aggregate that lets rows pass has cost one look-up for each of its first rows.
const MOST_GROUPS: f64 = 0.5;

/// The rows that the joins above leave of those that are grouped early, at least. A join that drops
/// more spares their grouping.
const LEAST_KEPT: f64 = 0.5;

/// Rows that are grouped early, at least. Fewer take no time, and their plan shall not change with
/// each file.
const LEAST_ROWS: f64 = 16_384.0;

/// Keys of fixed width that are as slow as a text.
const MANY: usize = 3;

/// Returns the place at which estimates say that rows are to be grouped; `None` if at none. The
/// place with the fewest texts, and of those the highest, which has the fewest keys.
pub(super) fn place(way: &Way<'_>) -> Option<usize> {
    let spares = way.candidates().filter_map(|number| {
        let place = way.places.get(number)?;
        spares_keys(way, place).then(|| (number, texts_needed(place)))
    });
    let (number, _) = spares.min_by_key(|(_, texts)| *texts)?;
    let place = way.places.get(number)?;
    let rows = Estimate::through(place.plan)?;
    if rows.rows < LEAST_ROWS || groups(place, &rows) > rows.rows * MOST_GROUPS {
        return None;
    }
    let joined = Estimate::through(way.places.first()?.plan)?;
    (joined.rows >= rows.rows * LEAST_KEPT).then_some(number)
}

/// Returns whether keys of the groups come from above a place, and take time.
fn spares_keys(way: &Way<'_>, place: &Place<'_>) -> bool {
    let schema = way.partial.input().schema();
    let above = way.grouped.iter().filter(|column| {
        let origin = place.origins.get(**column).and_then(Option::as_ref);
        origin.is_none()
    });
    let (mut count, mut texts) = (0, 0);
    for column in above {
        let field = schema.fields().get(*column);
        let width = field.and_then(|field| field.data_type().primitive_width());
        count += 1;
        texts += usize::from(width.is_none());
    }
    texts > 0 || count >= MANY
}

/// Returns how many keys of a place are of no fixed width.
fn texts_needed(place: &Place<'_>) -> usize {
    let schema = place.plan.schema();
    let fields = place.needed.iter();
    let fields = fields.filter_map(|column| schema.fields().get(*column));
    fields
        .filter(|field| field.data_type().primitive_width().is_none())
        .count()
}

/// Returns how many groups there are at most, if the keys are independent.
fn groups(place: &Place<'_>, rows: &Estimate) -> f64 {
    let keys = place.needed.iter();
    let groups: f64 = keys
        .filter_map(|column| rows.columns.get(*column))
        .map(|values| match values.present < 1.0 {
            // NULLs are a group, too.
            true => values.distinct + 1.0,
            false => values.distinct,
        })
        .product();
    groups.min(rows.rows)
}
