use std::fmt;

use serde::Serialize;

/// What the checks found, in the order in which they ran.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub checks: Vec<Check>,
}

#[derive(Debug, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    pub status: Status,
    /// What was found.
    pub message: String,
    /// What to do about it, unless all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<&'static str>,
}

/// From the best to the worst.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    Warning,
    Failure,
}

impl Report {
    /// The worst that was found.
    pub fn status(&self) -> Status {
        self.checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok)
    }

    /// 0 if all is well, 1 if something fails, 2 if there are only warnings; as Vault's.
    pub fn exit_code(&self) -> u8 {
        match self.status() {
            Status::Ok => 0,
            Status::Failure => 1,
            Status::Warning => 2,
        }
    }

    /// The report as JSON: `{"status": …, "checks": [{name, status, message, remedy}]}`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "status": self.status(), "checks": self.checks })
    }

    pub(super) fn ok(&mut self, name: impl Into<String>, message: impl Into<String>) {
        self.add(name.into(), Status::Ok, message.into(), None);
    }

    pub(super) fn warning(
        &mut self,
        name: impl Into<String>,
        message: impl Into<String>,
        remedy: &'static str,
    ) {
        self.add(name.into(), Status::Warning, message.into(), Some(remedy));
    }

    pub(super) fn failure(
        &mut self,
        name: impl Into<String>,
        message: impl Into<String>,
        remedy: &'static str,
    ) {
        self.add(name.into(), Status::Failure, message.into(), Some(remedy));
    }

    fn add(&mut self, name: String, status: Status, message: String, remedy: Option<&'static str>) {
        self.checks.push(Check { name, status, message, remedy });
    }
}

/// One line for each check, with the remedy below it.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { name, status, message, remedy } in &self.checks {
            let mark = match status {
                Status::Ok => "[ success ]",
                Status::Warning => "[ warning ]",
                Status::Failure => "[ failure ]",
            };
            writeln!(f, "{mark} {name}: {message}")?;
            if let Some(remedy) = remedy {
                writeln!(f, "            {remedy}")?;
            }
        }
        Ok(())
    }
}
