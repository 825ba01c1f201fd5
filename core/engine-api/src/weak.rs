//! Reads the fields of a request into a typed struct, as forgivingly as Vault does: a number may
//! come as a string, a list as `a,b`, a boolean as `"true"`. A value of the wrong kind is an error
//! that names the field and not the value.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use base_types::{Error, Result};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde_json::value::RawValue;

use crate::Body;

/// The typed request, and the names of fields that no one asked for.
pub(crate) struct Parsed<T> {
    pub(crate) request: T,
    pub(crate) unknown: Vec<String>,
    /// Fields of the body that the path overrode.
    pub(crate) replaced: Vec<String>,
}

/// Path parameters win over fields of the body.
pub(crate) fn parse<T: DeserializeOwned>(
    params: &[(&'static str, String)],
    body: &Body,
) -> Result<Parsed<T>> {
    let object = match body {
        Body::Json(text) => Object::parse(text)?,
        Body::Empty | Body::Query(_) => Object(Vec::new()),
    };
    let from_path = |name: &str| params.iter().any(|(param, _)| *param == name);
    let mut fields: Vec<(Cow<'_, str>, Field<'_>)> =
        params.iter().map(|(name, value)| ((*name).into(), Field::Text(value.into()))).collect();
    fields.extend(object.0.iter().map(|(name, value)| (name.into(), Field::Json(value))));
    if let Body::Query(pairs) = body {
        fields.extend(pairs.iter().map(|(name, value)| (name.into(), Field::Text(value.into()))));
    }
    let mut at = 0;
    let mut replaced = Vec::new();
    fields.retain(|(name, _)| {
        at += 1;
        let keep = at <= params.len() || !from_path(name);
        if !keep {
            replaced.push(name.to_string());
        }
        keep
    });
    let mut unknown = Vec::new();
    let fields =
        Fields { fields, params: params.len(), unknown: &mut unknown, replaced: &mut replaced };
    let request = T::deserialize(fields).map_err(|error| Error::invalid(error.0))?;
    Ok(Parsed { request, unknown, replaced })
}

/// The members of a JSON object in order, their values still as text.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Object<'a> {
    fn parse(text: &'a [u8]) -> Result<Self> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        deserializer
            .deserialize_map(Members)
            .map(Self)
            .map_err(|_| Error::invalid("failed to parse JSON input"))
    }
}

/// A fault in a field: the text already names it.
#[derive(Debug)]
struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    // The standard texts quote the value, which may be a secret.
    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self(format!("expected {expected}"))
    }

    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self(format!("expected {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(format!("expected one of {}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("missing {field}"))
    }
}

struct Fields<'a, 'u> {
    fields: Vec<(Cow<'a, str>, Field<'a>)>,
    /// How many of the fields, from the front, came from the path.
    params: usize,
    unknown: &'u mut Vec<String>,
    replaced: &'u mut Vec<String>,
}

impl<'de> Deserializer<'de> for Fields<'de, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(Map::new(self.fields))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.unknown.extend(self.fields.iter().skip(self.params).map(|(name, _)| name.to_string()));
        visitor.visit_unit()
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        for (name, _) in self.fields.iter().skip(self.params) {
            if !known.contains(&name.as_ref()) {
                self.unknown.push(name.to_string());
            }
        }
        // What comes from the path alone has no name twice.
        let may_repeat = self.fields.len() > self.params;
        self.fields.retain(|(name, _)| known.contains(&name.as_ref()));
        if may_repeat {
            // The last of several members with the same name wins, as in Go's JSON decoder.
            let mut seen = BTreeSet::new();
            self.fields.reverse();
            self.fields.retain(|(name, _)| seen.insert(name.clone()));
        }
        visitor.visit_map(Map::new(self.fields))
    }

    /// Who takes any fields takes those of the body as they are, whatever the path says.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.replaced.clear();
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit_struct newtype_struct seq tuple tuple_struct enum identifier ignored_any
    }
}

struct Map<'a> {
    fields: std::vec::IntoIter<(Cow<'a, str>, Field<'a>)>,
    value: Option<(Cow<'a, str>, Field<'a>)>,
}

