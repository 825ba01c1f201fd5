//! What is to be done in a directory, written as LDIF with places for values. The structure is read
//! from the template alone: a value is put into the field in which it stands after the lines,
//! attributes and records have been told apart, and so can begin none of them.
//! <https://www.rfc-editor.org/rfc/rfc2849>

use base_crypto::{Random, SeededRandom};
use base_template::{Piece, Source, Template};
use base_types::{Error, Result, Timestamp};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ldap3::dn_escape;

/// A parsed template.
pub(crate) struct Ldif(Template);

/// What is to be done with one entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Record {
    pub(crate) dn: String,
    pub(crate) action: Action,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    Add(Vec<Attribute>),
    Delete,
    Modify(Vec<Change>),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) values: Vec<Vec<u8>>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Change {
    pub(crate) kind: ChangeKind,
    pub(crate) attribute: Attribute,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChangeKind {
    Add,
    Delete,
    Replace,
}

/// The values that a template may hold, by their names.
pub(crate) type Fields<'a> = &'a [(&'static str, &'a str)];

pub(crate) const USERNAME: &str = "Username";
pub(crate) const PASSWORD: &str = "Password";
pub(crate) const FIELDS: [&str; 8] = [
    USERNAME,
    PASSWORD,
    "DisplayName",
    "RoleName",
    "IssueTime",
    "IssueTimeSeconds",
    "ExpirationTime",
    "ExpirationTimeSeconds",
];

/// The attributes of the standard schemas and of Active Directory whose values are names of entries.
/// <https://www.rfc-editor.org/rfc/rfc4519>, <https://www.rfc-editor.org/rfc/rfc4524>
const NAMING: [&str; 12] = [
    "aliasedObjectName",
    "associatedName",
    "distinguishedName",
    "documentAuthor",
    "manager",
    "member",
    "memberOf",
    "owner",
    "roleOccupant",
    "secretary",
    "seeAlso",
    "uniqueMember",
];

/// Stands on either side of the number of a value in the text whose structure is read.
const MARK: char = '\0';

impl Ldif {
    /// # Errors
    /// `Invalid` if it is no template of the named fields.
    pub(crate) fn parse(text: &str, fields: &[&str]) -> Result<Self> {
        Template::parse(text, fields).map(Self).map_err(|error| error.at("invalid template"))
    }

    /// # Errors
    /// `Invalid` with the line of what is no LDIF, or if it says nothing.
    pub(crate) fn records(
        &self,
        fields: Fields<'_>,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<Vec<Record>> {
        let pieces = self.0.pieces(&Source { fields, random, now })?;
        let records = Marked::of(pieces)?.records().map_err(|error| error.at("LDIF is invalid"))?;
        if records.is_empty() {
            return Err(Error::invalid("must specify at least one LDIF entry"));
        }
        Ok(records)
    }

    /// The records with values that stand for any; `username` is one of them.
    pub(crate) fn example(&self, username: &str) -> Result<Vec<Record>> {
        let values = FIELDS.map(|field| (field, if field == USERNAME { username } else { "1" }));
        self.records(&values, &SeededRandom::new(1), Timestamp::EPOCH)
    }
}

/// A text in which numbers stand for values.
struct Marked {
    text: String,
    values: Vec<String>,
}

/// A line with those that continue it.
struct Line {
    number: usize,
    text: String,
}

/// A line of a record.
struct Field<'t> {
    number: usize,
    name: &'t str,
    text: &'t str,
    is_base64: bool,
}

impl Marked {
    fn of(pieces: Vec<Piece<'_>>) -> Result<Self> {
        let mut marked = Self { text: String::new(), values: Vec::new() };
        for piece in pieces {
            match piece {
                Piece::Literal(text) if text.contains(MARK) => {
                    return Err(Error::invalid("LDIF holds no NUL"));
                }
                Piece::Literal(text) => marked.text.push_str(text),
                Piece::Value(value) => {
                    let number = marked.values.len();
                    marked.text.push_str(&format!("{MARK}{number}{MARK}"));
                    marked.values.push(value);
                }
            }
        }
        Ok(marked)
    }

    fn records(&self) -> Result<Vec<Record>> {
        let lines = lines(&self.text)?;
        let groups = lines.split(|line| line.text.is_empty()).filter(|group| !group.is_empty());
        let mut records = Vec::new();
        for (at, group) in groups.enumerate() {
            let fields = group.iter().map(Field::parse).collect::<Result<Vec<_>>>()?;
            let fields = match fields.split_first() {
                Some((first, rest)) if at == 0 && first.is("version") => {
                    if first.text != "1" {
                        return Err(first.fault("there is only version 1"));
                    }
                    rest
                }
                _ => &fields,
            };
            if !fields.is_empty() {
                records.push(self.record(fields)?);
            }
        }
        Ok(records)
    }

