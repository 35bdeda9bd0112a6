//! SetSessionOptions and GetSessionOptions: the gateway's session options and the door's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use lakegate_gateway::OptionError;
use lakegate_proto::arrow::flight::protocol::session_option_value::OptionValue;
use lakegate_proto::arrow::flight::protocol::set_session_options_result::{self, ErrorValue};
use lakegate_proto::arrow::flight::protocol::{
    GetSessionOptionsResult, SessionOptionValue, SetSessionOptionsRequest, SetSessionOptionsResult,
};

use super::delivery::OPTIONS;
use super::sessions::FlightSession;

/// The number of options that one request can set; further ones are reported as errors.
const MAX_OPTIONS: usize = 1_000;

/// Returns an option's value as text; `None` unsets the option.
pub(super) fn text(value: &SessionOptionValue) -> Option<String> {
    Some(match value.option_value.as_ref()? {
        OptionValue::StringValue(text) => text.clone(),
        OptionValue::BoolValue(true) => "on".to_owned(),
        OptionValue::BoolValue(false) => "off".to_owned(),
        OptionValue::Int64Value(number) => number.to_string(),
        OptionValue::DoubleValue(number) => number.to_string(),
        OptionValue::StringListValue(list) => list.values.join(", "),
    })
}

/// Sets each option separately, `workgroup` first and the others by name. The result lists those
/// that could not be set.
pub(super) async fn set(
    session: &Arc<FlightSession>,
    request: &SetSessionOptionsRequest,
) -> SetSessionOptionsResult {
    let mut options: Vec<(&String, &SessionOptionValue)> = request.session_options.iter().collect();
    // The workgroup comes first because it restricts the values of others.
    options.sort_by_key(|(name, _)| (!name.eq_ignore_ascii_case("workgroup"), *name));
    let mut errors = BTreeMap::new();
    for (index, (name, value)) in options.into_iter().enumerate() {
        let value = text(value);
        let lower = name.to_lowercase();
        let failed = if index >= MAX_OPTIONS {
            Some(ErrorValue::Error)
        } else if OPTIONS.contains(&lower.as_str()) {
            let set = session
                .options
                .change(|delivery| delivery.set(&lower, value.as_deref()));
            set.err().map(|_| ErrorValue::InvalidValue)
        } else {
            match session.session.set_option(name, value.as_deref()).await {
                Ok(()) => None,
                Err(OptionError::UnknownName(_)) => Some(ErrorValue::InvalidName),
                Err(OptionError::InvalidValue(_)) => Some(ErrorValue::InvalidValue),
            }
        };
        if let Some(value) = failed {
            let value = value.into();
            let error = set_session_options_result::Error { value };
            errors.insert(name.clone(), error);
        }
    }
    SetSessionOptionsResult { errors }
}

/// Returns all options of a session with their values.
pub(super) fn get(session: &FlightSession) -> GetSessionOptionsResult {
    let delivery = session.options.delivery();
    let own = OPTIONS.map(|name| (name.to_owned(), delivery.get(name)));
    let session_options = session
        .session
        .options()
        .into_iter()
        .chain(own)
        .map(|(name, value)| {
            let value = SessionOptionValue {
                option_value: Some(OptionValue::StringValue(value)),
            };
            (name, value)
        })
        .collect();
    GetSessionOptionsResult { session_options }
}
