//! Reads texts of numbers, parentheses and commas, as PostgreSQL's input functions of shapes do.

use lakegate_error::{Code, Error};

use super::{invalid, is_blank};

/// A place on the plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// A text of a type, and the rest of it that is not read yet.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pg_type: &'static str,
    text: &'a str,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Begins at the first character that is no blank.
    pub(super) fn new(pg_type: &'static str, text: &'a str) -> Self {
        let mut reader = Self {
            pg_type,
            text,
            rest: text,
        };
        reader.skip_blanks();
        reader
    }

    pub(super) fn invalid(&self) -> Error {
        invalid(self.pg_type, self.text)
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches(is_blank);
    }

    /// Reads a sign, if it is next.
    pub(super) fn takes(&mut self, sign: char) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// # Errors
    ///
    /// The sign is not next.
    pub(super) fn expect(&mut self, sign: char) -> Result<(), Error> {
        match self.takes(sign) {
            true => Ok(()),
            false => Err(self.invalid()),
        }
    }

    /// Reads one of the signs, and the blanks after it.
    ///
    /// # Errors
    ///
    /// None of them is next.
    pub(super) fn closes(&mut self, signs: &[char]) -> Result<(), Error> {
        if !signs.iter().any(|sign| self.takes(*sign)) {
            return Err(self.invalid());
        }
        self.skip_blanks();
        Ok(())
    }

    /// # Errors
    ///
    /// There is more to read.
    pub(super) fn end(&self) -> Result<(), Error> {
        match self.rest.is_empty() {
            true => Ok(()),
            false => Err(self.invalid()),
        }
    }

    /// Returns whether the rest has one opening parenthesis, at its start.
    pub(super) fn opens_once(&self) -> bool {
        self.rest.rfind('(') == Some(0)
    }

    /// Reads the first of two opening parentheses. Returns whether there are two.
    pub(super) fn takes_outer(&mut self) -> bool {
        let inner = self.rest.strip_prefix('(');
        let inner = inner.map(|inner| inner.trim_start_matches(is_blank));
        let inner = inner.filter(|inner| inner.starts_with('('));
        self.rest = inner.unwrap_or(self.rest);
        inner.is_some()
    }

    /// Reads a number with the blanks around it.
    ///
    /// # Errors
    ///
    /// There is none, or it is beyond the numbers of `double precision`.
    pub(super) fn number(&mut self) -> Result<f64, Error> {
        self.skip_blanks();
        let (number, rest) = self.rest.split_at(number_length(self.rest));
        let value: f64 = number.parse().map_err(|_| self.invalid())?;
        let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
        let overflows =
            value.is_infinite() && mantissa.contains(|digit: char| digit.is_ascii_digit());
        let vanishes = value == 0.0 && mantissa.contains(|digit: char| matches!(digit, '1'..='9'));
        if overflows || vanishes {
            let shown: String = number.chars().take(100).collect();
            let message = format!("\"{shown}\" is out of range for type double precision");
            return Err(Error::new(Code::NumericOutOfRange, message));
        }
        self.rest = rest;
        self.skip_blanks();
        Ok(value)
    }

    /// Reads `1,2` or `(1,2)`.
    ///
    /// # Errors
    ///
    /// There is no point.
    pub(super) fn point(&mut self) -> Result<Point, Error> {
        self.skip_blanks();
        let is_enclosed = self.takes('(');
        let x = self.number()?;
        self.expect(',')?;
        let y = self.number()?;
        if is_enclosed {
            self.closes(&[')'])?;
        }
        Ok(Point { x, y })
    }

    /// Reads so many points. Returns them, and whether they are in brackets.
    ///
    /// # Errors
    ///
    /// There are others, or they are in brackets though `may_be_open` is false.
    pub(super) fn points(
        &mut self,
        count: usize,
        may_be_open: bool,
    ) -> Result<(Vec<Point>, bool), Error> {
        let is_open = self.takes('[');
        if is_open && !may_be_open {
            return Err(self.invalid());
        }
        // The parentheses are around all points, not around the first one.
        let is_alone = !is_open && self.opens_once();
        let is_enclosed = is_open || self.takes_outer() || is_alone && self.takes('(');
        let mut points = Vec::new();
        for _ in 0..count {
            points.push(self.point()?);
            self.takes(',');
        }
        match (is_enclosed, is_open) {
            (true, true) => self.closes(&[')', ']'])?,
            (true, false) => self.closes(&[')'])?,
            (false, _) => {}
        }
        Ok((points, is_open))
    }
}

/// Returns the bytes of the number that a text begins with, which is none for 0.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let signs = |from: usize| usize::from(matches!(bytes.get(from), Some(b'+' | b'-')));
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let sign = signs(0);
    for word in ["infinity", "inf", "nan"] {
        let start = bytes.get(sign..sign + word.len());
        if start.is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes())) {
            return sign + word.len();
        }
    }
    let whole = digits(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if bytes.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return 0;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = signs(end + 1);
        let power = digits(end + 1 + signed);
        if power > 0 {
            end += 1 + signed + power;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_those_of_postgres_do() {
        for (text, length) in [
            ("1,2", 1),
            ("-1.5e3)", 6),
            ("+.5", 3),
            ("5.", 2),
            ("1e", 1),
            ("1e+", 1),
            ("1e-7x", 4),
            ("-inf,", 4),
            ("Infinity", 8),
            ("NaNx", 3),
            (".", 0),
            ("-+1", 0),
            ("é", 0),
            ("", 0),
        ] {
            assert_eq!(number_length(text), length, "{text}");
        }
    }
}
