//! The replacement of a text's parts.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use datafusion::error::Result;
use memchr::memmem::Finder;

use super::arguments::Texts;
use super::positions::write;
use crate::kernel::Call;

/// Replaces all occurrences of a part.
pub(super) fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, parts) = (Texts::of(call, 0)?, Texts::of(call, 1)?);
    let replacements = Texts::optional(call, 2)?;
    let only = match &replacements {
        None => Some(""),
        Some(replacements) => replacements.only(),
    };
    if let (Some(part), Some(replacement)) = (parts.only().filter(|part| !part.is_empty()), only) {
        return replace_constant(call, &texts, part, replacement);
    }
    let mut replaced = StringBuilder::new();
    for row in 0..call.rows {
        call.work.step()?;
        let replacement = match &replacements {
            None => Some(""),
            Some(replacements) => replacements.get(row),
        };
        let (Some(text), Some(part), Some(replacement)) =
            (texts.get(row), parts.get(row), replacement)
        else {
            replaced.append_null();
            continue;
        };
        // An empty part is found before each character and at the end.
        let mut from = 0;
        for (at, found) in text.match_indices(part) {
            let before = text.get(from..at).unwrap_or_default();
            call.work.builds(before.len() + replacement.len())?;
            write(&mut replaced, before)?;
            write(&mut replaced, replacement)?;
            from = at + found.len();
        }
        let rest = text.get(from..).unwrap_or_default();
        call.work.builds(rest.len())?;
        replaced.append_value(rest);
    }
    Ok(Arc::new(replaced.finish()))
}

/// Replaces the same part, which is not empty, in all texts.
fn replace_constant(
    call: &Call<'_>,
    texts: &Texts,
    part: &str,
    replacement: &str,
) -> Result<ArrayRef> {
    let finder = Finder::new(part);
    let mut replaced = StringBuilder::with_capacity(call.rows, texts.reserve());
    texts.each(call.rows, |_, text| {
        call.work.step()?;
        let Some(text) = text else {
            replaced.append_null();
            return Ok(());
        };
        let mut rest = text;
        while let Some(at) = finder.find(rest.as_bytes())
            && let Some((before, after)) = rest.split_at_checked(at)
        {
            call.work.builds(before.len() + replacement.len())?;
            write(&mut replaced, before)?;
            write(&mut replaced, replacement)?;
            rest = after.get(part.len()..).unwrap_or_default();
        }
        call.work.builds(rest.len())?;
        replaced.append_value(rest);
        Ok(())
    })?;
    Ok(Arc::new(replaced.finish()))
}
