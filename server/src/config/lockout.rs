use std::collections::BTreeMap;

use base_hcl::Block;
use base_types::{Result, Ttl};

use super::keys;
use super::reader::{Reader, Source};

/// When failed logins lock a user out, by auth method.
#[derive(Default)]
pub struct Lockouts {
    stanzas: BTreeMap<String, Stanza>,
    /// Nobody is ever locked out, whatever the stanzas say.
    pub disabled: bool,
}

/// What holds for one auth method.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lockout {
    /// How many logins must fail; at least 1.
    pub threshold: u32,
    pub duration: Ttl,
    /// After how long without a failure the count starts anew.
    pub counter_reset: Ttl,
    pub disabled: bool,
}

#[derive(Clone, Copy, Default)]
struct Stanza {
    threshold: Option<u32>,
    duration: Option<Ttl>,
    counter_reset: Option<Ttl>,
    disabled: Option<bool>,
}

const METHODS: [&str; 4] = ["all", "approle", "ldap", "userpass"];
const THRESHOLD: u32 = 5;
const DURATION: Ttl = Ttl::from_seconds(15 * 60);

impl Lockouts {
    /// The rule for the auth method of the type `method`, such as `userpass`.
    pub fn of(&self, method: &str) -> Lockout {
        let own = self.stanzas.get(method).copied().unwrap_or_default();
        let all = self.stanzas.get("all").copied().unwrap_or_default();
        Lockout {
            threshold: own.threshold.or(all.threshold).unwrap_or(THRESHOLD),
            duration: own.duration.or(all.duration).unwrap_or(DURATION),
            counter_reset: own.counter_reset.or(all.counter_reset).unwrap_or(DURATION),
            disabled: self.disabled || own.disabled.or(all.disabled).unwrap_or(false),
        }
    }

    pub(super) fn read(&mut self, block: &Block<'_>, source: &mut Source) -> Result<()> {
        let method = block.label(0).to_ascii_lowercase();
        if !METHODS.contains(&method.as_str()) {
            let text = format!("no logins of {method:?} are counted: write {}", METHODS.join(", "));
            return Err(block.at.error(text));
        }
        let mut reader = Reader::new(block.body, &keys::USER_LOCKOUT, source);
        let stanza = self.stanzas.entry(method).or_default();
        reader.set("lockout_threshold", &mut stanza.threshold)?;
        reader.set("lockout_duration", &mut stanza.duration)?;
        reader.set("lockout_counter_reset", &mut stanza.counter_reset)?;
        reader.set("disable_lockout", &mut stanza.disabled)?;
        if stanza.threshold == Some(0) {
            let text = "cannot be 0: write disable_lockout = true to lock nobody out";
            return Err(reader.invalid("lockout_threshold", text));
        }
        reader.finish()
    }
}
