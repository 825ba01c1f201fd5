use base_types::BoxFuture;

use crate::context::Context;
use crate::failure::Outcome;

/// One row of the grammar. Parsing, help and completion are all derived from it.
pub(crate) struct Command {
    /// The words that call it, for example `kv get`.
    pub(crate) name: &'static str,
    /// The positional arguments as the usage line shows them.
    pub(crate) args: &'static str,
    /// How many there may be.
    pub(crate) arity: Arity,
    /// One line, without a full stop.
    pub(crate) synopsis: &'static str,
    /// Paragraphs and examples; `{program}` stands for the name of the program.
    pub(crate) about: &'static str,
    /// Its own flags; those for the connection are common to all.
    pub(crate) flags: &'static [Flag],
    /// Whether `-format=raw` makes sense.
    pub(crate) raw_format: bool,
    /// `None` for a group of commands, and for what the binary runs without this crate.
    pub(crate) run: Option<Run>,
}

pub(crate) type Run = for<'a> fn(&'a mut Context) -> BoxFuture<'a, Outcome>;

impl Command {
    /// What a row need not repeat.
    pub(crate) const BASE: Self = Self {
        name: "",
        args: "",
        arity: Arity::exactly(0),
        synopsis: "",
        about: "",
        flags: &[],
        raw_format: false,
        run: None,
    };

    /// The flag that answers to `name` or to an alias of it.
    pub(crate) fn flag(&self, name: &str) -> Option<&'static Flag> {
        let mut all = COMMON.iter().chain(self.flags);
        all.find(|flag| flag.name == name || (!flag.alias.is_empty() && flag.alias == name))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Arity {
    min: usize,
    max: usize,
}

impl Arity {
    pub(crate) const fn exactly(count: usize) -> Self {
        Self { min: count, max: count }
    }

    pub(crate) const fn between(min: usize, max: usize) -> Self {
        Self { min, max }
    }

    pub(crate) const fn at_least(min: usize) -> Self {
        Self { min, max: usize::MAX }
    }

    /// What is wrong with `count` arguments.
    pub(crate) fn complaint(self, count: usize) -> Option<String> {
        let expected = match self {
            Self { min, max } if min == max => min.to_string(),
            Self { min, max: usize::MAX } => format!("at least {min}"),
            Self { min, max } => format!("{min}-{max}"),
        };
        let quantity = match count {
            count if count < self.min => "Not enough",
            count if count > self.max => "Too many",
            _ => return None,
        };
        Some(format!("{quantity} arguments (expected {expected}, got {count})"))
    }
}

/// A flag, as Go's flag package knows them.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    /// A second name; empty if there is none.
    pub(crate) alias: &'static str,
    pub(crate) kind: Kind,
    /// As it would be typed; empty for the kind's own zero.
    pub(crate) default: &'static str,
    /// The environment setting that replaces the default; empty if there is none.
    pub(crate) env: &'static str,
    pub(crate) help: &'static str,
}

/// What a flag takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Bool,
    /// A boolean that has to be given its value, so that "not given" is a third answer.
    Choice,
    /// Seconds, or a number with a unit, or `system`.
    Duration,
    Int,
    /// May be given more than once.
    List,
    /// `key=value`, may be given more than once.
    Map,
    Text,
}

impl Kind {
    /// What stands after the equal sign in the help.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Bool => "",
            Self::Choice => "bool",
            Self::Duration => "duration",
            Self::Int => "int",
            Self::List | Self::Text => "string",
            Self::Map => "key=value",
        }
    }
}

impl Flag {
    pub(crate) const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, alias: "", kind, default: "", env: "", help }
    }

    pub(crate) const fn text(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Text, help)
    }

    pub(crate) const fn switch(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Bool, help)
    }

    pub(crate) const fn choice(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Choice, help)
    }

    pub(crate) const fn int(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Int, help)
    }

    pub(crate) const fn duration(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Duration, help)
    }

    pub(crate) const fn list(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::List, help)
    }

    pub(crate) const fn map(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Map, help)
    }

    pub(crate) const fn alias(self, alias: &'static str) -> Self {
        Self { alias, ..self }
    }

    pub(crate) const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    pub(crate) const fn env(self, env: &'static str) -> Self {
        Self { env, ..self }
    }
}

/// The flags of every command: how to reach the server, and what to do instead.
pub(crate) const COMMON: &[Flag] = &[
    Flag::text("address", "The server: https://host:port, http://host:port or unix:///path.")
        .default("https://127.0.0.1:8200")
        .env("ADDR"),
    Flag::text("agent-address", "An agent to ask instead of the server.").env("AGENT_ADDR"),
    Flag::text(
        "ca-cert",
        "A PEM file with the authorities that may have signed the server's certificate.",
    )
    .env("CACERT"),
    Flag::text("ca-path", "A folder of such files; -ca-cert goes before it.").env("CAPATH"),
    Flag::text(
        "client-cert",
        "A PEM file with a certificate to show to the server; needs -client-key.",
    )
    .env("CLIENT_CERT"),
    Flag::text("client-key", "The PEM file with the private key of -client-cert.")
        .env("CLIENT_KEY"),
    Flag::switch("disable-redirects", "Take a redirect as the answer instead of following it.")
        .env("DISABLE_REDIRECTS"),
    Flag::map(
        "header",
        "An HTTP header for every request, as name=value. Not for X-Vault- headers.",
    ),
    Flag::list("mfa", "Credentials for multi-factor checks, sent as X-Vault-MFA.").env("MFA"),
    Flag::text("namespace", "The namespace to work in.").env("NAMESPACE"),
    Flag::switch("non-interactive", "Never ask on the terminal and never read standard input."),
    Flag::text("ns", "Short for -namespace; goes before it."),
    Flag::switch(
        "output-curl-string",
        "Print the request as a curl command instead of sending it.",
    ),
    Flag::switch("output-policy", "Print the policy that the request needs instead of sending it."),
    Flag::switch("policy-override", "Ask the server to override policies that can be overridden."),
    Flag::text("tls-server-name", "The name to expect in the server's certificate.")
        .env("TLS_SERVER_NAME"),
    Flag::switch(
        "tls-skip-verify",
        "Accept any server certificate. Whoever is on the wire can then read all.",
    )
    .env("SKIP_VERIFY"),
    Flag::duration(
        "wrap-ttl",
        "Have the answer wrapped in a single-use token that lives this long.",
    )
    .env("WRAP_TTL"),
];

pub(crate) const FIELD: Flag = Flag::text(
    "field",
    "Print only this field, without a newline when the output is not a terminal.",
);
pub(crate) const FORMAT: Flag =
    Flag::text("format", "table, json, yaml or pretty; read also knows raw.")
        .default("table")
        .env("FORMAT");
pub(crate) const DETAILED: Flag =
    Flag::switch("detailed", "Show what else the server tells about each entry.").env("DETAILED");
