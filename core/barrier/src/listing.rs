use base_types::Result;
use store_api::Store;

/// Keys read from the store at once, at most.
const PAGE: usize = 1000;

/// Sorts after every key that continues the text before it with a character that keys use.
const LAST: char = char::MAX;

/// The direct children of `base` that sort after `after`, at most `limit` (zero for all): a key as
/// its last segment, all that lies in a folder as `folder/`, once.
///
/// What lies in a folder is not read, except for the rest of the page where the folder begins.
pub(crate) async fn children(
    store: &dyn Store,
    base: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<String>> {
    let limit = if limit == 0 { usize::MAX } else { limit };
    let size = limit.min(PAGE);
    let mut children: Vec<String> = Vec::new();
    let mut from = if after.is_empty() { String::new() } else { format!("{base}{after}") };
    if from.ends_with('/') && !after.is_empty() {
        from.push(LAST);
    }
    loop {
        let page = store.list(base, &from, size).await?;
        for key in &page {
            let child = child_of(&key[base.len()..]);
            if child <= after || children.last().is_some_and(|last| last == child) {
                continue;
            }
            children.push(child.to_owned());
            if children.len() == limit {
                return Ok(children);
            }
        }
        let Some(last) = page.last().filter(|_| page.len() == size) else {
            return Ok(children);
        };
        from = past(base, last);
    }
}

/// `a` of `a`, `a/` of `a/b/c`.
fn child_of(rest: &str) -> &str {
    rest.find('/').map_or(rest, |slash| &rest[..=slash])
}

/// Where to go on after `key`: behind its whole folder, if it lies in one.
fn past(base: &str, key: &str) -> String {
    let child = child_of(&key[base.len()..]);
    let past_child =
        if child.ends_with('/') { format!("{base}{child}{LAST}") } else { String::new() };
    past_child.max(key.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use base_crypto::{Random, SeededRandom, random_array};
    use store_api::Batch;
    use store_mem::MemStore;

    use super::*;

    async fn store(keys: impl IntoIterator<Item = String>) -> MemStore {
        let store = MemStore::new();
        let batch = keys.into_iter().fold(Batch::new(), |batch, key| batch.put(key, "value"));
        store.commit(batch).await.unwrap();
        store
    }

    /// What `children` promises, without any cleverness.
    fn expected(keys: &BTreeSet<String>, base: &str, after: &str, limit: usize) -> Vec<String> {
        let names: BTreeSet<&str> =
            keys.iter().filter_map(|key| key.strip_prefix(base)).map(child_of).collect();
        let limit = if limit == 0 { usize::MAX } else { limit };
        names.into_iter().filter(|name| *name > after).take(limit).map(str::to_owned).collect()
    }

    fn random_key(random: &dyn Random) -> String {
        const LETTERS: [char; 8] = ['a', 'b', '-', '.', '0', '/', 'é', char::MAX];
        let bytes: [u8; 6] = random_array(random);
        let length = 1 + usize::from(bytes[0] % 5);
        let tail = bytes[1..=length].iter().map(|byte| LETTERS[usize::from(byte % 8)]);
        "base/".chars().chain(tail).collect()
    }

    #[tokio::test]
    async fn agrees_with_the_plain_definition_on_random_keys() {
        let random = SeededRandom::new(11);
        for count in [0, 1, 10, 100, 3000] {
            let keys: BTreeSet<String> = (0..count).map(|_| random_key(&random)).collect();
            let store = store(keys.iter().cloned()).await;
            let all = expected(&keys, "base/", "", 0);
            let afters = all.iter().map(String::as_str).chain(["", "a", "b/", "zz", "a/x"]);
            for (after, limit) in afters.zip([0, 1, 2, 7].into_iter().cycle()) {
                for base in ["base/", "base/a/", "none/"] {
                    let found = children(&store, base, after, limit).await.unwrap();
                    assert_eq!(
                        found,
                        expected(&keys, base, after, limit),
                        "{base} {after} {limit}"
                    );
                }
            }
        }
    }

    #[tokio::test]
    async fn pages_join_without_gap_or_repetition() {
        let keys = (0..2500)
            .flat_map(|n| [format!("f/{n:04}/x"), format!("f/{n:04}/y"), format!("f/{n:04}")]);
        let keys: BTreeSet<String> = keys.collect();
        let store = store(keys.iter().cloned()).await;
        assert_eq!(children(&store, "f/", "", 0).await.unwrap(), expected(&keys, "f/", "", 0));
        let (mut joined, mut after) = (Vec::new(), String::new());
        loop {
            let page = children(&store, "f/", &after, 333).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.clone();
            joined.extend(page);
        }
        assert_eq!(joined, expected(&keys, "f/", "", 0));
    }
}
