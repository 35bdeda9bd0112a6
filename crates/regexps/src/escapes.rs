//! The escapes of a pattern.

use std::ops::RangeInclusive;

use lakegate_error::Error;

use crate::blocks;
use crate::syntax::{Syntax, invalid};

/// What an escape stands for, in a class or outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Escape {
    Char(char),
    /// A set of characters, as items of a class: `0-9`.
    Set {
        items: &'static str,
        not: bool,
    },
    /// The characters of a Unicode block.
    Block {
        range: RangeInclusive<char>,
        not: bool,
    },
    /// A Unicode property.
    Property {
        name: String,
        not: bool,
    },
}

pub(crate) const DIGITS: &str = "0-9";
pub(crate) const WORD: &str = "0-9A-Za-z_";
const SPACE: &str = r"\x{9}-\x{D}\x{20}";
const HORIZONTAL: &str =
    r"\x{9}\x{20}\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}";
const VERTICAL: &str = r"\x{A}-\x{D}\x{85}\x{2028}\x{2029}";

/// Returns the items of a POSIX class, which contains characters of all languages.
pub(crate) fn posix(name: &str) -> Option<&'static str> {
    Some(match name {
        "alnum" => r"\p{Alphabetic}\p{Nd}",
        "alpha" => r"\p{Alphabetic}",
        "ascii" => r"\x{0}-\x{7F}",
        "blank" => r"\p{Zs}\x{9}",
        "cntrl" => r"\p{Cc}",
        "digit" => r"\p{Nd}",
        "graph" => r"[^\p{White_Space}\p{Cc}\p{Cn}\p{Cs}]",
        "lower" => r"\p{Lowercase}",
        "print" => r"[[^\p{White_Space}\p{Cc}\p{Cn}\p{Cs}]\p{Zs}]",
        "punct" => r"\p{P}",
        "space" => r"\p{White_Space}",
        "upper" => r"\p{Uppercase}",
        "word" => r"\p{L}\p{M}\p{Nd}\p{Pc}",
        "xdigit" => "0-9A-Fa-f",
        _ => return None,
    })
}

/// Reads an escape that stands for characters; `letter` follows the backslash.
///
/// # Errors
///
/// The pattern ends early, or the escape is unknown.
pub(crate) fn read(syntax: &mut Syntax<'_>, letter: char) -> Result<Escape, Error> {
    let set = |items: &'static str, not: bool| Ok(Escape::Set { items, not });
    let character = match letter {
        'd' | 'D' => return set(DIGITS, letter == 'D'),
        'w' | 'W' => return set(WORD, letter == 'W'),
        's' | 'S' => return set(SPACE, letter == 'S'),
        'h' | 'H' => return set(HORIZONTAL, letter == 'H'),
        'v' | 'V' => return set(VERTICAL, letter == 'V'),
        'p' | 'P' => return property(syntax, letter == 'P'),
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        'f' => '\u{c}',
        'a' => '\u{7}',
        'e' => '\u{1b}',
        '0' => octal(syntax)?,
        'x' => hexadecimal(syntax)?,
        'u' => {
            let code = digits(syntax, 4)?;
            let surrogate = (0xD800..0xE000).contains(&code);
            match char::from_u32(code) {
                Some(character) => character,
                None if surrogate => {
                    return Err(invalid(
                        "surrogates such as \\uD800 are not supported; write \\x{10000} for U+10000",
                    ));
                }
                None => return Err(no_character(code)),
            }
        }
        'c' => {
            let control = syntax
                .next()
                .ok_or_else(|| invalid("\\c lacks a character"))?;
            match u32::from(control) {
                0x3F => '\u{7f}',
                code @ 0x40..0x80 => char::from_u32(code & 0x1f).unwrap_or('\0'),
                _ => return Err(invalid("\\c takes a letter such as \\cA")),
            }
        }
        letter if letter.is_ascii_alphanumeric() => {
            return Err(invalid(format!("\\{letter} is not supported")));
        }
        other => other,
    };
    Ok(Escape::Char(character))
}

fn no_character(code: u32) -> Error {
    invalid(format!("{code:X} is the code of no character"))
}

/// Reads exactly `count` hexadecimal digits.
fn digits(syntax: &mut Syntax<'_>, count: usize) -> Result<u32, Error> {
    let mut code = 0;
    for _ in 0..count {
        let digit = syntax.next().and_then(|digit| digit.to_digit(16));
        let digit = digit
            .ok_or_else(|| invalid(format!("{count} hexadecimal digits must follow \\u or \\x")))?;
        code = code * 16 + digit;
    }
    Ok(code)
}

/// `\xhh` and `\x{h…}`.
fn hexadecimal(syntax: &mut Syntax<'_>) -> Result<char, Error> {
    let code = if syntax.eat('{') {
        let mut code: u32 = 0;
        let mut some = false;
        loop {
            match syntax.next() {
                Some('}') if some => break,
                Some(digit) if digit.is_ascii_hexdigit() && code <= 0x0010_FFFF => {
                    some = true;
                    code = code * 16 + digit.to_digit(16).unwrap_or(0);
                }
                _ => return Err(invalid("\\x{ lacks a code such as \\x{1F600}")),
            }
        }
        code
    } else {
        digits(syntax, 2)?
    };
    char::from_u32(code).ok_or_else(|| no_character(code))
}

/// `\0n`, `\0nn` and `\0mnn` with `m` up to 3.
fn octal(syntax: &mut Syntax<'_>) -> Result<char, Error> {
    let mut code = 0;
    let mut count = 0;
    while count < 3 {
        let Some(digit) = syntax.peek().and_then(|digit| digit.to_digit(8)) else {
            break;
        };
        if code * 8 + digit > 0o377 {
            break;
        }
        code = code * 8 + digit;
        count += 1;
        syntax.next();
    }
    if count == 0 {
        return Err(invalid("an octal digit must follow \\0"));
    }
    char::from_u32(code).ok_or_else(|| no_character(code))
}

/// `\p{Name}` and `\pL`.
fn property(syntax: &mut Syntax<'_>, not: bool) -> Result<Escape, Error> {
    let mut name = String::new();
    match syntax.next() {
        Some('{') => loop {
            match syntax.next() {
                Some('}') => break,
                // The underscores, spaces and hyphens of a name do not count.
                Some('_' | ' ' | '-') => {}
                Some(letter) if letter.is_ascii_alphanumeric() && name.len() < 64 => {
                    name.push(letter);
                }
                _ => return Err(invalid("\\p{ lacks the name of a property such as \\p{Lu}")),
            }
        },
        Some(letter) if letter.is_ascii_alphabetic() => name.push(letter),
        _ => return Err(invalid("\\p lacks the name of a property such as \\p{Lu}")),
    }
    let lower = name.to_ascii_lowercase();
    if let Some(items) = posix(&lower) {
        return Ok(Escape::Set { items, not });
    }
    let block = lower.strip_prefix("in").and_then(blocks::of_name);
    if let Some(range) = block {
        return Ok(Escape::Block { range, not });
    }
    if lower.starts_with("java") || (lower.starts_with("in") && !lower.starts_with("inherited")) {
        return Err(invalid(format!(
            "\\p{{{name}}} is not supported; write a block such as \\p{{InGreek}}, a script such as \\p{{IsGreek}}, or a range such as [\\x{{370}}-\\x{{3FF}}]"
        )));
    }
    Ok(Escape::Property { name, not })
}
