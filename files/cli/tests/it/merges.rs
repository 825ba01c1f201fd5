//! A hundred merges of generated files by the real git: as it merges the plaintexts line by line, so
//! does our driver merge the encrypted files.

use base_crypto::{Random, SeededRandom};
use files_document::{Document, Element, Format, Item, Member, Scalar, Value};

use crate::Check;
use crate::bench::{Bench, Who, holds, same};
use crate::git::{commit, git, git_with, repository};

pub(crate) const CHECKS: &[Check] = &[("merges: a hundred as of the plaintexts", hundred)];

const MERGES: usize = 100;

/// At least so many the plaintexts must have without conflicts, or little would be compared.
const CLEAN_MIN: usize = 60;

struct Case {
    name: String,
    versions: [Vec<Item>; 3],
    /// Whether both sides changed the same thing.
    overlaps: bool,
}

fn hundred(bench: &Bench) -> Result<(), String> {
    let mut dice = Dice(SeededRandom::new(52));
    let cases: Vec<Case> = (0..MERGES).map(|number| case(&mut dice, number)).collect();
    let plain = Bench::new()?;
    git(&plain, &["init", "--quiet", "--initial-branch=main"])?;
    for (at, branch) in [(0, "main"), (2, "theirs"), (1, "main")] {
        switch(&plain, branch)?;
        for case in &cases {
            plain.write(&case.name, text(&case.versions[at]));
        }
        commit(&plain, "plain")?;
    }
    git_with(&plain, &["merge", "--no-edit", "theirs"], &[]);
    let plain_conflicts = git(&plain, &["diff", "--name-only", "--diff-filter=U"])?;

    repository(bench)?;
    for (at, branch) in [(0, "main"), (2, "theirs"), (1, "main")] {
        switch(bench, branch)?;
        for (number, case) in cases.iter().enumerate() {
            encrypt(bench, case, at, number)?;
        }
        commit(bench, "encrypted")?;
    }
    let answer = git_with(bench, &["merge", "--no-edit", "theirs"], &[]);
    holds(&format!("git went through: {}", answer.stderr), answer.code == 0 || answer.code == 1)?;
    let conflicts = git(bench, &["diff", "--name-only", "--diff-filter=U"])?;
    let mut clean = 0;
    for Case { name, overlaps, .. } in &cases {
        let is_in = |list: &str| list.lines().any(|line| line == name);
        let merged = bench.output(Who::Ours, &["decrypt", name])?;
        bench.output(Who::Sops, &["decrypt", name])?;
        holds(
            &format!("{name} is in conflict if both changed the same: {}", answer.stderr),
            is_in(&conflicts) == *overlaps,
        )?;
        if !is_in(&plain_conflicts) {
            clean += 1;
            holds(&format!("{name} merges as its plaintext does"), !is_in(&conflicts))?;
            let trees = |text: &[u8]| Document::parse(Format::Yaml, text).unwrap().trees().to_vec();
            if trees(&merged) != trees(&plain.read(name)) {
                same(name, &merged, &plain.read(name))?;
            }
        }
    }
    holds(&format!("{clean} plaintexts merge without conflict"), clean >= CLEAN_MIN)
}

fn switch(bench: &Bench, branch: &str) -> Result<(), String> {
    if git(bench, &["rev-parse", "--verify", "--quiet", "HEAD"]).is_err() {
        return Ok(());
    }
    let known = git(bench, &["branch", "--list", branch])?;
    let new: &[&str] = if known.is_empty() { &["-b"] } else { &[] };
    git(bench, &[&["checkout", "--quiet"], new, &[branch]].concat()).map(|_| ())
}

/// Encrypts the first version, and edits it into the others as people do: some with the real sops,
/// some with a new data key.
fn encrypt(bench: &Bench, case: &Case, at: usize, number: usize) -> Result<(), String> {
    let Case { name, versions, .. } = case;
    if at == 0 {
        bench.write(name, text(&versions[0]));
        return bench.encrypt(
            if number.is_multiple_of(5) { Who::Sops } else { Who::Ours },
            name,
            &[],
        );
    }
    if versions[at] == versions[0] {
        return Ok(());
    }
    bench.write("new", text(&versions[at]));
    let who = if number % 4 == at { Who::Sops } else { Who::Ours };
    let editor = format!("cp {}", bench.path("new").display());
    let with = [("SOPS_AGE_KEY_FILE", "ann.txt"), ("SOPS_EDITOR", editor.as_str())];
    bench.run_with(who, &["edit", name], &with, b"").success(&format!("edit {name}"))?;
    if number % 10 == 2 + at {
        bench.output(Who::Ours, &["rotate", "-i", name])?;
    }
    Ok(())
}

