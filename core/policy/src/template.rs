use base_types::Namespace;

use crate::identity::{Entity, Group, Identity};

/// A path that may hold directives such as `{{identity.entity.id}}`.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Directive(Directive),
    Text(String),
}

#[derive(Clone, Debug)]
struct Directive {
    /// As written, for messages.
    text: String,
    /// `None` if nobody knows what it means; the rule is then always void.
    selector: Option<Selector>,
}

#[derive(Clone, Debug)]
enum Selector {
    Alias { accessor: String, attribute: Attribute },
    Entity(Attribute),
    GroupById { id: String, attribute: Attribute },
    GroupByName { name: String, attribute: Attribute },
}

#[derive(Clone, Debug)]
enum Attribute {
    CustomMetadata(String),
    Id,
    Metadata(String),
    Name,
}

/// Why a template has no value for an identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Unfit {
    /// The identity has no such value, or an empty one.
    Missing { directive: String },
    /// The value holds a character that would make the rule mean something else.
    Unsafe { directive: String },
}

impl Template {
    /// Answers `None` if `{{` and `}}` do not match.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = path;
        while let Some((text, tail)) = rest.split_once("{{") {
            let (directive, tail) = tail.split_once("}}")?;
            if text.contains("}}") || directive.contains("{{") {
                return None;
            }
            pieces.push(Piece::Text(text.to_owned()));
            pieces.push(Piece::Directive(Directive::parse(directive.trim())));
            rest = tail;
        }
        if rest.contains("}}") {
            return None;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Some(Self { pieces })
    }

    pub(crate) fn has_directives(&self) -> bool {
        self.pieces.len() > 1
    }

    /// The directives that nobody knows.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Directive(Directive { text, selector: None }) => Some(text.as_str()),
            Piece::Directive(_) | Piece::Text(_) => None,
        })
    }

    /// The path for this identity.
    ///
    /// A value may not hold `/`, `*`, `+`, `,` or a control character: a person who may choose their
    /// own name or metadata must not be able to widen a rule that somebody else wrote.
    pub(crate) fn expand(
        &self,
        identity: &Identity,
        namespace: &Namespace,
    ) -> Result<String, Unfit> {
        let mut path = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => path.push_str(text),
                Piece::Directive(Directive { text, selector }) => {
                    let value = selector.as_ref().and_then(|one| one.value(identity, namespace));
                    let value = value.filter(|value| !value.is_empty());
                    let value = value.ok_or_else(|| Unfit::Missing { directive: text.clone() })?;
                    let is_unsafe = |c: char| matches!(c, '/' | '*' | '+' | ',') || c.is_control();
                    if value.contains(is_unsafe) {
                        return Err(Unfit::Unsafe { directive: text.clone() });
                    }
                    path.push_str(value);
                }
            }
        }
        Ok(path)
    }

    /// The path with every known directive replaced by `placeholder`; `None` if one is unknown.
    pub(crate) fn with_placeholder(&self, placeholder: &str) -> Option<String> {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            Piece::Directive(directive) => {
                directive.selector.as_ref().map(|_| placeholder.to_owned())
            }
        };
        self.pieces.iter().map(text).collect()
    }
}

impl Directive {
    fn parse(text: &str) -> Self {
        Self { text: text.to_owned(), selector: Selector::parse(text) }
    }
}

impl Selector {
    fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("identity.entity.aliases.") {
            let (accessor, attribute) = rest.split_once('.')?;
            let attribute = Attribute::parse(attribute)?;
            Some(Self::Alias { accessor: accessor.to_owned(), attribute })
        } else if let Some(rest) = text.strip_prefix("identity.entity.") {
            let attribute = Attribute::parse(rest)?;
            (!matches!(attribute, Attribute::CustomMetadata(_))).then_some(Self::Entity(attribute))
        } else {
            let (kind, rest) = text.strip_prefix("identity.groups.")?.split_once('.')?;
            let (selected, attribute) = rest.split_once('.')?;
            let attribute = Attribute::parse(attribute)?;
            match (kind, attribute) {
                (_, Attribute::CustomMetadata(_)) => None,
                ("ids", attribute) => Some(Self::GroupById { id: selected.to_owned(), attribute }),
                ("names", attribute) => {
                    Some(Self::GroupByName { name: selected.to_owned(), attribute })
                }
                _ => None,
            }
        }
    }

    fn value<'a>(&self, identity: &'a Identity, namespace: &Namespace) -> Option<&'a str> {
        match self {
            Self::Alias { accessor, attribute } => {
                let mut aliases = identity.entity.as_ref()?.aliases.iter();
                let alias = aliases.find(|alias| alias.mount_accessor == *accessor)?;
                match attribute {
                    Attribute::CustomMetadata(key) => {
                        alias.custom_metadata.get(key).map(String::as_str)
                    }
                    Attribute::Id => Some(&alias.id),
                    Attribute::Metadata(key) => alias.metadata.get(key).map(String::as_str),
                    Attribute::Name => Some(&alias.name),
                }
            }
            Self::Entity(attribute) => {
                let Entity { id, name, metadata, aliases: _ } = identity.entity.as_ref()?;
                attribute.of(id, name, metadata)
            }
            Self::GroupById { id, attribute } => {
                attribute.of_group(identity.groups.iter().find(|group| group.id == *id)?)
            }
            Self::GroupByName { name, attribute } => {
                let mut groups = identity.groups.iter();
                let here = |group: &&Group| group.name == *name && group.namespace == *namespace;
                attribute.of_group(groups.find(here)?)
            }
        }
    }
}

