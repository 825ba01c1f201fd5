//! One run: an operation at a time, done to both.

use std::collections::BTreeSet;

use base_types::Name;
use core_engine_api::Verb;
use serde_json::{Value, json};

use crate::Dice;
use crate::kv::{Fate, KEYS, Kv};
use crate::machine::{Answer, Machine};
use crate::permissions::{self, MAKER, NAMES, Policies, Power};
use crate::tokens::{Token, Tokens};

pub(crate) struct Run {
    machine: Machine,
    dice: Dice,
    kv: Kv,
    policies: Policies,
    tokens: Tokens,
    history: Vec<String>,
}

type Outcome = Result<(), String>;

impl Run {
    pub(crate) async fn start(dice: Dice) -> Self {
        let machine = Machine::start().await;
        let tokens = Tokens::new(&machine.root);
        let (kv, mut policies) = (Kv::default(), Policies::default());
        // One policy stays, so that tokens make tokens that make tokens.
        let rules = permissions::maker();
        let text = permissions::text(&rules);
        machine.core.policies.write("root", &Name::parse(MAKER).unwrap(), &text).await.unwrap();
        policies.set(MAKER, rules);
        Self { machine, dice, kv, policies, tokens, history: Vec::new() }
    }

    pub(crate) fn history(&self) -> String {
        self.history.join("\n")
    }

    pub(crate) async fn step(&mut self) -> Outcome {
        match self.dice.roll(20) {
            0..9 => self.secret().await,
            9..12 => self.create_token().await,
            12..14 => self.look_up().await,
            14 => self.renew().await,
            15 => self.revoke().await,
            16..18 => self.change_policy().await,
            18 => self.pass_time().await,
            _ => {
                self.history.push("reopen".to_owned());
                self.machine.reopen().await;
                Ok(())
            }
        }
    }

    /// At the end nothing is left of tokens that are gone.
    pub(crate) async fn end(self) {
        let alive = self.tokens.all.iter().filter(|token| token.alive).count();
        let stored = self.machine.core.state.keys("token/id/", "", 0).await.unwrap();
        let accessors = self.machine.core.state.keys("token/accessor/", "", 0).await.unwrap();
        let leases = self.machine.core.state.keys("lease/id/", "", 0).await.unwrap();
        assert_eq!(
            (stored.len(), accessors.len(), leases.len()),
            (alive, alive, alive),
            "{}",
            self.history()
        );
        self.machine.core.seal().await;
    }

    fn pick_token(&self) -> usize {
        // The root token more often, so that there is something to find.
        if self.dice.once_in(4) { 0 } else { self.dice.roll(self.tokens.all.len()) }
    }

