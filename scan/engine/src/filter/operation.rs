use scan_rules::filter::{Function, Operator, Text, Value};

use super::evaluate::{Evaluation, Worked};
use super::token;

/// What an operator makes of its arguments. Their types were checked when the expression was read.
pub(super) fn apply(
    evaluation: &mut Evaluation<'_>,
    operator: Operator,
    values: Vec<Value>,
) -> Worked<Value> {
    use Value::{Float, Integer, List, Text as T, Truth};
    Ok(match (operator, &values[..]) {
        (Operator::Not, [Truth(truth)]) => Truth(!truth),
        (Operator::Equal, [a, b]) => Truth(equal(a, b)),
        (Operator::In, [element, List(list)]) => {
            evaluation.spend(list.len())?;
            Truth(list.iter().any(|other| equal(element, other)))
        }
        (Operator::Less, [T(a), T(b)]) => Truth(a.as_bytes() < b.as_bytes()),
        (Operator::LessOrEqual, [T(a), T(b)]) => Truth(a.as_bytes() <= b.as_bytes()),
        (Operator::Less, [a, b]) => Truth(float(a)? < float(b)?),
        (Operator::LessOrEqual, [a, b]) => Truth(float(a)? <= float(b)?),
        (Operator::Contains, [T(a), T(b)]) => {
            evaluation.spend(a.as_bytes().len() / 64)?;
            Truth(memchr::memmem::find(a.as_bytes(), b.as_bytes()).is_some())
        }
        (Operator::StartsWith, [T(a), T(b)]) => Truth(a.as_bytes().starts_with(b.as_bytes())),
        (Operator::EndsWith, [T(a), T(b)]) => Truth(a.as_bytes().ends_with(b.as_bytes())),
        (Operator::Matches(_) | Operator::ContainsAny(_), [T(text)]) => {
            Truth(evaluation.search(operator, text.as_bytes())?)
        }
        (Operator::FindMatch(number), [T(text)]) => {
            evaluation.spend(text.as_bytes().len() / 64)?;
            let found = evaluation.judge.matcher(number).first(text.as_bytes());
            T(text.part(found.unwrap_or(0..0)))
        }
        (Operator::Add, [T(a), T(b)]) => made(evaluation, [a.as_bytes(), b.as_bytes()].concat())?,
        (Operator::Negate, [Integer(a)]) => Integer(a.checked_neg().ok_or("too large a number")?),
        (Operator::Negate, [Float(a)]) => Float(-a),
        (Operator::Add | Operator::Subtract | Operator::Multiply, [Integer(a), Integer(b)]) => {
            let result = match operator {
                Operator::Add => a.checked_add(*b),
                Operator::Subtract => a.checked_sub(*b),
                _ => a.checked_mul(*b),
            };
            Integer(result.ok_or("too large a number")?)
        }
        (Operator::Add, [a, b]) => Float(float(a)? + float(b)?),
        (Operator::Subtract, [a, b]) => Float(float(a)? - float(b)?),
        (Operator::Multiply, [a, b]) => Float(float(a)? * float(b)?),
        (Operator::Divide, [a, b]) => Float(float(a)? / float(b)?),
        (Operator::Power, [a, b]) => Float(float(a)?.powf(float(b)?)),
        (Operator::Remainder, [Integer(a), Integer(b)]) => {
            Integer(a.checked_rem(*b).ok_or("a division by zero")?)
        }
        (Operator::Range, [Integer(from), Integer(to)]) => {
            let length = to.checked_sub(*from).ok_or("too long a range")?.max(-1) + 1;
            evaluation.spend(usize::try_from(length).unwrap_or(usize::MAX))?;
            List((*from..=*to).map(Integer).collect())
        }
        (Operator::Index, [List(list), Integer(at)]) => {
            let at = place(*at, list.len());
            at.and_then(|at| list.get(at)).ok_or("an index beyond the list")?.clone()
        }
        (Operator::Slice, [of, from, rest @ ..]) => slice(of, from, rest.first())?,
        (Operator::Call(function), arguments) => call(evaluation, function, arguments)?,
        _ => return Err("an operator and values that do not fit".into()),
    })
}

