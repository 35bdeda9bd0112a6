//! Values of a statement in the options of its state. They are not settings: nothing lists them, and no
//! name sets them.

/// Makes a type such an option. `prefix`: its name in errors.
macro_rules! hidden_option {
    ($option:ty, $prefix:literal) => {
        impl ::datafusion::config::ConfigExtension for $option {
            const PREFIX: &'static str = $prefix;
        }

        impl ::datafusion::config::ExtensionOptions for $option {
            fn as_any(&self) -> &dyn ::std::any::Any {
                self
            }

            fn as_any_mut(&mut self) -> &mut dyn ::std::any::Any {
                self
            }

            fn cloned(&self) -> Box<dyn ::datafusion::config::ExtensionOptions> {
                Box::new(self.clone())
            }

            fn set(&mut self, key: &str, _: &str) -> ::datafusion::error::Result<()> {
                let message = format!("{}.{key} cannot be set", $prefix);
                Err(::datafusion::error::DataFusionError::Configuration(message))
            }

            fn entries(&self) -> Vec<::datafusion::config::ConfigEntry> {
                Vec::new()
            }
        }
    };
}

pub(super) use hidden_option;
