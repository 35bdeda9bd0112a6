//! The functions that search text for a pattern.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{
    ColumnarValue, DocSection, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use lakegate_error::{Code, Error};

use super::call::Call;
use crate::plans::expressions;

/// Replaces DataFusion's functions with these.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    for kind in [
        Kind::Count,
        Kind::Instr,
        Kind::Match,
        Kind::Matches,
        Kind::Replace,
        Kind::SplitToArray,
        Kind::Substr,
    ] {
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(Function::new(kind))))?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// `regexp_count(text, pattern [, start [, flags]])`
    Count,
    /// `regexp_instr(text, pattern [, start [, n [, end [, flags [, group]]]]])`
    Instr,
    /// `x ~ pattern` if DataFusion cannot evaluate it: `posix_like(text, pattern [, flags])`
    Like,
    /// `regexp_match(text, pattern [, flags])`
    Match,
    /// `regexp_matches(text, pattern [, flags])`, as a list of all rows
    Matches,
    /// `regexp_replace(text, pattern, replacement [, start [, n]] [, flags])`
    Replace,
    /// `regexp_split_to_array(text, pattern [, flags])`
    SplitToArray,
    /// `regexp_substr(text, pattern [, start [, n [, flags [, group]]]])`
    Substr,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Count => "regexp_count",
            Kind::Instr => "regexp_instr",
            Kind::Like => "posix_like",
            Kind::Match => "regexp_match",
            Kind::Matches => "regexp_matches",
            Kind::Replace => "regexp_replace",
            Kind::SplitToArray => "regexp_split_to_array",
            Kind::Substr => "regexp_substr",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Kind::Count => "How often a regular expression matches a text.",
            Kind::Instr => "The place of a match of a regular expression, 0 if there is none.",
            Kind::Like => "Whether a regular expression matches a part of a text.",
            Kind::Match => {
                "The groups of the first match of a regular expression, or the match if it has no groups."
            }
            Kind::Matches => {
                "The groups of the first match of a regular expression, with the flag g of each, or the matches if it has no groups; a row for each."
            }
            Kind::Replace => {
                "Replaces the first match of a regular expression, with the flag g all; \\1 is the first group, \\& the match."
            }
            Kind::SplitToArray => {
                "The parts of a text between the matches of a regular expression."
            }
            Kind::Substr => "The part of a text that a regular expression matches.",
        }
    }

    /// Returns the arguments of a call with these types.
    fn arguments(self, types: &[DataType]) -> &'static [Argument] {
        use Argument::{End, Flags, Group, N, Pattern, Replacement, Start, Text};
        let is_text = |place: usize| types.get(place).is_some_and(DataType::is_string);
        match self {
            Kind::Count => &[Text, Pattern, Start, Flags],
            Kind::Like | Kind::Match | Kind::Matches | Kind::SplitToArray => {
                &[Text, Pattern, Flags]
            }
            // DataFusion's own function has no argument for the end.
            Kind::Instr if is_text(4) => &[Text, Pattern, Start, N, Flags, Group],
            Kind::Instr => &[Text, Pattern, Start, N, End, Flags, Group],
            Kind::Replace if is_text(3) || types.get(3) == Some(&DataType::Null) => {
                &[Text, Pattern, Replacement, Flags]
            }
            Kind::Replace => &[Text, Pattern, Replacement, Start, N, Flags],
            Kind::Substr => &[Text, Pattern, Start, N, Flags, Group],
        }
    }

    fn needs(self) -> usize {
        match self {
            Kind::Replace => 3,
            _ => 2,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    Text,
    Pattern,
    Replacement,
    /// The first character to search, starting at 1.
    Start,
    /// Which match, starting at 1; in a replacement, 0 for all.
    N,
    /// 1 for the position after the match.
    End,
    Flags,
    Group,
}

impl Argument {
    pub(super) fn name(self) -> (&'static str, &'static str) {
        match self {
            Argument::Text => ("text", "The text that is searched."),
            Argument::Pattern => ("pattern", "The regular expression."),
            Argument::Replacement => ("replacement", "What takes the place of a match."),
            Argument::Start => ("start", "The character to begin at; 1 is the first."),
            Argument::N => ("n", "Which match."),
            Argument::End => ("end", "1 for the place after the match."),
            Argument::Flags => ("flags", "Letters such as i, which takes any case."),
            Argument::Group => ("group", "Which group; 0 is the match."),
        }
    }

    fn is_number(self) -> bool {
        matches!(
            self,
            Argument::Start | Argument::N | Argument::End | Argument::Group
        )
    }
}

/// Returns whether regular expressions match a part of the texts beside them.
///
/// # Errors
///
/// Returns an error for an invalid pattern, if a search takes too long, or if the work must stop.
pub(crate) fn matched(
    texts: &ArrayRef,
    patterns: &ArrayRef,
    any_case: bool,
) -> Result<BooleanArray> {
    let mut columns = vec![
        (Argument::Text, cast(texts, &DataType::Utf8)?, false),
        (Argument::Pattern, cast(patterns, &DataType::Utf8)?, false),
    ];
    if any_case {
        let flags: ArrayRef = Arc::new(StringArray::from(vec!["i"]));
        columns.push((Argument::Flags, flags, true));
    }
    let call = Call {
        kind: Kind::Like,
        columns,
    };
    Ok(call.made(texts.len())?.as_boolean().clone())
}

#[derive(Debug)]
pub(super) struct Function {
    kind: Kind,
    signature: Signature,
    documentation: Documentation,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
    }
}

