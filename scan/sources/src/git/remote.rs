use crate::outcome::Leak;

/// Where the repository is published, for links to findings.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Remote {
    platform: Platform,
    /// Without a user and without `.git` at the end.
    url: String,
}

/// Whose pages show a file of a commit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Platform {
    AzureDevOps,
    Bitbucket,
    Gitea,
    GitHub,
    GitLab,
    /// Links are not wanted.
    None,
    /// As the host of the remote says.
    #[default]
    Unknown,
}

impl std::str::FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_lowercase().as_str() {
            "" | "unknown" => Ok(Self::Unknown),
            "none" => Ok(Self::None),
            "github" => Ok(Self::GitHub),
            "gitlab" => Ok(Self::GitLab),
            "azuredevops" => Ok(Self::AzureDevOps),
            "gitea" => Ok(Self::Gitea),
            "bitbucket" => Ok(Self::Bitbucket),
            other => Err(format!("invalid scm platform value: {other}")),
        }
    }
}

impl Remote {
    /// The remote of a repository: that of the branch, or `origin`.
    pub(crate) fn of(repository: &gix::Repository, platform: Platform) -> Self {
        let config = repository.config_snapshot();
        let branch = repository.head_name().ok().flatten();
        let of_branch = branch.and_then(|name| {
            let key = format!("branch.{}.remote", name.shorten());
            config.string(key.as_str()).map(|name| name.to_string())
        });
        let name = of_branch.unwrap_or_else(|| "origin".into());
        let url = config.string(format!("remote.{name}.url").as_str());
        url.map_or_else(Self::default, |url| Self::at(&url.to_string(), platform))
    }

    fn at(url: &str, platform: Platform) -> Self {
        let url = page(url);
        let platform = if platform == Platform::Unknown { platform_of(&url) } else { platform };
        Self { platform, url }
    }

    /// Where the repository is published, or nothing.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What the platform is called in expressions.
    pub(crate) fn platform(&self) -> &'static str {
        match self.platform {
            Platform::AzureDevOps => "azuredevops",
            Platform::Bitbucket => "bitbucket",
            Platform::Gitea => "gitea",
            Platform::GitHub => "github",
            Platform::GitLab => "gitlab",
            Platform::None => "none",
            Platform::Unknown => "unknown",
        }
    }

    /// A page that shows a leak, or nothing.
    pub(crate) fn link(&self, leak: &Leak) -> String {
        let Some(id) = leak.commit_id() else { return String::new() };
        let (path, is_inner) = match leak.file.split_once('!') {
            Some((archive, _)) => (archive, true),
            None => (leak.file.as_str(), false),
        };
        let path = path.replace('%', "%25").replace(' ', "%20");
        let (start, end) = (leak.finding.start_line, leak.finding.end_line);
        let url = &self.url;
        let base = match self.platform {
            Platform::GitHub | Platform::GitLab => format!("{url}/blob/{id}/{path}"),
            Platform::AzureDevOps => format!("{url}/commit/{id}?path=/{path}"),
            Platform::Gitea => format!("{url}/src/commit/{id}/{path}"),
            Platform::Bitbucket => format!("{url}/src/{id}/{path}"),
            Platform::None | Platform::Unknown => return String::new(),
        };
        if is_inner && self.platform != Platform::AzureDevOps {
            return base;
        }
        // What is rendered has no lines.
        let rendered = [".ipynb", ".md"].iter().any(|end| path.to_lowercase().ends_with(end));
        let lines = |first: &str, then: &str| {
            let first = if start == 0 { String::new() } else { format!("{first}{start}") };
            if end == start { first } else { format!("{first}{then}{end}") }
        };
        let tail = match self.platform {
            Platform::GitHub if rendered => format!("?plain=1{}", lines("#L", "-L")),
            Platform::GitHub => lines("#L", "-L"),
            Platform::GitLab => lines("#L", "-"),
            Platform::Gitea if rendered => format!("?display=source{}", lines("#L", "-L")),
            Platform::Gitea => lines("#L", "-L"),
            Platform::Bitbucket => lines("#lines-", ":"),
            Platform::AzureDevOps if is_inner => String::new(),
            Platform::AzureDevOps => format!(
                "{}&lineStartColumn=1&lineEndColumn=10000000&type=2&lineStyle=plain&_a=files",
                lines("&line=", "&lineEnd=")
            ),
            Platform::None | Platform::Unknown => String::new(),
        };
        base + &tail
    }
}

/// The address of a remote as a page: `git@HOST:PATH` is one on the web, users and `.git` are left out.
fn page(url: &str) -> String {
    let url = url.strip_suffix(".git").unwrap_or(url);
    if let Some((host, path)) = url.strip_prefix("git@").and_then(|rest| rest.split_once(':')) {
        let path = match path.split_once('/') {
            Some((port, rest)) if port.bytes().all(|byte| byte.is_ascii_digit()) => rest,
            _ => path,
        };
        return format!("https://{host}/{path}");
    }
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let host_end = rest.find('/').unwrap_or(rest.len());
            let host_start = rest[..host_end].rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://{}", &rest[host_start..])
        }
        None => url.into(),
    }
}

fn platform_of(url: &str) -> Platform {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split(['/', ':']).next().unwrap_or_default().to_lowercase();
    match host.as_str() {
        "github.com" => Platform::GitHub,
        "gitlab.com" => Platform::GitLab,
        "dev.azure.com" | "visualstudio.com" => Platform::AzureDevOps,
        "gitea.com" | "code.forgejo.org" | "codeberg.org" => Platform::Gitea,
        "bitbucket.org" => Platform::Bitbucket,
        _ => Platform::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_pages() {
        let check = |url, page, platform| {
            let remote = Remote::at(url, Platform::Unknown);
            assert_eq!((remote.url.as_str(), remote.platform), (page, platform));
        };
        check("git@github.com:a/b.git", "https://github.com/a/b", Platform::GitHub);
        check("git@gitlab.com:2222/a/b.git", "https://gitlab.com/a/b", Platform::GitLab);
        check(
            "https://user:token@codeberg.org/a/b.git",
            "https://codeberg.org/a/b",
            Platform::Gitea,
        );
        check("ssh://git@bitbucket.org/a/b", "ssh://bitbucket.org/a/b", Platform::Bitbucket);
        check("https://git.example/a@b", "https://git.example/a@b", Platform::Unknown);
        check("/srv/git/a.git", "/srv/git/a", Platform::Unknown);
    }
}
