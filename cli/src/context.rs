use std::io::Read;
use std::time::Duration;

use base_types::{Secret, Ttl};
use client::{Client, Config, Request, Response, Tls};
use http::{HeaderName, HeaderValue};

use crate::command::Command;
use crate::env::Environment;
use crate::failure::{Failure, Outcome};
use crate::flags::{Flags, boolean};
use crate::format::{Format, json};
use crate::json::Json;
use crate::kv_args;
use crate::out::{Out, Stream};
use crate::preview::Preview;
use crate::prompt;
use crate::secret::Reply;
use crate::token_helper::TokenHelper;

/// All that a command works with.
pub(crate) struct Context {
    /// The name that the program was called by, for texts.
    pub(crate) program: String,
    pub(crate) command: &'static Command,
    pub(crate) env: Environment,
    pub(crate) flags: Flags,
    /// The positional arguments.
    pub(crate) args: Vec<String>,
    pub(crate) out: Out,
    pub(crate) preview: Option<Preview>,
    client: Option<Client>,
}

impl Context {
    pub(crate) fn new(
        program: &str,
        command: &'static Command,
        env: Environment,
        args: &[String],
        mut out: Out,
    ) -> Outcome<Self> {
        let (flags, args) = Flags::parse(command, &env, args).map_err(Failure::local)?;
        if out.format == Format::Raw && !command.raw_format {
            return Err(Failure::local("This command does not support the -format=raw option."));
        }
        let preview = match () {
            () if flags.on("output-curl-string") => Some(Preview::Curl),
            () if flags.on("output-policy") => Some(Preview::Policy),
            () => None,
        };
        out.quiet = preview.is_some();
        let context = Self {
            program: program.to_owned(),
            command,
            env,
            flags,
            args,
            out,
            preview,
            client: None,
        };
        Ok(context)
    }

