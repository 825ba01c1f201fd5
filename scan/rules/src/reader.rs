use std::sync::Arc;

use base_types::Result;

use crate::expression;
use crate::extend::merge;
use crate::filter::Scope;
use crate::grammar::Grammar;
use crate::table::{Source, Table};
use crate::{
    Allowlist, Condition, Config, Filter, Near, Pattern, Required, Rule, Target, Window, default,
};

/// So many files may extend one another; gitleaks ignores what comes after.
const EXTENSIONS_MAX: usize = 2;

/// What reads the text of a file that another one extends.
type Load<'a> = &'a dyn Fn(&str) -> Result<String>;

/// Reads a whole configuration: the text, what it extends, and what holds only once all is together.
pub(crate) fn read(text: &str, place: &str, load: Load<'_>) -> Result<Config> {
    let source = Source { text, place };
    let document = source.parse()?;
    let root = Table::new(source, &document);
    let mut file = file(&root, load, 0)?;
    check(&root, &file.config)?;
    for (table, ids, allowlist) in file.targeted {
        for id in ids {
            let Some(rule) = file.config.rules.iter_mut().find(|rule| rule.id == id) else {
                return Err(table.fault("targetRules", format!("there is no rule '{id}'")));
            };
            rule.allowlists.push(allowlist.clone());
        }
    }
    Ok(file.config)
}

/// One file with what it extends, and the allow lists that it has for certain rules.
struct File<'a> {
    config: Config,
    targeted: Vec<(Table<'a>, Vec<String>, Allowlist)>,
}

fn file<'a>(root: &Table<'a>, load: Load<'_>, depth: usize) -> Result<File<'a>> {
    let tables = root.tables("rules")?;
    let grammar = Grammar::of(root, &tables)?;
    let mut config = Config {
        title: root.text("title")?,
        description: root.text("description")?,
        prefilters: filter(root, "prefilter", Scope::Place)?.into_iter().collect(),
        filters: filter(root, "filter", Scope::Finding)?.into_iter().collect(),
        hides_components: grammar != Grammar::Gitleaks,
        ..Config::default()
    };
    config.warnings.extend(unused(&tables));
    for table in tables {
        let rule = rule(table.clone(), grammar)?;
        if let Some(earlier) = config.rules.iter_mut().find(|earlier| earlier.id == rule.id) {
            config.warnings.push(
                table.warning("id", &format!("'{}' is there twice; the last one counts", rule.id)),
            );
            *earlier = rule;
        } else {
            config.rules.push(rule);
        }
    }
    let mut targeted = Vec::new();
    for table in allowlist_tables(root)? {
        let allowlist = allowlist(&table)?;
        let ids = table.texts("targetRules")?;
        if ids.is_empty() {
            config.allowlists.push(allowlist);
        } else if depth > 0 {
            let what = "without effect in a file that another one extends, as in gitleaks";
            config.warnings.push(table.warning("targetRules", what));
        } else {
            targeted.push((table, ids, allowlist));
        }
    }
    if depth < EXTENSIONS_MAX {
        for extend in root.tables("extend")? {
            extend_by(&mut config, &extend, load, depth, grammar)?;
        }
    }
    Ok(File { config, targeted })
}

fn extend_by(
    config: &mut Config,
    extend: &Table<'_>,
    load: Load<'_>,
    depth: usize,
    grammar: Grammar,
) -> Result<()> {
    let (path, use_default) = (extend.text("path")?, extend.flag("useDefault")?);
    let base = match (path.as_str(), use_default) {
        ("", false) => return Ok(()),
        ("", true) => default::set(),
        (_, true) => {
            return Err(
                extend.fault("useDefault", "not together with extend.path; keep one of both")
            );
        }
        (path, false) => {
            let text = load(path).map_err(|e| extend.fault("path", e.public()))?;
            let source = Source { text: &text, place: path };
            let document = source.parse()?;
            file(&Table::new(source, &document), load, depth + 1)?.config
        }
    };
    let disabled = extend.texts("disabledRules")?;
    for id in disabled.iter().filter(|id| base.rule(id).is_none()) {
        let what = format!("'{id}' is no rule of what is extended");
        config.warnings.push(extend.warning("disabledRules", &what));
    }
    merge(config, base, &disabled, grammar);
    Ok(())
}

