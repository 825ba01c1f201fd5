use base_types::{Error, Result, Secret};
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// An element of an answer, read within limits: no document type, so no entities but XML's own
/// five, and neither larger nor deeper than anything that AWS answers.
pub(crate) struct Element {
    name: String,
    /// A key may be in it.
    text: Secret<String>,
    children: Vec<Self>,
}

const SIZE_MAX: usize = 256 << 10;
const DEPTH_MAX: usize = 16;

impl Element {
    /// # Errors
    /// `Upstream`, without a word of the text.
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        if body.len() > SIZE_MAX {
            return Err(fault("it is longer than 256 KiB"));
        }
        let text = std::str::from_utf8(body).map_err(|_| fault("it is not UTF-8"))?;
        let mut reader = Reader::from_str(text);
        // The elements around the place that is read, outermost first.
        let mut open = vec![Open::default()];
        loop {
            match reader.read_event().map_err(|_| fault("it is no XML"))? {
                Event::Start(start) if open.len() <= DEPTH_MAX => open.push(Open::of(&start)),
                Event::Start(_) => return Err(fault("it is nested too deeply")),
                Event::Empty(start) => close(&mut open, Open::of(&start))?,
                Event::End(_) => {
                    let ended = open.pop().ok_or_else(|| fault("it is no XML"))?;
                    close(&mut open, ended)?;
                }
                Event::Text(text) => push(&mut open, &text.xml10_content()),
                Event::GeneralRef(reference) => push(&mut open, &resolve(&reference)?),
                Event::Decl(_) | Event::Comment(_) => {}
                Event::CData(_) | Event::DocType(_) | Event::PI(_) => {
                    return Err(fault("it holds what AWS does not use"));
                }
                Event::Eof => break,
            }
        }
        match (open.pop(), open.is_empty()) {
            (Some(mut document), true) if document.children.len() == 1 => {
                document.children.pop().ok_or_else(|| fault("it is empty"))
            }
            _ => Err(fault("it is cut short, or more than one document")),
        }
    }

    /// The first element of this name, in the order of the text, at any depth.
    pub(crate) fn find(&self, name: &str) -> Option<&Self> {
        self.children
            .iter()
            .find_map(|child| if child.name == name { Some(child) } else { child.find(name) })
    }

    /// The texts of all elements of this name, at any depth.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let of_child = |child: &Self| match child.name == name {
            true => vec![child.text.expose().trim().to_owned()],
            false => child.all(name),
        };
        self.children.iter().flat_map(of_child).collect()
    }

    /// What lies directly in the first element of this name.
    pub(crate) fn members(&self, name: &str) -> &[Self] {
        self.find(name).map_or(&[], |list| &list.children)
    }

    /// # Errors
    /// `Upstream` if the text is missing or empty.
    pub(crate) fn text(&self, name: &str) -> Result<&str> {
        let found = self.find(name).map(|element| element.text.expose().trim());
        found
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Error::upstream(format!("the answer of AWS has no {name}")))
    }

    /// # Errors
    /// As [`Self::text`].
    pub(crate) fn secret(&self, name: &str) -> Result<Secret<String>> {
        self.text(name).map(|text| Secret::new(text.to_owned()))
    }
}

/// An element whose end has not been read.
#[derive(Default)]
struct Open {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Open {
    fn of(start: &BytesStart<'_>) -> Self {
        Self { name: start.local_name().into_inner().to_owned(), ..Self::default() }
    }
}

fn close(open: &mut [Open], ended: Open) -> Result<()> {
    let Open { name, text, children } = ended;
    let parent = open.last_mut().ok_or_else(|| fault("it is no XML"))?;
    parent.children.push(Element { name, text: Secret::new(text), children });
    Ok(())
}

fn push(open: &mut [Open], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<String> {
    let unknown = || fault("it holds an entity that XML does not know");
    if let Some(character) = reference.resolve_char_ref().map_err(|_| unknown())? {
        return Ok(character.to_string());
    }
    resolve_xml_entity(reference).map(str::to_owned).ok_or_else(unknown)
}

fn fault(what: &str) -> Error {
    Error::upstream(format!("the answer of AWS cannot be read: {what}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Element> {
        Element::parse(text.as_bytes())
    }

    #[test]
    fn reads_what_aws_answers() {
        let answer = parse(
            "<?xml version=\"1.0\"?>\n<!-- a --><CreateAccessKeyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
             <CreateAccessKeyResult>\n <AccessKey><UserName>a&amp;b&#x41;</UserName><Status/>\
             <SecretAccessKey>s/+&lt;</SecretAccessKey></AccessKey></CreateAccessKeyResult>\
             </CreateAccessKeyResponse>\n",
        )
        .unwrap();
        assert_eq!(answer.text("UserName").unwrap(), "a&bA");
        assert_eq!(answer.secret("SecretAccessKey").unwrap().expose(), "s/+<");
        for missing in ["Status", "Nothing"] {
            let error = answer.text(missing).unwrap_err();
            assert_eq!(error.public(), format!("the answer of AWS has no {missing}"));
        }
        let list =
            parse("<R><L><member><N>a</N></member><member><N> b </N></member></L></R>").unwrap();
        assert_eq!(list.all("N"), ["a", "b"]);
        assert!(list.all("X").is_empty());
    }

    proptest::proptest! {
        /// No answer is too strange: it is read or it is refused.
        #[test]
        fn any_answer_is_read(text in "(</?a>|<b/>|<|>|/|&|;|#|x|&lt;|&#65;|<!|--|\\[|\\]|\\?|=|\"|[a-zé0-9 \n]){0,30}") {
            if let Err(error) = parse(&text) {
                proptest::prop_assert!(error.public().starts_with("the answer of AWS cannot be read: "));
            }
        }
    }

    #[test]
    fn refuses_what_aws_would_not_answer() {
        let deep = format!("{}{}", "<a>".repeat(17), "</a>".repeat(17));
        let long = format!("<a>{}</a>", "x".repeat(SIZE_MAX));
        let laughs =
            "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]><a>&lol2;</a>";
        for text in [
            "",
            "hunter2",
            "{\"hunter2\": 1}",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a>&hunter2;</a>",
            "<a>&#0;</a>",
            "<a>&#x110000;</a>",
            "<a><![CDATA[hunter2]]></a>",
            "<?xml-stylesheet href=\"hunter2\"?><a/>",
            "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
            "<a>& hunter2</a>",
            laughs,
            &deep,
            &long,
        ] {
            let error = parse(text).err().unwrap();
            assert!(!error.public().contains("hunter2"), "{text:.60}: {error:?}");
        }
        assert!(Element::parse(b"<a>\xff</a>").is_err());
        assert!(parse(&format!("{}{}", "<a>".repeat(16), "</a>".repeat(16))).is_ok());
    }
}
