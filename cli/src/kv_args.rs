use std::collections::BTreeMap;

use crate::json::Json;

/// Reads standard input, once.
pub(crate) type ReadStdin<'a> = dyn FnMut() -> Result<String, String> + 'a;

/// Builds a body from arguments: `key=value`, `key=@file`, `key=-` (standard input), `@file.json`
/// and `-` for whole objects, `key=\@text` for a value that starts with `@`. A repeated key makes
/// a list. `None` if there are no arguments.
///
/// # Errors
/// A text that names the argument by its key and never shows a value.
pub(crate) fn parse(args: &[String], stdin: &mut ReadStdin<'_>) -> Result<Option<Json>, String> {
    if args.is_empty() {
        return Ok(None);
    }
    let mut builder = Builder { members: BTreeMap::new(), stdin, stdin_used: false };
    for arg in args {
        builder.add(arg).map_err(|why| {
            // The value may be a secret that was typed in the wrong form.
            let key = arg.split_once('=').map_or("", |(key, _)| key);
            let name = if matches!(arg.as_bytes(), [b'-'] | [b'@', ..]) { arg } else { key };
            format!("invalid key/value pair {name:?}: {why}")
        })?;
    }
    Ok(Some(Json::Map(builder.members.into_iter().collect())))
}

/// `parse`, with every value as text.
///
/// # Errors
/// As `parse`; also if a value is a list or an object.
pub(crate) fn parse_texts(
    args: &[String],
    stdin: &mut ReadStdin<'_>,
) -> Result<BTreeMap<String, String>, String> {
    let lists = parse_lists(args, stdin)?;
    let one = |(key, mut values): (String, Vec<String>)| match (values.pop(), values.is_empty()) {
        (Some(value), true) => Ok((key, value)),
        (None, _) => Ok((key, String::new())),
        (Some(_), false) => Err(format!("{key:?} is given more than once")),
    };
    lists.into_iter().map(one).collect()
}

/// `parse`, with every value as a list of texts: what query parameters are made of.
///
/// # Errors
/// As `parse`; also if a value is an object or a list of lists.
pub(crate) fn parse_lists(
    args: &[String],
    stdin: &mut ReadStdin<'_>,
) -> Result<BTreeMap<String, Vec<String>>, String> {
    let Some(Json::Map(members)) = parse(args, stdin)? else { return Ok(BTreeMap::new()) };
    let text = |key: &str, value: Json| match value {
        Json::Text(_) | Json::Number(_) => Ok(value.to_string()),
        Json::Bool(value) => Ok(u8::from(value).to_string()),
        Json::Null => Ok(String::new()),
        Json::List(_) | Json::Map(_) => {
            Err(format!("failed to convert values to strings: {key:?} is a list or an object"))
        }
    };
    let texts = |(key, value): (String, Json)| {
        let items = if let Json::List(items) = value { items } else { vec![value] };
        let items = items.into_iter().map(|item| text(&key, item)).collect::<Result<_, _>>()?;
        Ok((key, items))
    };
    members.into_iter().map(texts).collect()
}

struct Builder<'a> {
    members: BTreeMap<String, Json>,
    stdin: &'a mut ReadStdin<'a>,
    stdin_used: bool,
}

impl Builder<'_> {
    fn add(&mut self, arg: &str) -> Result<(), String> {
        if arg.is_empty() {
            return Ok(());
        }
        let Some((key, value)) = arg.split_once('=') else {
            return match arg.strip_prefix('@') {
                Some(path) => self.add_object(&read_file(path)?),
                None if arg == "-" => {
                    let text = self.read_stdin()?;
                    self.add_object(&text)
                }
                None => Err("format must be key=value".to_owned()),
            };
        };
        let value = match value {
            "-" => self.read_stdin()?,
            value if value.starts_with('@') => read_file(&value[1..])?,
            value if value.starts_with("\\@") => value[1..].to_owned(),
            value => value.to_owned(),
        };
        let value = Json::Text(value);
        let value = match self.members.remove(key) {
            None => value,
            Some(Json::List(mut items)) => {
                items.push(value);
                Json::List(items)
            }
            Some(first) => Json::List(vec![first, value]),
        };
        self.members.insert(key.to_owned(), value);
        Ok(())
    }

    fn add_object(&mut self, text: &str) -> Result<(), String> {
        if text.trim().is_empty() {
            return Err("the input is empty; a JSON object is expected".to_owned());
        }
        match Json::parse(text)?.sorted() {
            Json::Map(members) => {
                self.members.extend(members);
                Ok(())
            }
            _ => Err("the input is not a JSON object".to_owned()),
        }
    }

    fn read_stdin(&mut self) -> Result<String, String> {
        if std::mem::replace(&mut self.stdin_used, true) {
            return Err("stdin already consumed".to_owned());
        }
        (self.stdin)()
    }
}