impl Attribute {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once('.') {
            Some(("metadata", key)) => Some(Self::Metadata(key.to_owned())),
            Some(("custom_metadata", key)) => Some(Self::CustomMetadata(key.to_owned())),
            Some(_) => None,
            None if text == "id" => Some(Self::Id),
            None if text == "name" => Some(Self::Name),
            None => None,
        }
    }

    fn of<'a>(
        &self,
        id: &'a str,
        name: &'a str,
        metadata: &'a std::collections::BTreeMap<String, String>,
    ) -> Option<&'a str> {
        match self {
            Self::CustomMetadata(_) => None,
            Self::Id => Some(id),
            Self::Metadata(key) => metadata.get(key).map(String::as_str),
            Self::Name => Some(name),
        }
    }

    fn of_group<'a>(&self, group: &'a Group) -> Option<&'a str> {
        self.of(&group.id, &group.name, &group.metadata)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::identity::Alias;

    fn somebody() -> Identity {
        let map = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
        Identity {
            entity: Some(Entity {
                id: "e1".into(),
                name: "ada".into(),
                metadata: map("team.unit", "ops"),
                aliases: vec![Alias {
                    mount_accessor: "auth_userpass_1".into(),
                    id: "a1".into(),
                    name: "ada2".into(),
                    metadata: map("m", "v"),
                    custom_metadata: map("c", "w"),
                }],
            }),
            groups: vec![
                Group {
                    id: "g1".into(),
                    name: "dev".into(),
                    metadata: map("k", "x"),
                    ..Group::default()
                },
                Group {
                    id: "g2".into(),
                    name: "far".into(),
                    namespace: Namespace::parse("other").unwrap(),
                    ..Group::default()
                },
            ],
        }
    }

    fn check(template: &str, expanded: &str) {
        let template = Template::parse(template).unwrap();
        assert_eq!(template.expand(&somebody(), &Namespace::root()).unwrap(), expanded);
    }

    fn void(template: &str) {
        let template = Template::parse(template).unwrap();
        assert!(template.expand(&somebody(), &Namespace::root()).is_err(), "{template:?}");
    }

    #[test]
    fn expands_every_directive() {
        check("plain/path", "plain/path");
        check("a/{{identity.entity.id}}/*", "a/e1/*");
        check("{{ identity.entity.name }}", "ada");
        check("{{identity.entity.metadata.team.unit}}", "ops");
        check("{{identity.entity.aliases.auth_userpass_1.id}}", "a1");
        check("{{identity.entity.aliases.auth_userpass_1.name}}-{{identity.entity.id}}", "ada2-e1");
        check("{{identity.entity.aliases.auth_userpass_1.metadata.m}}", "v");
        check("{{identity.entity.aliases.auth_userpass_1.custom_metadata.c}}", "w");
        check("{{identity.groups.ids.g1.name}}", "dev");
        check("{{identity.groups.names.dev.id}}", "g1");
        check("{{identity.groups.names.dev.metadata.k}}", "x");
        check("{{identity.groups.ids.g2.name}}", "far");
    }

    #[test]
    fn what_is_not_there_has_no_value() {
        void("{{identity.entity.metadata.nothing}}");
        void("{{identity.entity.aliases.auth_other.name}}");
        void("{{identity.groups.ids.g9.name}}");
        void("{{identity.groups.names.far.id}}");
        void("{{identity.entity.email}}");
        void("{{time.now}}");
        void("{{}}");
        let nobody = Template::parse("{{identity.entity.id}}").unwrap();
        assert!(nobody.expand(&Identity::default(), &Namespace::root()).is_err());
    }

    #[test]
    fn a_value_can_never_widen_a_rule() {
        let template = Template::parse("secret/{{identity.entity.name}}").unwrap();
        for name in ["*", "+", "a*", "a/b", "a,b", "a\nb", "a\0", "../x", "", "\u{7f}", "\u{85}"] {
            let entity = Entity { name: name.into(), ..Entity::default() };
            let identity = Identity { entity: Some(entity), groups: Vec::new() };
            assert!(template.expand(&identity, &Namespace::root()).is_err(), "{name:?}");
        }
    }

    #[test]
    fn braces_must_match() {
        for text in ["{{", "}}", "a{{b", "a}}b", "{{a}}}}", "{{a{{b}}", "{{a}}b{{", "}}{{"] {
            assert!(Template::parse(text).is_none(), "{text:?}");
        }
        for text in ["", "{", "}", "{a}", "{{a}}{{b}}"] {
            assert!(Template::parse(text).is_some(), "{text:?}");
        }
    }
}
