//! An application whose database user lives as long as its lease: it logs in with AppRole, fetches
//! a user, renews it, and connects again with a new one when the old one comes to its end.
//!
//! `VAULT_ADDR`, `ROLE_ID`, `SECRET_ID_FILE` and `DATABASE` (`host:port/name`) say where.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]
#![expect(clippy::disallowed_methods, reason = "a program of its own reads its environment")]

use std::time::Duration;

use base_types::Secret;
use client::{Client, Config, Request, SecretResponse};
use serde::Deserialize;
use serde_json::json;
use tokio_postgres::NoTls;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Deserialize)]
struct User {
    username: String,
    password: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    loop {
        let vault = log_in().await?;
        let lease = vault.secret(&Request::read("database/creds/app")).await?;
        let lease = lease.ok_or("the role gives no user")?;
        let database = connect(&lease.data()?).await?;
        loop {
            let row = database.query_one("select current_user::text", &[]).await?;
            println!("connected as {}", row.get::<_, String>(0));
            tokio::time::sleep(Duration::from_secs(lease.lease_duration.unsigned_abs()) / 3).await;
            if !renew(&vault, &lease).await? {
                break;
            }
        }
    }
}

/// A client with a new token. A user dies with the token it was fetched with, so each user has its
/// own.
async fn log_in() -> Result<Client> {
    let config = Config { address: std::env::var("VAULT_ADDR")?, ..Config::default() };
    let vault = Client::new(config)?;
    let secret_id = std::fs::read_to_string(std::env::var("SECRET_ID_FILE")?)?;
    let login = json!({"role_id": std::env::var("ROLE_ID")?, "secret_id": secret_id.trim()});
    let answer = vault.secret(&Request::post("auth/approle/login").json(&login)?).await?;
    let auth = answer.and_then(|answer| answer.auth).ok_or("the login gave no token")?;
    Ok(vault.with_token(Some(Secret::new(auth.client_token))))
}

async fn connect(user: &User) -> Result<tokio_postgres::Client> {
    let place = std::env::var("DATABASE")?;
    let config: tokio_postgres::Config = format!("postgresql://{place}").parse()?;
    let config = config.clone().user(&user.username).password(&user.password).to_owned();
    let (database, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(database)
}

/// Whether the user lives on for as long as at first; near its maximum it does not.
async fn renew(vault: &Client, lease: &SecretResponse) -> Result<bool> {
    vault.secret(&Request::post("auth/token/renew-self").json(&json!({}))?).await?;
    let wanted = json!({"lease_id": lease.lease_id, "increment": lease.lease_duration});
    let renewed = vault.secret(&Request::post("sys/leases/renew").json(&wanted)?).await?;
    Ok(renewed.is_some_and(|renewed| renewed.lease_duration >= lease.lease_duration))
}
