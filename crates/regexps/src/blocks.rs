//! Unicode's blocks by Java's names: `\p{InBasicLatin}`, `\p{InGreek}`.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use unicode_blocks::{UnicodeBlock, find_unicode_block};

/// Blocks begin at multiples of this code.
const STEP: u32 = 16;
/// Code points.
const CODES: u32 = 0x11_0000;

static BLOCKS: LazyLock<Vec<UnicodeBlock>> = LazyLock::new(|| {
    let mut blocks = Vec::new();
    let mut code = 0;
    while code < CODES {
        let block = char::from_u32(code).and_then(find_unicode_block);
        // No block is before its own start, so the walk goes on in any case.
        code = match &block {
            Some(block) => block.end().max(code) + 1,
            None => code + STEP,
        };
        blocks.extend(block);
    }
    blocks
});

/// Names that Java kept when Unicode renamed the block.
const RENAMED: [(&str, &str); 3] = [
    ("greek", "greekandcoptic"),
    (
        "combiningmarksforsymbols",
        "combiningdiacriticalmarksforsymbols",
    ),
    ("cyrillicsupplementary", "cyrillicsupplement"),
];

/// Returns the characters of a block.
///
/// `name`: in lower case, without blanks, hyphens and underscores.
pub(super) fn of_name(name: &str) -> Option<RangeInclusive<char>> {
    let renamed = RENAMED.iter().find(|(old, _)| *old == name);
    let name = renamed.map_or(name, |(_, new)| new);
    let is_named = |block: &&UnicodeBlock| {
        let letters = block.name().chars().filter(char::is_ascii_alphanumeric);
        letters
            .map(|letter| letter.to_ascii_lowercase())
            .eq(name.chars())
    };
    let block = BLOCKS.iter().find(is_named)?;
    Some(char::from_u32(block.start())?..=char::from_u32(block.end())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_javas_names() {
        for (name, expected) in [
            ("basiclatin", Some('\0'..='\u{7f}')),
            ("latin1supplement", Some('\u{80}'..='\u{ff}')),
            ("greek", Some('\u{370}'..='\u{3ff}')),
            ("greekandcoptic", Some('\u{370}'..='\u{3ff}')),
            ("cjkunifiedideographs", Some('\u{4e00}'..='\u{9fff}')),
            ("emoticons", Some('\u{1f600}'..='\u{1f64f}')),
            ("highsurrogates", None),
            ("nothing", None),
        ] {
            assert_eq!(of_name(name), expected, "{name}");
        }
    }
}