fn call(evaluation: &mut Evaluation<'_>, function: Function, values: &[Value]) -> Worked<Value> {
    use Value::{Float, Integer, List, Text as T, Truth};
    let cost = |value: &Value| match value {
        T(text) => text.as_bytes().len() / 16,
        List(list) => list.len(),
        _ => 0,
    };
    evaluation.spend(values.iter().map(cost).sum())?;
    Ok(match (function, values) {
        (Function::Entropy, [T(text)]) => Float(entropy(text.as_bytes())),
        (Function::FailsTokenEfficiency, [T(text)]) => {
            Truth(token::is_too_efficient(text.as_bytes()))
        }
        (Function::TokenRatio, [T(text)]) => Float(token::ratio(text.as_bytes())),
        (Function::SetConfidence, [T(level)]) => match level.as_bytes() {
            b"low" | b"medium" | b"high" => T(level.clone()),
            _ => return Err("setConfidence takes low, medium or high".into()),
        },
        (Function::Len, [T(text)]) => {
            count(String::from_utf8_lossy(text.as_bytes()).chars().count())
        }
        (Function::Size, [T(text)]) => count(text.as_bytes().len()),
        (Function::Len | Function::Size, [List(list)]) => count(list.len()),
        (Function::First, [List(list)]) => list.first().cloned().unwrap_or(Value::Nil),
        (Function::Last, [List(list)]) => list.last().cloned().unwrap_or(Value::Nil),
        (Function::Intersects, [List(a), List(b)]) => {
            evaluation.spend(a.len().saturating_mul(b.len()))?;
            Truth(a.iter().any(|element| b.iter().any(|other| equal(element, other))))
        }
        (Function::Abs, [Integer(a)]) => Integer(a.checked_abs().ok_or("too large a number")?),
        (Function::Abs, [Float(a)]) => Float(a.abs()),
        (Function::Max, [a, b]) => if float(a)? >= float(b)? { a } else { b }.clone(),
        (Function::Min, [a, b]) => if float(a)? <= float(b)? { a } else { b }.clone(),
        (Function::Int, [T(text)]) => Integer(parsed(text)?),
        (Function::Int, [Float(a)]) => Integer(*a as i64),
        (Function::Int, [a]) => a.clone(),
        (Function::Float, [T(text)]) => Float(parsed(text)?),
        (Function::Float, [a]) => Float(float(a)?),
        (Function::String, [Integer(a)]) => Value::text(a.to_string().into_bytes()),
        (Function::String, [Float(a)]) => Value::text(a.to_string().into_bytes()),
        (Function::String, [a]) => a.clone(),
        (Function::Join, [List(list), separator @ ..]) => {
            let texts = list.iter().filter_map(|value| match value {
                T(text) => Some(text.as_bytes()),
                _ => None,
            });
            let separator = match separator {
                [T(text)] => text.as_bytes(),
                _ => b"",
            };
            made(evaluation, texts.collect::<Vec<_>>().join(separator))?
        }
        (function, values) => of_texts(evaluation, function, values)?,
    })
}

/// The functions that make something of texts alone.
fn of_texts(
    evaluation: &mut Evaluation<'_>,
    function: Function,
    values: &[Value],
) -> Worked<Value> {
    use Value::{Integer, Text as T, Truth};
    let lossy = |text: &Text| String::from_utf8_lossy(text.as_bytes()).into_owned();
    Ok(match (function, values) {
        (Function::HasPrefix, [T(a), T(b)]) => Truth(a.as_bytes().starts_with(b.as_bytes())),
        (Function::HasSuffix, [T(a), T(b)]) => Truth(a.as_bytes().ends_with(b.as_bytes())),
        (Function::IndexOf, [T(a), T(b)]) => {
            memchr::memmem::find(a.as_bytes(), b.as_bytes()).map_or(Integer(-1), count)
        }
        (Function::LastIndexOf, [T(a), T(b)]) => {
            memchr::memmem::rfind(a.as_bytes(), b.as_bytes()).map_or(Integer(-1), count)
        }
        (Function::Lower, [T(a)]) => made(evaluation, lossy(a).to_lowercase().into_bytes())?,
        (Function::Upper, [T(a)]) => made(evaluation, lossy(a).to_uppercase().into_bytes())?,
        (Function::Trim, [T(a), rest @ ..]) => {
            let cut = match rest {
                [T(characters)] => lossy(characters),
                _ => " \t\n\r\x0b\x0c\u{85}\u{a0}".into(),
            };
            let whole = lossy(a);
            made(evaluation, whole.trim_matches(|c| cut.contains(c)).as_bytes().to_vec())?
        }
        (Function::TrimPrefix, [T(a), T(b)]) => {
            let cut = if a.as_bytes().starts_with(b.as_bytes()) { b.as_bytes().len() } else { 0 };
            T(a.part(cut..a.as_bytes().len()))
        }
        (Function::TrimSuffix, [T(a), T(b)]) => {
            let cut = if a.as_bytes().ends_with(b.as_bytes()) { b.as_bytes().len() } else { 0 };
            T(a.part(0..a.as_bytes().len() - cut))
        }
        (Function::Substring, [T(a), Integer(from)]) => {
            let length = a.as_bytes().len();
            T(a.part(usize::try_from(*from).unwrap_or(0).min(length)..length))
        }
        (Function::Split, [T(a), T(separator)]) => split(evaluation, a, separator)?,
        (Function::Replace, [T(a), T(old), T(new)]) => {
            let (whole, new) = (lossy(a), lossy(new));
            let times = whole.matches(&lossy(old)).count();
            evaluation.spend(whole.len().saturating_add(times.saturating_mul(new.len())))?;
            Value::text(whole.replace(&lossy(old), &new).into_bytes())
        }
        (Function::Repeat, [T(a), Integer(times)]) => {
            let times = usize::try_from(*times).map_err(|_| "a text less than no times")?;
            evaluation.spend(a.as_bytes().len().saturating_mul(times))?;
            Value::text(a.as_bytes().repeat(times))
        }
        _ => return Err("a function and values that do not fit".into()),
    })
}