/// What can be wrong only with rules that are complete.
fn check(root: &Table<'_>, config: &Config) -> Result<()> {
    for rule in &config.rules {
        let fault = |key: &str, what: String| {
            let of_rule = root
                .tables("rules")
                .unwrap_or_default()
                .into_iter()
                .find(|table| table.text("id").is_ok_and(|id| id == rule.id))
                .unwrap_or_else(|| root.clone());
            Err(of_rule.of(format!("rule '{}': ", rule.id)).fault(key, what))
        };
        if rule.regex.is_none() && rule.path.is_none() {
            return fault(
                "regex",
                "neither a regex nor a path, so the rule would find nothing".into(),
            );
        }
        let groups = rule.regex.as_ref().map_or(0, Pattern::groups);
        if rule.regex.is_some() && rule.secret_group > groups {
            return fault(
                "secretGroup",
                format!("{} is more than the {groups} groups of the regex", rule.secret_group),
            );
        }
        let of_path = rule.required.iter().find(|required| {
            let other = config.rule(&required.id);
            // gitleaks has no such limit.
            !matches!(required.near, Near::Starts { .. })
                && other.is_some_and(|other| other.regex.is_none())
        });
        if let Some(required) = of_path {
            let what = format!("'{}' looks at paths alone and cannot be a part", required.id);
            return fault("components", what);
        }
        if let Some(missing) =
            rule.required.iter().find(|required| config.rule(&required.id).is_none())
        {
            return fault("required", format!("there is no rule '{}'", missing.id));
        }
    }
    Ok(())
}

fn rule(table: Table<'_>, grammar: Grammar) -> Result<Rule> {
    let id = table.text("id")?;
    let description = table.text("description")?;
    if id.trim().is_empty() {
        let regex = table.text("regex")?;
        return Err(table.fault(
            "id",
            format!("a rule without id; its description is '{description}', its regex '{regex}'"),
        ));
    }
    let table = table.of(format!("rule '{id}': "));
    let confidence = table.text("confidence")?;
    if !["", "low", "medium", "high"].contains(&confidence.as_str()) {
        let what = format!("'{confidence}' is none of low, medium, high");
        return Err(table.fault("confidence", what));
    }
    Ok(Rule {
        description,
        regex: regex(&table)?,
        path: pattern(&table, "path")?,
        secret_group: group(&table)?,
        entropy: table.number("entropy")?,
        keywords: lower(table.texts("keywords")?),
        tags: table.texts("tags")?,
        allowlists: allowlist_tables(&table)?.iter().map(allowlist).collect::<Result<_>>()?,
        filter: filter(&table, "filter", Scope::Finding)?,
        token_efficiency: table.flag("tokenEfficiency")?,
        specificity: grammar.specificity(&table, &id)?,
        required: required(&table)?,
        skip_report: table.flag("skipReport")?,
        random: table.flag("random")?,
        id,
    })
}

/// The expression of a rule. In its place the rules of ours have a `token` that stands alone, or `names` and the `value`
/// that is assigned to something with one of them.
fn regex(table: &Table<'_>) -> Result<Option<Pattern>> {
    let (token, names, value) = (table.text("token")?, table.texts("names")?, table.text("value")?);
    let (key, source) = if !token.is_empty() {
        ("token", expression::alone(&token))
    } else if !names.is_empty() && !value.is_empty() {
        ("value", expression::assigned(&names, &value))
    } else {
        return pattern(table, "regex");
    };
    Pattern::new(source).map(Some).map_err(|e| table.fault(key, e))
}

/// The number of the group that is the secret, by the name of betterleaks 2 or by the older one.
fn group(table: &Table<'_>) -> Result<usize> {
    let key = if table.has("valueGroup") { "valueGroup" } else { "secretGroup" };
    Ok(table.count(key)?.unwrap_or(0))
}

