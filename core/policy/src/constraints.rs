use std::collections::{BTreeMap, BTreeSet};

use base_types::Ttl;
use serde_json::Value;

use crate::decision::{Refusal, Request};
use crate::parameters::Parameters;

/// What a rule demands of a request beyond its capability. The default demands nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Constraints {
    /// The response must be wrapped for at least this long; zero demands nothing.
    pub(crate) min_wrapping_ttl: Ttl,
    /// The response must be wrapped for at most this long; zero demands nothing.
    pub(crate) max_wrapping_ttl: Ttl,
    /// The most entries that one listing may answer; zero demands nothing.
    pub(crate) pagination_limit: u32,
    /// In lower case.
    pub(crate) required: BTreeSet<String>,
    /// By key in lower case: the values, where no value means any. `*` stands for all other keys.
    pub(crate) allowed: BTreeMap<String, Vec<Value>>,
    pub(crate) denied: BTreeMap<String, Vec<Value>>,
}

const ANY_KEY: &str = "*";
const LIMIT: &str = "limit";

impl Constraints {
    /// Adds those of another rule for the same path. Of two wrapping times and of two page limits
    /// the smaller holds; parameters add up, and a key without values swallows values.
    pub(crate) fn merge(&mut self, other: &Self) {
        let Self {
            min_wrapping_ttl,
            max_wrapping_ttl,
            pagination_limit,
            required,
            allowed,
            denied,
        } = other;
        self.min_wrapping_ttl = self.min_wrapping_ttl.limited_to(*min_wrapping_ttl);
        self.max_wrapping_ttl = self.max_wrapping_ttl.limited_to(*max_wrapping_ttl);
        self.pagination_limit = match (self.pagination_limit, *pagination_limit) {
            (0, limit) | (limit, 0) => limit,
            (one, other) => one.min(other),
        };
        self.required.extend(required.iter().cloned());
        merge_values(&mut self.allowed, allowed);
        merge_values(&mut self.denied, denied);
    }

    /// Answers how many entries a listing may have, if there is a limit.
    pub(crate) fn check(&self, request: &Request<'_>) -> Result<Option<u32>, Refusal> {
        self.check_wrapping(request.wrap_ttl)?;
        if request.operation.has_parameters() && self.restricts_parameters() {
            self.check_parameters(&(request.parameters)().ok_or(Refusal::Unreadable)?)?;
        }
        if request.operation.is_listing() && self.pagination_limit > 0 {
            let parameters = (request.parameters)().ok_or(Refusal::Unreadable)?;
            return self.check_limit(parameters.value(LIMIT)).map(Some);
        }
        Ok(None)
    }

    fn check_wrapping(&self, wrap_ttl: Option<Ttl>) -> Result<(), Refusal> {
        let (min, max) = (self.min_wrapping_ttl, self.max_wrapping_ttl);
        let fits = match wrap_ttl {
            None => min.is_zero() && max.is_zero(),
            // Merging can leave a minimum above the maximum; nothing fits then.
            Some(ttl) => (max.is_zero() || ttl <= max) && ttl >= min,
        };
        if fits { Ok(()) } else { Err(Refusal::Wrapping { min, max }) }
    }

    fn restricts_parameters(&self) -> bool {
        !(self.required.is_empty() && self.allowed.is_empty() && self.denied.is_empty())
    }

    fn check_parameters(&self, parameters: &Parameters) -> Result<(), Refusal> {
        for key in &self.required {
            if parameters.value(key).is_none() {
                return Err(Refusal::ParameterMissing(key.clone()));
            }
        }
        let allows_any_key = self.allowed.is_empty() || self.allowed.contains_key(ANY_KEY);
        for (key, value) in parameters.iter() {
            let lower = key.to_lowercase();
            let is_denied = self.denied.contains_key(ANY_KEY)
                || self.denied.get(&lower).is_some_and(|values| is_among(value, values));
            let is_allowed = match self.allowed.get(&lower) {
                // With nothing but "*" in it, even a key of that name is free.
                Some(_) if lower == ANY_KEY && self.allowed.len() == 1 => true,
                Some(values) => is_among(value, values),
                None => allows_any_key,
            };
            if is_denied || !is_allowed {
                return Err(Refusal::ParameterDenied(key.to_owned()));
            }
        }
        Ok(())
    }

    /// A listing without a limit, or with 0 or "max", gets the most that is allowed.
    fn check_limit(&self, asked: Option<&Value>) -> Result<u32, Refusal> {
        let most = self.pagination_limit;
        let number = match asked {
            None if self.required.contains(LIMIT) => {
                return Err(Refusal::ParameterMissing(LIMIT.to_owned()));
            }
            None => Some(0),
            Some(Value::String(text)) if text == "max" => Some(0),
            Some(Value::String(text)) => text.trim().parse::<u32>().ok(),
            Some(Value::Number(number)) => {
                number.as_u64().and_then(|number| u32::try_from(number).ok())
            }
            Some(Value::Array(_) | Value::Bool(_) | Value::Null | Value::Object(_)) => None,
        };
        match number {
            Some(0) => Ok(most),
            Some(number) if number <= most => Ok(number),
            _ => Err(Refusal::Limit { most }),
        }
    }
}

fn merge_values(into: &mut BTreeMap<String, Vec<Value>>, from: &BTreeMap<String, Vec<Value>>) {
    for (key, values) in from {
        match into.get_mut(key) {
            None => {
                into.insert(key.clone(), values.clone());
            }
            Some(present) if present.is_empty() || values.is_empty() => present.clear(),
            Some(present) => present.extend(values.iter().cloned()),
        }
    }
}

/// No values at all mean any value.
fn is_among(value: &Value, values: &[Value]) -> bool {
    values.is_empty() || values.iter().any(|pattern| matches(pattern, value))
}

/// Texts may have a `*` at either end, but a lone `*` is only itself. A list or an object must be
/// the same as a whole. Numbers are compared by value; in Vault and OpenBao no number of a request
/// equals a number of a policy, so that one which is denied passes.
fn matches(pattern: &Value, value: &Value) -> bool {
    match (pattern, value) {
        (Value::String(pattern), Value::String(value)) => {
            let head = pattern.strip_suffix('*').filter(|head| !head.is_empty());
            let tail = pattern.strip_prefix('*').filter(|tail| !tail.is_empty());
            match (head, tail) {
                (Some(head), Some(_)) => value.contains(head.strip_prefix('*').unwrap_or(head)),
                (Some(head), None) => value.starts_with(head),
                (None, Some(tail)) => value.ends_with(tail),
                (None, None) => value == pattern,
            }
        }
        (Value::Number(pattern), Value::Number(value)) => {
            pattern == value
                || pattern.as_f64() == value.as_f64() && pattern.is_f64() != value.is_f64()
        }
        _ => pattern == value,
    }
}
