use super::types::Type;

/// A function that an expression may call by its name. Those that take regular expressions, words, or something to be
/// asked of each element are [operators](super::Operator) and [quantifiers](super::Quantifier).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Function {
    Abs,
    Entropy,
    FailsTokenEfficiency,
    First,
    Float,
    HasPrefix,
    HasSuffix,
    IndexOf,
    Int,
    /// Whether two lists have an element in common.
    Intersects,
    Join,
    Last,
    LastIndexOf,
    /// Of a text the number of its characters.
    Len,
    Lower,
    Max,
    Min,
    Repeat,
    Replace,
    /// The given text; betterleaks shows it beside the finding.
    SetConfidence,
    /// Of a text the number of its bytes.
    Size,
    Split,
    String,
    Substring,
    TokenRatio,
    Trim,
    TrimPrefix,
    TrimSuffix,
    Upper,
}

/// What a function takes and gives.
pub(super) struct Signature {
    pub(super) function: Function,
    pub(super) name: &'static str,
    takes: &'static [Takes],
    /// So many of them may be left out.
    pub(super) optional: usize,
    gives: Takes,
}

/// A type, in a form that can stand in a table.
#[derive(Clone, Copy)]
enum Takes {
    Text,
    Number,
    Truth,
    Texts,
    List,
    TextOrList,
    TextOrNumber,
    Element,
}

use Takes::{Element, List, Number, Text, TextOrList, TextOrNumber, Texts, Truth};

/// All functions, by their names.
const SIGNATURES: [Signature; 29] = [
    of(Function::Abs, "abs", &[Number], 0, Number),
    of(Function::Entropy, "entropy", &[Text], 0, Number),
    of(Function::FailsTokenEfficiency, "failsTokenEfficiency", &[Text], 0, Truth),
    of(Function::First, "first", &[List], 0, Element),
    of(Function::Float, "float", &[TextOrNumber], 0, Number),
    of(Function::HasPrefix, "hasPrefix", &[Text, Text], 0, Truth),
    of(Function::HasSuffix, "hasSuffix", &[Text, Text], 0, Truth),
    of(Function::IndexOf, "indexOf", &[Text, Text], 0, Number),
    of(Function::Int, "int", &[TextOrNumber], 0, Number),
    of(Function::Intersects, "intersects", &[Texts, Texts], 0, Truth),
    of(Function::Join, "join", &[Texts, Text], 1, Text),
    of(Function::Last, "last", &[List], 0, Element),
    of(Function::LastIndexOf, "lastIndexOf", &[Text, Text], 0, Number),
    of(Function::Len, "len", &[TextOrList], 0, Number),
    of(Function::Lower, "lower", &[Text], 0, Text),
    of(Function::Max, "max", &[Number, Number], 0, Number),
    of(Function::Min, "min", &[Number, Number], 0, Number),
    of(Function::Repeat, "repeat", &[Text, Number], 0, Text),
    of(Function::Replace, "replace", &[Text, Text, Text], 0, Text),
    of(Function::SetConfidence, "setConfidence", &[Text], 0, Text),
    of(Function::Size, "size", &[TextOrList], 0, Number),
    of(Function::Split, "split", &[Text, Text], 0, Texts),
    of(Function::String, "string", &[TextOrNumber], 0, Text),
    of(Function::Substring, "substring", &[Text, Number], 0, Text),
    of(Function::TokenRatio, "tokenRatio", &[Text], 0, Number),
    of(Function::Trim, "trim", &[Text, Text], 1, Text),
    of(Function::TrimPrefix, "trimPrefix", &[Text, Text], 0, Text),
    of(Function::TrimSuffix, "trimSuffix", &[Text, Text], 0, Text),
    of(Function::Upper, "upper", &[Text], 0, Text),
];

const fn of(
    function: Function,
    name: &'static str,
    takes: &'static [Takes],
    optional: usize,
    gives: Takes,
) -> Signature {
    Signature { function, name, takes, optional, gives }
}

impl Signature {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        SIGNATURES.iter().find(|signature| signature.name == name)
    }

    pub(super) fn arguments_max(&self) -> usize {
        self.takes.len()
    }

    /// The type that is missing if an argument is not of the right one.
    pub(super) fn refuses(&self, number: usize, found: &Type) -> Option<Type> {
        let (wanted, fits) = match self.takes[number] {
            Text => (Type::Text, Type::Text.fits(found)),
            Number => (Type::Number, Type::Number.fits(found)),
            Truth => (Type::Truth, Type::Truth.fits(found)),
            Texts => (Type::list_of(Type::Text), Type::list_of(Type::Text).fits(found)),
            List => (Type::list_of(Type::Any), Type::list_of(Type::Any).fits(found)),
            TextOrList => (Type::Text, matches!(found, Type::Text | Type::List(_) | Type::Any)),
            TextOrNumber => (Type::Text, matches!(found, Type::Text | Type::Number | Type::Any)),
            Element => (Type::Any, true),
        };
        (!fits).then_some(wanted)
    }

    /// The type of the result, when the first argument is of the given one.
    pub(super) fn gives(&self, first: &Type) -> Type {
        match self.gives {
            Text => Type::Text,
            Number => Type::Number,
            Truth => Type::Truth,
            Texts => Type::list_of(Type::Text),
            List | TextOrList | TextOrNumber => Type::Any,
            Element => match first {
                Type::List(element) => (**element).clone(),
                _ => Type::Any,
            },
        }
    }
}