/// The rules that must have found something too, in the form of betterleaks 2 or in the older one.
fn required(table: &Table<'_>) -> Result<Vec<Required>> {
    let mut all = Vec::new();
    for (key, tables) in
        [("required", table.tables("required")?), ("components", table.tables("components")?)]
    {
        for part in tables {
            let id = part.text("id")?;
            if id.is_empty() {
                return Err(part.fault(key, "without the id of a rule"));
            }
            let near = match key {
                "required" => Near::Starts {
                    lines: part.count("withinLines")?,
                    columns: part.count("withinColumns")?,
                },
                _ => match part.text("within")?.as_str() {
                    "" => Near::Anywhere,
                    within => Near::Window(
                        Window::parse(within).map_err(|what| part.fault("within", what))?,
                    ),
                },
            };
            all.push(Required { id, near, optional: part.flag("optional")? });
        }
    }
    Ok(all)
}

fn filter(table: &Table<'_>, key: &str, scope: Scope) -> Result<Option<Arc<Filter>>> {
    let source = table.text(key)?;
    if source.trim().is_empty() {
        return Ok(None);
    }
    let parsed = Filter::parse(&source, scope);
    parsed
        .map(|filter| Some(Arc::new(filter)))
        .map_err(|fault| table.fault_within(key, fault.offset, &fault.what))
}

/// What rules have that would ask a provider over the network, which this scanner does not do.
fn unused(tables: &[Table<'_>]) -> Option<String> {
    let asks =
        |table: &&Table<'_>| ["validate", "analyze", "revoke"].iter().any(|key| table.has(key));
    let count = tables.iter().filter(asks).count();
    let first = tables.iter().find(asks)?;
    let what = format!(
        "not used, here and in {} other rules: a scan asks no provider whether a secret still works",
        count - 1
    );
    let key = ["validate", "analyze", "revoke"].into_iter().find(|key| first.has(key));
    Some(first.warning(key.unwrap_or("validate"), &what))
}

/// The lists under the name of today, or the one under the older name.
fn allowlist_tables<'a>(table: &Table<'a>) -> Result<Vec<Table<'a>>> {
    let lists = table.tables("allowlists")?;
    if !table.has("allowlist") {
        return Ok(lists);
    }
    if !lists.is_empty() {
        return Err(
            table.fault("allowlist", "deprecated, and not together with allowlists; move it there")
        );
    }
    table.tables("allowlist")
}

fn allowlist(table: &Table<'_>) -> Result<Allowlist> {
    let condition = match table.text("condition")?.to_ascii_uppercase().as_str() {
        "" | "OR" | "||" => Condition::Or,
        "AND" | "&&" => Condition::And,
        _ => {
            return Err(table.fault(
                "condition",
                format!("'{}' is neither AND nor OR", table.text("condition")?),
            ));
        }
    };
    let target = match table.text("regexTarget")?.as_str() {
        "" | "secret" => Target::Secret,
        "match" => Target::Match,
        "line" => Target::Line,
        other => {
            return Err(
                table.fault("regexTarget", format!("'{other}' is none of secret, match, line"))
            );
        }
    };
    let allowlist = Allowlist {
        description: table.text("description")?,
        condition,
        commits: lower(table.texts("commits")?)
            .iter()
            .map(|commit| commit.trim().to_owned())
            .collect(),
        paths: patterns(table, "paths")?,
        target,
        regexes: patterns(table, "regexes")?,
        stopwords: lower(table.texts("stopwords")?),
    };
    let Allowlist { commits, paths, regexes, stopwords, .. } = &allowlist;
    if commits.is_empty() && paths.is_none() && regexes.is_none() && stopwords.is_empty() {
        return Err(table.fault(
            "allowlists",
            "an allow list needs at least one of commits, paths, regexes, stopwords",
        ));
    }
    Ok(allowlist)
}