fn read_file(path: &str) -> Result<String, String> {
    let bytes =
        std::fs::read(path).map_err(|error| format!("error reading file: {path}: {error}"))?;
    String::from_utf8(bytes)
        .map_err(|_| format!("{path} is not UTF-8 text; encode it first, for example with base64"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn build(args: &[&str], stdin: &str) -> Result<String, String> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let parsed = parse(&args, &mut || Ok(stdin.to_owned()))?;
        Ok(parsed.map_or("nothing".to_owned(), |json| crate::format::json::compact(&json)))
    }

    #[test]
    fn arguments_make_an_object() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        std::fs::write(&file, "{\"n\": 1.50, \"a\": \"from file\"}").unwrap();
        let whole = format!("@{}", file.display());
        let value = format!("k=@{}", file.display());
        for (args, json) in [
            (vec![], "nothing"),
            (vec![""], "{}"),
            (vec!["b=2", "a=x=y", "c="], r#"{"a":"x=y","b":"2","c":""}"#),
            (vec!["a=1", "a=2", "a=3"], r#"{"a":["1","2","3"]}"#),
            (vec!["a=-"], r#"{"a":"in\n"}"#),
            (vec![r"a=\@b", r"c=\d"], r#"{"a":"@b","c":"\\d"}"#),
            (vec![&whole, "z=1"], r#"{"a":"from file","n":1.50,"z":"1"}"#),
            (vec![&value], r#"{"k":"{\"n\": 1.50, \"a\": \"from file\"}"}"#),
        ] {
            assert_eq!(build(&args, "in\n").unwrap(), json, "{args:?}");
        }
        assert_eq!(build(&["-"], "{\"x\": [1, null]}").unwrap(), r#"{"x":[1,null]}"#);
    }

    #[test]
    fn mistakes_are_named_without_the_value() {
        for (args, text) in [
            (vec!["hunter2"], "format must be key=value"),
            (vec!["-"], "the input is not a JSON object"),
            (vec!["a=-", "b=-"], "invalid key/value pair \"b\": stdin already consumed"),
            (vec!["a=@/nowhere/file"], "/nowhere/file"),
            (vec!["@/nowhere/file"], "invalid key/value pair \"@/nowhere/file\""),
        ] {
            let error = build(&args, "[]").unwrap_err();
            assert!(error.contains(text) && !error.contains("hunter2"), "{error}");
        }
        assert!(build(&["-"], "").unwrap_err().contains("empty"));
    }

    #[test]
    fn texts_and_lists_are_flat() {
        let args = ["a=1".to_owned(), "a=2".to_owned(), "-".to_owned()];
        let mut stdin = || Ok("{\"n\": 5, \"t\": true}".to_owned());
        let lists = parse_lists(&args, &mut stdin).unwrap();
        assert_eq!(lists["a"], ["1", "2"]);
        assert_eq!((lists["n"][0].as_str(), lists["t"][0].as_str()), ("5", "1"));
        assert!(parse_texts(&args, &mut stdin).unwrap_err().contains("more than once"));
        assert_eq!(parse_texts(&args[..1], &mut stdin).unwrap()["a"], "1");
        let mut stdin = || Ok("{\"m\": {}}".to_owned());
        assert!(parse_lists(&args[2..], &mut stdin).is_err());
    }
}
