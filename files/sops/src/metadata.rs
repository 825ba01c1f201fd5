use files_document::{Element, Item, Member, Scalar, Value, get};

use crate::flat;
use crate::group::{KeyGroup, KeyGroups};
use crate::selector::{self, Selector};
use crate::{Failure, FailureKind, Result, plain};

/// What a file says of its own encryption. Members that are not known here are kept as they are.
#[derive(Clone)]
pub struct Metadata {
    /// As they were read.
    items: Vec<Item>,
    pub groups: KeyGroups,
    pub selector: Selector,
    /// Whether the code covers the encrypted values alone.
    pub mac_only_encrypted: bool,
    /// RFC 3339, to which the code is bound.
    pub(crate) last_modified: String,
    /// The encrypted code; empty if there is none.
    pub(crate) mac: String,
}

/// The version of sops whose format is written: 3.9 and later read it.
pub(crate) const VERSION: &str = "3.11.0";

/// The members in the order in which sops writes them.
const ORDER: [&str; 18] = [
    "shamir_threshold",
    "key_groups",
    "kms",
    "gcp_kms",
    "hckms",
    "azure_kv",
    "hc_vault",
    "age",
    "lastmodified",
    "mac",
    "pgp",
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
    "mac_only_encrypted",
];

impl Metadata {
    /// Metadata for a file that is about to be encrypted.
    pub(crate) fn new(groups: KeyGroups, selector: Selector, mac_only_encrypted: bool) -> Self {
        let (last_modified, mac) = (String::new(), String::new());
        Self { items: Vec::new(), groups, selector, mac_only_encrypted, last_modified, mac }
    }

    /// Reads the members of any version from 3.7 on; numbers and truths may be written as text.
    ///
    /// # Errors
    /// `Unreadable`, naming the member, or `Invalid` for more than one selector.
    pub(crate) fn parse(items: Vec<Item>) -> Result<Self> {
        let text = |key: &str| text_of(&items, key).unwrap_or_default();
        let selectors: Vec<_> = selector::NAMES.map(|name| (name, text(name))).into();
        let given = selectors.iter().map(|(name, text)| (*name, text.as_str()));
        let selector = Selector::choose(given)?.unwrap_or_default();
        let mac_only_encrypted = match text("mac_only_encrypted").as_str() {
            "" => false,
            word => plain::boolean(word).ok_or_else(|| unreadable("mac_only_encrypted"))?,
        };
        let threshold = match text("shamir_threshold").as_str() {
            "" => 0,
            digits => digits.parse().map_err(|_| unreadable("shamir_threshold"))?,
        };
        let groups = match get(&items, "key_groups") {
            Some(Value::List(groups)) if !groups.is_empty() => {
                let group = |element: &Element| match element {
                    Element::Comment(_) => None,
                    Element::Value(Value::Map(items)) => Some(KeyGroup::parse(items)),
                    Element::Value(_) => Some(Err(unreadable("key_groups"))),
                };
                groups.iter().filter_map(group).collect::<Result<_>>()?
            }
            _ => vec![KeyGroup::parse_top(&items)?],
        };
        let last_modified = without_fraction(&text("lastmodified"));
        let mac = text("mac");
        Ok(Self {
            groups: KeyGroups { groups, threshold },
            selector,
            mac_only_encrypted,
            last_modified,
            mac,
            items,
        })
    }

    /// The members to write: those that were read, with what has changed in its place.
    pub(crate) fn to_items(&self) -> Vec<Item> {
        let Self { items, groups, selector, mac_only_encrypted, last_modified, mac } = self;
        let mut items = items.clone();
        let mut set = |key: &str, value: Option<Value>| {
            let same = match (get(&items, key), &value) {
                (Some(Value::Scalar(old)), Some(Value::Scalar(new))) => {
                    flat::text(old) == flat::text(new)
                }
                // Versions before 3.10 wrote the lists that are empty too.
                (Some(Value::List(old)), None) if old.is_empty() => true,
                (Some(Value::Scalar(old)), None) => {
                    flat::text(old).is_none_or(|text| ["", "0"].contains(&text.as_str()))
                }
                (old, new) => old == new.as_ref(),
            };
            if !same {
                items = placed(std::mem::take(&mut items), key, value);
            }
        };
        groups.write(&mut set);
        let text = |text: &str| Some(Scalar::text(text).into());
        if without_fraction(&text_of(&self.items, "lastmodified").unwrap_or_default())
            != *last_modified
        {
            set("lastmodified", text(last_modified));
        }
        set("mac", text(mac));
        let (name, pattern) = selector.named();
        // A file that names no selector has the default one; it need not be told.
        let named = selector::NAMES.iter().any(|name| text_of(&self.items, name).is_some());
        if named || self.items.is_empty() {
            set(name, text(pattern));
        }
        if *mac_only_encrypted {
            set("mac_only_encrypted", Some(Scalar::Bool(true).into()));
        }
        if text_of(&self.items, "version").is_none_or(|version| version.is_empty()) {
            set("version", text(VERSION));
        }
        items
    }

