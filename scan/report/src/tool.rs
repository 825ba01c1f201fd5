/// Who a report says it is from.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    pub name: &'static str,
    pub version: &'static str,
    pub uri: Option<&'static str>,
}

impl Tool {
    pub const STRONGROOM: Self =
        Self { name: "strongroom", version: env!("CARGO_PKG_VERSION"), uri: None };

    /// What the reports of gitleaks 8.30 say, for whoever reads them by it.
    pub const GITLEAKS: Self = Self {
        name: "gitleaks",
        version: "v8.0.0",
        uri: Some("https://github.com/gitleaks/gitleaks"),
    };
}
