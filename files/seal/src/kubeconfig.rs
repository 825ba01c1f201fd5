use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base_http::{ClientTls, ServerCheck};
use base_types::{Error, Result, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use files_document::{Document, Element, Format, Item, Scalar, Value, get};

use crate::flags::Flags;
use crate::{exec, manifest};

/// How to reach clusters, as the files of `kubectl` say it; within a cluster, as the pod's own
/// service account says it.
/// <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>
pub(crate) struct Kubeconfig<'a> {
    flags: &'a Flags,
    environment: &'a HashMap<String, String>,
    /// In the order in which they are asked: what one says, no later one can change.
    files: Vec<File>,
}

struct File {
    folder: PathBuf,
    items: Vec<Item>,
}

/// An API server and who we are to it.
pub(crate) struct Cluster {
    pub(crate) server: String,
    pub(crate) tls: ClientTls,
    pub(crate) token: Option<Secret<String>>,
}

/// Who we are: a token, or a certificate and its key in PEM.
#[derive(Default)]
pub(crate) struct Credentials {
    pub(crate) token: Option<Secret<String>>,
    pub(crate) certificate: String,
    pub(crate) key: Secret<String>,
}

const POD: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const NOTHING: &str = "invalid configuration: no configuration has been provided, try setting \
                       KUBERNETES_MASTER environment variable, --kubeconfig or --controller-url";

impl<'a> Kubeconfig<'a> {
    /// # Errors
    /// `Invalid` if a file is none; one that is not there is none at all, unless a flag names it.
    pub(crate) fn load(flags: &'a Flags, environment: &'a HashMap<String, String>) -> Result<Self> {
        let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        let paths: Vec<PathBuf> = match (flags.value("kubeconfig"), set("KUBECONFIG")) {
            (Some(path), _) => vec![PathBuf::from(path)],
            (None, Some(list)) => std::env::split_paths(list).collect(),
            (None, None) => {
                set("HOME").map(|home| Path::new(home).join(".kube/config")).into_iter().collect()
            }
        };
        let mut files = Vec::new();
        for path in paths {
            if flags.value("kubeconfig").is_none() && !path.exists() {
                continue;
            }
            files.push(File::read(&path).map_err(|error| error.at(path.display()))?);
        }
        Ok(Self { flags, environment, files })
    }

    /// The namespace that the context names; the default one if there is any configuration.
    pub(crate) fn namespace(&self) -> Option<String> {
        let own = self.context().and_then(|(_, context)| manifest::text(context, "namespace"));
        let own = own.filter(|name| !name.is_empty()).map(str::to_owned);
        let pod = || std::fs::read_to_string(format!("{POD}/namespace")).ok();
        let default = || (!self.files.is_empty()).then(|| "default".to_owned());
        own.or_else(default).or_else(|| pod().map(|name| name.trim().to_owned()))
    }

    /// The API server that flags and files name.
    ///
    /// # Errors
    /// `Invalid` if nothing names one, or something it names cannot be used.
    pub(crate) fn cluster(&self) -> Result<Cluster> {
        let context = self.context().map_or(&[][..], |(_, context)| context);
        let named = |flag: &str, key: &str| {
            self.flags.value(flag).or_else(|| manifest::text(context, key)).unwrap_or_default()
        };
        let cluster = self.named("clusters", "cluster", named("cluster", "cluster"));
        let user = self.named("users", "user", named("user", "user"));
        let server = self.flags.value("server").map(str::to_owned).or_else(|| {
            let (_, cluster) = cluster?;
            manifest::text(cluster, "server").map(str::to_owned)
        });
        let Some(server) = server.filter(|server| !server.is_empty()) else {
            return self.pod();
        };
        let credentials = match user {
            Some((file, user)) => file.credentials(user, self.environment)?,
            None => Credentials::default(),
        };
        let mut tls = match cluster {
            Some((file, cluster)) => file.tls(cluster)?,
            None => ClientTls::default(),
        };
        (tls.certificate, tls.private_key) = (credentials.certificate, credentials.key);
        self.override_tls(&mut tls)?;
        Ok(Cluster { server, tls, token: credentials.token })
    }

