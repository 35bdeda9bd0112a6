//! The templates of PostgreSQL's `to_char` and `to_number` for numbers: `S9G999D99`, `FM0000`,
//! `9.99EEEE`.

use lakegate_error::{Code, Error};

/// Digits of a template, those after the point and those of `V` counted.
const MAX_DIGITS: usize = 16_384;

/// A part of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// `9`
    Digit,
    /// `0`
    Zero,
    /// `.` and `D`
    Point,
    /// `,` and `G`
    Group,
    /// `L`
    Currency,
    /// `S`
    Sign,
    /// `MI`
    Minus,
    /// `PL`
    Plus,
    /// `SG`
    AnySign,
    /// `PR`
    Brackets,
    /// `RN` and `rn`
    Roman {
        upper: bool,
    },
    /// `TH` and `th`
    Ordinal {
        upper: bool,
    },
    /// `V`
    Shift,
    /// `EEEE`
    Scientific,
    /// `FM`
    Fill,
    /// Patterns that mean nothing for numbers: `B`, `C` and `SP`.
    Ignored,
    Text(char),
}

/// Patterns in upper case. A prefix of another pattern comes after it.
const PATTERNS: &[(&str, Part)] = &[
    (",", Part::Group),
    (".", Part::Point),
    ("0", Part::Zero),
    ("9", Part::Digit),
    ("B", Part::Ignored),
    ("C", Part::Ignored),
    ("D", Part::Point),
    ("EEEE", Part::Scientific),
    ("FM", Part::Fill),
    ("G", Part::Group),
    ("L", Part::Currency),
    ("MI", Part::Minus),
    ("PL", Part::Plus),
    ("PR", Part::Brackets),
    ("RN", Part::Roman { upper: true }),
    ("SG", Part::AnySign),
    ("SP", Part::Ignored),
    ("S", Part::Sign),
    ("TH", Part::Ordinal { upper: true }),
    ("V", Part::Shift),
];

/// Where `S` writes the sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum SignPlace {
    #[default]
    None,
    Before,
    After,
}

/// A template, and what its parts say together.
#[derive(Debug, Clone, Default)]
pub(super) struct Template {
    pub parts: Vec<Part>,
    /// Digits before the point and after it.
    pub before: usize,
    pub after: usize,
    /// Digits that `V` moves the point by.
    pub shift: usize,
    pub sign: SignPlace,
    /// The digits before `S`.
    pub before_sign: usize,
    /// The place of the first `0` before the point, from 0.
    pub first_zero: Option<usize>,
    /// The digits up to the last `0`.
    pub zero_end: usize,
    pub has_point: bool,
    pub fills: bool,
    pub minus: bool,
    pub plus: bool,
    pub brackets: bool,
    pub roman: bool,
    pub shifts: bool,
    pub scientific: bool,
    /// Whether `S` occurs.
    pub signed: bool,
    /// Whether `B` comes before all digits.
    pub blank: bool,
}

