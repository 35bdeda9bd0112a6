//! Session options by name and value, for protocols with calls to set them: every parameter of SET,
//! as well as `catalog` and `schema`.

use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_engine::CATALOG;
use lakegate_error::{Code, Error, Result};
use lakegate_sql::ast::{Set, SetScope, SetValue};

use crate::session::{Session, is_built_in};

/// The reason why an option was not set.
#[derive(Debug, Clone)]
pub enum OptionError {
    UnknownName(Error),
    InvalidValue(Error),
}

impl Session {
    /// Returns all options with their values: `catalog`, `schema` and the parameters.
    pub fn options(&self) -> Vec<(String, String)> {
        let parameters = self.settings().all();
        let own = [
            ("catalog".to_owned(), CATALOG.to_owned()),
            (
                "schema".to_owned(),
                self.named_path().into_iter().next().unwrap_or_default(),
            ),
        ];
        own.into_iter()
            .chain(
                parameters
                    .into_iter()
                    .map(|shown| (shown.name.to_owned(), shown.value)),
            )
            .collect()
    }

    /// Sets an option as SET does; `None` resets it to its default.
    ///
    /// # Errors
    /// The option does not exist, or cannot be set to this value. A database or workgroup that is
    /// not granted counts as an invalid value.
    pub fn set_option<'a>(
        &'a self,
        name: &'a str,
        value: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), OptionError>> {
        async move {
            let invalid = OptionError::InvalidValue;
            match name.to_lowercase().as_str() {
                "catalog" => match value {
                    None | Some("") => Ok(()),
                    Some(value) if value.eq_ignore_ascii_case(CATALOG) => Ok(()),
                    Some(value) => Err(invalid(
                        Error::new(
                            Code::CatalogNotFound,
                            format!("catalog \"{value}\" does not exist"),
                        )
                        .with_hint(format!("the one catalog is \"{CATALOG}\"")),
                    )),
                },
                "schema" => {
                    let value = value
                        .map(str::to_lowercase)
                        .filter(|value| !value.is_empty());
                    if let Some(database) = &value
                        && !is_built_in(database)
                    {
                        let view = self.current_moment().await.map_err(invalid)?.view;
                        view.require_database(database).await.map_err(invalid)?;
                    }
                    self.set_parameter("search_path", value).map_err(invalid)
                }
                _ => {
                    let exists = self.state.lock().settings.get(name).map(|_| ());
                    exists.map_err(OptionError::UnknownName)?;
                    self.set_parameter(name, value.map(str::to_owned))
                        .map_err(invalid)
                }
            }
        }
        .boxed()
    }

    fn set_parameter(&self, name: &str, value: Option<String>) -> Result<()> {
        let set = Set {
            scope: SetScope::Session,
            name: name.to_lowercase(),
            value: value.map_or(SetValue::Default, |value| SetValue::Values(vec![value])),
        };
        self.set(&self.moment()?, &set)
    }
}
