use base_types::{Error, Result};
use core_engine_api::Response;
use serde_json::value::to_raw_value;
use serde_json::{Map, Value};

/// Cuts a listing off after as many entries as the policy allows, whatever the engine makes of the
/// request's own `limit`, which may be absent, zero or unknown to it.
pub(crate) fn cut_off(response: &mut Response, most: u32) -> Result<()> {
    let Some(data) = &response.data else { return Ok(()) };
    let mut data: Map<String, Value> = serde_json::from_str(data.get()).map_err(Error::internal)?;
    let Some(Value::Array(keys)) = data.get_mut("keys") else { return Ok(()) };
    keys.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let keys = keys.clone();
    if let Some(Value::Object(about)) = data.get_mut("key_info") {
        about.retain(|key, _| keys.iter().any(|kept| kept == key));
    }
    response.data = Some(to_raw_value(&data).map_err(Error::internal)?);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cut(data: &Value, most: u32) -> Value {
        let mut response = Response::data(data).unwrap();
        cut_off(&mut response, most).unwrap();
        serde_json::from_str(response.data.unwrap().get()).unwrap()
    }

    #[test]
    fn a_listing_ends_with_what_is_known_of_its_entries() {
        let all = json!({ "keys": ["a", "b", "c"], "key_info": { "a": 1, "b": 2, "c": 3 } });
        assert_eq!(cut(&all, 2), json!({ "keys": ["a", "b"], "key_info": { "a": 1, "b": 2 } }));
        assert_eq!(cut(&all, 3), all);
    }

    #[test]
    fn what_is_no_listing_stays() {
        for data in [json!({ "keys": "a,b" }), json!({ "k": [1, 2, 3] })] {
            assert_eq!(cut(&data, 1), data);
        }
        let mut nothing = Response::none();
        cut_off(&mut nothing, 1).unwrap();
        assert!(nothing.data.is_none());
    }
}
