use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Step, Writer, send};
use crate::http::Client;
use crate::random::Random;
use crate::{Result, wait};

/// Lets a token create others.
pub(super) const POLICY: &str = "path \"auth/token/create\" { capabilities = [\"update\"] }";
pub(super) const POLICY_PATH: &str = "/v1/sys/policies/acl/maker";
pub(super) const POLICY_NAME: &str = "maker";

/// Creates families of tokens, a parent with a child, and revokes them by their parents. A token,
/// its accessor, its lease and its place below its parent come and go together.
pub(super) struct TokenWriter {
    number: u32,
    live: Vec<Family>,
    /// The families revoked since the last check.
    revoked: Vec<Family>,
    /// The family whose revocation is under way.
    open: Option<Family>,
}

#[derive(Clone)]
struct Family {
    parent: Token,
    child: Option<Token>,
}

#[derive(Clone)]
pub(super) struct Token {
    secret: String,
    pub(super) accessor: String,
}

/// Above this many families the next thing to do is to revoke one.
const FAMILIES_MAX: usize = 30;

impl TokenWriter {
    pub(super) fn new(number: u32) -> Self {
        Self { number, live: Vec::new(), revoked: Vec::new(), open: None }
    }

    /// A new parent, or a child of the newest one.
    fn create(&mut self, client: &mut Client) -> Result<Step> {
        let body = json!({"policies": [POLICY_NAME], "ttl": "1h", "display_name": format!("writer-{}", self.number)});
        let childless = self.live.last_mut().filter(|family| family.child.is_none());
        let Some(family) = childless else {
            let answer = send(client, "POST", "/v1/auth/token/create", &body)?;
            return Ok(token_of(answer, |parent| self.live.push(Family { parent, child: None })));
        };
        let mut parent = client.acting_as(&family.parent.secret);
        let answer = send(&mut parent, "POST", "/v1/auth/token/create", &body)?;
        Ok(token_of(answer, |child| family.child = Some(child)))
    }

    fn revoke(&mut self, client: &mut Client, random: &mut Random) -> Result<Step> {
        let place = random.below(self.live.len() as u64) as usize;
        let family = self.live.swap_remove(place);
        let body = json!({"token": family.parent.secret});
        self.open = Some(family.clone());
        let answer = send(client, "POST", "/v1/auth/token/revoke", &body)?;
        self.open = None;
        match answer {
            Answer::Done(_) => {
                self.revoked.push(family);
                Ok(Step::Acknowledged)
            }
            Answer::Refused(message) => Ok(Step::Refused(message)),
        }
    }
}

impl Writer for TokenWriter {
    fn write(&mut self, client: &mut Client, random: &mut Random) -> Result<Step> {
        if self.live.len() > FAMILIES_MAX || (!self.live.is_empty() && random.below(3) == 0) {
            self.revoke(client, random)
        } else {
            self.create(client)
        }
    }

    fn check(&mut self, client: &mut Client) -> Result<Vec<String>> {
        let mut losses = Vec::new();
        for token in self.live.iter().flat_map(Family::tokens) {
            if !token.works(client, &mut losses)? {
                losses.push(format!("the token with accessor {} is lost", token.accessor));
            }
        }
        for token in self.revoked.iter().flat_map(Family::tokens) {
            if token.works(client, &mut losses)? {
                losses.push(format!("the token with accessor {} is back", token.accessor));
            }
        }
        if let Some(mut family) = self.open.take() {
            let parent = family.parent.works(client, &mut losses)?;
            let agrees = |client: &mut Client| match &family.child {
                Some(child) => Ok((child.works(client, &mut Vec::new())? == parent).then_some(())),
                None => Ok(Some(())),
            };
            if finished(|| agrees(client))?.is_none() {
                let accessor = &family.parent.accessor;
                losses.push(format!("half a revocation below accessor {accessor}"));
                family.child = None;
            }
            if parent {
                self.live.push(family);
            }
        }
        self.revoked.clear();
        Ok(losses)
    }
}

impl Family {
    fn tokens(&self) -> impl Iterator<Item = &Token> {
        std::iter::once(&self.parent).chain(&self.child)
    }
}

impl Token {
    /// Whether the token can be found. That its accessor says something else is a loss.
    pub(super) fn works(&self, client: &mut Client, losses: &mut Vec<String>) -> Result<bool> {
        let found = |status| status == 200;
        let token = json!({"token": self.secret});
        let by_token = client.call("POST", "/v1/auth/token/lookup", &token)?.status;
        let accessor = json!({"accessor": self.accessor});
        let by_accessor = client.call("POST", "/v1/auth/token/lookup-accessor", &accessor)?.status;
        if found(by_token) != found(by_accessor) {
            let accessor = &self.accessor;
            losses
                .push(format!("a token answers {by_token}, its accessor {accessor} {by_accessor}"));
        }
        Ok(found(by_token))
    }
}

/// Every accessor that is listed leads to a token.
pub(super) fn check_accessors(client: &mut Client) -> Result<Vec<String>> {
    let mut losses = Vec::new();
    for accessor in &accessors(client)? {
        let body = json!({"accessor": accessor});
        let leads_to_token = finished(|| {
            let status = client.call("POST", "/v1/auth/token/lookup-accessor", &body)?.status;
            Ok((status == 200 || !accessors(client)?.contains(accessor)).then_some(()))
        })?;
        if leads_to_token.is_none() {
            losses.push(format!("accessor {accessor} is listed, but leads to no token"));
        }
    }
    Ok(losses)
}

fn accessors(client: &mut Client) -> Result<Vec<Value>> {
    let list = client.expect("LIST", "/v1/auth/token/accessors", &Value::Null)?;
    Ok(list["data"]["keys"].as_array().cloned().unwrap_or_default())
}

/// How long the server may take to finish a revocation that the kill interrupted.
const FINISH_LIMIT: Duration = Duration::from_secs(20);

/// Asks for a state that holds once the server has finished what a kill interrupted. `None` if it
/// does not come to hold.
fn finished(mut state: impl FnMut() -> Result<Option<()>>) -> Result<Option<()>> {
    wait::until(FINISH_LIMIT, || state().transpose()).transpose()
}

/// Keeps the token of an answer.
pub(super) fn token_of(answer: Answer, keep: impl FnOnce(Token)) -> Step {
    match answer {
        Answer::Done(body) => {
            let text = |name: &str| body["auth"][name].as_str().unwrap_or_default().to_owned();
            keep(Token { secret: text("client_token"), accessor: text("accessor") });
            Step::Acknowledged
        }
        Answer::Refused(message) => Step::Refused(message),
    }
}
