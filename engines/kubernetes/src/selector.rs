use std::collections::BTreeMap;

use base_types::{Error, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Which objects are meant, by their labels; an empty one means all.
///
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/>
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LabelSelector {
    match_labels: Option<BTreeMap<String, String>>,
    match_expressions: Option<Vec<Requirement>>,
}

#[derive(Debug, Deserialize)]
struct Requirement {
    key: String,
    operator: Operator,
    #[serde(default)]
    values: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
enum Operator {
    DoesNotExist,
    Exists,
    In,
    NotIn,
}

impl LabelSelector {
    /// Reads YAML, of which JSON is a part.
    ///
    /// # Errors
    /// `Invalid` for anything else, and for requirements that make no sense.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let selector: Self = document(text).filter(Self::makes_sense).ok_or_else(|| {
            Error::invalid(
                "failed to parse 'allowed_kubernetes_namespace_selector' as k8s.io/api/meta/v1/LabelSelector object",
            )
        })?;
        Ok(selector)
    }

    pub(crate) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |key: &String, value: &String| labels.get(key) == Some(value);
        let mut wanted = self.match_labels.iter().flatten();
        wanted.all(|(key, value)| has(key, value))
            && self.match_expressions.iter().flatten().all(|requirement| {
                let Requirement { key, operator, values } = requirement;
                let is_listed = || values.iter().flatten().any(|value| has(key, value));
                match operator {
                    Operator::DoesNotExist => !labels.contains_key(key),
                    Operator::Exists => labels.contains_key(key),
                    Operator::In => is_listed(),
                    Operator::NotIn => !is_listed(),
                }
            })
    }

    fn makes_sense(&self) -> bool {
        self.match_expressions.iter().flatten().all(|requirement| {
            let has_values = requirement.values.as_ref().is_some_and(|values| !values.is_empty());
            let needs_values = matches!(requirement.operator, Operator::In | Operator::NotIn);
            !requirement.key.is_empty() && has_values == needs_values
        })
    }
}

/// An object, as YAML or JSON.
pub(crate) fn document<T: DeserializeOwned>(text: &str) -> Option<T> {
    // Tabs may indent JSON, and must not indent YAML.
    let json = text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok());
    json.flatten().or_else(|| serde_saphyr::from_str(text).ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(selector: &str, labels: &[(&str, &str)], matches: bool) {
        let labels =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let selector = LabelSelector::parse(selector).unwrap();
        assert_eq!(selector.matches(&labels), matches, "{selector:?} {labels:?}");
    }

    #[test]
    fn labels_match_as_in_kubernetes() {
        check("{}", &[], true);
        check("matchLabels:\n  stage: prod\n", &[("stage", "prod"), ("x", "y")], true);
        check("matchLabels:\n  stage: prod\n", &[("stage", "test")], false);
        check(r#"{"matchLabels": {"stage": "prod"}}"#, &[], false);
        let expression = |operator: &str, values: &str| {
            format!("matchExpressions:\n- key: tier\n  operator: {operator}\n{values}")
        };
        let (is_in, not_in) =
            (expression("In", "  values: [a, b]\n"), expression("NotIn", "  values: [a]\n"));
        check(&is_in, &[("tier", "b")], true);
        check(&is_in, &[("tier", "c")], false);
        check(&is_in, &[], false);
        check(&not_in, &[("tier", "a")], false);
        check(&not_in, &[("tier", "b")], true);
        check(&not_in, &[], true);
        check(&expression("Exists", ""), &[("tier", "")], true);
        check(&expression("Exists", ""), &[], false);
        check(&expression("DoesNotExist", ""), &[], true);
        check(&expression("DoesNotExist", ""), &[("tier", "a")], false);
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned()
            + &('b'..='k')
                .zip('a'..)
                .map(|(name, of)| {
                    format!("{name}: &{name} [{}*{of}]\n", format!("*{of},").repeat(8))
                })
                .collect::<String>();
        for text in [
            "just text",
            "[]",
            "matchLabels:\n- stage: prod\n",
            "{\"matchLabels\": \"stage\": \"prod\"}",
            "matchExpressions:\n- key: tier\n  operator: Wrong\n",
            "matchExpressions:\n- key: tier\n  operator: In\n",
            "matchExpressions:\n- key: tier\n  operator: Exists\n  values: [a]\n",
            "matchExpressions:\n- operator: Exists\n",
            &bomb,
        ] {
            let error = LabelSelector::parse(text).unwrap_err();
            assert!(error.public().starts_with("failed to parse 'allowed_"), "{text}");
        }
    }
}
