use std::process::Command;

use super::process::{Home, Process, attempt, free_port, run};

/// A directory of OpenLDAP below [`Slapd::SUFFIX`], with `ou=people` and `ou=groups` in it. Everybody
/// may read everything but passwords.
pub struct Slapd {
    pub port: u16,
    /// Where it speaks TLS, if it has a certificate.
    pub secure_port: u16,
    home: Home,
    process: Option<Process>,
}

impl Slapd {
    pub const SUFFIX: &str = "dc=example,dc=org";
    pub const ADMIN: &str = "cn=admin,dc=example,dc=org";
    pub const PASSWORD: &str = "admin's pass-word";
    pub const PEOPLE: &str = "ou=people,dc=example,dc=org";

    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// With a certificate and its key, as PEM.
    pub fn start_with(pair: Option<(&str, &str)>) -> Self {
        let home = Home::new("openldap");
        let folder = home.path().display();
        let tls = pair.map(|(certificate, key)| {
            let certificate = home.write("server.crt", certificate);
            let key = home.write("server.key", key);
            format!(
                "TLSCertificateFile {}\nTLSCertificateKeyFile {}\n",
                certificate.display(),
                key.display()
            )
        });
        let schemas: String = ["core", "cosine", "inetorgperson"]
            .map(|name| format!("include /etc/ldap/schema/{name}.schema\n"))
            .concat();
        home.write(
            "slapd.conf",
            &format!(
                "{schemas}{}modulepath /usr/lib/ldap\nmoduleload back_mdb\ndatabase mdb\n\
                 suffix \"{}\"\nrootdn \"{}\"\ndirectory {folder}\nmaxsize 16777216\n\
                 access to attrs=userPassword by anonymous auth\naccess to * by * read\n",
                tls.unwrap_or_default(),
                Self::SUFFIX,
                Self::ADMIN,
            ),
        );
        home.write("entries.ldif", &entries());
        run(home.command("slapadd").args(["-f", "slapd.conf", "-l", "entries.ldif"]));
        let secure_port = if pair.is_some() { free_port() } else { 0 };
        let mut slapd = Self { port: free_port(), secure_port, home, process: None };
        slapd.resume();
        slapd
    }

    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// Whether it lets somebody in.
    pub fn binds(&self, dn: &str, password: &str) -> bool {
        let mut whoami = Command::new("ldapwhoami");
        attempt(whoami.args(["-x", "-H", &self.url(), "-D", dn, "-w", password])).is_ok()
    }

    /// Does what an LDIF says, as the administrator.
    pub fn modify(&self, ldif: &str) {
        let file = self.home.write("change.ldif", ldif);
        let mut modify = Command::new("ldapmodify");
        modify.args(["-x", "-H", &self.url(), "-D", Self::ADMIN, "-w", Self::PASSWORD, "-f"]);
        run(modify.arg(file));
    }

    /// Adds somebody to the people.
    pub fn add_person(&self, name: &str, password: &str) -> String {
        let dn = format!("cn={name},{}", Self::PEOPLE);
        self.modify(&format!(
            "dn: {dn}\nchangetype: add\nobjectClass: person\ncn: {name}\nsn: {name}\n\
             userPassword: {password}\n"
        ));
        dn
    }

    /// What `ldapsearch` shows of all entries that a filter fits.
    pub fn search(&self, filter: &str) -> String {
        let mut search = Command::new("ldapsearch");
        search.args(["-x", "-LLL", "-o", "ldif-wrap=no", "-H", &self.url(), "-b", Self::SUFFIX]);
        run(search.arg(filter))
    }

    /// Ends the server; what was stored stays.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop("TERM");
        }
    }

    pub fn resume(&mut self) {
        let mut urls = self.url();
        if self.secure_port != 0 {
            urls.push_str(&format!(" ldaps://127.0.0.1:{}", self.secure_port));
        }
        let mut slapd = self.home.command("slapd");
        // A level of 0 keeps it in the foreground and says nothing.
        slapd.args(["-f", "slapd.conf", "-h", &urls, "-d", "0"]);
        let is_ready = || {
            let mut search = Command::new("ldapsearch");
            let search = search.args(["-x", "-H", &self.url(), "-b", Self::SUFFIX, "-s", "base"]);
            attempt(search).is_ok()
        };
        self.process = Some(self.home.start(slapd, is_ready));
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn entries() -> String {
    let (suffix, admin, password) = (Slapd::SUFFIX, Slapd::ADMIN, Slapd::PASSWORD);
    let unit = |name: &str| {
        format!("dn: ou={name},{suffix}\nobjectClass: organizationalUnit\nou: {name}\n\n")
    };
    format!(
        "dn: {suffix}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n\n\
         dn: {admin}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n\
         cn: admin\nuserPassword: {password}\n\n{}{}\
         dn: cn=readers,ou=groups,{suffix}\nobjectClass: groupOfNames\ncn: readers\n\
         member: {admin}\n",
        unit("people"),
        unit("groups"),
    )
}
