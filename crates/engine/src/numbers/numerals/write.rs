//! Numbers by a template. The steps are those of PostgreSQL, whose results depend on their order.

use super::template::{Part, SignPlace, Template};

/// A number in decimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digits {
    pub negative: bool,
    /// Without a sign, such as `12.50`; or `NaN`, or `Infinity`.
    pub text: String,
}

impl Digits {
    /// Splits the sign from a number's text.
    pub(super) fn of(text: &str) -> Self {
        match text.strip_prefix('-') {
            Some(text) => Self {
                negative: true,
                text: text.to_owned(),
            },
            None => Self {
                negative: false,
                text: text.to_owned(),
            },
        }
    }

    /// Moves the point to the right.
    pub(super) fn shifted(self, places: usize) -> Self {
        if places == 0 || !self.text.starts_with(|digit: char| digit.is_ascii_digit()) {
            return self;
        }
        let (whole, fraction) = self
            .text
            .split_once('.')
            .unwrap_or((self.text.as_str(), ""));
        let all = format!("{whole}{fraction:0<places$}");
        let (whole, fraction) = all.split_at(whole.len() + places);
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            whole => whole,
        };
        let text = match fraction {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        };
        Self { text, ..self }
    }

    /// Rounds to so many digits after the point, half away from zero.
    pub(super) fn rounded(self, places: usize) -> Self {
        if !self.text.starts_with(|digit: char| digit.is_ascii_digit()) {
            return self;
        }
        let (whole, fraction) = self
            .text
            .split_once('.')
            .unwrap_or((self.text.as_str(), ""));
        let up = fraction
            .as_bytes()
            .get(places)
            .is_some_and(|digit| *digit >= b'5');
        let kept = fraction.get(..places).unwrap_or(fraction);
        let all = format!("{whole}{kept:0<places$}");
        let all = if up { incremented(&all) } else { all };
        let point = all.len() - places.min(all.len());
        let (whole, fraction) = all.split_at(point);
        let negative = self.negative && all.bytes().any(|digit| digit != b'0');
        let text = match fraction {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        };
        Self { negative, text }
    }
}

/// Adds one to a number of digits.
fn incremented(digits: &str) -> String {
    let kept = digits.trim_end_matches('9');
    let nines = digits.len() - kept.len();
    let zeros = "0".repeat(nines);
    match kept.as_bytes().split_last() {
        None => format!("1{zeros}"),
        Some((last, first)) => {
            let first = String::from_utf8_lossy(first);
            format!("{first}{}{zeros}", char::from(last + 1))
        }
    }
}

/// Writes a number whose digits after the point are as many as the template has.
pub(super) fn write(out: &mut String, template: &Template, number: &Digits) {
    let whole = number.text.find('.').unwrap_or(number.text.len());
    let text = match whole > template.before {
        // The number does not fit.
        true => format!(
            "{}.{}",
            "#".repeat(template.before),
            "#".repeat(template.after)
        ),
        false => number.text.clone(),
    };
    Writer::new(
        template,
        &text,
        number.negative,
        template.before.saturating_sub(whole),
    )
    .run(out);
}

struct Writer<'a> {
    template: &'a Template,
    number: &'a [u8],
    negative: bool,
    sign: SignPlace,
    brackets: bool,
    /// The place of the next digit of the number.
    at: usize,
    /// The place in the template's digits.
    current: usize,
    /// Places before the number's first digit.
    blanks: usize,
    sign_written: bool,
    last: usize,
    /// The last digit that is not a zero after the point, or the point.
    last_relevant: Option<usize>,
    /// Whether a digit was written.
    inside: bool,
}

impl<'a> Writer<'a> {
    fn new(template: &'a Template, text: &'a str, negative: bool, blanks: usize) -> Self {
        let number = text.as_bytes();
        let (sign_written, mut sign, mut brackets) = if template.plus || template.minus {
            (
                template.minus || !template.plus,
                template.sign,
                template.brackets,
            )
        } else {
            let written = !negative && template.fills && template.sign == SignPlace::None;
            (written, template.sign, template.brackets)
        };
        if !(template.plus || template.minus) {
            if !negative && template.fills {
                brackets = false;
            }
            if sign == SignPlace::Before && template.before == template.before_sign {
                sign = SignPlace::After;
            }
        }
        let mut last_relevant = None;
        if template.fills && template.has_point {
            last_relevant = relevant(number);
            if let Some(last) = &mut last_relevant
                && template.zero_end > blanks
            {
                let zero = (template.zero_end - blanks).min(number.len().saturating_sub(1));
                *last = zero.max(*last);
            }
        }
        let mut last = template.before + template.after;
        if !sign_written && blanks == 0 {
            last += 1;
        }
        Self {
            template,
            number,
            negative,
            sign,
            brackets,
            at: 0,
            current: 0,
            blanks,
            sign_written,
            last: last.saturating_sub(1),
            last_relevant,
            inside: false,
        }
    }

    fn run(mut self, out: &mut String) {
        let template = self.template;
        let fills = template.fills;
        for part in &template.parts {
            match part {
                Part::Digit | Part::Zero | Part::Point => {
                    if !self.digit(out, *part) {
                        return;
                    }
                }
                Part::Group if self.inside => out.push(','),
                Part::Group if fills => {}
                Part::Group => out.push(' '),
                Part::Currency => out.push(' '),
                Part::Ordinal { upper } => {
                    let is_number = self.number.first() != Some(&b'#');
                    if is_number && !self.negative && !template.has_point {
                        out.push_str(ordinal(self.number, *upper));
                    }
                }
                Part::Minus if self.negative => out.push('-'),
                Part::Plus if !self.negative => out.push('+'),
                Part::Minus | Part::Plus if fills => {}
                Part::Minus | Part::Plus => out.push(' '),
                Part::AnySign => out.push(self.symbol()),
                Part::Text(char) => out.push(*char),
                Part::Sign
                | Part::Brackets
                | Part::Roman { .. }
                | Part::Shift
                | Part::Scientific
                | Part::Fill
                | Part::Ignored => {}
            }
        }
    }

