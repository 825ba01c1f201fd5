use base_types::{Error, Result};
use files_document::Item;

use crate::manifest;

/// Where a sealed value may be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// In every namespace and under every name.
    ClusterWide,
    /// In its namespace under every name.
    NamespaceWide,
    /// In its namespace under its name.
    Strict,
}

/// The annotations that name a scope which is not strict.
const ANNOTATIONS: [(&str, Scope); 2] = [
    ("sealedsecrets.bitnami.com/cluster-wide", Scope::ClusterWide),
    ("sealedsecrets.bitnami.com/namespace-wide", Scope::NamespaceWide),
];

impl Scope {
    /// # Errors
    /// `Invalid` for what is no scope.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "" | "strict" => Self::Strict,
            "namespace-wide" => Self::NamespaceWide,
            "cluster-wide" => Self::ClusterWide,
            _ => {
                return Err(Error::invalid("must be one of: strict, namespace-wide, cluster-wide"));
            }
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ClusterWide => "cluster-wide",
            Self::NamespaceWide => "namespace-wide",
            Self::Strict => "strict",
        }
    }

    /// The scope that the annotations of `metadata` name.
    pub(crate) fn of(metadata: &[Item]) -> Self {
        let annotations = manifest::map(metadata, "annotations");
        let is_set = |name: &str| manifest::text(annotations, name).is_some_and(|it| it == "true");
        let named = ANNOTATIONS.iter().find(|(name, _)| is_set(name));
        named.map_or(Self::Strict, |(_, scope)| *scope)
    }

    /// Makes the annotations of `metadata` name this scope.
    pub(crate) fn annotate(self, metadata: &mut Vec<Item>) {
        for (name, scope) in ANNOTATIONS {
            if scope == self {
                manifest::set_text(manifest::map_mut(metadata, "annotations"), name, "true");
            } else if !manifest::map(metadata, "annotations").is_empty() {
                manifest::remove(manifest::map_mut(metadata, "annotations"), name);
            }
        }
    }

    /// What is sealed along with every value.
    pub(crate) fn label(self, namespace: &str, name: &str) -> String {
        match self {
            Self::ClusterWide => String::new(),
            Self::NamespaceWide => namespace.to_owned(),
            Self::Strict => format!("{namespace}/{name}"),
        }
    }
}
