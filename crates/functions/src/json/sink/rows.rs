//! Rows of arrays and of objects.

use super::super::convert::{Failure, expected, text_of, wrong};
use super::super::scan::{Raw, Scanner};
use super::{Context, Row};

impl Row {
    pub(super) fn append(
        &mut self,
        scanner: &mut Scanner<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Failure> {
        match scanner.peek() {
            Some(b'[') => {
                let mut more = scanner.enter(b']');
                for sink in &mut self.sinks {
                    if !more {
                        return expected("the array has fewer elements than the row has fields");
                    }
                    sink.append(scanner, context)?;
                    more = scanner.next(b']')?;
                }
                if more {
                    return expected("the array has more elements than the row has fields");
                }
            }
            Some(b'{') => {
                self.present.fill(false);
                let mut more = scanner.enter(b'}');
                let mut next = 0;
                while more {
                    let name = scanner.key()?;
                    match self.field(name, next, &mut context.scratch) {
                        None => scanner.skip(context.work)?,
                        Some(index) => {
                            let (Some(sink), Some(present)) =
                                (self.sinks.get_mut(index), self.present.get_mut(index))
                            else {
                                return wrong();
                            };
                            if *present {
                                return expected("an object must have each field once");
                            }
                            *present = true;
                            sink.append(scanner, context)?;
                            next = index + 1;
                        }
                    }
                    more = scanner.next(b'}')?;
                }
                for (sink, present) in self.sinks.iter_mut().zip(&self.present) {
                    if !present {
                        context.work.builds(sink.width)?;
                        sink.append_null();
                    }
                }
            }
            _ => return expected("an array or an object is expected"),
        }
        self.nulls.append(true);
        Ok(())
    }

    /// The index of the field of a name; that of the `next` is compared first.
    fn field(&self, name: Raw<'_>, next: usize, scratch: &mut String) -> Option<usize> {
        if let Some(field) = self.fields.get(next)
            && !name.escaped
            && name.text == field.name()
            && self.names.len() == self.fields.len()
        {
            return Some(next);
        }
        scratch.clear();
        let text = text_of(name, scratch);
        match text
            .bytes()
            .all(|byte| !byte.is_ascii_uppercase() && byte.is_ascii())
        {
            true => self.names.get(text).copied(),
            false => self.names.get(&text.to_lowercase()).copied(),
        }
    }
}
