use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use hashbrown::HashMap;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::scalar::Name;

/// A map in the order it was written. A key written twice is refused: JSON's "the last one wins" would drop a tenant
/// or a price in silence.
#[derive(Clone, Debug)]
pub struct Named<T> {
    pub entries: Vec<(Rc<str>, T)>,
    pub index: HashMap<Rc<str>, u32>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: HashMap::new() }
    }
}

impl<T> Named<T> {
    pub fn get(&self, name: &str) -> Option<&T> {
        let at = usize::try_from(*self.index.get(name)?).ok()?;
        self.entries.get(at).map(|(_, value)| value)
    }

    pub fn names(&self) -> impl Iterator<Item = &Rc<str>> {
        self.entries.iter().map(|(name, _)| name)
    }

    /// Adds an entry; a name that is there already keeps its first index.
    pub fn push(&mut self, name: Rc<str>, value: T) -> u32 {
        let at = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push((Rc::clone(&name), value));
        *self.index.entry(name).or_insert(at)
    }
}

impl<T> FromIterator<(Rc<str>, T)> for Named<T> {
    fn from_iter<I: IntoIterator<Item = (Rc<str>, T)>>(entries: I) -> Self {
        let mut named = Self::default();
        for (name, value) in entries {
            named.push(name, value);
        }
        named
    }
}

struct NamedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of names")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Named<T>, M::Error> {
        let mut named = Named::default();
        while let Some(Name(name)) = map.next_key()? {
            // Refused before its value is read, while the position is still the key's.
            if named.index.contains_key(&name) {
                return Err(M::Error::custom(format!("the key `{name}` is written twice")));
            }
            named.push(name, map.next_value()?);
        }
        Ok(named)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}
