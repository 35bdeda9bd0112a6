//! Parses paths.

mod postgres;
#[cfg(test)]
mod tests;
mod tokens;

use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::{Accessor, Comparison, Method, Node, Operator, Path, Predicate};

/// Parentheses, brackets and filters that may be open at once. Evaluation nests as deeply.
const MAX_DEPTH: usize = 32;

impl Path {
    /// # Errors
    ///
    /// The text is not a path, or has what is not supported.
    pub(in crate::json) fn parse(text: &str) -> Result<Self> {
        Self::read(text, false)
    }

    /// Parses a path of PostgreSQL's: without a mode it is lax, a predicate is one too, and texts
    /// are written as in JSON.
    ///
    /// # Errors
    ///
    /// The text is not a path, or has what is not supported.
    pub(in crate::json) fn parse_of_postgres(text: &str) -> Result<Self> {
        Self::read(text, true)
    }

    fn read(text: &str, of_postgres: bool) -> Result<Self> {
        let mut parser = Parser {
            rest: text,
            depth: 0,
            of_postgres,
        };
        let path = parser.path();
        path.map_err(|what| {
            let shown: String = text.chars().take(100).collect();
            let at = text.len() - parser.rest.len();
            let message = format!("invalid JSON path '{shown}': {what} at byte {}", at + 1);
            let code = match (of_postgres, what.ends_with("is not supported")) {
                (true, true) => Code::NotSupported,
                (true, false) => Code::SyntaxError,
                (false, _) => Code::InvalidParameter,
            };
            Error::new(code, message)
                .with_hint("a path is like 'lax $.items[*]?(@.price > 10).name' or 'strict $.a[0]'")
                .into()
        })
    }
}

/// What is wrong.
type Parsed<T> = Result<T, &'static str>;

#[derive(Debug)]
struct Parser<'a> {
    rest: &'a str,
    depth: usize,
    of_postgres: bool,
}

/// A path or a predicate: which of them a parenthesis has is known after it.
#[derive(Debug)]
enum Either {
    Path(Node),
    Predicate(Predicate),
}

impl Either {
    fn path(self) -> Parsed<Node> {
        match self {
            Self::Path(path) => Ok(path),
            Self::Predicate(_) => Err("a value is expected instead of a predicate"),
        }
    }

    fn predicate(self) -> Parsed<Predicate> {
        match self {
            Self::Predicate(predicate) => Ok(predicate),
            Self::Path(_) => Err("a predicate is expected instead of a value"),
        }
    }
}

