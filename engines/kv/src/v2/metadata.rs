use std::collections::BTreeMap;

use base_types::{Timestamp, Ttl};
use core_barrier::Record;
use serde::{Deserialize, Serialize};

use super::config::Config;

/// Everything about a secret but its data.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Metadata {
    #[serde(with = "nanoseconds")]
    pub(super) created: Timestamp,
    /// When a version was last added or the metadata changed.
    #[serde(with = "nanoseconds")]
    pub(super) updated: Timestamp,
    /// The number of the latest version; zero before the first.
    pub(super) current: u64,
    /// The oldest version kept; zero until one was let go of.
    pub(super) oldest: u64,
    /// Counts the changes of what follows.
    pub(super) metadata_version: u64,
    pub(super) cas_required: bool,
    pub(super) metadata_cas_required: bool,
    /// Zero for what the mount says.
    pub(super) delete_version_after: Ttl,
    /// Zero for what the mount says.
    pub(super) max_versions: u32,
    pub(super) custom: BTreeMap<String, String>,
    /// In ascending order.
    pub(super) versions: Vec<Version>,
}

impl Record for Metadata {
    const KIND: &'static str = "secret's metadata";
}

/// Stored as `[number, created, deletion or 0, destroyed]`, times in nanoseconds, because every
/// read of a secret reads all of them.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(from = "(u64, i64, i64, bool)", into = "(u64, i64, i64, bool)")]
pub(super) struct Version {
    pub(super) number: u64,
    pub(super) created: Timestamp,
    /// When it was, or will be, deleted.
    pub(super) deletion: Option<Timestamp>,
    pub(super) destroyed: bool,
}

/// How many versions are kept where nobody says.
const MAX_VERSIONS_DEFAULT: u32 = 10;

impl Metadata {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            created: now,
            updated: now,
            current: 0,
            oldest: 0,
            metadata_version: 0,
            cas_required: false,
            metadata_cas_required: false,
            delete_version_after: Ttl::ZERO,
            max_versions: 0,
            custom: BTreeMap::new(),
            versions: Vec::new(),
        }
    }

    /// `number`, or the latest for zero.
    pub(super) fn version(&self, number: u64) -> Option<&Version> {
        let number = if number == 0 { self.current } else { number };
        let at = self.versions.binary_search_by_key(&number, |version| version.number).ok()?;
        Some(&self.versions[at])
    }

    pub(super) fn version_mut(&mut self, number: u64) -> Option<&mut Version> {
        let at = self.versions.binary_search_by_key(&number, |version| version.number).ok()?;
        Some(&mut self.versions[at])
    }

    /// Deletes version `number` now, unless it is gone already.
    pub(super) fn delete_version(&mut self, number: u64, now: Timestamp) {
        if let Some(version) = self.version_mut(number).filter(|version| version.is_live(now)) {
            version.deletion = Some(now);
        }
    }

    /// When a version that comes to life now will be deleted.
    pub(super) fn deletion(&self, config: &Config, now: Timestamp) -> Option<Timestamp> {
        let ttl = self.delete_version_after.limited_to(config.delete_version_after?);
        (!ttl.is_zero()).then(|| now.plus(ttl))
    }

    /// Adds a version. The numbers of those that are let go of for it are returned.
    pub(super) fn add_version(&mut self, config: &Config, now: Timestamp) -> Vec<u64> {
        self.current += 1;
        self.updated = now;
        let deletion = self.deletion(config, now);
        self.versions.push(Version {
            number: self.current,
            created: now,
            deletion,
            destroyed: false,
        });
        // The more generous of the two wins, as in Vault.
        let max = match self.max_versions.max(config.max_versions) {
            0 => MAX_VERSIONS_DEFAULT,
            max => max,
        };
        let excess = self.versions.len().saturating_sub(max as usize);
        let dropped = self.versions.drain(..excess).map(|version| version.number).collect();
        if excess > 0 {
            self.oldest = self.versions.first().map_or(0, |version| version.number);
        }
        dropped
    }
}

impl Version {
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        !self.destroyed && self.deletion.is_none_or(|deletion| deletion > now)
    }
}

impl From<(u64, i64, i64, bool)> for Version {
    fn from((number, created, deletion, destroyed): (u64, i64, i64, bool)) -> Self {
        let deletion = (deletion != 0).then_some(Timestamp(deletion));
        Self { number, created: Timestamp(created), deletion, destroyed }
    }
}

impl From<Version> for (u64, i64, i64, bool) {
    fn from(version: Version) -> Self {
        let Version { number, created, deletion, destroyed } = version;
        (number, created.0, deletion.map_or(0, |time| time.0), destroyed)
    }
}

/// A time as a number, which is quicker to read than its text.
mod nanoseconds {
    use base_types::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let mut metadata = Metadata::new(Timestamp(5));
        metadata.custom.insert("owner".into(), "me".into());
        metadata.delete_version_after = Ttl::from_seconds(1);
        metadata.add_version(&Config::default(), Timestamp(7));
        metadata.delete_version_after = Ttl::ZERO;
        metadata.add_version(&Config::default(), Timestamp(9));
        let golden = "{\"created\":5,\"updated\":9,\"current\":2,\"oldest\":0,\"metadata_version\":0,\
            \"cas_required\":false,\"metadata_cas_required\":false,\"delete_version_after\":0,\
            \"max_versions\":0,\"custom\":{\"owner\":\"me\"},\
            \"versions\":[[1,7,1000000007,false],[2,9,0,false]]}";
        assert_eq!(serde_json::to_string(&metadata).unwrap(), golden);
        let read: Metadata = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), golden);
    }

    #[test]
    fn the_oldest_versions_make_room() {
        let config = Config { max_versions: 2, ..Config::default() };
        let mut metadata = Metadata::new(Timestamp(0));
        let dropped: Vec<_> =
            (1..=4).map(|t| metadata.add_version(&config, Timestamp(t))).collect();
        assert_eq!(dropped, [vec![], vec![], vec![1], vec![2]]);
        assert_eq!((metadata.current, metadata.oldest), (4, 3));
        assert!(metadata.version(2).is_none());
        assert_eq!(metadata.version(0).unwrap().number, 4);
        metadata.max_versions = 3;
        assert!(metadata.add_version(&config, Timestamp(5)).is_empty());
    }

    #[test]
    fn the_shorter_life_wins_and_the_mount_can_forbid() {
        let seconds = Ttl::from_seconds;
        for (mount, own, expect) in [
            (Some(0), 0, None),
            (Some(30), 0, Some(30)),
            (Some(30), 60, Some(30)),
            (Some(30), 10, Some(10)),
            (Some(0), 10, Some(10)),
            (None, 10, None),
        ] {
            let config = Config { delete_version_after: mount.map(seconds), ..Config::default() };
            let mut metadata = Metadata::new(Timestamp(0));
            metadata.delete_version_after = seconds(own);
            let expect = expect.map(Timestamp::from_seconds);
            assert_eq!(metadata.deletion(&config, Timestamp(0)), expect, "{mount:?} {own}");
        }
    }
}
