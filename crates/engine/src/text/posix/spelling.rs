//! Writes a pattern in the syntax of the crate `regex`.

use super::tree::{Class, Edge, Item, Name, Piece, Place, Tree};

/// Returns a pattern that matches where the tree does, though it may match a shorter or longer
/// part. `None` if the crate has no such pattern.
pub(super) fn spelled(tree: &Tree) -> Option<String> {
    let mut text = String::new();
    if tree.any_case {
        text.push_str("(?i)");
    }
    spell(tree, tree.root, &mut text)?;
    Some(text)
}

fn spell(tree: &Tree, place: Place, text: &mut String) -> Option<()> {
    match tree.pieces.get(place)? {
        Piece::Empty => {}
        Piece::Class(class) => spell_class(class, text),
        Piece::Edge(edge) => text.push_str(match edge {
            Edge::TextStart => "^",
            Edge::TextEnd => "$",
            Edge::LineStart => "(?m:^)",
            Edge::LineEnd => "(?m:$)",
            Edge::WordStart => r"\b{start}",
            Edge::WordEnd => r"\b{end}",
            Edge::Word => r"\b",
            Edge::NoWord => r"\B",
        }),
        Piece::Look { .. } | Piece::Back { .. } => return None,
        Piece::Group { number, inner } => {
            text.push_str(if number.is_some() { "(" } else { "(?:" });
            spell(tree, *inner, text)?;
            text.push(')');
        }
        Piece::Sequence(pieces) => {
            for piece in pieces {
                spell(tree, *piece, text)?;
            }
        }
        Piece::Either(branches) => {
            for (number, branch) in branches.iter().enumerate() {
                if number > 0 {
                    text.push('|');
                }
                spell(tree, *branch, text)?;
            }
        }
        Piece::Repeat {
            inner,
            least,
            most,
            lazy,
            ..
        } => {
            spell(tree, *inner, text)?;
            match (least, most) {
                (0, None) => text.push('*'),
                (1, None) => text.push('+'),
                (0, Some(1)) => text.push('?'),
                (least, None) => text.push_str(&format!("{{{least},}}")),
                (least, Some(most)) if least == most => text.push_str(&format!("{{{least}}}")),
                (least, Some(most)) => text.push_str(&format!("{{{least},{most}}}")),
            }
            if *lazy {
                text.push('?');
            }
        }
    }
    Some(())
}

/// Returns a class in the syntax of the crate `regex`.
pub(super) fn spelled_class(class: &Class) -> String {
    let mut text = String::new();
    spell_class(class, &mut text);
    text
}

fn spell_class(class: &Class, text: &mut String) {
    match (class.negated, class.items.as_slice()) {
        (true, []) => return text.push_str("(?s:.)"),
        (true, [Item::Range('\n', '\n')]) => return text.push('.'),
        (false, [Item::Range(start, end)]) if start == end => {
            return text.push_str(&regex::escape(&start.to_string()));
        }
        _ => {}
    }
    text.push_str(if class.negated { "[^" } else { "[" });
    for item in &class.items {
        match item {
            Item::Range(start, end) => {
                push_literal(*start, text);
                if start != end {
                    text.push('-');
                    push_literal(*end, text);
                }
            }
            Item::Named(name) => text.push_str(&format!("[{}]", of_name(*name))),
            Item::Except(name) => text.push_str(&format!("[^{}]", of_name(*name))),
        }
    }
    text.push(']');
}

fn push_literal(letter: char, text: &mut String) {
    match letter.is_ascii_alphanumeric() {
        true => text.push(letter),
        false => text.push_str(&format!("\\x{{{:x}}}", u32::from(letter))),
    }
}

fn of_name(name: Name) -> &'static str {
    match name {
        Name::Alnum => r"\p{Alphabetic}\p{N}",
        Name::Alpha => r"\p{Alphabetic}",
        Name::Blank => r" \t",
        Name::Cntrl => r"\p{Cc}",
        Name::Digit => "0-9",
        Name::Graph => r"\S&&\P{Cc}",
        Name::Lower => r"\p{Lowercase}",
        Name::Print => r"\P{Cc}",
        Name::Punct => r"!-/:-@\[-`\{-~",
        Name::Space => r"\s",
        Name::Upper => r"\p{Uppercase}",
        Name::Word => r"\p{Alphabetic}\p{N}_",
        Name::XDigit => "0-9A-Fa-f",
    }
}

/// Returns whether a class contains a character.
pub(super) fn has(class: &Class, letter: char, any_case: bool) -> bool {
    let within = |letter: char| {
        class.items.iter().any(|item| match item {
            Item::Range(start, end) => (*start..=*end).contains(&letter),
            Item::Named(name) => is_named(*name, letter),
            Item::Except(name) => !is_named(*name, letter),
        })
    };
    let found = within(letter)
        || any_case && (letter.to_lowercase().any(within) || letter.to_uppercase().any(within));
    found != class.negated
}

fn is_named(name: Name, letter: char) -> bool {
    match name {
        Name::Alnum => letter.is_alphanumeric(),
        Name::Alpha => letter.is_alphabetic(),
        Name::Blank => matches!(letter, ' ' | '\t'),
        Name::Cntrl => letter.is_control(),
        Name::Digit => letter.is_ascii_digit(),
        Name::Graph => !letter.is_whitespace() && !letter.is_control(),
        Name::Lower => letter.is_lowercase(),
        Name::Print => !letter.is_control(),
        Name::Punct => letter.is_ascii_punctuation(),
        Name::Space => letter.is_whitespace(),
        Name::Upper => letter.is_uppercase(),
        Name::Word => is_word(letter),
        Name::XDigit => letter.is_ascii_hexdigit(),
    }
}

/// Returns whether a character belongs to words.
pub(super) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}
