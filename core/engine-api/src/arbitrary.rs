use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// The request of an endpoint that takes any fields, so that none of them is unknown. The handler
/// finds them in the body of its [`Call`](crate::Call), as text.
#[derive(Debug)]
pub struct Arbitrary;

impl<'de> Deserialize<'de> for Arbitrary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;
        impl<'de> Visitor<'de> for Anything {
            type Value = Arbitrary;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Arbitrary, A::Error> {
                Ok(Arbitrary)
            }
        }
        deserializer.deserialize_map(Anything)
    }
}

impl JsonSchema for Arbitrary {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Arbitrary".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": true })
    }
}