    /// What is said of the file as a whole, a line each: who can open it and what is encrypted.
    pub fn summary(&self) -> Vec<String> {
        let (needed, groups) = self.groups.names();
        let several = groups.len() > 1;
        let mut lines = Vec::new();
        if several {
            lines.push(format!("{needed} of {} key groups open it", groups.len()));
        }
        for (at, (names, group)) in groups.iter().zip(&self.groups.groups).enumerate() {
            let lead = if several { format!("group {at}: ") } else { String::new() };
            lines.extend(names.iter().map(|(kind, name)| format!("{lead}{kind} {name}")));
            lines.extend(group.foreign().map(|source| format!("{lead}{source}")));
        }
        let (name, text) = self.selector.named();
        lines.push(format!("{name} {text}"));
        if self.mac_only_encrypted {
            lines.push("mac_only_encrypted".to_owned());
        }
        lines
    }

    /// Binary files have one value, which is always encrypted.
    pub(crate) fn without_selector(&self, items: Vec<Item>) -> Vec<Item> {
        with(items, self.selector.named().0, None)
    }
}

/// A scalar member as text.
pub(crate) fn text_of(items: &[Item], key: &str) -> Option<String> {
    match get(items, key) {
        Some(Value::Scalar(scalar)) => flat::text(scalar),
        _ => None,
    }
}

/// The items with another value for `key`: in its place if there is one, else at the end. Nothing
/// takes it away.
pub(crate) fn with(items: Vec<Item>, key: &str, value: Option<Value>) -> Vec<Item> {
    let end = items.len();
    with_at(items, key, value, end)
}

/// As [`with`], but a new member comes where sops would write it.
fn placed(items: Vec<Item>, key: &str, value: Option<Value>) -> Vec<Item> {
    let rank = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
    let later = |item: &Item| matches!(item, Item::Member(other) if rank(&other.key) > rank(key));
    let at = items.iter().position(later).unwrap_or(items.len());
    with_at(items, key, value, at)
}

fn with_at(mut items: Vec<Item>, key: &str, value: Option<Value>, new: usize) -> Vec<Item> {
    let at = items.iter().position(|item| matches!(item, Item::Member(m) if m.key == key));
    match (at, value) {
        (None, None) => {}
        (None, Some(value)) => items.insert(new, Item::member(key, value)),
        (Some(at), None) => {
            items.remove(at);
        }
        (Some(at), Some(value)) => {
            items[at] = Item::Member(Member { key: key.to_owned(), value });
        }
    }
    items
}

/// sops formats the time anew before it is bound to the code, and leaves out fractions of seconds.
fn without_fraction(time: &str) -> String {
    let Some((whole, rest)) = time.split_once('.') else { return time.to_owned() };
    let zone = rest.trim_start_matches(|next: char| next.is_ascii_digit());
    format!("{whole}{zone}")
}

fn unreadable(member: &str) -> Failure {
    let text = format!("the metadata is damaged: '{member}' is not what sops writes there");
    Failure::new(FailureKind::Unreadable, text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use files_document::{Document, Format};

    use super::*;

    fn read(format: Format, text: &str) -> Vec<Item> {
        let mut trees = Document::parse(format, text.as_bytes()).unwrap().trees().to_vec();
        crate::place::take(format, &mut trees).unwrap().unwrap()
    }

    /// Versions differ in order, in empty lists and in the quotes of times.
    const OLD: &str = "\
sops:
    shamir_threshold: 0
    kms: []
    gcp_kms: []
    azure_kv: []
    hc_vault: []
    age:
        - recipient: age1a
          enc: |
            -----BEGIN AGE ENCRYPTED FILE-----
            x
            -----END AGE ENCRYPTED FILE-----
    lastmodified: 2021-03-04T05:06:07Z
    mac: ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]
    pgp:
        - created_at: '2021-03-04T05:06:07Z'
          enc: x
          fp: 0123456789ABCDEF
          is_default: yes
    encrypted_regex: ^(data|stringData)$
    version: 3.7.1
    from_the_future: {a: [1]}
";

    const NEW: &str = "\
sops:
    age:
        - enc: x
          recipient: age1a
    kms:
        - arn: arn:aws:kms:us-east-1:1:key/a
          aws_profile: \"\"
          context:
            app: x
          created_at: \"2026-01-02T03:04:05Z\"
          enc: x
    hckms:
        - created_at: \"2026-01-02T03:04:05Z\"
          enc: x
          key_id: tr-west-1:a
    lastmodified: \"2026-01-02T03:04:05Z\"
    mac: ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]
    mac_only_encrypted: true
    unencrypted_suffix: _plain
    version: 3.13.2
