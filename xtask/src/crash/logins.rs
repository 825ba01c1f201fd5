use serde_json::{Value, json};

use super::tokens::{self, Token};
use super::{Answer, Step, Writer, send};
use crate::Result;
use crate::http::Client;
use crate::random::Random;

/// Makes secret ids that are good for a few logins, and logs in with them. Every login that was
/// answered has taken its use for good, and its token is there.
pub(super) struct LoginWriter {
    role_id: String,
    live: Vec<SecretId>,
    /// The tokens of logins since the last check.
    logins: Vec<Token>,
    /// The secret ids that were used up since the last check.
    spent: Vec<SecretId>,
    /// The login under way, by its place in `live`.
    open: Option<usize>,
}

struct SecretId {
    secret: String,
    uses: u64,
}

const ROLE_PATH: &str = "/v1/auth/approle/role/crash";
const LOGIN_PATH: &str = "/v1/auth/approle/login";
const USES: u64 = 4;
/// Above this many secret ids the next thing to do is to log in.
const LIVE_MAX: usize = 10;

/// Makes the role with which all these writers log in.
pub(super) fn prepare(client: &mut Client) -> Result<()> {
    client.expect("POST", "/v1/sys/auth/approle", &json!({"type": "approle"}))?;
    let role = json!({"token_policies": [tokens::POLICY_NAME], "token_ttl": "1h"});
    client.expect("POST", ROLE_PATH, &role).map(|_| ())
}

impl LoginWriter {
    pub(super) fn new(client: &mut Client) -> Result<Self> {
        let answer = client.expect("GET", &format!("{ROLE_PATH}/role-id"), &Value::Null)?;
        let role_id = answer["data"]["role_id"].as_str().unwrap_or_default().to_owned();
        Ok(Self { role_id, live: Vec::new(), logins: Vec::new(), spent: Vec::new(), open: None })
    }

    fn create(&mut self, client: &mut Client) -> Result<Step> {
        let path = format!("{ROLE_PATH}/secret-id");
        Ok(match send(client, "POST", &path, &json!({"num_uses": USES}))? {
            Answer::Done(body) => {
                let secret = body["data"]["secret_id"].as_str().unwrap_or_default().to_owned();
                self.live.push(SecretId { secret, uses: USES });
                Step::Acknowledged
            }
            Answer::Refused(message) => Step::Refused(message),
        })
    }

    fn log_in(&mut self, client: &mut Client, place: usize) -> Result<Step> {
        self.open = Some(place);
        let body = json!({"role_id": self.role_id, "secret_id": self.live[place].secret});
        let answer = send(client, "POST", LOGIN_PATH, &body)?;
        self.open = None;
        let logins = &mut self.logins;
        let step = tokens::token_of(answer, |token| logins.push(token));
        if let Step::Acknowledged = step {
            self.live[place].uses -= 1;
            if self.live[place].uses == 0 {
                self.spent.push(self.live.swap_remove(place));
            }
        }
        Ok(step)
    }
}

impl Writer for LoginWriter {
    fn write(&mut self, client: &mut Client, random: &mut Random) -> Result<Step> {
        let wants_new = self.live.len() < LIVE_MAX && random.below(USES) == 0;
        if self.live.is_empty() || wants_new {
            return self.create(client);
        }
        let place = random.below(self.live.len() as u64) as usize;
        self.log_in(client, place)
    }

    fn check(&mut self, client: &mut Client) -> Result<Vec<String>> {
        let mut losses = Vec::new();
        for token in self.logins.drain(..) {
            if !token.works(client, &mut losses)? {
                losses.push(format!("the login with accessor {} is lost", token.accessor));
            }
        }
        for spent in self.spent.drain(..) {
            if let uses @ 1.. = spent.uses_left(client)? {
                losses.push(format!("a secret id that was used up has {uses} uses"));
            }
        }
        let open = self.open.take();
        for (place, secret_id) in self.live.iter_mut().enumerate() {
            let left = secret_id.uses_left(client)?;
            let is_explained =
                left == secret_id.uses || (open == Some(place) && left + 1 == secret_id.uses);
            if !is_explained {
                losses.push(format!("a secret id had {} uses and has {left}", secret_id.uses));
            }
            secret_id.uses = left;
        }
        self.live.retain(|secret_id| secret_id.uses > 0);
        Ok(losses)
    }
}

impl SecretId {
    /// None at all if the server does not know it.
    fn uses_left(&self, client: &mut Client) -> Result<u64> {
        let body = json!({"secret_id": self.secret});
        let answer = client.call("POST", &format!("{ROLE_PATH}/secret-id/lookup"), &body)?;
        Ok(answer.json()["data"]["secret_id_num_uses"].as_u64().unwrap_or_default())
    }
}
