//! Character classes: `[a-z&&[^aeiou]]`.

use std::fmt::Write as _;

use lakegate_error::Error;

use crate::escapes::{self, Escape};
use crate::syntax::{Syntax, invalid};

/// Classes within classes.
const MAX_DEPTH: usize = 32;

/// Writes a character of a class.
fn write_char(class: &mut String, character: char) {
    if character.is_alphanumeric() {
        class.push(character);
    } else {
        // Writing to a string cannot fail.
        let _ = write!(class, "\\x{{{:X}}}", u32::from(character));
    }
}

/// Returns the items of a class that an escape stands for.
fn items(escape: &Escape) -> String {
    match escape {
        Escape::Char(character) => {
            let mut class = String::new();
            write_char(&mut class, *character);
            class
        }
        Escape::Set { items, not: false } => (*items).to_owned(),
        Escape::Set { items, not: true } => format!("[^{items}]"),
        Escape::Block { range, not } => {
            let mut class = String::from(if *not { "[^" } else { "" });
            write_char(&mut class, *range.start());
            class.push('-');
            write_char(&mut class, *range.end());
            class.push_str(if *not { "]" } else { "" });
            class
        }
        Escape::Property { name, not: false } => format!("\\p{{{name}}}"),
        Escape::Property { name, not: true } => format!("[^\\p{{{name}}}]"),
    }
}

/// Returns an escape outside a class as a class.
pub(crate) fn of_escape(escape: &Escape) -> String {
    match escape {
        Escape::Set { items, not: true } => format!("[^{items}]"),
        other => format!("[{}]", items(other)),
    }
}

/// Reads a class after its `[`, and returns it as the crate spells it.
///
/// # Errors
///
/// The class does not end, or is not valid.
pub(crate) fn read(syntax: &mut Syntax<'_>, depth: usize) -> Result<String, Error> {
    if depth > MAX_DEPTH {
        return Err(invalid("it has too many classes within classes"));
    }
    let negated = syntax.eat('^');
    let mut sides = Vec::new();
    let mut side = String::new();
    let mut first = true;
    loop {
        let Some(next) = syntax.next() else {
            return Err(invalid("a [ lacks its ]"));
        };
        match next {
            ']' if !first => break,
            '[' => match posix_bracket(syntax)? {
                Some(items) => side.push_str(&items),
                None => side.push_str(&read(syntax, depth + 1)?),
            },
            '&' if syntax.eat('&') => {
                if side.is_empty() {
                    return Err(invalid("a side of && is empty"));
                }
                sides.push(std::mem::take(&mut side));
            }
            next => item(syntax, next, &mut side)?,
        }
        first = false;
    }
    let mut class = String::from(if negated { "[^" } else { "[" });
    if sides.is_empty() {
        class.push_str(&side);
    } else {
        if side.is_empty() {
            return Err(invalid("a side of && is empty"));
        }
        sides.push(side);
        let sides: Vec<String> = sides.iter().map(|side| format!("[{side}]")).collect();
        class.push_str(&sides.join("&&"));
    }
    class.push(']');
    Ok(class)
}

fn escape_or_char(syntax: &mut Syntax<'_>, next: char) -> Result<Escape, Error> {
    if next != '\\' {
        return Ok(Escape::Char(next));
    }
    let letter = syntax.next().ok_or_else(|| invalid("it ends with \\"))?;
    match letter {
        // `\Q` and `\E` do not quote in a class.
        'Q' | 'E' => Ok(Escape::Char(letter)),
        letter => escapes::read(syntax, letter),
    }
}

/// Reads a character, a range or a set, which begins with `next`.
fn item(syntax: &mut Syntax<'_>, next: char, class: &mut String) -> Result<(), Error> {
    let start = escape_or_char(syntax, next)?;
    let Escape::Char(low) = start else {
        class.push_str(&items(&start));
        return Ok(());
    };
    let rest = syntax.rest();
    let is_range = rest.starts_with('-')
        && !rest.starts_with("-]")
        && !rest.starts_with("-[")
        && !rest.starts_with("-&&")
        && rest.len() > 1;
    if !is_range {
        write_char(class, low);
        return Ok(());
    }
    syntax.next();
    let end = syntax.next().ok_or_else(|| invalid("a [ lacks its ]"))?;
    let Escape::Char(high) = escape_or_char(syntax, end)? else {
        return Err(invalid("a range of characters must end with a character"));
    };
    if low > high {
        return Err(invalid(format!("the range {low}-{high} is empty")));
    }
    write_char(class, low);
    class.push('-');
    write_char(class, high);
    Ok(())
}

/// Reads `:alpha:]` after a `[`, if it is that.
fn posix_bracket(syntax: &mut Syntax<'_>) -> Result<Option<String>, Error> {
    let rest = syntax.rest();
    let Some(after) = rest.strip_prefix(':') else {
        return Ok(None);
    };
    let Some((name, _)) = after.split_once(":]") else {
        return Ok(None);
    };
    let (bare, not) = match name.strip_prefix('^') {
        Some(bare) => (bare, true),
        None => (name, false),
    };
    if bare.len() > 10 || !bare.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Ok(None);
    }
    let Some(items) = escapes::posix(bare) else {
        return Err(invalid(format!("[:{bare}:] is no class")));
    };
    for _ in 0..name.chars().count() + 3 {
        syntax.next();
    }
    Ok(Some(match not {
        true => format!("[^{items}]"),
        false => items.to_owned(),
    }))
}