";

    const GROUPS: &str = "\
sops:
    shamir_threshold: 2
    key_groups:
        - hc_vault: []
          age:
            - recipient: age1a
              enc: x
        - kms:
            - arn: a
              enc: x
          hc_vault:
            - vault_address: https://vault:8200
              engine_path: transit
              key_name: k
              created_at: \"2026-01-02T03:04:05Z\"
              enc: vault:v1:x
          age: []
    lastmodified: \"2026-01-02T03:04:05Z\"
    mac: ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]
    version: 3.9.0
";

    const FLAT: &str = "\
sops_version=3.8.1
sops_mac_only_encrypted=true
sops_age__list_0__map_enc=a\\nb
sops_age__list_0__map_recipient=age1a
sops_kms__list_0__map_arn=a
sops_lastmodified=2026-01-02T03:04:05Z
sops_mac=ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]
sops_odd=kept
";

    #[test]
    fn what_is_not_changed_is_written_as_it_was() {
        for (format, text) in [
            (Format::Yaml, OLD),
            (Format::Yaml, NEW),
            (Format::Yaml, GROUPS),
            (Format::Dotenv, FLAT),
        ] {
            let items = read(format, text);
            let written = Metadata::parse(items.clone()).unwrap().to_items();
            assert!(written == items, "{text}");
        }
    }

    #[test]
    fn members_mean_the_same_in_all_versions() {
        let parsed = |format, text| Metadata::parse(read(format, text)).unwrap();
        let old = parsed(Format::Yaml, OLD);
        let names = |group: &KeyGroup| group.keys.iter().map(|key| key.name()).collect::<Vec<_>>();
        assert_eq!(names(&old.groups.groups[0]), ["0123456789ABCDEF", "age1a"]);
        assert_eq!(old.last_modified, "2021-03-04T05:06:07Z");
        assert_eq!(old.selector.named(), ("encrypted_regex", "^(data|stringData)$"));
        let new = parsed(Format::Yaml, NEW);
        assert!(new.mac_only_encrypted);
        assert_eq!(new.groups.groups[0].foreign().collect::<Vec<_>>(), ["hckms"]);
        let groups = parsed(Format::Yaml, GROUPS).groups;
        assert_eq!((groups.groups.len(), groups.threshold), (2, 2));
        assert_eq!(names(&groups.groups[1]), ["a", "https://vault:8200/v1/transit/keys/k"]);
        let flat = parsed(Format::Dotenv, FLAT);
        assert!(flat.mac_only_encrypted);
        assert_eq!(names(&flat.groups.groups[0]), ["a", "age1a"]);
    }

    #[test]
    fn damaged_metadata_names_the_member() {
        for (member, text) in [
            ("age", "sops:\n    age: x\n"),
            ("age", "sops:\n    age: [x]\n"),
            ("shamir_threshold", "sops:\n    shamir_threshold: many\n"),
            ("mac_only_encrypted", "sops:\n    mac_only_encrypted: perhaps\n"),
            ("key_groups", "sops:\n    key_groups: [1]\n"),
            ("encrypted_regex", "sops:\n    encrypted_regex: a\n    encrypted_suffix: b\n"),
        ] {
            let failure = Metadata::parse(read(Format::Yaml, text)).err().unwrap();
            assert!(failure.text.contains(member), "{}", failure.text);
        }
    }

    #[test]
    fn a_time_is_bound_without_its_fraction() {
        for (time, bound) in [
            ("2021-03-04T05:06:07Z", "2021-03-04T05:06:07Z"),
            ("2021-03-04T05:06:07.123+02:00", "2021-03-04T05:06:07+02:00"),
        ] {
            assert_eq!(without_fraction(time), bound);
        }
    }
}
