use files_document::{Comment, Document, Format, Item, Scalar, Value};

use crate::{at, edited, encrypted, outline, refused};

const TEXT: &str = "# head
title = 'T # x' # in

[owner] # who
name = \"Ann\"
born = 1979-05-27T07:32:00Z
a.b = 1
\"q # k\" = 2.5

# the servers
[[server]]
ports = [ 1, # one
  2 ]
at = { x = 1, y = \"z\" }

[server.meta]
deep = true

[[server]]
ports = []

[x.y]
z = \"\"\"
lines\"\"\"
";

#[test]
fn tables_become_mappings() {
    let file = Document::parse(Format::Toml, TEXT.as_bytes()).unwrap();
    assert_eq!(
        outline(&file.trees()[0]),
        "# head
# in
title: str \"T # x\"
owner: {}
  # who
  name: str \"Ann\"
  born: time 1979-05-27T07:32:00Z
  a: {}
    b: int 1
  q # k: float 2.5
  # the servers
server: []
  - {}
    ports: []
      # one
      - int 1
      - int 2
    at: {}
      x: int 1
      y: str \"z\"
    meta: {}
      deep: bool true
  - {}
    ports: []
x: {}
  y: {}
    z: str \"lines\"
"
    );
}

#[test]
fn values_change_in_place_and_come_back() {
    let mut file = Document::parse(Format::Toml, TEXT.as_bytes()).unwrap();
    let plain = file.trees().to_vec();
    let mut trees = plain.clone();
    encrypted(&mut trees[0]);
    let list = Value::List(vec![files_document::Element::Value(
        vec![Item::member("enc", Scalar::text("-----BEGIN\nx\n"))].into(),
    )]);
    trees[0].push(Item::member(
        "sops",
        vec![Item::member("mac", Scalar::text("m")), Item::member("age", list)],
    ));
    file.update(trees).unwrap();
    let text = String::from_utf8(file.text().to_vec()).unwrap();
    assert!(
        text.ends_with("\n[sops]\nmac = \"m\"\n\n[[sops.age]]\nenc = \"-----BEGIN\\nx\\n\"\n"),
        "{text}"
    );
    assert!(!text.contains("Ann") && text.contains("[owner] #ENC["));
    file.update(plain).unwrap();
    let back = String::from_utf8(file.text().to_vec()).unwrap();
    assert_eq!(back.trim_end(), TEXT.replace("\"\"\"\nlines\"\"\"", "\"lines\"").trim_end());
}

#[test]
fn members_come_and_go() {
    let out = edited(Format::Toml, TEXT, |items| {
        let place = Format::Toml.place_of_new(items, &Scalar::Int(1).into());
        items.insert(place, Item::member("new", Scalar::Int(1)));
        let Value::Map(owner) = at(items, &["owner"]) else { panic!() };
        owner.retain(|item| !matches!(item, Item::Member(member) if member.key == "born"));
        owner.push(Item::member("map", vec![Item::member("k", Scalar::Bool(true))]));
        owner.push(Item::Comment(Comment::new(" end")));
    });
    let expect = TEXT
        .replace("# in\n", "# in\nnew = 1\n")
        .replace("born = 1979-05-27T07:32:00Z\n", "")
        .replace("# the servers\n", "# the servers\nmap = { k = true }\n# end\n");
    assert_eq!(out, expect);
    let out = edited(Format::Toml, TEXT, |items| {
        items.retain(|item| !matches!(item, Item::Member(member) if member.key == "server"));
    });
    assert!(out.contains("[owner]") && out.contains("[x.y]") && !out.contains("server]"), "{out}");
}

#[test]
fn a_list_of_tables_grows() {
    let text = "a = 1\n\n[sops]\nmac = \"m\"\n\n[[sops.age]]\nenc = \"x\"\n";
    let out = edited(Format::Toml, text, |items| {
        let Value::List(age) = at(items, &["sops", "age"]) else { panic!() };
        age.push(age[0].clone());
        *at(items, &["sops", "mac"]) = Scalar::text("n").into();
    });
    assert_eq!(out, text.replace("\"m\"", "\"n\"") + "\n[[sops.age]]\nenc = \"x\"\n");
}

#[test]
fn comments_of_a_table_are_not_those_of_the_next() {
    let text = "[a] # c\nx = 1\n[a.b.c] # d\ny = 1\n";
    let file = Document::parse(Format::Toml, text.as_bytes()).unwrap();
    let expect = "a: {}\n  # c\n  x: int 1\n  b: {}\n    c: {}\n      # d\n      y: int 1\n";
    assert_eq!(outline(&file.trees()[0]), expect);
}

#[test]
fn faults_are_named_with_their_place() {
    let check = |text: &str, place: &str| {
        let error = refused(Format::Toml, text);
        assert!(error.starts_with(place), "{text:?} gives {error:?}");
    };
    check("a = 1\na = 2\n", "line 2, column 1");
    check("a = \n", "line 1");
    check("[a\n", "line 1");
    check("\u{feff}a = 1\nb\n", "line 2");
}