    fn record(&self, fields: &[Field<'_>]) -> Result<Record> {
        let Some((first, rest)) = fields.split_first() else {
            return Err(Error::internal("a record without lines"));
        };
        if !first.is("dn") {
            return Err(first.fault("missing 'dn:'"));
        }
        let dn = self.dn(first)?;
        let action = match rest.split_first() {
            Some((line, rest)) if line.is("changetype") => match (line.text, rest) {
                ("add", rest) => self.add(rest)?,
                ("delete", []) => Action::Delete,
                ("delete", [line, ..]) => {
                    return Err(line.fault("nothing follows a changetype of delete"));
                }
                ("modify", rest) => self.modify(rest)?,
                _ => return Err(line.fault("changetype is add, delete or modify")),
            },
            _ => self.add(rest)?,
        };
        if matches!(&action, Action::Add(all) if all.is_empty())
            || matches!(&action, Action::Modify(all) if all.is_empty())
        {
            return Err(first.fault("nothing is said of this entry"));
        }
        Ok(Record { dn, action })
    }

    fn add(&self, fields: &[Field<'_>]) -> Result<Action> {
        let mut all = Vec::new();
        for field in fields {
            push(&mut all, field.name, self.value(field)?);
        }
        Ok(Action::Add(all))
    }

    fn modify(&self, fields: &[Field<'_>]) -> Result<Action> {
        let mut changes: Vec<Change> = Vec::new();
        for group in fields.split(|field| field.name == "-").filter(|group| !group.is_empty()) {
            let kind = match group[0].name.to_ascii_lowercase().as_str() {
                "add" => ChangeKind::Add,
                "delete" => ChangeKind::Delete,
                "replace" => ChangeKind::Replace,
                _ => return Err(group[0].fault("expected add:, delete: or replace:")),
            };
            let name = group[0].text;
            if group[0].is_base64 || !is_attribute(name) {
                return Err(group[0].fault("this is no name of an attribute"));
            }
            let mut values = Vec::new();
            for field in &group[1..] {
                if !field.is(name) {
                    return Err(field.fault("another attribute than the one that changes"));
                }
                values.push(self.value(field)?);
            }
            if values.is_empty() && kind == ChangeKind::Add {
                return Err(group[0].fault("there is nothing to add"));
            }
            changes.push(Change { kind, attribute: Attribute { name: name.to_owned(), values } });
        }
        Ok(Action::Modify(changes))
    }

    /// A value in a DN is escaped, so that it ends no part of it.
    fn dn(&self, field: &Field<'_>) -> Result<String> {
        if field.is_base64 && field.text.contains(MARK) {
            return Err(field.fault("a dn in base64 has no place for values: write it plainly"));
        }
        let text = self.filled(field.text, |value| dn_escape(value).into_owned());
        let bytes = if field.is_base64 { decoded(field, &text)? } else { text.into_bytes() };
        let dn = String::from_utf8(bytes).map_err(|_| field.fault("the dn is no UTF-8"))?;
        if dn.is_empty() {
            return Err(field.fault("the dn is empty"));
        }
        Ok(dn)
    }

    /// Where an attribute holds names of entries, a value in it is escaped as in any DN.
    fn value(&self, field: &Field<'_>) -> Result<Vec<u8>> {
        let name = field.name.split(';').next().unwrap_or_default();
        let holds_names = NAMING.iter().any(|naming| naming.eq_ignore_ascii_case(name));
        let text = self.filled(field.text, |value| {
            if holds_names && !field.is_base64 {
                dn_escape(value).into_owned()
            } else {
                value.to_owned()
            }
        });
        if field.is_base64 { decoded(field, &text) } else { Ok(text.into_bytes()) }
    }

    /// A part of the text with its values.
    fn filled(&self, text: &str, write: impl Fn(&str) -> String) -> String {
        let parts = text.split(MARK).enumerate().map(|(at, part)| {
            let is_number = at % 2 == 1;
            match part.parse::<usize>().ok().filter(|_| is_number) {
                Some(number) => write(&self.values[number]),
                None => part.to_owned(),
            }
        });
        parts.collect()
    }
}

/// Without comments; each with the lines that continue it, which begin with a space.
fn lines(text: &str) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = Vec::new();
    for (at, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix(' '), lines.last_mut()) {
            (Some(more), Some(last)) if !last.text.is_empty() => last.text.push_str(more),
            // Of a line of spaces nothing is left.
            (Some(_), _) if line.trim().is_empty() => {}
            (Some(_), _) => {
                let text = format!("Error in line {}: it continues nothing", at + 1);
                return Err(Error::invalid(text));
            }
            (None, _) => lines.push(Line { number: at + 1, text: line.to_owned() }),
        }
    }
    lines.retain(|line| !line.text.starts_with('#'));
    Ok(lines)
}

impl<'t> Field<'t> {
    fn parse(line: &'t Line) -> Result<Self> {
        let Line { number, text } = line;
        let field = |name, text: &'t str, is_base64| Self {
            number: *number,
            name,
            text: text.trim_start_matches(' '),
            is_base64,
        };
        if text == "-" {
            return Ok(field("-", "", false));
        }
        let Some((name, rest)) = text.split_once(':') else {
            let text =
                format!("Error in line {number}: missing 'dn:' or another name with a colon");
            return Err(Error::invalid(text));
        };
        let field = match (rest.strip_prefix(':'), rest.strip_prefix('<')) {
            (Some(rest), _) => field(name, rest, true),
            (None, Some(_)) => return Err(field(name, "", false).fault("no file is read here")),
            (None, None) => field(name, rest, false),
        };
        if !is_attribute(name) {
            return Err(field.fault("this is no name of an attribute"));
        }
        if field.is("control") {
            return Err(field.fault("controls are not supported"));
        }
        Ok(field)
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn fault(&self, what: &str) -> Error {
        Error::invalid(format!("Error in line {}: {what}", self.number))
    }
}

/// The name of an attribute or its number, with options: `cn`, `2.5.4.3`, `cn;lang-de`.
/// <https://www.rfc-editor.org/rfc/rfc4512#section-2.5>
pub(crate) fn is_attribute(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-.;".contains(c))
}

fn decoded(field: &Field<'_>, text: &str) -> Result<Vec<u8>> {
    BASE64_STANDARD.decode(text.trim()).map_err(|_| field.fault("this is no base64"))
}

fn push(all: &mut Vec<Attribute>, name: &str, value: Vec<u8>) {
    match all.iter_mut().find(|attribute| attribute.name.eq_ignore_ascii_case(name)) {
        Some(attribute) => attribute.values.push(value),
        None => all.push(Attribute { name: name.to_owned(), values: vec![value] }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(text: &str, values: Fields<'_>) -> Result<Vec<Record>> {
        Ldif::parse(text, &FIELDS)?.records(values, &SeededRandom::new(1), Timestamp::EPOCH)
    }

    fn add(dn: &str, attributes: &[(&str, &[&str])]) -> Record {
        let attribute = |(name, values): &(&str, &[&str])| Attribute {
            name: (*name).to_owned(),
            values: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
        };
        let attributes = attributes.iter().map(attribute).collect();
        Record { dn: dn.to_owned(), action: Action::Add(attributes) }
    }

    #[test]
    fn reads_what_the_standard_has() {
        // The examples of RFC 2849, shortened.
        let text = "version: 1\n# A comment\n that goes on.\ndn: cn=Barbara, dc=airius, \n dc=com\r\nobjectclass: top\nobjectClass: person\ncn:Bar\n bara\ndescription:\nsn:: SmVuc2Vu\n\n\ndn:: b3U9w6QsZGM9eA==\nou: x";
        let expected = [
            add(
                "cn=Barbara, dc=airius, dc=com",
                &[
                    ("objectclass", &["top", "person"]),
                    ("cn", &["Barbara"]),
                    ("description", &[""]),
                    ("sn", &["Jensen"]),
                ],
            ),
            add("ou=ä,dc=x", &[("ou", &["x"])]),
        ];
        assert_eq!(records(text, &[]).unwrap(), expected);

        let text = "dn: cn=a\nchangetype: modify\nadd: mail\nmail: a@b\nmail: c@d\n-\ndelete: x\n-\nreplace: y;lang-de\ny;lang-de: z\n\ndn: cn=b\nchangetype: delete\n";
        let change = |kind, name: &str, values: &[&str]| Change {
            kind,
            attribute: Attribute {
                name: name.to_owned(),
                values: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
            },
        };
        let changes = vec![
            change(ChangeKind::Add, "mail", &["a@b", "c@d"]),
            change(ChangeKind::Delete, "x", &[]),
            change(ChangeKind::Replace, "y;lang-de", &["z"]),
        ];
        let expected = [
            Record { dn: "cn=a".to_owned(), action: Action::Modify(changes) },
            Record { dn: "cn=b".to_owned(), action: Action::Delete },
        ];
        assert_eq!(records(text, &[]).unwrap(), expected);
    }

    #[test]
    fn what_is_no_ldif_is_refused_with_its_line() {
        let check = |text: &str, fault: &str| {
            let error = records(text, &[(USERNAME, "u")]).unwrap_err();
            assert_eq!(error.public(), format!("LDIF is invalid: Error in line {fault}"), "{text}");
        };
        check("junk", "1: missing 'dn:' or another name with a colon");
        check("cn: a", "1: missing 'dn:'");
        check("dn: cn=a\n{{.Username}}: b", "2: this is no name of an attribute");
        check("dn: cn=a\nc n: b", "2: this is no name of an attribute");
        check("dn: cn=a\nphoto:< file:///etc/passwd", "2: no file is read here");
        check("dn: cn=a\nsn:: %", "2: this is no base64");
        check("dn: cn=a", "1: nothing is said of this entry");
        check("dn:", "1: the dn is empty");
        check("dn:: /w==\nsn: a", "1: the dn is no UTF-8");
        check(
            "dn:: {{.Username}}\nsn: a",
            "1: a dn in base64 has no place for values: write it plainly",
        );
        check("dn: cn=a\nchangetype: {{.Username}}", "2: changetype is add, delete or modify");
        check("dn: cn=a\nchangetype: modrdn", "2: changetype is add, delete or modify");
        check("dn: cn=a\ncontrol: 1.2", "2: controls are not supported");
        check("dn: cn=a\nchangetype: delete\ncn: a", "3: nothing follows a changetype of delete");
        check("dn: cn=a\nchangetype: modify\ncn: a", "3: expected add:, delete: or replace:");
        check(
            "dn: cn=a\nchangetype: modify\nadd: b\nc: a",
            "4: another attribute than the one that changes",
        );
        check(
            "dn: cn=a\nchangetype: modify\nadd: {{.Username}}",
            "3: this is no name of an attribute",
        );
        check("dn: cn=a\nchangetype: modify\nadd: b", "3: there is nothing to add");
        check(" dn: cn=a", "1: it continues nothing");
        check("version: 2\ndn: cn=a", "1: there is only version 1");
        assert_eq!(
            records("\n \n#", &[]).unwrap_err().public(),
            "must specify at least one LDIF entry"
        );
        assert!(records("dn: a\0", &[]).is_err());
        assert!(Ldif::parse("dn: {{.Nope}}", &FIELDS).is_err());
    }

    const TEMPLATE: &str = "dn: cn={{.Username}},ou=users\nobjectClass: person\nsn: {{.Username}}\nuserPassword: {{.Password}}\nunicodePwd:: {{ printf \"%s\" .Password | base64 }}";

    #[test]
    fn values_are_data() {
        let hostile = "x,ou=admins\nuserPassword: y\n\ndn: cn=z\nchangetype: delete";
        let found = records(TEMPLATE, &[(USERNAME, hostile), (PASSWORD, " p\n-\n")]).unwrap();
        let expected = add(
            "cn=x\\2cou\\3dadmins\nuserPassword: y\n\ndn: cn\\3dz\nchangetype: delete,ou=users",
            &[
                ("objectClass", &["person"]),
                ("sn", &[hostile]),
                ("userPassword", &[" p\n-\n"]),
                ("unicodePwd", &[" p\n-\n"]),
            ],
        );
        assert_eq!(found, [expected]);
    }

    #[test]
    fn names_within_attributes_are_escaped_too() {
        let text = "dn: cn=g\nchangetype: modify\nadd: Member\nmember: cn={{.Username}},ou=users";
        let found = records(text, &[(USERNAME, "x,ou=admins")]).unwrap();
        let Action::Modify(changes) = &found[0].action else { panic!("another action") };
        assert_eq!(changes[0].attribute.values, [b"cn=x\\2cou\\3dadmins,ou=users"]);
    }

    #[test]
    fn conditions_may_hold_lines() {
        let text = "dn: cn=a\n{{ if .Username }}sn: {{ .Username }}\n{{ end }}cn: a";
        let expected = add("cn=a", &[("sn", &["u"]), ("cn", &["a"])]);
        assert_eq!(records(text, &[(USERNAME, "u")]).unwrap(), [expected]);
        let expected = add("cn=a", &[("cn", &["a"])]);
        assert_eq!(records(text, &[(USERNAME, "")]).unwrap(), [expected]);
    }

    proptest! {
        #[test]
        fn no_value_changes_the_structure(name in "\\PC*|[\\x00-\\x7f]*", password in "[\\x00-\\x7f]*") {
            let found = records(TEMPLATE, &[(USERNAME, &name), (PASSWORD, &password)]).unwrap();
            prop_assert_eq!(found.len(), 1);
            let Action::Add(attributes) = &found[0].action else { panic!("another action") };
            let names: Vec<_> = attributes.iter().map(|attribute| attribute.name.as_str()).collect();
            prop_assert_eq!(names, ["objectClass", "sn", "userPassword", "unicodePwd"]);
            prop_assert_eq!(&attributes[1].values, &[name.as_bytes()]);
            prop_assert_eq!(&attributes[2].values, &[password.as_bytes()]);
            let dn = &found[0].dn;
            let rdn = dn.strip_prefix("cn=").unwrap().strip_suffix(",ou=users").unwrap();
            prop_assert!(!rdn.contains([',', '+', '=', ';', '"', '<', '>', '\0']));
        }
    }
}
