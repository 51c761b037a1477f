/// Lets structs be read from maps only. What serde derives takes a list as well, by position: `limits: [5]` would pass
/// for `requests_per_minute: 5`, and `[]` for a whole configuration. The types say `serde(remote = "Self")`, which
/// derives the reading as a function of their own; this is the `Deserialize` around it.
macro_rules! keyed {
    ($($keyed:ident),*) => {$(
        impl<'de> serde::Deserialize<'de> for $keyed {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Keyed;
                impl<'de> serde::de::Visitor<'de> for Keyed {
                    type Value = $keyed;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a map")
                    }
                    fn visit_map<M: serde::de::MapAccess<'de>>(self, map: M) -> Result<$keyed, M::Error> {
                        $keyed::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    }
                }
                deserializer.deserialize_map(Keyed)
            }
        }
    )*};
}

pub(super) use keyed;
