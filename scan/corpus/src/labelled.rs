use toml::de::{DeTable, DeValue};

use crate::{Draw, examples};

/// One file of the corpus.
pub struct Labelled {
    pub path: String,
    pub text: String,
    pub labels: Vec<Label>,
}

/// What is known of some neighbouring lines of a file.
pub struct Label {
    /// Counted from 1, with the last one.
    pub lines: (usize, usize),
    /// The rule that they were written for, or their kind.
    pub kind: String,
    pub secret: bool,
}

/// A piece of text that is drawn: its label and one or several lines.
struct Piece {
    kind: String,
    secret: bool,
    text: String,
}

/// How often the examples of a rule are drawn.
const DRAWS_OF_EXAMPLES: usize = 2;

/// So many pieces go into one file.
const PIECES_OF_A_FILE: usize = 60;

/// The whole corpus, the same every time.
///
/// # Errors
///
/// A sentence, if the data of the corpus or of the rules cannot be read.
pub fn corpus() -> Result<Vec<Labelled>, String> {
    let mut draw = Draw::new(20);
    let mut pieces = pieces_of_examples(&mut draw)?;
    pieces.extend(pieces_of_lines(&mut draw)?);
    // Fisher and Yates: neighbours must not tell anything.
    for i in (1..pieces.len()).rev() {
        pieces.swap(i, draw.below(i + 1));
    }
    Ok(pieces.chunks(PIECES_OF_A_FILE).enumerate().map(|(i, pieces)| file(i, pieces)).collect())
}

fn file(number: usize, pieces: &[Piece]) -> Labelled {
    let ends = ["conf", "yaml", "py", "js", "sh", "txt"];
    let mut file = Labelled {
        path: format!("part{number:02}.{}", ends[number % ends.len()]),
        text: String::new(),
        labels: Vec::new(),
    };
    let mut line = 1;
    for Piece { kind, secret, text } in pieces {
        let last = line + text.matches('\n').count();
        file.labels.push(Label { lines: (line, last), kind: kind.clone(), secret: *secret });
        file.text.push_str(text);
        file.text.push('\n');
        line = last + 1;
    }
    file
}

fn pieces_of_examples(draw: &mut Draw) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    for example in examples()?.iter().filter(|example| !example.of_path) {
        for template in &example.finds {
            for _ in 0..DRAWS_OF_EXAMPLES {
                let text = draw.fill(template)?.0;
                pieces.push(Piece { kind: example.rule.clone(), secret: true, text });
            }
        }
        for template in &example.passes {
            let text = draw.fill(template)?.0;
            pieces.push(Piece { kind: "counter-example".into(), secret: false, text });
        }
    }
    Ok(pieces)
}

fn pieces_of_lines(draw: &mut Draw) -> Result<Vec<Piece>, String> {
    let document =
        DeTable::parse(include_str!("../data/lines.toml")).map_err(|e| e.message().to_owned())?;
    let groups = document.get_ref().get("lines").and_then(|lines| lines.get_ref().as_array());
    let mut pieces = Vec::new();
    for group in groups.into_iter().flat_map(|groups| groups.iter()) {
        let value = |key: &str| group.get_ref().get(key).map(toml::Spanned::get_ref);
        let kind = value("kind").and_then(DeValue::as_str).ok_or("lines without a kind")?;
        let secret = value("secret").and_then(DeValue::as_bool).ok_or("lines without a label")?;
        let draws = value("draws")
            .and_then(DeValue::as_integer)
            .and_then(|n| n.as_str().parse().ok())
            .unwrap_or(1);
        let templates = value("templates").and_then(DeValue::as_array);
        for template in templates
            .into_iter()
            .flat_map(|list| list.iter())
            .filter_map(|item| item.get_ref().as_str())
        {
            for _ in 0..draws {
                pieces.push(Piece { kind: kind.to_owned(), secret, text: draw.fill(template)?.0 });
            }
        }
    }
    Ok(pieces)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::corpus;

    #[test]
    fn the_corpus_is_big_and_has_both_labels() {
        let files = corpus().unwrap();
        let labels = || files.iter().flat_map(|file| &file.labels);
        assert!(labels().count() >= 2000, "{} labels", labels().count());
        assert!(labels().filter(|label| label.secret).count() >= 800);
        assert!(labels().filter(|label| !label.secret).count() >= 1000);
        for file in &files {
            let lines = file.text.lines().count();
            assert_eq!(file.labels.last().unwrap().lines.1, lines, "{}", file.path);
        }
    }
}
