use base_crypto::shamir;
use base_types::Secret;
use files_document::{Element, Item, Member, Scalar, Value, get};

use crate::key::{MasterKey, SOURCES, Surroundings};
use crate::merge::{Side, choose};
use crate::value::DataKey;
use crate::{Failure, FailureKind, Result};

/// The master keys of a file. With one group any of its keys opens the file; with several each
/// group has a share, and `threshold` groups are needed.
#[derive(Clone, Debug)]
pub struct KeyGroups {
    pub groups: Vec<KeyGroup>,
    /// Zero means all groups.
    pub threshold: usize,
}

/// Keys of which each one is enough for the group's share.
#[derive(Clone, Debug, Default)]
pub struct KeyGroup {
    pub keys: Vec<MasterKey>,
    /// Lists of sources that are not known here, kept as they are.
    foreign: Vec<Item>,
}

/// The lists of master keys at the top of the metadata that other programs can use.
const FOREIGN: [&str; 1] = ["hckms"];

impl KeyGroup {
    pub fn new(keys: Vec<MasterKey>) -> Self {
        Self { keys, foreign: Vec::new() }
    }

    /// A group of `key_groups`.
    pub(crate) fn parse(items: &[Item]) -> Result<Self> {
        let known = |key: &str| SOURCES.iter().any(|source| source.row().metadata == key);
        let foreign = items
            .iter()
            .filter(|item| matches!(item, Item::Member(member) if !known(&member.key)))
            .cloned();
        Ok(Self { keys: keys(items)?, foreign: foreign.collect() })
    }

    /// The one group whose lists stand at the top.
    pub(crate) fn parse_top(items: &[Item]) -> Result<Self> {
        let foreign = items
            .iter()
            .filter(|item| matches!(item, Item::Member(m) if FOREIGN.contains(&m.key.as_str())))
            .cloned();
        Ok(Self { keys: keys(items)?, foreign: foreign.collect() })
    }

    /// The sources of keys that only other programs can use.
    pub fn foreign(&self) -> impl Iterator<Item = &str> {
        self.foreign.iter().filter_map(|item| match item {
            Item::Member(Member { key, value: Value::List(list) }) if !list.is_empty() => {
                Some(key.as_str())
            }
            _ => None,
        })
    }

    fn unwrap(
        &self,
        order: &[String],
        surroundings: &Surroundings<'_>,
    ) -> Result<Secret<Vec<u8>>, Vec<String>> {
        let rank = |key: &&MasterKey| {
            let name = key.source.row().order;
            order.iter().position(|word| word == name).unwrap_or(order.len())
        };
        let mut keys: Vec<&MasterKey> = self.keys.iter().collect();
        keys.sort_by_key(rank);
        let mut reasons = Vec::new();
        for key in keys {
            match key.unwrap(surroundings) {
                Ok(secret) => return Ok(secret),
                Err(failure) => reasons.push(format!("{}: {}", key.name(), failure.text)),
            }
        }
        reasons.extend(
            self.foreign().map(|source| {
                format!("{source}: keys of this source cannot be used by this version")
            }),
        );
        Err(reasons)
    }

    fn wrap(&mut self, secret: &[u8], surroundings: &Surroundings<'_>) -> Result<()> {
        if let Some(source) = self.foreign().next() {
            return Err(Failure::invalid(format!(
                "the file has master keys of the source '{source}', which this version cannot use; \
                 remove them, or change the keys with sops"
            )));
        }
        wrap_all(self.keys.iter_mut(), secret, surroundings)
    }

    /// The group's lists by source, empty ones too.
    fn lists(&self) -> impl Iterator<Item = (&'static str, Vec<Element>)> {
        SOURCES.iter().map(|source| {
            let name = source.row().metadata;
            let own = self.keys.iter().filter(|key| key.source.row().metadata == name);
            (name, own.map(|key| Element::Value(key.entry.clone().into())).collect())
        })
    }
}

impl KeyGroups {
    /// How many groups are needed.
    pub fn needed(&self) -> usize {
        if self.threshold == 0 { self.groups.len() } else { self.threshold }
    }

