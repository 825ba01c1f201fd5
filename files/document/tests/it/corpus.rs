//! Files as people write them. Beside each stands what sops 3.11.0 makes of it when it encrypts
//! nothing (`--encrypted-regex` with a word that does not occur), without the metadata.

use files_document::{Document, Element, Format, Item, Scalar, Value};

use crate::{encrypted, outline};

const FILES: [(&str, &str); 4] = [
    (include_str!("../corpus/compose.yaml"), include_str!("../corpus/compose.seen.yaml")),
    (include_str!("../corpus/flat.yaml"), include_str!("../corpus/flat.seen.yaml")),
    (include_str!("../corpus/helm-values.yaml"), include_str!("../corpus/helm-values.seen.yaml")),
    (include_str!("../corpus/manifests.yaml"), include_str!("../corpus/manifests.seen.yaml")),
];

fn parse(text: &str) -> Document {
    Document::parse(Format::Yaml, text.as_bytes()).unwrap()
}

#[test]
fn trees_are_those_of_sops() {
    for (text, seen) in FILES {
        let outlines =
            |text| parse(text).trees().iter().map(|items| outline(items)).collect::<Vec<_>>();
        assert_eq!(outlines(text), outlines(seen));
    }
}

/// Every value and comment becomes another, and all come back: the file is as it was, byte by byte.
#[test]
fn encryption_and_decryption_leave_no_trace() {
    for (text, _) in FILES {
        let mut file = parse(text);
        let plain = file.trees().to_vec();
        let mut trees = plain.clone();
        for items in &mut trees {
            encrypted(items);
            items.push(Item::member("sops", vec![Item::member("mac", Scalar::text("m"))]));
        }
        file.update(trees).unwrap();
        assert!(!String::from_utf8_lossy(file.text()).contains("hunter2"));
        file.update(plain).unwrap();
        assert_eq!(String::from_utf8_lossy(file.text()), text);
    }
}

/// One value after the other changes: no line moves but those of the value.
#[test]
fn one_value_moves_no_other_line() {
    for (text, _) in FILES {
        let file = parse(text);
        let mut changed = 0;
        for index in 0.. {
            let mut trees = file.trees().to_vec();
            let mut left = index;
            if !trees.iter_mut().any(|items| change_nth(items, &mut left)) {
                break;
            }
            let mut edited = file.clone();
            edited.update(trees).unwrap();
            let after = String::from_utf8(edited.text().to_vec()).unwrap();
            let (old, new) = differing_lines(text, &after);
            assert!(new.len() == 1 && (old.len() == 1 || is_long(&old)), "{old:?} became {new:?}");
            changed += 1;
        }
        assert!(changed > 15);
    }
}

/// Changes the scalar with the number `left`, unless there are fewer.
fn change_nth(items: &mut [Item], left: &mut usize) -> bool {
    items.iter_mut().any(|item| match item {
        Item::Comment(_) => false,
        Item::Member(member) => change_nth_value(&mut member.value, left),
    })
}

fn change_nth_value(value: &mut Value, left: &mut usize) -> bool {
    match value {
        Value::Map(items) => change_nth(items, left),
        Value::List(elements) => elements.iter_mut().any(|element| match element {
            Element::Comment(_) => false,
            Element::Value(value) => change_nth_value(value, left),
        }),
        Value::Scalar(scalar) if *left == 0 => {
            *scalar = Scalar::text("another one");
            true
        }
        Value::Scalar(_) => {
            *left -= 1;
            false
        }
    }
}

/// The lines between those that both texts have at their start and at their end.
fn differing_lines<'a>(old: &'a str, new: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let (old, new) = (old.lines().collect::<Vec<_>>(), new.lines().collect::<Vec<_>>());
    let start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - start;
    let end = (1..=rest).take_while(|at| old[old.len() - at] == new[new.len() - at]).count();
    (old[start..old.len() - end].to_vec(), new[start..new.len() - end].to_vec())
}

/// A block scalar, or one that goes on in the next line.
fn is_long(lines: &[&str]) -> bool {
    lines[0].contains(": |")
        || lines[0].contains("- |")
        || lines[1..].iter().all(|line| line.starts_with("  "))
}