impl<'a> Map<'a> {
    fn new(fields: Vec<(Cow<'a, str>, Field<'a>)>) -> Self {
        Self { fields: fields.into_iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for Map<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((name, value)) = self.fields.next() else { return Ok(None) };
        let key = seed.deserialize(name.clone().into_deserializer());
        self.value = Some((name, value));
        key.map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let (name, value) = self.value.take().ok_or_else(|| Fault("value before key".into()))?;
        seed.deserialize(value)
            .map_err(|fault| Fault(format!("error converting input for field {name:?}: {fault}")))
    }
}

/// One value: the text of JSON, or plain text from a path or a query.
enum Field<'a> {
    Json(&'a RawValue),
    Text(Cow<'a, str>),
}

impl<'a> Field<'a> {
    /// The value as plain text if it is a string, a number or a boolean.
    fn scalar(&self) -> Option<Cow<'_, str>> {
        match self {
            Field::Text(text) => Some(text.as_ref().into()),
            Field::Json(json) => match json.get().as_bytes().first() {
                Some(b'"') => serde_json::from_str::<String>(json.get()).ok().map(Into::into),
                Some(b'{' | b'[' | b'n') => None,
                _ => Some(json.get().into()),
            },
        }
    }

    fn starts_with(&self, bracket: char) -> bool {
        matches!(self, Field::Json(json) if json.get().starts_with(bracket))
    }

    fn is_null(&self) -> bool {
        matches!(self, Field::Json(json) if json.get() == "null")
    }
}

fn fault(error: serde_json::Error) -> Fault {
    match error.classify() {
        serde_json::error::Category::Data => Fault(without_value(&error)),
        _ => Fault("malformed JSON".into()),
    }
}

/// serde_json's message says `invalid type: string "the value", expected …`: only what comes after
/// the last comma is safe to repeat. A custom message of our own types has no such prefix.
fn without_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    if text.starts_with("invalid type") || text.starts_with("invalid value") {
        match text.rsplit_once(", expected ") {
            Some((_, expected)) if expected.starts_with("struct ") => "expected an object".into(),
            Some((_, expected)) => format!("expected {expected}"),
            None => "a value of the wrong kind".into(),
        }
    } else if text.starts_with("unknown variant") {
        match text.rsplit_once("expected ") {
            Some((_, expected)) => format!("expected {expected}"),
            None => "an unknown name".into(),
        }
    } else {
        text.to_owned()
    }
}

fn truth(text: &str) -> Option<bool> {
    // The spellings of Go's strconv.ParseBool, and the empty string as false as in WeakDecode.
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

macro_rules! number {
    ($method:ident, $visit:ident, $type:ty) => {
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let text = self.scalar();
            let parsed = text.as_deref().map(str::trim).and_then(|text| match text {
                "" => Some(<$type>::default()),
                "true" => Some(1 as $type),
                "false" => Some(<$type>::default()),
                _ => text.parse::<$type>().ok().or_else(|| whole::<$type>(text)),
            });
            match parsed {
                Some(number) => visitor.$visit(number),
                None => Err(Fault("expected a number in range".into())),
            }
        }
    };
}

/// `5.0` and `5e3` are whole numbers too; JSON writers disagree about how to spell them.
fn whole<T: TryFrom<i64>>(text: &str) -> Option<T> {
    let number: f64 = text.parse().ok()?;
    let exact = number.fract() == 0.0 && number.abs() < 9e15;
    if exact { T::try_from(number as i64).ok() } else { None }
}

fn fraction(text: &str) -> Option<f64> {
    if text.is_empty() { Some(0.0) } else { text.parse().ok().filter(|n: &f64| n.is_finite()) }
}

impl<'de> Deserializer<'de> for Field<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Field::Text(text) => visitor.visit_str(&text),
            Field::Json(json) => json.deserialize_any(visitor).map_err(fault),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.scalar().as_deref().and_then(truth) {
            Some(value) => visitor.visit_bool(value),
            None => Err(Fault("expected a boolean".into())),
        }
    }

    number!(deserialize_i8, visit_i8, i8);
    number!(deserialize_i16, visit_i16, i16);
    number!(deserialize_i32, visit_i32, i32);
    number!(deserialize_i64, visit_i64, i64);
    number!(deserialize_u8, visit_u8, u8);
    number!(deserialize_u16, visit_u16, u16);
    number!(deserialize_u32, visit_u32, u32);
    number!(deserialize_u64, visit_u64, u64);

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.scalar().as_deref().map(str::trim).and_then(fraction) {
            Some(number) => visitor.visit_f64(number),
            None => Err(Fault("expected a number".into())),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.scalar() {
            Some(text) => visitor.visit_str(&text),
            None if self.is_null() => visitor.visit_str(""),
            None => Err(Fault("expected a string".into())),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(Items(self.items()?.into()))
    }

    /// A map may come as an object, or as a list of `key=value` texts as the command line sends it.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if let Field::Json(json) = self
            && self.starts_with('{')
        {
            let object =
                Object::parse(json.get().as_bytes()).map_err(|e| Fault(e.public().into()))?;
            let fields =
                object.0.into_iter().map(|(name, value)| (name.into(), Field::Json(value)));
            return visitor.visit_map(Map::new(fields.collect()));
        }
        let pair = |item: Field<'de>| {
            let text = item.scalar()?;
            let (name, value) = text.split_once('=')?;
            Some((name.to_owned().into(), Field::Text(value.to_owned().into())))
        };
        let pairs: Option<_> = self.items()?.into_iter().map(pair).collect();
        let fields = pairs.ok_or_else(|| Fault("expected an object or key=value pairs".into()))?;
        visitor.visit_map(Map::new(fields))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let text = self.scalar().ok_or_else(|| Fault("expected a name".into()))?;
        visitor.visit_enum(text.into_owned().into_deserializer())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        // RawValue announces itself by its name, and takes the text as it stands from its like.
        match self {
            Field::Json(json) if name == "$serde_json::private::RawValue" => {
                json.deserialize_newtype_struct(name, visitor).map_err(fault)
            }
            Field::Text(text) if name == "$serde_json::private::RawValue" => {
                serde_json::Value::from(text.into_owned())
                    .deserialize_newtype_struct(name, visitor)
                    .map_err(fault)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct struct identifier ignored_any
    }
}