fn wrong(message: &'static str) -> Error {
    Error::new(Code::SyntaxError, message)
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    ///
    /// Two of its patterns exclude each other.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let mut template = Self::default();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if let Some((pattern, part)) = pattern(rest) {
                rest = rest.get(pattern.len()..).unwrap_or_default();
                template.add(part)?;
                continue;
            }
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
            match next {
                '"' => rest = template.quoted(rest),
                '\\' if rest.starts_with('"') => {
                    template.parts.push(Part::Text('"'));
                    rest = rest.get(1..).unwrap_or_default();
                }
                other => template.parts.push(Part::Text(other)),
            }
        }
        Ok(template)
    }

    /// Adds quoted text and returns what follows it.
    fn quoted<'t>(&mut self, text: &'t str) -> &'t str {
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            let char = match char {
                '"' => return chars.as_str(),
                '\\' => chars.next().unwrap_or('\\'),
                other => other,
            };
            self.parts.push(Part::Text(char));
        }
        ""
    }

    fn add(&mut self, part: Part) -> Result<(), Error> {
        if self.before + self.after + self.shift >= MAX_DIGITS {
            return Err(wrong("a template of a number has at most 16384 digits"));
        }
        if self.scientific && part != Part::Scientific {
            return Err(wrong("\"EEEE\" must be the last pattern used"));
        }
        match part {
            Part::Digit => {
                if self.brackets {
                    return Err(wrong("\"9\" must be ahead of \"PR\""));
                }
                if self.shifts {
                    self.shift += 1;
                } else if self.has_point {
                    self.after += 1;
                } else {
                    self.before += 1;
                }
            }
            Part::Zero => {
                if self.brackets {
                    return Err(wrong("\"0\" must be ahead of \"PR\""));
                }
                if self.has_point {
                    self.after += 1;
                } else {
                    self.first_zero = self.first_zero.or(Some(self.before));
                    self.before += 1;
                }
                self.zero_end = self.before + self.after;
            }
            Part::Point => {
                if self.has_point {
                    return Err(wrong("multiple decimal points"));
                }
                if self.shifts {
                    return Err(wrong("cannot use \"V\" and decimal point together"));
                }
                self.has_point = true;
            }
            Part::Fill => self.fills = true,
            Part::Sign => {
                if self.signed {
                    return Err(wrong("cannot use \"S\" twice"));
                }
                if self.plus || self.minus || self.brackets {
                    return Err(wrong(
                        "cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together",
                    ));
                }
                self.signed = true;
                if self.has_point {
                    self.sign = SignPlace::After;
                } else {
                    self.sign = SignPlace::Before;
                    self.before_sign = self.before;
                }
            }
            Part::Minus => {
                if self.signed {
                    return Err(wrong("cannot use \"S\" and \"MI\" together"));
                }
                self.minus = true;
            }
            Part::Plus => {
                if self.signed {
                    return Err(wrong("cannot use \"S\" and \"PL\" together"));
                }
                self.plus = true;
            }
            Part::AnySign => {
                if self.signed {
                    return Err(wrong("cannot use \"S\" and \"SG\" together"));
                }
                self.minus = true;
                self.plus = true;
            }
            Part::Brackets => {
                if self.signed || self.plus || self.minus {
                    return Err(wrong(
                        "cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together",
                    ));
                }
                self.brackets = true;
            }
            Part::Roman { .. } => self.roman = true,
            Part::Shift => {
                if self.has_point {
                    return Err(wrong("cannot use \"V\" and decimal point together"));
                }
                self.shifts = true;
            }
            Part::Scientific => {
                if self.scientific {
                    return Err(wrong("cannot use \"EEEE\" twice"));
                }
                let other = self.fills
                    || self.signed
                    || self.brackets
                    || self.minus
                    || self.plus
                    || self.roman
                    || self.shifts
                    || self.blank;
                if other {
                    return Err(wrong("\"EEEE\" is incompatible with other formats")
                        .with_detail("\"EEEE\" may only be used together with digit and decimal point patterns."));
                }
                self.scientific = true;
            }
            Part::Group | Part::Currency | Part::Ordinal { .. } | Part::Text(_) => {}
            Part::Ignored => {
                self.blank |= self.before == 0 && self.after == 0 && self.first_zero.is_none();
            }
        }
        self.parts.push(part);
        Ok(())
    }
}

/// Returns the pattern that a text begins with.
fn pattern(text: &str) -> Option<(&'static str, Part)> {
    PATTERNS.iter().find_map(|(pattern, part)| {
        let written = text.get(..pattern.len())?;
        if written == *pattern {
            return Some((*pattern, *part));
        }
        let lower =
            written.eq_ignore_ascii_case(pattern) && written == pattern.to_ascii_lowercase();
        lower.then_some((
            *pattern,
            match part {
                Part::Roman { .. } => Part::Roman { upper: false },
                Part::Ordinal { .. } => Part::Ordinal { upper: false },
                other => *other,
            },
        ))
    })
}