    /// The argument at `index`; empty if there is none.
    pub(crate) fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }

    /// The client, with the token of the environment or the token helper.
    pub(crate) fn client(&mut self) -> Outcome<Client> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = self.client_without_token()?;
        let token = self.token(&client.config().address)?;
        let client = client.with_token(token);
        self.client = Some(client.clone());
        Ok(client)
    }

    /// From now on, requests go out with `token`.
    pub(crate) fn use_token(&mut self, token: Option<Secret<String>>) -> Outcome {
        self.client = Some(self.client_without_token()?.with_token(token));
        Ok(())
    }

    /// From now on, requests go to the root namespace.
    pub(crate) fn use_root_namespace(&mut self) -> Outcome {
        self.client = Some(self.client()?.with_namespace(""));
        Ok(())
    }

    pub(crate) fn token_helper(&self, address: &str) -> Outcome<TokenHelper> {
        TokenHelper::new(&self.env, address)
            .map_err(|why| Failure::remote(format!("failed to get token helper: {why}")))
    }

    /// The server's address as the flags and the environment give it.
    pub(crate) fn address(&self) -> &str {
        match self.flags.text("agent-address") {
            "" => self.flags.text("address"),
            agent => agent,
        }
    }

    fn token(&self, address: &str) -> Outcome<Option<Secret<String>>> {
        if let Some(token) = self.env.setting("TOKEN") {
            return Ok(Some(Secret::new(token.to_owned())));
        }
        self.token_helper(address)?
            .get()
            .map_err(|why| Failure::remote(format!("failed to get token from token helper: {why}")))
    }

    fn client_without_token(&self) -> Outcome<Client> {
        let file =
            |name| Some(self.flags.text(name)).filter(|path| !path.is_empty()).map(Into::into);
        let server_name = self.flags.text("tls-server-name");
        let tls = Tls {
            ca_cert: file("ca-cert"),
            ca_path: file("ca-path"),
            client_cert: file("client-cert"),
            client_key: file("client-key"),
            server_name: Some(server_name.to_owned()).filter(|name| !name.is_empty()),
            danger_skip_verify: self.flags.on("tls-skip-verify"),
        };
        let wrap_ttl = match self.flags.seconds("wrap-ttl") {
            0 => None,
            seconds => Some(Ttl::from_seconds(seconds.unsigned_abs()).to_string()),
        };
        let defaults = Config::default();
        let config = Config {
            address: self.address().to_owned(),
            token: None,
            namespace: self.namespace(),
            tls,
            headers: self.headers()?,
            timeout: self.timeout()?.unwrap_or(defaults.timeout),
            wrap_ttl,
            // Somebody who waits at a terminal wants to see the error at once.
            retries_max: self.retries()?.unwrap_or(0),
            redirects: !self.flags.on("disable-redirects"),
            ..defaults
        };
        Ok(Client::new(config)?)
    }

    /// With a slash at the end and none before; empty for the root.
    fn namespace(&self) -> String {
        let text = if self.flags.given("ns") {
            self.flags.text("ns")
        } else {
            self.flags.text("namespace")
        };
        match text.trim().trim_matches('/') {
            "" | "root" => String::new(),
            path => format!("{path}/"),
        }
    }

    fn headers(&self) -> Outcome<Vec<(HeaderName, HeaderValue)>> {
        let mut headers = Vec::new();
        for (name, value) in self.flags.map("header") {
            if name.to_ascii_lowercase().starts_with("x-vault-") {
                return Err(Failure::remote(format!(
                    "failed to setup Headers[{name}]: headers that start with 'X-Vault-' are set by the program alone"
                )));
            }
            let wrong =
                || Failure::remote(format!("-header: {name:?} cannot be sent as an HTTP header"));
            let value = HeaderValue::from_str(&value).map_err(|_| wrong())?;
            headers.push((HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value));
        }
        for credential in self.flags.list("mfa") {
            let value = HeaderValue::from_str(credential);
            let value = value.map_err(|_| Failure::remote("-mfa: the value cannot be sent"))?;
            headers.push((HeaderName::from_static("x-vault-mfa"), value));
        }
        if self.flags.on("policy-override") {
            let name = HeaderName::from_static("x-vault-policy-override");
            headers.push((name, HeaderValue::from_static("true")));
        }
        Ok(headers)
    }

    fn timeout(&self) -> Outcome<Option<Duration>> {
        let Some(text) = self.env.setting("CLIENT_TIMEOUT") else { return Ok(None) };
        let ttl: Ttl = text
            .parse()
            .map_err(|_| self.bad_setting("CLIENT_TIMEOUT", "a duration such as 60s"))?;
        Ok(Some(Duration::from_secs(ttl.seconds())).filter(|timeout| !timeout.is_zero()))
    }

    fn retries(&self) -> Outcome<Option<u32>> {
        let text = self.env.setting("MAX_RETRIES");
        text.map(|text| text.parse().map_err(|_| self.bad_setting("MAX_RETRIES", "a number")))
            .transpose()
    }

    fn bad_setting(&self, name: &str, expected: &str) -> Failure {
        let spelling = self.env.spelling(name).unwrap_or_default();
        Failure::remote(format!("could not parse {spelling}: expected {expected}"))
    }

    /// Sends `request`, or ends the command with its preview.
    pub(crate) async fn send(&mut self, request: &Request) -> Outcome<Response> {
        let client = self.client()?;
        if let Some(preview) = self.preview {
            return Err(Failure::preview(preview.of(&client, request, &self.program)));
        }
        Ok(client.send(request).await?)
    }

    /// Sends `request` and reads the envelope; `None` if there is nothing at the path.
    pub(crate) async fn secret(&mut self, request: &Request) -> Outcome<Option<Reply>> {
        let client = self.client()?;
        if let Some(preview) = self.preview {
            return Err(Failure::preview(preview.of(&client, request, &self.program)));
        }
        client.secret(request).await?.map(Reply::new).transpose()
    }

    /// `secret` for a request that has to happen even where the next one is only previewed.
    pub(crate) async fn really(&mut self, request: &Request) -> Outcome<Option<Reply>> {
        let preview = self.preview.take();
        let answer = self.secret(request).await;
        self.preview = preview;
        answer
    }

    /// The body of the answer to `request`; its `data`, where it is an envelope.
    pub(crate) async fn body(&mut self, request: &Request) -> Outcome<Json> {
        let response = self.send(request).await?;
        let text = String::from_utf8_lossy(&response.body);
        if text.trim().is_empty() {
            return Ok(Json::Null);
        }
        let mut body = Json::parse(&text)
            .map_err(|why| Failure::remote(format!("the server's answer: {why}")))?;
        match body.remove("data") {
            Some(data) if data.is_map() => Ok(data),
            Some(data) => {
                body.set("data", data);
                Ok(body)
            }
            None => Ok(body),
        }
    }

    /// The data of an answer that must have some.
    pub(crate) async fn data(&mut self, request: &Request) -> Outcome<Json> {
        let reply = self.secret(request).await?;
        reply
            .and_then(|reply| reply.data)
            .ok_or_else(|| Failure::remote("data from server response is empty"))
    }

    /// Prints `reply`, or its field if `-field` was given.
    pub(crate) fn print(&mut self, reply: &Reply) -> Outcome {
        match self.flags.text("field") {
            "" => reply.print(&mut self.out),
            field => reply.print_field(&mut self.out, field),
        }
    }

    /// The arguments from `first` on as a body; see [`kv_args::parse`].
    pub(crate) fn body_args(&mut self, first: usize) -> Outcome<Option<Json>> {
        let stdin = &mut || self.stdin();
        kv_args::parse(self.args.get(first..).unwrap_or_default(), stdin).map_err(failed_to_parse)
    }

    /// The arguments from `first` on as query parameters.
    pub(crate) fn query_args(&mut self, first: usize) -> Outcome<Vec<(String, String)>> {
        let stdin = &mut || self.stdin();
        let lists = kv_args::parse_lists(self.args.get(first..).unwrap_or_default(), stdin);
        let lists = lists.map_err(failed_to_parse)?.into_iter();
        Ok(lists
            .flat_map(|(key, values)| values.into_iter().map(move |value| (key.clone(), value)))
            .collect())
    }

    /// Standard input as text; empty with `-non-interactive`.
    pub(crate) fn stdin(&self) -> Result<String, String> {
        if self.flags.on("non-interactive") {
            return Ok(String::new());
        }
        let mut text = String::new();
        match std::io::stdin().read_to_string(&mut text) {
            Ok(_) => Ok(text),
            Err(error) => Err(format!("standard input: {error}")),
        }
    }

    /// Asks for a secret on the terminal.
    pub(crate) fn ask(
        &mut self,
        question: &str,
        on: Stream,
        otherwise: &str,
    ) -> Outcome<Secret<String>> {
        if self.flags.on("non-interactive") {
            return Err(Failure::local(format!(
                "-non-interactive forbids asking for it; {otherwise}"
            )));
        }
        prompt::hidden(&mut self.out, question, on)
            .map_err(|error| Failure::local(format!("cannot ask for it: {error}; {otherwise}")))
    }
}

fn failed_to_parse(why: String) -> Failure {
    Failure::local(format!("Failed to parse K=V data: {why}"))
}

/// A body for requests.
pub(crate) trait WithBody {
    fn body(self, body: &Json) -> Self;
}

impl WithBody for Request {
    fn body(mut self, body: &Json) -> Self {
        self.body = Some(json::compact(body).into());
        self
    }
}

/// Whether `text`, given as `name=text`, means yes.
pub(crate) fn parse_switch(name: &str, text: &str) -> Outcome<bool> {
    boolean(text).map_err(|why| Failure::local(format!("{name}: {why}")))
}
