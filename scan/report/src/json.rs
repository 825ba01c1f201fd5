use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};

/// Writes a value as Go's `encoding/json` does, so that reports are the same bytes as those of gitleaks.
pub(crate) fn write(
    value: &impl Serialize,
    indent: &[u8],
    output: &mut dyn Write,
) -> io::Result<()> {
    let formatter = Go(PrettyFormatter::with_indent(indent));
    value.serialize(&mut Serializer::with_formatter(output, formatter)).map_err(io::Error::other)
}

/// The habits of Go: what means something in HTML is escaped, and whole numbers have no fraction.
struct Go<'a>(PrettyFormatter<'a>);

impl Formatter for Go<'_> {
    fn write_f32<W: ?Sized + Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        write!(writer, "{value}")
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (before, from) = rest.split_at(at);
            let character = from.chars().next().unwrap_or_default();
            write!(writer, "{before}\\u{:04x}", u32::from(character))?;
            rest = &from[character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers_are_written_as_go_writes_them() {
        let check = |value: &dyn Fn(&mut Vec<u8>), expected: &str| {
            let mut output = Vec::new();
            value(&mut output);
            assert_eq!(String::from_utf8(output).unwrap(), expected);
        };
        check(
            &|out| write(&"<a> & \"b\"\n\u{2028}é", b" ", out).unwrap(),
            r#""\u003ca\u003e \u0026 \"b\"\n\u2028é""#,
        );
        check(&|out| write(&4.0f32, b" ", out).unwrap(), "4");
        check(&|out| write(&3.921_928_2f32, b" ", out).unwrap(), "3.9219282");
        check(&|out| write(&Vec::<u8>::new(), b" ", out).unwrap(), "[]");
        check(&|out| write(&[1], b" ", out).unwrap(), "[\n 1\n]");
    }
}