impl Function {
    pub(super) fn new(kind: Kind) -> Self {
        let section = DocSection {
            include: true,
            label: "Regular Expression Functions",
            description: None,
        };
        let arguments = kind.arguments(&[]).iter().map(|argument| argument.name());
        let names: Vec<&str> = arguments.clone().map(|(name, _)| name).collect();
        let syntax = format!("{}({})", kind.name(), names.join(", "));
        let documentation = Documentation::builder(section, kind.description(), syntax);
        let documentation = arguments.fold(documentation, |documentation, (name, what)| {
            documentation.with_argument(name, what)
        });
        Self {
            kind,
            signature: Signature::user_defined(Volatility::Immutable),
            documentation: documentation.build(),
        }
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let arguments = self.kind.arguments(types);
        let wrong = |what: String| Error::new(Code::FunctionNotFound, what);
        if types.len() < self.kind.needs() || types.len() > arguments.len() {
            let given = types.len();
            return Err(wrong(format!("{} does not take {given} arguments", self.name())).into());
        }
        let typed = arguments.iter().zip(types);
        let coerced = typed.map(|(argument, given)| {
            let taken = match argument.is_number() {
                true => given.is_integer() || given.is_null(),
                false => given.is_string() || given.is_null(),
            };
            let (name, _) = argument.name();
            if !taken {
                return Err(wrong(format!(
                    "{} does not take a value of type {given} as {name}",
                    self.name()
                ))
                .with_hint("cast it to VARCHAR")
                .into());
            }
            Ok(match argument.is_number() {
                true => DataType::Int64,
                false => DataType::Utf8,
            })
        });
        coerced.collect()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        let texts = || DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
        Ok(match self.kind {
            Kind::Count | Kind::Instr => DataType::Int32,
            Kind::Like => DataType::Boolean,
            Kind::Match | Kind::SplitToArray => texts(),
            Kind::Matches => DataType::new_list(texts(), true),
            Kind::Replace | Kind::Substr => DataType::Utf8,
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = expressions::are_constants(&args.args);
        let rows = if constant { 1 } else { args.number_rows };
        let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
        let arguments = self.kind.arguments(&types).iter().copied();
        let columns = arguments.zip(&args.args).map(|(argument, value)| {
            let (column, repeated) = match value {
                ColumnarValue::Array(column) => (Arc::clone(column), false),
                ColumnarValue::Scalar(value) => (value.to_array()?, true),
            };
            let wanted = match argument.is_number() {
                true => DataType::Int64,
                false => DataType::Utf8,
            };
            Ok((argument, cast(&column, &wanted)?, repeated))
        });
        let call = Call {
            kind: self.kind,
            columns: columns.collect::<Result<_>>()?,
        };
        let made = call.made(rows)?;
        expressions::made(made, constant)
    }
}
