//! Places in the body that are written over, or cut out.

use super::Fields;
use crate::json::{Container, Found, Hit};
use crate::llm::request::value::once;
use crate::llm::request::{Behind, Cut, Invalid, Nest, Place};
use crate::llm::schema::{Asked, Schema};

impl Fields {
    /// The member at hand is not for the provider; that of a slot only where the slot is not written over.
    pub(super) fn cut(&mut self, hit: &Hit<'_, Asked>, slot: Option<u8>) {
        self.cut.push(Cut { from: hit.member, to: hit.to, behind: Behind::Unknown, slot });
    }

    pub(super) fn nest(&mut self, schema: &Schema, hit: &Hit<'_, Asked>, place: Place) -> Result<(), Invalid> {
        let field = schema.nest();
        match hit.found {
            Found::Opened(Container::Object) => once(field, hit, self.nest.is_some()),
            Found::Closed { empty, .. } => {
                self.nest = Some(Nest { place, is_null: false, empty });
                Ok(())
            }
            Found::Null => {
                once(field, hit, self.nest.is_some())?;
                self.nest = Some(Nest { place, is_null: true, empty: true });
                Ok(())
            }
            _ => Err(Invalid::Wrong { field, expected: "an object" }),
        }
    }
}
