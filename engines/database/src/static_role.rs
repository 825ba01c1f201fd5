use core_rotation::Own;
use serde::{Deserialize, Serialize};

use crate::credential::Credential;
use crate::statements::Statements;

/// A user of a database that stays, or two that alternate, as it is stored.
pub(crate) type StaticRole = core_rotation::StaticRole<DatabaseRole>;

/// What only databases need to know of it.
#[derive(Clone, Deserialize, Serialize)]
pub struct DatabaseRole {
    pub(crate) db_name: String,
    pub(crate) rotation_statements: Statements,
    pub(crate) credential: Credential,
}

impl Own for DatabaseRole {
    const KIND: &'static str = "static database role";

    fn target(&self) -> &str {
        &self.db_name
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GOLDEN: &str = r#"{"db_name":"d","rotation_statements":[],"credential":{"password":{"password_policy":""}},"accounts":[{"username":"a","password":"p"},{"username":"b","password":null}],"current":0,"schedule":{"period":100},"grace_period":10,"last_rotation":"1970-01-01T00:00:01Z","next_rotation":"1970-01-01T00:01:41Z","retirement":"1970-01-01T00:00:01Z","change":{"account":1,"password":"n","purpose":"retire"},"failure":{"attempts":2,"last_error":"e","since":"1970-01-01T00:00:02Z","next_try":"1970-01-01T00:00:12Z"}}"#;

    /// What was stored when databases were the only ones with static roles.
    const EARLIER: &str = r#"{"db_name":"d","accounts":[{"username":"a","password":"p"},{"username":"b","password":null}],"current":0,"schedule":{"period":100},"grace_period":10,"rotation_statements":[],"credential":{"password":{"password_policy":""}},"last_rotation":"1970-01-01T00:00:01Z","next_rotation":"1970-01-01T00:01:41Z","retirement":"1970-01-01T00:00:01Z","change":{"account":1,"password":"n","purpose":"retire"},"failure":{"attempts":2,"last_error":"e","since":"1970-01-01T00:00:02Z","next_try":"1970-01-01T00:00:12Z"}}"#;

    #[test]
    fn the_stored_form_is_fixed() {
        for stored in [GOLDEN, EARLIER] {
            let role: StaticRole = serde_json::from_str(stored).unwrap();
            assert_eq!(serde_json::to_string(&role).unwrap(), GOLDEN);
        }
    }
}