impl<'de> Field<'de> {
    /// A list as it is, one written `a,b`, or nothing for `null`.
    fn items(&self) -> Result<Vec<Self>, Fault> {
        match self {
            Field::Json(json) if self.starts_with('[') => {
                let items: Vec<&RawValue> =
                    serde_json::from_str(json.get()).map_err(|_| Fault("malformed JSON".into()))?;
                Ok(items.into_iter().map(Field::Json).collect())
            }
            _ if self.is_null() => Ok(Vec::new()),
            _ => {
                let text = self.scalar().ok_or_else(|| Fault("expected a list".into()))?;
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Ok(parts.map(|part| Field::Text(part.to_owned().into())).collect())
            }
        }
    }
}

struct Items<'a>(std::collections::VecDeque<Field<'a>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        self.0.pop_front().map(|item| seed.deserialize(item)).transpose()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use base_types::Ttl;
    use bytes::Bytes;

    use super::*;

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default)]
    struct Sample {
        name: String,
        uses: Option<u32>,
        orphan: Option<bool>,
        policies: Option<Vec<String>>,
        meta: BTreeMap<String, String>,
        ttl: Option<Ttl>,
        versions: Vec<u64>,
        secret: base_types::Secret<String>,
        raw: Option<Box<RawEq>>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct RawEq(Box<RawValue>);

    impl PartialEq for RawEq {
        fn eq(&self, other: &Self) -> bool {
            self.0.get() == other.0.get()
        }
    }

    fn read(json: &str) -> Result<Parsed<Sample>> {
        let body = Body::json(Bytes::copy_from_slice(json.as_bytes())).unwrap();
        parse(&[("name", "from-path".to_owned())], &body)
    }

    #[test]
    fn is_as_forgiving_as_vault() {
        for json in [
            r#"{"uses":5,"orphan":true,"policies":["a","b"],"meta":{"k":"1"},"ttl":"1h","versions":[1,2]}"#,
            r#"{"uses":"5","orphan":"true","policies":"a,b","meta":{"k":1},"ttl":3600,"versions":"1,2"}"#,
            r#"{"uses":5.0,"orphan":1,"policies":"a, b,","meta":["k=1"],"ttl":"3600","versions":["1",2]}"#,
            r#"{"uses":9,"uses":5,"orphan":"t","policies":["a","b"],"meta":"k=1","ttl":"60m","versions":[1,2]}"#,
        ] {
            let sample = read(json).unwrap().request;
            assert_eq!((sample.uses, sample.orphan), (Some(5), Some(true)), "{json}");
            assert_eq!(sample.policies.unwrap(), ["a", "b"]);
            assert_eq!(sample.meta["k"], "1");
            assert_eq!(sample.ttl.unwrap().seconds(), 3600);
            assert_eq!(sample.versions, [1, 2]);
            assert_eq!(sample.name, "from-path");
        }
    }

    #[test]
    fn null_is_absent_and_raw_text_is_kept() {
        let sample = read(r#"{"uses":null,"policies":null,"raw":{"b":1e400, "a":[1]}}"#).unwrap();
        assert_eq!(sample.request.uses, None);
        assert_eq!(sample.request.raw.unwrap().0.get(), r#"{"b":1e400, "a":[1]}"#);
    }

    #[test]
    fn names_unknown_and_replaced_fields() {
        let parsed = read(r#"{"nmae":1,"name":"from-body"}"#).unwrap();
        assert_eq!(parsed.unknown, ["nmae"]);
        assert_eq!(parsed.replaced, ["name"]);
    }

    #[test]
    fn an_error_names_the_field_and_never_the_value() {
        for json in [
            r#"{"uses":"hunter2"}"#,
            r#"{"orphan":"hunter2"}"#,
            r#"{"secret":{"x":"hunter2"}}"#,
            r#"{"meta":"hunter2"}"#,
            r#"{"ttl":"hunter2"}"#,
            r#"{"ttl":["hunter2"]}"#,
            r#"{"policies":{"a":"hunter2"}}"#,
            r#"{"versions":["hunter2"]}"#,
        ] {
            let error = read(json).err().unwrap();
            assert!(!error.public().contains("hunter2"), "{}", error.public());
            assert!(error.public().contains("for field"), "{}", error.public());
        }
    }
}