    fn pick_key(&self) -> &'static str {
        KEYS[self.dice.roll(KEYS.len())]
    }

    fn allows(&self, at: usize, path: &str, power: Power) -> bool {
        self.tokens.is_root(at) || self.policies.allow(&self.tokens.all[at].policies, path, power)
    }

    /// Sends a request as the token `at`, and asks the model what it should come to, if the token
    /// is good and may do it.
    async fn compare(
        &mut self,
        at: usize,
        (verb, path, power): (Verb, &str, Power),
        body: Value,
        read: impl Fn(&Value) -> Value,
        model: impl FnOnce(&mut Self) -> Answer,
    ) -> Outcome {
        self.history.push(format!("token {at}: {verb:?} {path} {body}"));
        let text = self.tokens.all[at].text.clone();
        let answer = match self.machine.send(&text, verb, path, &body).await {
            Answer::Done(value) => Answer::Done(read(&value)),
            other => other,
        };
        let is_good = self.tokens.begin(at);
        let allowed = is_good && self.allows(at, path, power);
        let expected = if allowed { model(self) } else { Answer::Denied };
        if is_good {
            self.tokens.end(at);
        }
        if answer == expected { Ok(()) } else { Err(format!("{answer:?} instead of {expected:?}")) }
    }

    async fn secret(&mut self) -> Outcome {
        let (at, key) = (self.pick_token(), self.pick_key());
        let nothing = |_: &Value| Value::Null;
        match self.dice.roll(9) {
            0..3 => self.write_secret(at, key).await,
            3..5 => {
                let version = self.dice.roll(4) as u64;
                let body = if version == 0 { Value::Null } else { json!({"version": version}) };
                let what = (Verb::Read, &*format!("secret/data/{key}"), Power::Read);
                let read = |answer: &Value| {
                    json!([answer["data"]["data"]["v"], answer["data"]["metadata"]["version"]])
                };
                self.compare(at, what, body, read, |run| run.kv.read(key, version)).await
            }
            5 => {
                let what = (Verb::Delete, &*format!("secret/data/{key}"), Power::Delete);
                self.compare(at, what, Value::Null, nothing, |run| run.kv.delete(key)).await
            }
            6 => {
                let (fate, area) = [
                    (Fate::Delete, "delete"),
                    (Fate::Undelete, "undelete"),
                    (Fate::Destroy, "destroy"),
                ][self.dice.roll(3)];
                let newest = self.kv.current(key) as usize + 2;
                let versions: Vec<u64> =
                    (0..1 + self.dice.roll(3)).map(|_| 1 + self.dice.roll(newest) as u64).collect();
                let what = (Verb::Write, &*format!("secret/{area}/{key}"), Power::Write);
                let body = json!({"versions": versions});
                self.compare(at, what, body, nothing, |run| run.kv.change(key, &versions, fate))
                    .await
            }
            7 => {
                let what = (Verb::Delete, &*format!("secret/metadata/{key}"), Power::Delete);
                self.compare(at, what, Value::Null, nothing, |run| run.kv.remove(key)).await
            }
            _ => {
                let what = (Verb::List, "secret/metadata/", Power::List);
                let read = |answer: &Value| answer["data"]["keys"].clone();
                self.compare(at, what, Value::Null, read, |run| run.kv.list()).await
            }
        }
    }

    async fn write_secret(&mut self, at: usize, key: &'static str) -> Outcome {
        let value = self.dice.roll(1_000_000) as u64;
        let cas = match self.dice.roll(4) {
            0 => Some(self.kv.current(key)),
            1 => Some(self.dice.roll(4) as u64),
            _ => None,
        };
        let mut body = json!({"data": {"v": value}});
        if let Some(cas) = cas {
            body["options"] = json!({"cas": cas});
        }
        let what = (Verb::Write, &*format!("secret/data/{key}"), Power::Write);
        let read = |answer: &Value| answer["data"]["version"].clone();
        self.compare(at, what, body, read, |run| run.kv.write(key, value, cas)).await
    }

    /// Mostly what the token `at` may give away.
    fn draw_policies(&self, at: usize) -> BTreeSet<String> {
        let own: Vec<&str> = self.tokens.all[at].policies.iter().map(String::as_str).collect();
        let all: Vec<&str> = NAMES.into_iter().chain([MAKER]).collect();
        let from = if self.tokens.is_root(at) || self.dice.once_in(5) { all } else { own };
        (0..1 + self.dice.roll(4)).map(|_| from[self.dice.roll(from.len())].to_owned()).collect()
    }

    async fn create_token(&mut self) -> Outcome {
        let at = self.dice.roll(self.tokens.all.len());
        let names = self.draw_policies(at);
        let ttl = 1 + self.dice.roll(7200) as u64;
        let uses = self.dice.once_in(5).then(|| 1 + self.dice.roll(3) as u64);
        let orphan = self.dice.once_in(4);
        let mut body = json!({"policies": names, "ttl": ttl, "num_uses": uses.unwrap_or(0)});
        if orphan {
            body["no_parent"] = json!(true);
        }
        self.history.push(format!("token {at}: makes {} {body}", self.tokens.all.len()));
        let (path, text) = ("auth/token/create", self.tokens.all[at].text.clone());
        let answer = self.machine.send(&text, Verb::Write, path, &body).await;
        let is_good = self.tokens.begin(at);
        let parent = &self.tokens.all[at];
        let subset = self.tokens.is_root(at) || names.is_subset(&parent.policies);
        let fits = subset && parent.uses.is_none() && (self.tokens.is_root(at) || !orphan);
        let expected = match (is_good && self.allows(at, path, Power::Write), fits) {
            (false, _) => Answer::Denied,
            (true, false) => Answer::Invalid,
            (true, true) => {
                let Answer::Done(made) = &answer else {
                    return Err(format!("{answer:?} instead of a token"));
                };
                let text = |name: &str| made["auth"][name].as_str().unwrap_or_default().to_owned();
                let mut policies = names;
                policies.insert("default".to_owned());
                self.tokens.all.push(Token {
                    text: text("client_token"),
                    accessor: text("accessor"),
                    parent: (!orphan).then_some(at),
                    policies,
                    created: self.tokens.now,
                    expires: Some(self.tokens.limit(self.tokens.now, ttl)),
                    uses,
                    alive: true,
                });
                answer.clone()
            }
        };
        if is_good {
            self.tokens.end(at);
        }
        if answer == expected { Ok(()) } else { Err(format!("{answer:?} instead of {expected:?}")) }
    }

    /// Looks a token up, by itself or by the root token.
    async fn look_up(&mut self) -> Outcome {
        let at = self.dice.roll(self.tokens.all.len());
        let token = self.tokens.all[at].clone();
        let shown = |token: &Token, now: i64| {
            json!({
                "orphan": token.parent.is_none(),
                "policies": token.policies,
                "num_uses": token.uses.unwrap_or(0),
                "ttl": token.expires.map_or(0, |end| end - now),
            })
        };
        let read = |answer: Answer| match answer {
            Answer::Done(answer) => {
                let data = &answer["data"];
                let field = |name: &str| data[name].clone();
                Answer::Done(json!({
                    "orphan": field("orphan"), "policies": field("policies"),
                    "num_uses": field("num_uses"), "ttl": field("ttl"),
                }))
            }
            other => other,
        };
        let (answer, expected) = if self.dice.once_in(2) || token.accessor.is_empty() {
            self.history.push(format!("token {at}: looks itself up"));
            let answer = self
                .machine
                .send(&token.text, Verb::Read, "auth/token/lookup-self", &Value::Null)
                .await;
            let is_good = self.tokens.begin(at);
            let expected = if is_good {
                Answer::Done(shown(&self.tokens.all[at], self.tokens.now))
            } else {
                Answer::Denied
            };
            if is_good {
                self.tokens.end(at);
            }
            (read(answer), expected)
        } else {
            self.history.push(format!("token {at} is looked up"));
            let body = json!({"accessor": token.accessor});
            let answer = self
                .machine
                .send(&self.machine.root, Verb::Write, "auth/token/lookup-accessor", &body)
                .await;
            let expected = if token.alive {
                Answer::Done(shown(&token, self.tokens.now))
            } else {
                Answer::Invalid
            };
            (read(answer), expected)
        };
        if answer == expected { Ok(()) } else { Err(format!("{answer:?} instead of {expected:?}")) }
    }

    async fn renew(&mut self) -> Outcome {
        let at = 1 + self.dice.roll(self.tokens.all.len());
        if at >= self.tokens.all.len() {
            return Ok(());
        }
        let seconds =
            1 + self.dice.roll(if self.dice.once_in(3) { 10_000_000 } else { 7200 }) as u64;
        self.history.push(format!("token {at}: renews itself for {seconds}"));
        let text = self.tokens.all[at].text.clone();
        let body = json!({"increment": seconds});
        let answer = self.machine.send(&text, Verb::Write, "auth/token/renew-self", &body).await;
        let is_good = self.tokens.begin(at);
        // With its last use a token has ended for all but this request.
        let is_last = self.tokens.all[at].uses == Some(0);
        let expected = if is_good && !is_last {
            let end = self.tokens.limit(self.tokens.all[at].created, seconds);
            self.tokens.all[at].expires = Some(end);
            Answer::Done(json!(end - self.tokens.now))
        } else {
            Answer::Denied
        };
        if is_good {
            self.tokens.end(at);
        }
        let answer = match answer {
            Answer::Done(answer) => Answer::Done(answer["auth"]["lease_duration"].clone()),
            other => other,
        };
        if answer == expected { Ok(()) } else { Err(format!("{answer:?} instead of {expected:?}")) }
    }

    async fn revoke(&mut self) -> Outcome {
        let at = self.dice.roll(self.tokens.all.len());
        if self.tokens.is_root(at) {
            return Ok(());
        }
        let token = self.tokens.all[at].clone();
        let only = self.dice.once_in(3);
        let path = if only { "auth/token/revoke-orphan" } else { "auth/token/revoke" };
        self.history.push(format!("token {at}: {path}"));
        let body = json!({"token": token.text});
        let answer = self.machine.send(&self.machine.root, Verb::Write, path, &body).await;
        let expected = if only && !token.alive { Answer::Invalid } else { done() };
        if token.alive && only {
            self.tokens.revoke_orphan(at);
        } else if token.alive {
            self.tokens.revoke(at);
        }
        match (answer, expected) {
            (Answer::Done(_), Answer::Done(_)) => Ok(()),
            (answer, expected) if answer == expected => Ok(()),
            (answer, expected) => Err(format!("{answer:?} instead of {expected:?}")),
        }
    }

    async fn change_policy(&mut self) -> Outcome {
        let name = NAMES[self.dice.roll(NAMES.len())];
        let parsed = Name::parse(name).unwrap();
        if self.dice.once_in(5) {
            self.history.push(format!("policy {name} goes"));
            self.machine.core.policies.delete("root", &parsed).await.unwrap();
            self.policies.remove(name);
        } else {
            let rules = permissions::draw(&self.dice);
            let text = permissions::text(&rules);
            self.history.push(format!("policy {name} is\n{text}"));
            self.machine.core.policies.write("root", &parsed, &text).await.unwrap();
            self.policies.set(name, rules);
        }
        Ok(())
    }

    async fn pass_time(&mut self) -> Outcome {
        let seconds = 1 + self.dice.roll(3600) as u64;
        self.history.push(format!("{seconds} seconds pass"));
        self.machine.advance(seconds).await;
        self.tokens.advance(seconds);
        Ok(())
    }
}

fn done() -> Answer {
    Answer::Done(Value::Null)
}
