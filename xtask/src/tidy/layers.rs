use super::{Crate, Project};
use crate::{Result, root};

/// What `layers.toml` says.
struct Layers {
    /// From the bottom up; the names of a layer may end in `*`.
    layers: Vec<Vec<String>>,
    islands: Vec<(String, Vec<String>)>,
}

pub(super) fn order(project: &Project) -> Result<Vec<String>> {
    let path = root().join("layers.toml");
    let text = std::fs::read_to_string(&path)
        .map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let layers = Layers::parse(&text).map_err(|message| format!("layers.toml: {message}"))?;
    Ok(project.crates.iter().flat_map(|one| layers.check(one)).collect())
}

/// The workspace's lints forbid unsafe code, so a crate that takes them has none.
pub(super) fn lints(project: &Project) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for Crate { folder, manifest, .. } in &project.crates {
        let table: toml::Table =
            manifest.parse().map_err(|error| format!("{folder}/Cargo.toml: {error}"))?;
        let lints = table.get("lints");
        let inherits = lints.and_then(|lints| lints.get("workspace")?.as_bool()) == Some(true);
        if !inherits {
            findings.push(format!("{folder}/Cargo.toml: add `[lints]` with `workspace = true`"));
        }
    }
    Ok(findings)
}

impl Layers {
    fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().map_err(|error| format!("{error}"))?;
        let layers = table.get("layers").and_then(toml::Value::as_array);
        let layers = layers.ok_or("'layers' is a list of lists of crates")?;
        let islands = table.get("islands").and_then(toml::Value::as_table);
        let islands = islands.ok_or("'islands' is a table of crates")?;
        Ok(Self {
            layers: layers.iter().map(names).collect::<Result<_>>()?,
            islands: islands
                .iter()
                .map(|(name, allowed)| Ok((name.clone(), names(allowed)?)))
                .collect::<Result<_>>()?,
        })
    }

    fn check(&self, one: &Crate) -> Vec<String> {
        let Crate { name, folder, uses, .. } = one;
        if let Some((_, allowed)) = self.islands.iter().find(|(island, _)| island == name) {
            let foreign = uses.iter().filter(|used| !allowed.contains(used));
            return foreign
                .map(|used| {
                    format!("{folder}: it is an island and may not depend on {used}; go through `client`")
                })
                .collect();
        }
        let Some(layer) = self.layer(name) else {
            return vec![format!("{folder}: layers.toml does not name {name}; give it a layer")];
        };
        let is_island = |used: &str| self.islands.iter().any(|(island, _)| island == used);
        let wrong = uses
            .iter()
            .filter(|used| !is_island(used) && self.layer(used).is_none_or(|below| below >= layer));
        wrong
            .map(|used| {
                format!(
                    "{folder}: layer {layer} may not depend on {used} of layer {}; move the shared \
                     part below both, or let the lower crate define a trait",
                    self.layer(used).map_or("unknown".to_owned(), |below| below.to_string())
                )
            })
            .collect()
    }

    fn layer(&self, name: &str) -> Option<usize> {
        let place =
            |fits: &dyn Fn(&String) -> bool| self.layers.iter().position(|l| l.iter().any(fits));
        place(&|entry| entry == name).or_else(|| {
            place(&|entry| entry.strip_suffix('*').is_some_and(|p| name.starts_with(p)))
        })
    }
}

fn names(value: &toml::Value) -> Result<Vec<String>> {
    let items = value.as_array().ok_or("a layer is a list of crates")?;
    let names = items.iter().map(|item| item.as_str().map(str::to_owned));
    names.collect::<Option<_>>().ok_or_else(|| "the name of a crate is a string".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TEXT: &str = "layers = [[\"base\"], [\"store-api\"], [\"store-*\"], [\"server\"]]\n\
                        [islands]\nclient = [\"base\"]\n";

    fn findings(name: &str, uses: &[&str]) -> usize {
        let one = Crate {
            name: name.to_owned(),
            folder: name.to_owned(),
            manifest: String::new(),
            uses: uses.iter().map(|used| (*used).to_owned()).collect(),
            optional: Vec::new(),
        };
        Layers::parse(TEXT).unwrap().check(&one).len()
    }

    #[test]
    fn only_lower_layers_may_be_used() {
        assert_eq!(findings("store-mem", &["base", "store-api"]), 0);
        assert_eq!(findings("server", &["store-mem", "client"]), 0);
        assert_eq!(findings("store-api", &["store-mem"]), 1);
        assert_eq!(findings("store-mem", &["store-disk", "server", "nobody"]), 3);
        assert_eq!(findings("nobody", &[]), 1);
        assert_eq!(findings("client", &["base"]), 0);
        assert_eq!(findings("client", &["server"]), 1);
    }
}
