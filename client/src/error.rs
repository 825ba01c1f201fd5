use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request has no good answer.
#[derive(Debug)]
pub enum Error {
    /// The server answered with an error status.
    Api(Box<ApiError>),
    /// The configuration cannot work; nothing was sent.
    Config(String),
    /// The server was not reached, or the connection broke.
    Connection(String),
    /// The server answered something that is not the API's JSON.
    Malformed(String),
}

/// An error answer: what was asked, the status, and the server's own words.
#[derive(Clone, Debug)]
pub struct ApiError {
    pub method: &'static str,
    /// Without the token; query parameters included.
    pub url: String,
    pub namespace: String,
    pub status: u16,
    /// The texts of the server's `errors` list, or the whole body when it was not that JSON.
    pub errors: Vec<String>,
    /// Whether `errors` is the raw body.
    pub raw: bool,
    /// The body as it came: some 404 answers carry data (a deleted version's metadata).
    pub body: bytes::Bytes,
}

impl Error {
    /// The HTTP status, if the server gave one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api(error) => Some(error.status),
            Self::Config(_) | Self::Connection(_) | Self::Malformed(_) => None,
        }
    }

    /// Whether one of the server's error texts holds `text`.
    pub fn says(&self, text: &str) -> bool {
        matches!(self, Self::Api(error) if error.errors.iter().any(|line| line.contains(text)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(error) => error.fmt(f),
            Self::Config(text) | Self::Connection(text) | Self::Malformed(text) => {
                f.write_str(text)
            }
        }
    }
}

/// The layout that people grep their logs for: URL, code, then one line for each error.
impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Error making API request.\n\n")?;
        if !self.namespace.is_empty() && self.namespace != "root/" {
            writeln!(f, "Namespace: {}", self.namespace)?;
        }
        let kind = if self.raw { "Raw Message" } else { "Errors" };
        write!(f, "URL: {} {}\nCode: {}. {kind}:\n\n", self.method, self.url, self.status)?;
        if self.raw {
            return f.write_str(&self.errors.concat());
        }
        for (index, error) in self.errors.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}* {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_answer_reads_as_people_know_it() {
        let mut error = ApiError {
            method: "GET",
            url: "http://127.0.0.1:8200/v1/secret/a".to_owned(),
            namespace: String::new(),
            status: 403,
            errors: vec!["permission denied".to_owned(), "again".to_owned()],
            raw: false,
            body: bytes::Bytes::new(),
        };
        assert_eq!(
            error.to_string(),
            "Error making API request.\n\nURL: GET http://127.0.0.1:8200/v1/secret/a\n\
             Code: 403. Errors:\n\n* permission denied\n* again"
        );
        error.namespace = "team/".to_owned();
        error.raw = true;
        error.errors = vec!["<html>".to_owned()];
        assert_eq!(
            error.to_string(),
            "Error making API request.\n\nNamespace: team/\n\
             URL: GET http://127.0.0.1:8200/v1/secret/a\nCode: 403. Raw Message:\n\n<html>"
        );
    }
}
