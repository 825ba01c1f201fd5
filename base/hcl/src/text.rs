use base_types::Result;

use crate::cursor::Cursor;
use crate::tree::Position;

/// Reads a string in double quotes, at whose opening quote the cursor stands.
///
/// What stands between `${` and its `}` is kept as written, quotes and escapes included, as HCL's
/// own reader does; nothing is ever interpolated.
pub(crate) fn quoted(cursor: &mut Cursor<'_>) -> Result<String> {
    let opening = cursor.at();
    let mut text = String::new();
    cursor.bump();
    loop {
        let at = cursor.at();
        if cursor.eat("${") {
            text.push_str("${");
            interpolation(cursor, opening, &mut text)?;
            continue;
        }
        match cursor.bump() {
            Some('"') => return Ok(text),
            Some('\\') => text.push(escape(cursor, at)?),
            Some('\n') | None => return Err(unterminated(opening)),
            Some('\0') => return Err(at.error(NO_NUL)),
            Some(char) => text.push(char),
        }
    }
}

const NO_NUL: &str = "a string cannot hold the character NUL";

fn unterminated(opening: Position) -> base_types::Error {
    opening.error("the string never ends: add \", or use a heredoc for several lines")
}

/// Copies up to the brace that closes `${`.
fn interpolation(cursor: &mut Cursor<'_>, opening: Position, text: &mut String) -> Result<()> {
    let mut braces = 1;
    while braces > 0 {
        let at = cursor.at();
        let char =
            cursor.bump().ok_or_else(|| opening.error("${ in this string never ends: add }"))?;
        match char {
            '{' => braces += 1,
            '}' => braces -= 1,
            '\0' => return Err(at.error(NO_NUL)),
            _ => {}
        }
        text.push(char);
    }
    Ok(())
}

/// The character that a backslash and what follows it stand for.
fn escape(cursor: &mut Cursor<'_>, at: Position) -> Result<char> {
    let code = match cursor.peek() {
        Some('x') => digits(cursor, 1, 2, 16),
        Some('u') => digits(cursor, 1, 4, 16),
        Some('U') => digits(cursor, 1, 8, 16),
        Some('0'..='7') => digits(cursor, 0, 3, 8),
        _ => {
            let char = match cursor.bump() {
                Some('a') => '\u{7}',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('v') => '\u{b}',
                Some(char @ ('\\' | '"')) => char,
                _ => return Err(at.error("no such escape: write \\\\ for a backslash")),
            };
            return Ok(char);
        }
    };
    code.and_then(char::from_u32).filter(|char| *char != '\0').ok_or_else(|| {
        at.error("not the code of a character: write \\xHH, \\uHHHH, \\UHHHHHHHH or \\OOO")
    })
}

/// Exactly `count` digits after stepping over `skip` bytes.
fn digits(cursor: &mut Cursor<'_>, skip: usize, count: usize, radix: u32) -> Option<u32> {
    cursor.skip(skip);
    let digits = cursor.rest().get(..count)?;
    if !digits.chars().all(|char| char.is_digit(radix)) {
        return None;
    }
    cursor.skip(count);
    u32::from_str_radix(digits, radix).ok()
}

/// Reads `<<WORD` or `<<-WORD`, the lines after it and the line that holds nothing but the word.
///
/// With `<<-` the space before the closing word is taken off every line, if every line has it.
pub(crate) fn heredoc(cursor: &mut Cursor<'_>) -> Result<String> {
    let opening = cursor.at();
    if !cursor.eat("<<") {
        return Err(
            opening.error("a value must follow, but found '<'; a heredoc begins with <<WORD")
        );
    }
    let indented = cursor.eat("-");
    let word = cursor.take_while(|char| char.is_alphanumeric() || char == '_');
    let tail = cursor.take_while(|char| char != '\n');
    if word.is_empty() || !tail.trim_end_matches('\r').is_empty() || cursor.bump().is_none() {
        return Err(opening.error("a heredoc begins with <<WORD alone at the end of the line"));
    }
    let start = cursor.rest();
    let mut length = 0;
    while let Some(line) = cursor.peek_line() {
        let content = line.trim_start_matches([' ', '\t']);
        if content.trim_end_matches('\r') == word {
            let margin = &line[..line.len() - content.len()];
            // The line feed stays, so that what follows is on the line that people count.
            cursor.skip(margin.len() + word.len());
            let body = &start[..length];
            return check_nul(
                opening,
                if indented { unindent(body, margin) } else { body.to_owned() },
            );
        }
        length += line.len() + 1;
        cursor.skip_line();
    }
    Err(opening.error(format!("the heredoc never ends: add a line with {word} alone")))
}

fn check_nul(opening: Position, text: String) -> Result<String> {
    if text.contains('\0') {
        return Err(opening.error(NO_NUL));
    }
    Ok(text)
}

fn unindent(text: &str, margin: &str) -> String {
    let lines = text.split_inclusive('\n');
    if !lines.clone().all(|line| line.starts_with(margin)) {
        return text.to_owned();
    }
    lines.map(|line| &line[margin.len()..]).collect()
}