/// A text that is new takes memory.
fn made(evaluation: &mut Evaluation<'_>, bytes: Vec<u8>) -> Worked<Value> {
    evaluation.spend(bytes.len())?;
    Ok(Value::text(bytes))
}

/// The parts between separators; without one, the characters.
fn split(evaluation: &mut Evaluation<'_>, text: &Text, separator: &Text) -> Worked<Value> {
    let (bytes, separator) = (text.as_bytes(), separator.as_bytes());
    let mut parts = Vec::new();
    let mut start = 0;
    if separator.is_empty() {
        for character in String::from_utf8_lossy(bytes).chars() {
            parts.push(Value::text(character.to_string().into_bytes()));
        }
    } else {
        for at in memchr::memmem::find_iter(bytes, separator) {
            parts.push(Value::Text(text.part(start..at)));
            start = at + separator.len();
        }
        parts.push(Value::Text(text.part(start..bytes.len())));
    }
    evaluation.spend(parts.len())?;
    Ok(Value::List(parts))
}

fn slice(of: &Value, from: &Value, to: Option<&Value>) -> Worked<Value> {
    let length = match of {
        Value::Text(text) => text.as_bytes().len(),
        Value::List(list) => list.len(),
        _ => return Err("a part of what has none".into()),
    };
    let bound = |value: &Value| match value {
        Value::Integer(at) => Ok(match place(*at, length) {
            Some(at) => at.min(length),
            None => 0,
        }),
        _ => Err("a place that is no whole number"),
    };
    let to = to.map_or(Ok(length), bound)?;
    let from = bound(from)?.min(to);
    Ok(match of {
        Value::List(list) => Value::List(list[from..to].to_vec()),
        Value::Text(text) => Value::Text(text.part(from..to)),
        _ => Value::Nil,
    })
}

/// A place counted from the end if it is less than 0; `None` before the start.
fn place(at: i64, length: usize) -> Option<usize> {
    match usize::try_from(at) {
        Ok(at) => Some(at),
        Err(_) => length.checked_sub(usize::try_from(at.unsigned_abs()).ok()?),
    }
}

fn count(count: usize) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

fn float(value: &Value) -> Worked<f64> {
    match value {
        Value::Integer(number) => Ok(*number as f64),
        Value::Float(number) => Ok(*number),
        _ => Err("a number was expected".into()),
    }
}

fn parsed<N: std::str::FromStr>(text: &Text) -> Worked<N> {
    let text = std::str::from_utf8(text.as_bytes()).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| "a text that is no number".into())
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Integer(_) | Value::Float(_), Value::Integer(_) | Value::Float(_)) => {
            matches!((float(a), float(b)), (Ok(a), Ok(b)) if a == b)
        }
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (a, b) => a == b,
    }
}

/// In bits a byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let length = bytes.len() as f64;
    let frequencies =
        counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length);
    frequencies.map(|frequency| -frequency * frequency.log2()).sum()
}