    /// The data key, by the first keys that give it. `order` names the sources that are tried
    /// first.
    ///
    /// # Errors
    /// `DataKey`, with what each key answered.
    pub fn unwrap(&self, order: &[String], surroundings: &Surroundings<'_>) -> Result<DataKey> {
        let needed = if self.groups.len() == 1 { 1 } else { self.needed() };
        let mut parts = Vec::new();
        let mut report = String::new();
        for (at, group) in self.groups.iter().enumerate() {
            if parts.len() == needed {
                break;
            }
            match group.unwrap(order, surroundings) {
                Ok(part) => {
                    report.push_str(&format!("\nGroup {at}: SUCCESS"));
                    parts.push(part);
                }
                Err(reasons) => {
                    report.push_str(&format!("\nGroup {at}: FAILED"));
                    for reason in reasons {
                        report.push_str(&format!("\n  {reason}"));
                    }
                }
            }
        }
        if parts.len() < needed || parts.is_empty() {
            let text = format!(
                "Failed to get the data key required to decrypt the SOPS file.\n{report}\n\n{needed} \
                 of {} groups are needed, {} gave their part.",
                self.groups.len(),
                parts.len()
            );
            return Err(Failure::new(FailureKind::DataKey, text));
        }
        let bytes = match parts.as_slice() {
            [whole] => whole.clone(),
            parts => {
                let parts: Vec<&[u8]> = parts.iter().map(|part| part.expose().as_slice()).collect();
                shamir::combine(&parts)?
            }
        };
        let bytes: [u8; 32] = bytes.expose().as_slice().try_into().map_err(|_| {
            Failure::new(
                FailureKind::DataKey,
                "what the master keys give is no data key of 32 bytes",
            )
        })?;
        Ok(DataKey::new(Secret::new(bytes)))
    }

    /// Lets every key wrap the data key, or its group's share of it.
    ///
    /// # Errors
    /// `NoMasterKey` for an empty group, `Invalid` for a threshold that cannot be met, and what the
    /// sources say.
    pub(crate) fn wrap(
        &mut self,
        data_key: &DataKey,
        surroundings: &Surroundings<'_>,
    ) -> Result<()> {
        self.check()?;
        if let [group] = self.groups.as_mut_slice() {
            return group.wrap(data_key.expose(), surroundings);
        }
        let needed = self.needed();
        let [count, needed] = [self.groups.len(), needed].map(u8::try_from);
        let (Ok(count), Ok(needed)) = (count, needed) else {
            return Err(Failure::invalid("there cannot be more than 255 key groups"));
        };
        let shares = shamir::split(surroundings.random, data_key.expose(), count, needed)
            .map_err(|error| Failure::invalid(error.public()))?;
        for (group, share) in self.groups.iter_mut().zip(shares) {
            group.wrap(share.expose(), surroundings)?;
        }
        Ok(())
    }

    /// As [`KeyGroups::wrap`], but keys that have wrapped this data key already keep what they
    /// wrapped. Shares belong together, so with several groups all are made anew.
    pub(crate) fn wrap_missing(
        &mut self,
        data_key: &DataKey,
        surroundings: &Surroundings<'_>,
    ) -> Result<()> {
        self.check()?;
        match self.groups.as_mut_slice() {
            [group] => {
                let new = group.keys.iter_mut().filter(|key| !key.has_wrapped());
                wrap_all(new, data_key.expose(), surroundings)
            }
            _ => self.wrap(data_key, surroundings),
        }
    }