fn pattern(table: &Table<'_>, key: &str) -> Result<Option<Pattern>> {
    let source = table.text(key)?;
    if source.is_empty() {
        return Ok(None);
    }
    Pattern::new(source).map(Some).map_err(|e| table.fault(key, e))
}

fn patterns(table: &Table<'_>, key: &str) -> Result<Option<Pattern>> {
    let sources = table.texts(key)?;
    for source in &sources {
        Pattern::new(source.as_str()).map_err(|e| table.fault(key, format!("{source}: {e}")))?;
    }
    if sources.is_empty() {
        return Ok(None);
    }
    Pattern::any(sources.iter().map(String::as_str)).map(Some).map_err(|e| table.fault(key, e))
}

fn lower(list: Vec<String>) -> Vec<String> {
    list.iter().map(|text| text.to_lowercase()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::Config;

    /// The message for a configuration that cannot be read.
    fn fault(text: &str) -> String {
        Config::parse(text, "rules.toml")
            .err()
            .unwrap_or_else(|| panic!("{text} was read"))
            .public()
            .to_owned()
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line_and_rule() {
        let rule = "title = 'mine'\n\n[[rules]]\nid = 'ticket'\n";
        for (lines, expect) in [
            (
                "regex = 'a(?=b)'",
                "rules.toml:5: rule 'ticket': regex: look-ahead (?=) is not in RE2",
            ),
            ("regex = '(a'", "rules.toml:5: rule 'ticket': regex: unclosed group"),
            (
                "regex = '((a{999}){999}){99}'",
                "rules.toml:5: rule 'ticket': regex: the expression is too big",
            ),
            (
                "regex = 'a'\nsecretGroup = 1",
                "rules.toml:6: rule 'ticket': secretGroup: 1 is more than the 0 groups",
            ),
            (
                "regex = 'a'\nentropy = 'high'",
                "rules.toml:6: rule 'ticket': entropy: expected a number, found a string",
            ),
            (
                "regex = 'a'\nkeywords = 3",
                "rules.toml:6: rule 'ticket': keywords: expected a list of texts",
            ),
            (
                "regex = 'a'\nfilter = 'x'",
                "rules.toml:6: rule 'ticket': filter: there is no variable 'x'",
            ),
            (
                "regex = 'a'\nfilter = '''\ntrue\n|| entropy(3) > 1'''",
                "rules.toml:8: rule 'ticket': filter: expected a text, found a number",
            ),
            (
                "regex = 'a'\n[[rules.components]]\nid = 'ticket'\nwithin = '3X'",
                "rules.toml:8: rule 'ticket': within: '3X' is no distance",
            ),
            (
                "regex = 'a'\nconfidence = 'sure'",
                "rules.toml:6: rule 'ticket': confidence: 'sure' is none of low, medium, high",
            ),
            (
                "regex = 'a'\n[[rules.required]]\nid = 'b'",
                "rules.toml:6: rule 'ticket': required: there is no rule 'b'",
            ),
            ("keywords = ['a']", "rules.toml:3: rule 'ticket': regex: neither a regex nor a path"),
            (
                "regex = 'a'\n[[rules.allowlists]]\nregexes = ['b', '[']",
                "rules.toml:7: rule 'ticket': regexes: [: a class",
            ),
            ("regex = 'a", "rules.toml:5: not valid TOML"),
        ] {
            let fault = fault(&format!("{rule}{lines}\n"));
            assert!(fault.starts_with(expect), "{lines}\n  {fault}\n  {expect}");
        }
    }

    #[test]
    fn what_is_odd_is_a_warning() {
        let text = "[extend]\nuseDefault = true\ndisabledRules = ['github-pat', 'no-such']\n";
        let config = Config::parse(text, "rules.toml").unwrap();
        assert!(config.rule("github-pat").is_none() && config.rule("gitlab-pat").is_some());
        assert_eq!(
            config.warnings,
            ["rules.toml:3: disabledRules: 'no-such' is no rule of what is extended"]
        );
    }
}
