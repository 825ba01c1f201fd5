use std::collections::BTreeMap;

use scan_corpus::{Label, Labelled};

use crate::peer::Place;

/// How well a scanner did: each labelled piece counts once, however often something was found in it.
pub(crate) struct Score {
    name: String,
    /// For each piece of the corpus in its order whether something was found there.
    found: Vec<bool>,
    secrets_found: usize,
    secrets: usize,
    others_found: usize,
}

impl Score {
    pub(crate) fn of(name: &str, files: &[Labelled], places: &[Place]) -> Self {
        let mut score = Self {
            name: name.to_owned(),
            found: Vec::new(),
            secrets_found: 0,
            secrets: 0,
            others_found: 0,
        };
        for file in files {
            let here: Vec<&Place> = places.iter().filter(|place| place.path == file.path).collect();
            for label in &file.labels {
                let found = here.iter().any(|place| touches(label, place));
                score.found.push(found);
                score.secrets += usize::from(label.secret);
                score.secrets_found += usize::from(label.secret && found);
                score.others_found += usize::from(!label.secret && found);
            }
        }
        score
    }

    fn precision(&self) -> f64 {
        self.secrets_found as f64 / ((self.secrets_found + self.others_found) as f64).max(1.0)
    }

    fn recall(&self) -> f64 {
        self.secrets_found as f64 / (self.secrets as f64).max(1.0)
    }

    pub(crate) fn f1(&self) -> f64 {
        let (precision, recall) = (self.precision(), self.recall());
        2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE)
    }
}

fn touches(label: &Label, place: &Place) -> bool {
    place.lines.0 <= label.lines.1 && label.lines.0 <= place.lines.1
}

/// A row for each rule and kind, found of all for each scanner, and the sums.
pub(crate) fn print(files: &[Labelled], scores: &[Score]) {
    let labels: Vec<&Label> = files.iter().flat_map(|file| &file.labels).collect();
    let mut kinds: BTreeMap<(bool, &str), Vec<usize>> = BTreeMap::new();
    for (i, label) in labels.iter().enumerate() {
        kinds.entry((!label.secret, &label.kind)).or_default().push(i);
    }
    let columns =
        |texts: Vec<String>| texts.iter().map(|text| format!("{text:>14}")).collect::<String>();
    println!("{:<46}{}", "", columns(scores.iter().map(|score| score.name.clone()).collect()));
    for ((harmless, kind), pieces) in &kinds {
        let count = |score: &Score| {
            format!("{}/{}", pieces.iter().filter(|i| score.found[**i]).count(), pieces.len())
        };
        let name = format!("{}{kind}", if *harmless { "no secret: " } else { "" });
        println!("{name:<46}{}", columns(scores.iter().map(count).collect()));
    }
    let row = |name: &str, value: fn(&Score) -> f64| {
        println!(
            "{name:<46}{}",
            columns(scores.iter().map(|score| format!("{:.3}", value(score))).collect())
        );
    };
    println!(
        "{} pieces of text, {} with a secret",
        labels.len(),
        labels.iter().filter(|label| label.secret).count()
    );
    row("precision", Score::precision);
    row("recall", Score::recall);
    row("F1", Score::f1);
}
