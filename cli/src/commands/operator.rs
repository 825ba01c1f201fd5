//! What the people who run the server do.

use base_types::Timestamp;
use client::Request;
use serde::{Deserialize, Serialize};

use super::init::init;
use super::quorum::{GENERATE_ROOT, REKEY};
use super::seal_status::{SealStatus, status};
use crate::command::{Arity, Command, FIELD, FORMAT, Flag};
use crate::context::{Context, WithBody};
use crate::failure::{Doing, Failure, Outcome};
use crate::format::table;
use crate::json::Json;
use crate::out::Stream;

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "status",
        synopsis: "Show whether the server is sealed, and who leads",
        about: "The exit code tells as well: 0 unsealed, 1 error, 2 sealed.\n\n    $ {program} status",
        flags: &[FIELD, FORMAT],
        run: Some(|cx| Box::pin(status(cx))),
        ..Command::BASE
    },
    Command {
        name: "operator",
        synopsis: "Run the server: keys, seal, cluster",
        about: "Commands for those who run the server.",
        ..Command::BASE
    },
    Command {
        name: "operator diagnose",
        args: "-config=FILE",
        synopsis: "Check a server's configuration without starting it",
        about: "Reads the configuration and checks all that it names.\n\n    \
                $ {program} operator diagnose -config=/etc/strongroom.hcl",
        ..Command::BASE
    },
    Command {
        name: "operator init",
        synopsis: "Initialise a new server",
        about: "Makes the root key, splits it into shares, and prints them and the first root \
                token, once. Keep the shares apart from each other.\n\n    \
                $ {program} operator init -key-shares=5 -key-threshold=3",
        flags: &[
            FORMAT,
            Flag::switch(
                "status",
                "Only say whether the server is initialised; exit code 2 if not.",
            ),
            Flag::int("key-shares", "How many shares to split the root key into; 5 if not given.")
                .alias("n"),
            Flag::int("key-threshold", "How many of them unseal; 3 if not given.").alias("t"),
            Flag::int(
                "recovery-shares",
                "How many recovery shares to make, with a seal that unseals itself.",
            )
            .default("5"),
            Flag::int("recovery-threshold", "How many of them it takes.").default("3"),
        ],
        run: Some(|cx| Box::pin(init(cx))),
        ..Command::BASE
    },
    Command {
        name: "operator unseal",
        args: "[KEY]",
        arity: Arity::between(0, 1),
        synopsis: "Give one share of the root key",
        about: "Gives one share to the server; when there are enough, it opens. Without an argument \
                the share is asked for on the terminal, where no history keeps it.\n\n    \
                $ {program} operator unseal",
        flags: &[
            FORMAT,
            Flag::switch("reset", "Forget the shares given so far."),
            Flag::switch("migrate", "This share belongs to a change of the kind of seal."),
        ],
        run: Some(|cx| Box::pin(unseal(cx))),
        ..Command::BASE
    },
    Command {
        name: "operator seal",
        synopsis: "Close the server",
        about: "Throws the root key out of the server's memory; it answers nothing until it is \
                unsealed.\n\n    $ {program} operator seal",
        run: Some(|cx| Box::pin(seal(cx))),
        ..Command::BASE
    },
    GENERATE_ROOT,
    REKEY,
    Command {
        name: "operator rotate",
        synopsis: "Begin a new encryption key",
        about: "What is written from now on is encrypted with a new key; the old ones stay for what \
                was written before.\n\n    $ {program} operator rotate",
        flags: &[FORMAT],
        run: Some(|cx| Box::pin(rotate(cx))),
        ..Command::BASE
    },
    Command {
        name: "operator key-status",
        synopsis: "Show the encryption key in use",
        about: "Shows the number and the age of the encryption key, and how often it was used.\n\n    \
                $ {program} operator key-status",
        flags: &[FORMAT],
        run: Some(|cx| Box::pin(key_status(cx))),
        ..Command::BASE
    },
    Command {
        name: "operator step-down",
        synopsis: "Let another node lead",
        about: "Makes the active node give up its role.\n\n    $ {program} operator step-down",
        run: Some(|cx| Box::pin(step_down(cx))),
        ..Command::BASE
    },
    Command {
        name: "operator members",
        synopsis: "List the nodes of the cluster",
        about: "Lists the nodes that have been heard of lately.\n\n    $ {program} operator members",
        flags: &[FORMAT],
        run: Some(|cx| Box::pin(members(cx))),
        ..Command::BASE
    },
];

