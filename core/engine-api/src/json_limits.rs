use base_types::{Error, Result};

/// What the JSON body of a request may hold, so that no later pass over it takes more time, memory or
/// stack than somebody planned for (CVE-2025-6203, CVE-2025-59043).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JsonLimits {
    /// Objects and lists within each other; no more than [`JsonLimits::DEPTH_MAX`] counts.
    pub depth: usize,
    /// Bytes of a text as it is written.
    pub string_length: usize,
    /// Members of one object.
    pub object_entries: usize,
    /// Elements of one list.
    pub array_elements: usize,
    /// Objects, lists, members and elements altogether.
    pub values: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self {
            depth: 64,
            string_length: usize::MAX,
            object_entries: usize::MAX,
            array_elements: usize::MAX,
            values: 100_000,
        }
    }
}

/// An object or a list that is open.
#[derive(Clone, Copy, Default)]
struct Container {
    is_object: bool,
    commas: usize,
}

impl JsonLimits {
    /// The stack of those who read a body is made for this depth.
    pub const DEPTH_MAX: usize = 100;

    /// One pass over the bytes, before anything recursive sees them. It relies on no syntax.
    ///
    /// # Errors
    /// `Invalid` for what is too deep, `TooLarge` for what is too much; neither says what it was.
    pub(crate) fn check(&self, text: &[u8]) -> Result<()> {
        let mut open = [Container::default(); Self::DEPTH_MAX + 1];
        let (mut depth, mut values) = (0, 0);
        let mut bytes = text.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => self.check_string(&mut bytes)?,
                b'{' | b'[' => {
                    (depth, values) = (depth + 1, values + 1);
                    self.check_depth(depth)?;
                    open[depth] = Container { is_object: *byte == b'{', commas: 0 };
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                b',' => {
                    values += 1;
                    open[depth].commas += 1;
                    self.check_container(open[depth])?;
                }
                _ => {}
            }
            if values > self.values {
                return Err(beyond("more than {} values", self.values));
            }
        }
        Ok(())
    }

    fn check_depth(&self, depth: usize) -> Result<()> {
        let most = self.depth.min(Self::DEPTH_MAX);
        if depth <= most {
            return Ok(());
        }
        Err(Error::invalid(format!("the JSON body is nested deeper than {most} levels")))
    }

    fn check_container(&self, container: Container) -> Result<()> {
        let held = container.commas + 1;
        match container.is_object {
            true if held > self.object_entries => {
                Err(beyond("an object with more than {} members", self.object_entries))
            }
            false if held > self.array_elements => {
                Err(beyond("a list with more than {} elements", self.array_elements))
            }
            _ => Ok(()),
        }
    }

    /// Goes on after the end of a text that has begun.
    fn check_string(&self, bytes: &mut std::slice::Iter<'_, u8>) -> Result<()> {
        let start = bytes.len();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => drop(bytes.next()),
                b'"' => break,
                _ => {}
            }
        }
        if start - bytes.len() <= self.string_length.saturating_add(1) {
            return Ok(());
        }
        Err(beyond("a text of more than {} bytes", self.string_length))
    }
}

fn beyond(what: &str, most: usize) -> Error {
    let what = what.replace("{}", &most.to_string());
    Error::too_large(format!("the JSON body holds {what}, the limit of this listener"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(limits: &JsonLimits, text: &str, fault: Option<&str>) {
        let outcome = limits.check(text.as_bytes());
        let found = outcome.as_ref().err().map(Error::public);
        assert_eq!(found.is_some(), fault.is_some(), "{text:.60}: {found:?}");
        assert!(found.unwrap_or_default().contains(fault.unwrap_or_default()), "{found:?}");
    }

    #[test]
    fn each_limit_holds_by_itself() {
        let usual = JsonLimits::default;
        let depth = JsonLimits { depth: 2, ..usual() };
        check(&depth, r#"{"a":[1]}"#, None);
        check(&depth, r#"{"a":[[1]]}"#, Some("deeper than 2"));
        let string = JsonLimits { string_length: 3, ..usual() };
        check(&string, r#"{"abc":"abc","a":"\"x"}"#, None);
        check(&string, r#"{"a":"abcd"}"#, Some("more than 3 bytes"));
        check(&string, r#"{"abcd":1}"#, Some("more than 3 bytes"));
        let object = JsonLimits { object_entries: 2, ..usual() };
        check(&object, r#"{"a":1,"b":[1,2,3,4]}"#, None);
        check(&object, r#"{"a":1,"b":{},"c":3}"#, Some("more than 2 members"));
        check(&object, r#"{"a":{"a":1,"b":2},"b":{"a":1,"b":2}}"#, None);
        let array = JsonLimits { array_elements: 2, ..usual() };
        check(&array, r#"{"a":[1,2],"b":[[1,2],[3,4]],"c":3}"#, None);
        check(&array, r#"{"a":[1,[],3]}"#, Some("more than 2 elements"));
        let values = JsonLimits { values: 4, ..usual() };
        check(&values, r#"{"a":[1,2],"b":2}"#, None);
        check(&values, r#"{"a":[1,2,3],"b":2}"#, Some("more than 4 values"));
    }

    #[test]
    fn a_text_hides_nothing_and_ends_nothing() {
        let limits = JsonLimits { depth: 1, object_entries: 1, ..JsonLimits::default() };
        check(&limits, r#"{"a":"[[{,,,}]]\"[["}"#, None);
        check(&limits, r#"{"a\\":[1]}"#, Some("deeper"));
        check(&limits, r#"{"never ends [[[,,,"#, None);
    }

    #[test]
    fn no_setting_goes_beyond_the_stack() {
        let limits = JsonLimits { depth: usize::MAX, ..JsonLimits::default() };
        check(&limits, &"[".repeat(JsonLimits::DEPTH_MAX), None);
        check(&limits, &"[".repeat(JsonLimits::DEPTH_MAX + 1), Some("deeper than 100"));
        check(&limits, &"]".repeat(10), None);
        check(&limits, &"[]".repeat(40_000), None);
    }
}