    /// How many groups are needed, and the keys of each by kind and name.
    pub(crate) fn names(&self) -> (usize, Vec<Vec<(&'static str, String)>>) {
        let name = |key: &MasterKey| (key.source.row().metadata, key.name());
        let groups = self.groups.iter().map(|group| group.keys.iter().map(name).collect());
        (if self.groups.len() > 1 { self.needed() } else { 1 }, groups.collect())
    }

    /// The keys of two versions of a file: one side's if the other has not changed them, and in a
    /// single group those that neither has removed and those that either has added. Nothing if it
    /// cannot be told what is meant.
    pub(crate) fn merge(base: Option<&Self>, ours: &Self, theirs: &Self) -> Option<Self> {
        let before = base.map(Self::names);
        match choose(before.as_ref(), &ours.names(), &theirs.names()) {
            Some(Side::Ours) => return Some(ours.clone()),
            Some(Side::Theirs) => return Some(theirs.clone()),
            None => {}
        }
        let ([own], [other]) = (ours.groups.as_slice(), theirs.groups.as_slice()) else {
            return None;
        };
        let old = match base.map(|base| base.groups.as_slice()) {
            None => &[],
            Some([old]) => old.keys.as_slice(),
            Some(_) => return None,
        };
        let has = |keys: &[MasterKey], key: &MasterKey| keys.iter().any(|other| other.is(key));
        let kept = own.keys.iter().filter(|key| has(&other.keys, key) || !has(old, key));
        let added = other.keys.iter().filter(|key| !has(&own.keys, key) && !has(old, key));
        let keys = kept.chain(added).cloned().collect();
        let group = KeyGroup { keys, foreign: own.foreign.clone() };
        Some(Self { groups: vec![group], threshold: ours.threshold })
    }

    /// Lets no key have anything wrapped but what it has in `wrapped`.
    pub(crate) fn keep_wrapped(&mut self, wrapped: &Self) {
        let known = |key: &MasterKey| {
            wrapped.groups.iter().flat_map(|group| &group.keys).find(|other| other.is(key))
        };
        for key in self.groups.iter_mut().flat_map(|group| &mut group.keys) {
            match known(key) {
                Some(known) => *key = known.clone(),
                None => key.forget_wrapped(),
            }
        }
    }

    fn check(&self) -> Result<()> {
        let is_empty = |group: &KeyGroup| group.keys.is_empty() && group.foreign().next().is_none();
        if self.groups.is_empty() || self.groups.iter().any(is_empty) {
            return Err(Failure::new(
                FailureKind::NoMasterKey,
                "no master key is named that could protect the file",
            ));
        }
        if self.threshold > self.groups.len() && self.groups.len() > 1 {
            return Err(Failure::invalid(format!(
                "{} of {} key groups can never be there",
                self.threshold,
                self.groups.len()
            )));
        }
        Ok(())
    }

    /// Puts the groups into metadata, member by member.
    pub(crate) fn write(&self, set: &mut dyn FnMut(&str, Option<Value>)) {
        let several = self.groups.len() > 1;
        let threshold = i64::try_from(self.threshold).ok().filter(|count| several && *count > 0);
        set("shamir_threshold", threshold.map(|count| Scalar::Int(count).into()));
        let groups = self.groups.iter().map(|group| {
            let mut items = group.foreign.clone();
            // sops writes these two also where they are empty.
            let always = ["hc_vault", "age"];
            let lists = group.lists();
            let lists = lists.filter(|(name, list)| !list.is_empty() || always.contains(name));
            items.extend(lists.map(|(name, list)| Item::member(name, list)));
            Element::Value(items.into())
        });
        set("key_groups", several.then(|| groups.collect::<Vec<_>>().into()));
        let top = if several { &KeyGroup::default() } else { &self.groups[0] };
        for (name, list) in top.lists() {
            set(name, (!list.is_empty()).then(|| list.into()));
        }
        for name in FOREIGN {
            set(name, get(&top.foreign, name).cloned());
        }
    }
}

/// Lets all keys wrap the secret, side by side: those of services far away take their time.
fn wrap_all<'k>(
    keys: impl Iterator<Item = &'k mut MasterKey>,
    secret: &[u8],
    surroundings: &Surroundings<'_>,
) -> Result<()> {
    let mut keys: Vec<&mut MasterKey> = keys.collect();
    if let [key] = keys.as_mut_slice() {
        return key.wrap(secret, surroundings);
    }
    std::thread::scope(|scope| {
        let wrap = |key: &'k mut MasterKey| scope.spawn(move || key.wrap(secret, surroundings));
        let all: Vec<_> = keys.into_iter().map(wrap).collect();
        all.into_iter().try_for_each(|one| one.join().expect("a key source does not panic"))
    })
}

fn keys(items: &[Item]) -> Result<Vec<MasterKey>> {
    let mut keys = Vec::new();
    for source in SOURCES {
        let name = source.row().metadata;
        let elements = match get(items, name) {
            None | Some(Value::Scalar(Scalar::Null)) => continue,
            Some(Value::List(elements)) => elements,
            Some(Value::Map(_) | Value::Scalar(_)) => return Err(damaged(name)),
        };
        for element in elements {
            match element {
                Element::Comment(_) => {}
                Element::Value(Value::Map(entry)) => {
                    keys.push(MasterKey { source, entry: entry.clone() });
                }
                Element::Value(_) => return Err(damaged(name)),
            }
        }
    }
    Ok(keys)
}

fn damaged(name: &str) -> Failure {
    let text = format!("the metadata is damaged: '{name}' is no list of master keys");
    Failure::new(FailureKind::Unreadable, text)
}
