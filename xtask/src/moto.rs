use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::folder::Folder;
use crate::http::Client;
use crate::{Result, server, setup, wait};

/// A moto, which answers as AWS does. It believes everybody.
pub(crate) struct Moto {
    process: Child,
    folder: Folder,
    pub(crate) address: SocketAddr,
}

const START_LIMIT: Duration = Duration::from_secs(60);

impl Moto {
    pub(crate) fn start() -> Result<Self> {
        let moto = setup::peers()?.python.with_file_name("moto_server");
        let (folder, address) = (Folder::new("moto")?, server::free_address()?);
        let log = folder.write("output", "")?;
        let log = std::fs::File::create(&log)
            .map_err(|e| format!("cannot write {}: {e}", log.display()))?;
        let process = Command::new(&moto)
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", moto.display()))?;
        let this = Self { process, folder, address };
        let started = wait::until(START_LIMIT, || this.iam("ListUsers", &[]).ok());
        started.ok_or_else(|| {
            let log = std::fs::read_to_string(this.folder.path().join("output"));
            format!("moto does not answer:\n{}", log.unwrap_or_default())
        })?;
        Ok(this)
    }

    /// What IAM answers.
    pub(crate) fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        let mut body = format!("Version=2010-05-08&Action={action}");
        for (name, value) in parameters {
            body.push_str(&format!("&{name}={value}"));
        }
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        self.ask("iam", action, &headers, &body)
    }

    /// What KMS answers to a question without parameters.
    pub(crate) fn kms(&self, action: &str) -> Result<String> {
        let target = format!("TrentService.{action}");
        let headers =
            [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", target.as_str())];
        self.ask("kms", action, &headers, "{}")
    }

    fn ask(
        &self,
        service: &str,
        action: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<String> {
        // For which service it is, is read from here; nobody looks at the signature.
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let headers = headers.iter().copied().chain([("Authorization", scope.as_str())]);
        let headers: Vec<_> =
            headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let answer = Client::new(self.address).send("POST", "/", &headers, body.as_bytes())?;
        match answer.status {
            200 => Ok(answer.text()),
            status => Err(format!("{action} was answered {status}: {}", answer.text())),
        }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