impl Parser<'_> {
    fn path(&mut self) -> Parsed<Path> {
        let lax = if self.word("lax") {
            true
        } else if self.word("strict") {
            false
        } else if self.of_postgres {
            true
        } else {
            return Err("the mode 'lax' or 'strict' is expected");
        };
        let root = match self.any()? {
            Either::Predicate(predicate) if self.of_postgres => Node::Judged(Box::new(predicate)),
            either => either.path()?,
        };
        self.space();
        match self.rest.is_empty() {
            true => Ok(Path {
                lax,
                of_postgres: self.of_postgres,
                root,
            }),
            false => Err("the end is expected"),
        }
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err("too deep nesting");
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn any(&mut self) -> Parsed<Either> {
        self.nested(|parser| {
            let first = parser.all()?;
            if !parser.symbol("||") {
                return Ok(first);
            }
            let mut any = vec![first.predicate()?];
            loop {
                any.push(parser.all()?.predicate()?);
                if !parser.symbol("||") {
                    return Ok(Either::Predicate(Predicate::Any(any)));
                }
            }
        })
    }

    fn all(&mut self) -> Parsed<Either> {
        let first = self.compared()?;
        if !self.symbol("&&") {
            return Ok(first);
        }
        let mut all = vec![first.predicate()?];
        loop {
            all.push(self.compared()?.predicate()?);
            if !self.symbol("&&") {
                return Ok(Either::Predicate(Predicate::All(all)));
            }
        }
    }

    fn compared(&mut self) -> Parsed<Either> {
        if self.symbol("!") {
            let negated = self.nested(Self::primary)?.predicate()?;
            return Ok(Either::Predicate(Predicate::Not(Box::new(negated))));
        }
        let left = match self.sum()? {
            Either::Path(left) => left,
            predicate => return Ok(predicate),
        };
        let comparison = [
            ("==", Comparison::Equal),
            ("<>", Comparison::NotEqual),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let comparison = comparison.iter().find(|(symbol, _)| self.symbol(symbol));
        if let Some((_, comparison)) = comparison {
            let right = self.sum()?.path()?;
            let (left, right) = (Box::new(left), Box::new(right));
            return Ok(Either::Predicate(Predicate::Compared(
                left,
                *comparison,
                right,
            )));
        }
        if self.word("like_regex") {
            return match self.of_postgres {
                true => self.like_regex(left),
                false => Err("like_regex is not supported"),
            };
        }
        if self.word("starts") {
            if !self.word("with") {
                return Err("'with' is expected");
            }
            self.space();
            let prefix = match self.rest.starts_with('"') {
                true => Node::Text(self.string()?),
                false => match self.nested(Self::primary)?.path()? {
                    variable @ Node::Variable(_) => variable,
                    _ => return Err("a text or a variable is expected"),
                },
            };
            let (left, prefix) = (Box::new(left), Box::new(prefix));
            return Ok(Either::Predicate(Predicate::StartsWith(left, prefix)));
        }
        Ok(Either::Path(left))
    }

    fn sum(&mut self) -> Parsed<Either> {
        let operator = |parser: &mut Self| {
            if parser.symbol("+") {
                Some(Operator::Add)
            } else if parser.symbol("-") {
                Some(Operator::Subtract)
            } else {
                None
            }
        };
        self.arithmetic(operator, Self::product)
    }

    fn product(&mut self) -> Parsed<Either> {
        let operator = |parser: &mut Self| {
            if parser.symbol("*") {
                Some(Operator::Multiply)
            } else if parser.symbol("/") {
                Some(Operator::Divide)
            } else if parser.symbol("%") {
                Some(Operator::Modulo)
            } else {
                None
            }
        };
        self.arithmetic(operator, Self::signed)
    }

    fn arithmetic(
        &mut self,
        operator: impl Fn(&mut Self) -> Option<Operator>,
        operand: impl Fn(&mut Self) -> Parsed<Either>,
    ) -> Parsed<Either> {
        let first = operand(self)?;
        let Some(mut next) = operator(self) else {
            return Ok(first);
        };
        let first = Box::new(first.path()?);
        let mut rest = Vec::new();
        loop {
            rest.push((next, operand(self)?.path()?));
            match operator(self) {
                Some(operator) => next = operator,
                None => return Ok(Either::Path(Node::Arithmetic(first, rest))),
            }
        }
    }

    fn signed(&mut self) -> Parsed<Either> {
        self.space();
        let is_number =
            |rest: &str| rest.starts_with(|char: char| char.is_ascii_digit() || char == '.');
        if self.rest.strip_prefix('-').is_some_and(is_number) {
            return self.accessed();
        }
        let sign = if self.symbol("-") {
            Node::Negated
        } else if self.symbol("+") {
            Node::Numeric
        } else {
            return self.accessed();
        };
        let signed = self.nested(Self::signed)?.path()?;
        Ok(Either::Path(sign(Box::new(signed))))
    }

    fn accessed(&mut self) -> Parsed<Either> {
        let primary = match self.primary()? {
            Either::Path(primary) => primary,
            predicate => return Ok(predicate),
        };
        let mut accessors = Vec::new();
        while let Some(accessor) = self.accessor()? {
            accessors.push(accessor);
        }
        Ok(Either::Path(match accessors.is_empty() {
            true => primary,
            false => Node::Accessed(Box::new(primary), accessors),
        }))
    }

    fn primary(&mut self) -> Parsed<Either> {
        if self.symbol("(") {
            let inner = self.any()?;
            self.expect(")", "')' is expected")?;
            if self.next_identifier() == "is" {
                self.skip("is".len());
                if !self.word("unknown") {
                    return Err("'unknown' is expected");
                }
                let unknown = Predicate::Unknown(Box::new(inner.predicate()?));
                return Ok(Either::Predicate(unknown));
            }
            return Ok(inner);
        }
        self.space();
        if self.rest.starts_with('"') {
            return Ok(Either::Path(Node::Text(self.string()?)));
        }
        // The sign of a literal belongs to it, so that the smallest number is in range.
        let digits = self.rest.strip_prefix('-').unwrap_or(self.rest);
        if digits.starts_with(|char: char| char.is_ascii_digit() || char == '.') {
            return Ok(Either::Path(Node::Number(self.number()?)));
        }
        if self.symbol("@") {
            return Ok(Either::Path(Node::Current));
        }
        if self.symbol("$") {
            let is_variable = |char: char| char.is_ascii_alphabetic() || char == '_';
            if !self.rest.starts_with(is_variable) {
                return Ok(Either::Path(Node::Context));
            }
            let name = self.next_identifier();
            self.skip(name.len());
            return Ok(Either::Path(Node::Variable(name.to_owned())));
        }
        let name = self.next_identifier();
        let path = match name {
            "null" => Node::Null,
            "true" => Node::Boolean(true),
            "false" => Node::Boolean(false),
            "last" => Node::Last,
            "exists" => {
                self.skip(name.len());
                self.expect("(", "'(' is expected")?;
                let path = self.any()?.path()?;
                self.expect(")", "')' is expected")?;
                return Ok(Either::Predicate(Predicate::Exists(Box::new(path))));
            }
            _ => return Err("a value is expected"),
        };
        self.skip(name.len());
        Ok(Either::Path(path))
    }

    fn accessor(&mut self) -> Parsed<Option<Accessor>> {
        if self.symbol("..") {
            return Ok(Some(Accessor::Descendant(self.name()?)));
        }
        if self.symbol(".") {
            if self.of_postgres && self.symbol("**") {
                return self.levels().map(Some);
            }
            if self.symbol("*") {
                return Ok(Some(Accessor::AnyMember));
            }
            let quoted = {
                self.space();
                self.rest.starts_with('"')
            };
            let name = self.name()?;
            if quoted || !self.symbol("(") {
                return Ok(Some(Accessor::Member(name)));
            }
            let method = match name.as_str() {
                "type" => Method::Type,
                "size" => Method::Size,
                "double" => Method::Double,
                "ceiling" => Method::Ceiling,
                "floor" => Method::Floor,
                "abs" => Method::Abs,
                "keyvalue" => Method::KeyValue,
                "datetime" if !self.of_postgres => return Err("datetime() is not supported"),
                "datetime" => Method::Datetime,
                _ => return Err("a method is unknown"),
            };
            if method == Method::Datetime && !self.symbol(")") {
                return self.template().map(Some);
            }
            if method != Method::Datetime {
                self.expect(")", "')' is expected")?;
            }
            return Ok(Some(Accessor::Method(method)));
        }
        if self.symbol("[") {
            if self.symbol("*") {
                self.expect("]", "']' is expected")?;
                return Ok(Some(Accessor::AnyElement));
            }
            let mut subscripts = Vec::new();
            loop {
                let from = self.any()?.path()?;
                let to = match self.word("to") {
                    true => Some(self.any()?.path()?),
                    false => None,
                };
                subscripts.push((from, to));
                if !self.symbol(",") {
                    break;
                }
            }
            self.expect("]", "']' is expected")?;
            return Ok(Some(Accessor::Elements(subscripts)));
        }
        if self.symbol("?") {
            self.expect("(", "'(' is expected")?;
            let predicate = self.any()?.predicate()?;
            self.expect(")", "')' is expected")?;
            return Ok(Some(Accessor::Filter(predicate)));
        }
        Ok(None)
    }
}
