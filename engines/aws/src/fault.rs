use std::fmt;

use base_types::Error;
use bytes::Bytes;
use http::{Response, StatusCode};

use crate::xml::Element;

/// Why a call gave nothing.
#[derive(Debug)]
pub(crate) enum Fault {
    /// There is no answer that can be used.
    Failed(Error),
    /// AWS says no.
    Refused(Refusal),
}

/// What AWS says about a call that it does not carry out.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    code: String,
    message: String,
    request_id: String,
}

const CODE_MAX: usize = 64;
const MESSAGE_MAX: usize = 300;

impl Fault {
    /// AWS refuses with this code.
    pub(crate) fn is(&self, code: &str) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.code == code)
    }

    /// For a caller who asked for credentials: as in Vault, a refusal is the fault of what was asked
    /// for or configured.
    pub(crate) fn into_invalid(self) -> Error {
        match self {
            Self::Failed(error) => error,
            Self::Refused(refusal) => Error::invalid(refusal.to_string()),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// For whoever ends leases: a refusal is the fault of the other side.
impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Failed(error) => error,
            Fault::Refused(refusal) => Self::upstream(refusal.to_string()),
        }
    }
}

impl Refusal {
    /// Whatever stands between may answer in other words; then there is only the status.
    pub(crate) fn of(answer: &Response<Bytes>) -> Self {
        let document = Element::parse(answer.body()).ok();
        let text = |name: &str, max| {
            let found = document.as_ref().and_then(|document| document.text(name).ok());
            shown(found.unwrap_or_default(), max)
        };
        Self {
            status: answer.status(),
            code: text("Code", CODE_MAX),
            message: text("Message", MESSAGE_MAX),
            request_id: text("RequestId", CODE_MAX),
        }
    }

    /// Too much was asked of AWS; later it may be carried out.
    ///
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
    pub(crate) fn is_throttling(&self) -> bool {
        const CODES: [&str; 11] = [
            "BandwidthLimitExceeded",
            "EC2ThrottledException",
            "PriorRequestNotComplete",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "SlowDown",
            "ThrottledException",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        ];
        self.status == StatusCode::TOO_MANY_REQUESTS || CODES.contains(&self.code.as_str())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, code, message, request_id } = self;
        if code.is_empty() {
            return write!(f, "AWS answers {status}");
        }
        write!(f, "{code}: {message} (HTTP {}", status.as_u16())?;
        if !request_id.is_empty() {
            write!(f, ", request id {request_id}")?;
        }
        f.write_str(")")
    }
}

/// Cut, and on one line.
fn shown(text: &str, max: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(max).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Refusal::of(&Response::builder().status(status).body(body).unwrap())
    }

    #[test]
    fn the_words_of_aws_are_shown_in_moderation() {
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                    <Message>User: x is\nnot authorized</Message></Error>\
                    <RequestId>4a-b</RequestId></ErrorResponse>";
        let text = "AccessDenied: User: x is not authorized (HTTP 403, request id 4a-b)";
        assert_eq!(refusal(403, body).to_string(), text);
        let nested = "<ErrorResponse><Errors><Error><Code>C</Code><Message>m</Message></Error></Errors></ErrorResponse>";
        assert_eq!(refusal(400, nested).to_string(), "C: m (HTTP 400)");
        for body in ["", "<html><p>Bad <b>gateway</html>", "<a/>"] {
            assert_eq!(refusal(502, body).to_string(), "AWS answers 502 Bad Gateway");
        }
        let long = format!("<E><Code>C</Code><Message>{}</Message></E>", "x".repeat(5000));
        assert_eq!(
            refusal(400, &long).to_string().len(),
            "C: ".len() + MESSAGE_MAX + " (HTTP 400)".len()
        );
    }

    #[test]
    fn throttling_is_known_by_status_or_code() {
        let coded =
            |code: &str| format!("<E><Code>{code}</Code><Message>Rate exceeded</Message></E>");
        assert!(refusal(400, &coded("Throttling")).is_throttling());
        assert!(refusal(429, "").is_throttling());
        assert!(!refusal(400, &coded("LimitExceeded")).is_throttling());
    }
}
