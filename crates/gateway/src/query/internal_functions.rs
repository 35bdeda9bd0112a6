//! The engine's functions that only rewritten queries call. To a user they do not exist.

use lakegate_engine::is_internal_function;
use lakegate_error::{Code, Error};

/// Returns the error of a text that calls such a function, which is that of a function that does not exist.
pub(crate) fn called_in(text: &str) -> Option<Error> {
    let (name, position) = lakegate_sql::find_call(text, is_internal_function)?;
    let message = format!("function {name} does not exist");
    Some(Error::new(Code::FunctionNotFound, message).with_position(position))
}

/// Returns an error without the hint that such a function may be meant.
pub(crate) fn not_suggested(error: Error) -> Error {
    let suggested = error.hint().and_then(|hint| {
        let name = hint.strip_prefix("Did you mean '")?;
        name.strip_suffix("'?")
    });
    match suggested.is_some_and(is_internal_function) {
        true => error.with_hint("SHOW FUNCTIONS lists the functions that there are"),
        false => error,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn internal_functions_do_not_exist() {
        let error = called_in("SELECT 1, \"$variadic\"(x) FROM t").unwrap();
        assert_eq!(error.code(), Code::FunctionNotFound);
        assert_eq!(error.message(), "function $variadic does not exist");
        assert_eq!(error.position(), Some(11));
        assert!(called_in("SELECT Named_Cast(x) FROM t").is_some());
        assert!(called_in("SELECT \"$path\", abs(1) FROM t WHERE '\"$x\"(1)' = ''").is_none());
    }

    #[test]
    fn internal_functions_are_not_suggested() {
        let hinted = |hint: &'static str| {
            let error = Error::new(Code::FunctionNotFound, "function x does not exist");
            not_suggested(error.with_hint(hint))
        };
        assert_eq!(
            hinted("Did you mean 'abs'?").hint(),
            Some("Did you mean 'abs'?")
        );
        for hint in ["Did you mean '$map'?", "Did you mean 'typed_text'?"] {
            assert!(!hinted(hint).hint().unwrap().contains("Did you mean"));
        }
    }
}