fn text(items: &[Item]) -> Vec<u8> {
    Document::emit(Format::Yaml, &[items.to_vec()], None).unwrap()
}

struct Dice(SeededRandom);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_be_bytes(bytes) as usize % sides
    }

    fn scalar(&mut self) -> Value {
        let number = self.roll(1_000_000);
        match self.roll(4) {
            0 => Scalar::Int(number as i64).into(),
            1 => Scalar::text(format!("text {number}: # 'quoted'")).into(),
            2 => Scalar::text(format!("line {number}\nand another\n")).into(),
            _ => Scalar::text(format!("word{number}")).into(),
        }
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.roll(if depth > 2 { 3 } else { 6 }) {
            3 => {
                let count = 2 + self.roll(4);
                (0..count).map(|_| Element::Value(self.value(depth + 1))).collect::<Vec<_>>().into()
            }
            4 | 5 => self.items(depth + 1).into(),
            _ => self.scalar(),
        }
    }

    fn items(&mut self, depth: usize) -> Vec<Item> {
        let count = 3 + self.roll(5);
        let mut items = Vec::new();
        for at in 0..count {
            if self.roll(6) == 0 {
                items.push(Item::Comment(files_document::Comment::new(format!(
                    " c{}",
                    self.roll(999)
                ))));
            }
            items.push(Item::member(format!("key{at}"), self.value(depth)));
        }
        items
    }
}

/// A base and two sides that each make one to three changes to it.
fn case(dice: &mut Dice, number: usize) -> Case {
    let base = dice.items(0);
    let mut sides = [base.clone(), base.clone()];
    let mut touched: [Vec<Vec<usize>>; 2] = [Vec::new(), Vec::new()];
    let wants_overlap = number % 8 == 7;
    for side in 0..2 {
        for _ in 0..=dice.roll(3) {
            let mut place = Vec::new();
            let before = sides[side].clone();
            change(dice, &mut sides[side], &mut place);
            let clash = touched[1 - side].iter().any(|other| overlap(other, &place));
            match clash {
                true => sides[side] = before,
                false => touched[side].push(place),
            }
        }
    }
    if wants_overlap {
        for (side, word) in sides.iter_mut().zip(["ours", "theirs"]) {
            side.push(Item::member("both", Scalar::text(word)));
        }
    }
    let [ours, theirs] = sides;
    Case {
        name: format!("f{number:02}.yaml"),
        versions: [base, ours, theirs],
        overlaps: wants_overlap,
    }
}

/// Whether one place is within the other.
fn overlap(a: &[usize], b: &[usize]) -> bool {
    a.iter().zip(b).all(|(a, b)| a == b)
}

/// New members have numbers of their own.
const NEW: usize = 1000;

/// Changes, adds or removes one thing. `place` gets the way to it, by the numbers in the names of keys;
/// a list is one thing.
fn change(dice: &mut Dice, items: &mut Vec<Item>, place: &mut Vec<usize>) {
    let members: Vec<usize> = (0..items.len())
        .filter(
            |at| matches!(&items[*at], Item::Member(Member { key, .. }) if key.starts_with("key")),
        )
        .collect();
    if members.is_empty() {
        return;
    }
    let at = members[dice.roll(members.len())];
    let Item::Member(member) = &mut items[at] else { return };
    let key: usize = member.key["key".len()..].parse().unwrap();
    place.push(key);
    match &mut member.value {
        Value::Map(inner) if dice.roll(4) > 0 => return change(dice, inner, place),
        Value::List(elements) if dice.roll(4) > 0 => {
            let at = dice.roll(elements.len());
            match dice.roll(3) {
                0 if elements.len() > 1 => drop(elements.remove(at)),
                1 => elements.insert(at, Element::Value(dice.scalar())),
                _ => elements[at] = Element::Value(dice.scalar()),
            }
            return;
        }
        _ => {}
    }
    match dice.roll(4) {
        0 if members.len() > 2 => drop(items.remove(at)),
        1 => {
            let number = NEW + dice.roll(1_000_000);
            let value = dice.value(2);
            items.insert(at + 1, Item::member(format!("key{number}"), value));
            place.pop();
            place.push(number);
        }
        _ => {
            let value = dice.scalar();
            let Item::Member(member) = &mut items[at] else { return };
            member.value = value;
        }
    }
}
