use toml::de::DeTable;

/// The examples of one rule of the default set.
pub struct Example {
    pub rule: String,
    /// Templates of texts in which the rule finds something.
    pub finds: Vec<String>,
    /// Templates of texts in which it finds nothing.
    pub passes: Vec<String>,
    /// Whether the examples are paths.
    pub of_path: bool,
}

/// The examples in the data files of the default set.
///
/// # Errors
///
/// A sentence that names the file, if it is no TOML or an example is no text.
pub fn examples() -> Result<Vec<Example>, String> {
    let mut all = Vec::new();
    for (name, text) in scan_rules::Config::default_files() {
        let document = DeTable::parse(text).map_err(|e| format!("{name}: {}", e.message()))?;
        let Some(rules) = document.get_ref().get("rules") else { continue };
        for rule in rules.get_ref().as_array().into_iter().flat_map(|rules| rules.iter()) {
            let rule =
                rule.get_ref().as_table().ok_or_else(|| format!("{name}: a rule is no table"))?;
            all.push(example(rule));
        }
    }
    Ok(all)
}

fn example(rule: &DeTable<'_>) -> Example {
    let texts = |key: &str| {
        let list = rule.get(key).and_then(|value| value.get_ref().as_array());
        list.into_iter()
            .flat_map(|list| list.iter())
            .filter_map(|item| item.get_ref().as_str().map(str::to_owned))
            .collect()
    };
    Example {
        rule: rule.get("id").and_then(|id| id.get_ref().as_str()).unwrap_or_default().to_owned(),
        finds: texts("finds"),
        passes: texts("passes"),
        of_path: rule.contains_key("path"),
    }
}
