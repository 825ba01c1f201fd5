use std::sync::Arc;

use scan_engine::Attributes;

use crate::git::Remote;
use crate::outcome::Commit;

/// What is known of a file.
pub(crate) struct OfFile<'a> {
    pub(crate) symlink: &'a str,
}

/// What is known of what a commit added. The commit is read if somebody asks for it.
pub(crate) struct OfCommit<'a> {
    pub(crate) describe: &'a dyn Fn() -> Arc<Commit>,
    pub(crate) remote: &'a Remote,
}

impl Attributes for OfFile<'_> {
    fn attribute(&self, name: &str) -> String {
        match name {
            "resource" => "fs.content".into(),
            "fs.symlink" => self.symlink.into(),
            _ => String::new(),
        }
    }
}

impl Attributes for OfCommit<'_> {
    fn attribute(&self, name: &str) -> String {
        let of_commit = |part: fn(&Commit) -> &String| part(&(self.describe)()).clone();
        match name {
            "resource" => "git.patch_content".into(),
            "git.author_name" => of_commit(|commit| &commit.author),
            "git.author_email" => of_commit(|commit| &commit.email),
            "git.date" => of_commit(|commit| &commit.date),
            "git.message" => of_commit(|commit| &commit.message),
            "git.remote_url" => self.remote.url().into(),
            "git.platform" => self.remote.platform().into(),
            _ => String::new(),
        }
    }
}