async fn unseal(cx: &mut Context) -> Outcome {
    if cx.flags.on("reset") {
        let request = Request::put("sys/unseal").body(&Json::map([("reset", Json::Bool(true))]));
        let response = cx.send(&request).await.doing("Error resetting unseal process")?;
        return response.json::<SealStatus>()?.print(cx).await;
    }
    let key = match cx.arg(0).trim() {
        "" => {
            let otherwise = "give the key as the argument of this command";
            cx.ask("Unseal Key", Stream::Stdout, otherwise)?.expose().trim().to_owned()
        }
        key => key.to_owned(),
    };
    let migrate = Json::Bool(cx.flags.on("migrate"));
    let body =
        Json::map([("key", Json::Text(key)), ("migrate", migrate), ("reset", Json::Bool(false))]);
    let response =
        cx.send(&Request::put("sys/unseal").body(&body)).await.doing("Error unsealing")?;
    response.json::<SealStatus>()?.print(cx).await
}

async fn seal(cx: &mut Context) -> Outcome {
    cx.send(&Request::put("sys/seal")).await.doing("Error sealing")?;
    cx.out.line("Success! Vault is sealed.");
    Ok(())
}

#[derive(Deserialize, Serialize)]
struct KeyStatus {
    term: u32,
    install_time: String,
    #[serde(default)]
    encryptions: u64,
}

async fn read_key_status(cx: &mut Context) -> Outcome<KeyStatus> {
    let reply =
        cx.really(&Request::read("sys/key-status")).await.doing("Error reading key status")?;
    let reply = reply.ok_or_else(|| Failure::remote("data from server response is empty"))?;
    Ok(reply.envelope.data()?)
}

impl KeyStatus {
    fn table(&self) -> String {
        let time = match self.install_time.parse::<Timestamp>() {
            Ok(time) => jiff::Timestamp::from_second(time.seconds())
                .map_or(self.install_time.clone(), |time| {
                    time.strftime("%d %b %y %H:%M UTC").to_string()
                }),
            Err(_) => self.install_time.clone(),
        };
        let rows = [
            format!("Key Term | {}", self.term),
            format!("Install Time | {time}"),
            format!("Encryption Count | {}", self.encryptions),
        ];
        table::columns(&rows, "|")
    }
}

async fn key_status(cx: &mut Context) -> Outcome {
    if cx.preview.is_some() {
        cx.send(&Request::read("sys/key-status")).await?;
    }
    let status = read_key_status(cx).await?;
    print_key_status(cx, &status)
}

fn print_key_status(cx: &mut Context, status: &KeyStatus) -> Outcome {
    if !cx.out.is_table() {
        return cx.out.data(&Json::of(status));
    }
    cx.out.line(status.table());
    Ok(())
}

async fn rotate(cx: &mut Context) -> Outcome {
    cx.send(&Request::post("sys/rotate")).await.doing("Error rotating key")?;
    let status = read_key_status(cx).await?;
    cx.out.success("Success! Rotated key\n");
    print_key_status(cx, &status)
}

async fn step_down(cx: &mut Context) -> Outcome {
    cx.send(&Request::put("sys/step-down")).await.doing("Error stepping down")?;
    let address = cx.address().to_owned();
    cx.out.line(format!("Success! Stepped down: {address}"));
    Ok(())
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Node {
    hostname: String,
    api_address: String,
    cluster_address: String,
    active_node: bool,
    last_echo: Option<String>,
    version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    upgrade_version: String,
}

async fn members(cx: &mut Context) -> Outcome {
    #[derive(Deserialize, Serialize)]
    struct Nodes {
        // As Vault's own command prints it.
        #[serde(rename(serialize = "Nodes", deserialize = "nodes"), alias = "Nodes")]
        nodes: Vec<Node>,
    }
    let answer: Nodes = cx.send(&Request::read("sys/ha-status")).await?.json()?;
    if !cx.out.is_table() {
        return cx.out.data(&Json::of(&answer));
    }
    let heading = "Host Name | API Address | Cluster Address | Active Node | Version | Upgrade Version | Last Echo";
    let mut rows = vec![heading.to_owned()];
    rows.extend(answer.nodes.iter().map(|node| {
        let Node {
            hostname,
            api_address,
            cluster_address,
            active_node,
            last_echo,
            version,
            upgrade_version,
        } = node;
        // Whole seconds are what people need here.
        let echo = last_echo.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
        let echo = echo
            .map(|time| Timestamp::from_seconds(time.seconds()).to_string())
            .unwrap_or_default();
        format!(
            "{hostname} | {api_address} | {cluster_address} | {active_node} | {version} | \
             {upgrade_version} | {echo}"
        )
    }));
    cx.out.line(table::table(&rows, "|"));
    Ok(())
}
