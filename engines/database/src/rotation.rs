//! How the passwords of users that stay are made, set and checked; the sequence of a change is
//! `core_rotation`'s.

use base_types::{Result, Secret};
use core_rotation::{Account, Login, Rotating, Rotations};

use crate::Database;
use crate::static_role::{DatabaseRole, StaticRole};

impl Rotating for Database {
    type Own = DatabaseRole;

    const SYSTEM: &'static str = "database";

    fn rotations(&self) -> &Rotations {
        &self.rotations
    }

    async fn generate(&self, role: &StaticRole) -> Result<Secret<String>> {
        let (connection, _) = self.driver(&role.own.db_name).await?;
        self.password(&connection, Some(role.own.credential.password_policy()?)).await
    }

    async fn set(
        &self,
        role: &StaticRole,
        account: &Account,
        password: &Secret<String>,
    ) -> Result<()> {
        let (_, driver) = self.driver(&role.own.db_name).await?;
        let scripts = role.own.rotation_statements.scripts();
        driver.set_password(&scripts, &account.username, password).await
    }

    async fn check(
        &self,
        role: &StaticRole,
        account: &Account,
        password: &Secret<String>,
    ) -> Result<Login> {
        let (_, driver) = self.driver(&role.own.db_name).await?;
        driver.check_login(&account.username, password).await
    }
}