    fn symbol(&self) -> char {
        if self.negative { '-' } else { '+' }
    }

    fn ends_at_point(&self) -> bool {
        self.last_relevant
            .is_some_and(|last| self.number.get(last) == Some(&b'.'))
    }

    /// Whether the zero before the point is not written: `9.9` writes ` .1`.
    fn is_hidden_zero(&self) -> bool {
        self.template.first_zero.is_none()
            && self.at == 0
            && self.number.first() == Some(&b'0')
            && self.template.after != 0
    }

    /// Writes the sign, if it belongs before the next character.
    fn write_sign(&mut self, out: &mut String) {
        let begins = self.current >= self.blanks || self.template.first_zero == Some(self.current);
        if self.sign_written || !begins || (self.is_hidden_zero() && !self.ends_at_point()) {
            return;
        }
        if self.sign != SignPlace::None {
            if self.sign == SignPlace::Before {
                out.push(self.symbol());
                self.sign_written = true;
            }
            return;
        }
        match (self.brackets, self.negative) {
            (true, true) => out.push('<'),
            (true, false) => out.push(' '),
            (false, true) => out.push('-'),
            (false, false) if !self.template.fills => out.push(' '),
            (false, false) => {}
        }
        self.sign_written = true;
    }

    /// Writes one digit or the point. Returns whether the number has more.
    fn digit(&mut self, out: &mut String, part: Part) -> bool {
        self.inside = false;
        self.write_sign(out);
        let fills = self.template.fills;
        let zeros = self
            .template
            .first_zero
            .is_some_and(|start| start <= self.current);
        if self.current < self.blanks {
            if zeros {
                out.push('0');
                self.inside = true;
            } else if !fills {
                out.push(' ');
            }
        } else {
            match self.number.get(self.at).copied() {
                // The digits of a float end before those of the template.
                None => return false,
                Some(b'.') => {
                    if fills || !self.ends_at_point() {
                        out.push('.');
                    }
                }
                Some(digit) => {
                    let dropped = self.last_relevant.is_some_and(|last| self.at > last);
                    if dropped && part != Part::Zero {
                        // A zero at the end.
                    } else if self.is_hidden_zero() {
                        if !fills {
                            out.push(' ');
                        } else if self.ends_at_point() {
                            out.push('0');
                        }
                    } else {
                        out.push(char::from(digit));
                        self.inside = true;
                    }
                }
            }
            self.at += 1;
        }
        let mut end =
            self.last + usize::from(self.blanks > 0) + usize::from(self.template.has_point);
        if self.last_relevant == Some(self.at) {
            end = self.current;
        }
        if self.current + 1 == end {
            if self.sign_written && self.brackets {
                out.push(if self.negative { '>' } else { ' ' });
            } else if self.sign == SignPlace::After {
                out.push(self.symbol());
            }
        }
        self.current += 1;
        true
    }
}

/// Returns the place of the last digit that counts: one that is not a zero after the point, or the
/// point.
fn relevant(number: &[u8]) -> Option<usize> {
    let point = number.iter().position(|digit| *digit == b'.')?;
    let counts = |place: &usize| number.get(*place).is_some_and(|digit| *digit != b'0');
    (point..number.len()).rev().find(counts)
}

fn ordinal(number: &[u8], upper: bool) -> &'static str {
    let mut digits = number.iter().rev();
    let which = match (digits.next(), digits.next()) {
        (_, Some(b'1')) => 0,
        (Some(b'1'), _) => 1,
        (Some(b'2'), _) => 2,
        (Some(b'3'), _) => 3,
        _ => 0,
    };
    let names = match upper {
        true => ["TH", "ST", "ND", "RD"],
        false => ["th", "st", "nd", "rd"],
    };
    names.get(which).copied().unwrap_or("th")
}

const ROMAN: [(i64, &str); 13] = [
    (1000, "M"),
    (900, "CM"),
    (500, "D"),
    (400, "CD"),
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
];

/// Writes a number as a Roman numeral, with the texts of the template.
pub(super) fn write_roman(out: &mut String, template: &Template, number: i64) {
    let mut numeral = String::new();
    let mut rest = number;
    if (1..=3999).contains(&number) {
        for (value, letters) in ROMAN {
            while rest >= value {
                numeral.push_str(letters);
                rest -= value;
            }
        }
    } else {
        numeral = "#".repeat(15);
    }
    for part in &template.parts {
        match part {
            Part::Roman { upper } => {
                let numeral = match upper {
                    true => numeral.clone(),
                    false => numeral.to_lowercase(),
                };
                match template.fills {
                    true => out.push_str(&numeral),
                    false => out.push_str(&format!("{numeral:>15}")),
                }
            }
            Part::Text(char) => out.push(*char),
            _ => {}
        }
    }
}

/// Returns a number with an exponent of at least two digits, from Rust's `1.50e-7`.
pub(super) fn scientific(text: &str) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    let blank = if digits.starts_with('-') { "" } else { " " };
    format!("{blank}{digits}e{sign}{exponent:0>2}")
}