    fn override_tls(&self, tls: &mut ClientTls) -> Result<()> {
        if let Some(path) = self.flags.value("certificate-authority") {
            tls.ca = read(Path::new(path))?;
        }
        if let Some(path) = self.flags.value("client-certificate") {
            tls.certificate = read(Path::new(path))?;
        }
        if let Some(path) = self.flags.value("client-key") {
            tls.private_key = Secret::new(read(Path::new(path))?);
        }
        if let Some(name) = self.flags.value("tls-server-name") {
            tls.server_name = name.to_owned();
        }
        if self.flags.on("insecure-skip-tls-verify") {
            tls.check = ServerCheck::DangerNothing;
        }
        Ok(())
    }

    /// The cluster around the pod that this runs in.
    fn pod(&self) -> Result<Cluster> {
        let variable = |name: &str| self.environment.get(name).filter(|value| !value.is_empty());
        let host = variable("KUBERNETES_SERVICE_HOST");
        let port = variable("KUBERNETES_SERVICE_PORT");
        let token = std::fs::read_to_string(format!("{POD}/token")).ok();
        let (Some(host), Some(port), Some(token)) = (host, port, token) else {
            return Err(Error::invalid(NOTHING));
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let ca = read(&Path::new(POD).join("ca.crt"))?;
        Ok(Cluster {
            server: format!("https://{host}:{port}"),
            tls: ClientTls { ca, ..ClientTls::default() },
            token: Some(Secret::new(token.trim().to_owned())),
        })
    }

    fn context(&self) -> Option<(&File, &[Item])> {
        let current = self.files.iter().find_map(|file| {
            manifest::text(&file.items, "current-context").filter(|name| !name.is_empty())
        });
        self.named("contexts", "context", self.flags.value("context").or(current)?)
    }

    /// What a list of all files holds under a name.
    fn named(&self, list: &str, kind: &str, name: &str) -> Option<(&File, &[Item])> {
        self.files.iter().find_map(|file| {
            let Some(Value::List(elements)) = get(&file.items, list) else { return None };
            let mut entries = elements.iter().filter_map(|element| match element {
                Element::Value(Value::Map(entry)) => Some(entry),
                Element::Comment(_) | Element::Value(_) => None,
            });
            let entry = entries.find(|entry| manifest::text(entry, "name") == Some(name))?;
            Some((file, manifest::map(entry, kind)))
        })
    }
}

impl File {
    fn read(path: &Path) -> Result<Self> {
        let text = read(path)?;
        let document = Document::parse(Format::Yaml, text.as_bytes())?;
        let items = document.trees().first().cloned().unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { folder, items })
    }

    fn tls(&self, cluster: &[Item]) -> Result<ClientTls> {
        let skips = matches!(
            get(cluster, "insecure-skip-tls-verify"),
            Some(Value::Scalar(Scalar::Bool(true)))
        );
        Ok(ClientTls {
            ca: self.pem(cluster, "certificate-authority")?,
            server_name: manifest::text(cluster, "tls-server-name").unwrap_or_default().to_owned(),
            check: if skips { ServerCheck::DangerNothing } else { ServerCheck::Full },
            ..ClientTls::default()
        })
    }

    fn credentials(
        &self,
        user: &[Item],
        environment: &HashMap<String, String>,
    ) -> Result<Credentials> {
        if get(user, "exec").is_some() {
            return exec::credentials(manifest::map(user, "exec"), &self.folder, environment);
        }
        let mut token = manifest::text(user, "token").map(str::to_owned);
        if let Some(path) = manifest::text(user, "tokenFile") {
            token = Some(read(&self.folder.join(path))?.trim().to_owned());
        }
        Ok(Credentials {
            token: token.filter(|token| !token.is_empty()).map(Secret::new),
            certificate: self.pem(user, "client-certificate")?,
            key: Secret::new(self.pem(user, "client-key")?),
        })
    }

    /// What stands in base64 under `{key}-data`, or in the file that `key` names; else nothing.
    fn pem(&self, items: &[Item], key: &str) -> Result<String> {
        if let Some(text) = manifest::text(items, &format!("{key}-data")) {
            let bytes = STANDARD.decode(text.trim()).ok();
            return bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
                Error::invalid(format!("{key}-data of the kubeconfig is no PEM in base64"))
            });
        }
        match manifest::text(items, key).filter(|path| !path.is_empty()) {
            Some(path) => read(&self.folder.join(path)),
            None => Ok(String::new()),
        }
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Error::invalid(format!("{} cannot be read: {error}", path.display())))
}
