//! What fuzzing asks of this crate's parsers.

use base_types::Result;

use crate::xml::Element;

/// Reads an answer of AWS, and what answers are asked for. The number of elements called `member`.
///
/// # Errors
/// `Upstream`, without a word of the text.
pub fn read_answer(body: &[u8]) -> Result<usize> {
    let answer = Element::parse(body)?;
    for name in ["UserId", "AccessKeyId", "Code"] {
        answer
            .text(name)
            .map(drop)
            .or_else(|error| answer.find(name).is_none().then_some(()).ok_or(error))?;
    }
    Ok(answer.all("member").len().max(answer.members("member").len()))
}
