use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use base_crypto::SigningKey;
use base_types::{Clock, Error, Result, Secret, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::chain::{Chain, Signer};
use crate::config::Settings;
use crate::device::{Device, Item, Parts};
use crate::format::{Formatter, HeaderRules, Text};
use crate::redact::Style;
use crate::ticket::{Ticket, Wait};
use crate::{DeviceConfig, DeviceState, HttpPoster, RequestEntry, ResponseEntry};

/// What a broker needs from the server.
pub struct Setup {
    pub clock: Arc<dyn Clock>,
    /// Signs the checkpoints of all devices.
    pub signing_key: SigningKey,
    /// How to post over TLS; `None` allows plain `http` addresses only.
    pub poster: Option<Arc<dyn HttpPoster>>,
    /// The server's switch `allow_audit_log_prefixing`.
    pub allow_prefix: bool,
    /// How long a device may take for one write before the entries that wait for it are refused.
    pub patience: Duration,
}

/// Hands every entry to all devices and waits for the first that has written it.
///
/// With no device at all nothing is recorded and everything goes on, as in Vault.
pub struct Broker {
    clock: Arc<dyn Clock>,
    signer: Arc<Signer>,
    poster: Option<Arc<dyn HttpPoster>>,
    allow_prefix: bool,
    patience: Duration,
    set: ArcSwap<Set>,
    headers: ArcSwap<HeaderRules>,
    /// Held by whoever changes `set`.
    changes: Mutex<()>,
    entries: AtomicU64,
    failures: AtomicU64,
}

/// The devices at one moment.
#[derive(Default)]
struct Set {
    members: Vec<Member>,
    /// Each differs from the others.
    styles: Vec<Arc<Style>>,
}

struct Member {
    device: Arc<Device>,
    /// An index into `styles`.
    style: usize,
}

impl Set {
    fn new(devices: impl Iterator<Item = Arc<Device>>) -> Self {
        let mut set = Self::default();
        for device in devices {
            let known = set.styles.iter().position(|style| style.equals(&device.style));
            let style = known.unwrap_or_else(|| {
                set.styles.push(Arc::clone(&device.style));
                set.styles.len() - 1
            });
            set.members.push(Member { device, style });
        }
        set
    }

    fn devices(&self) -> impl Iterator<Item = &Arc<Device>> {
        self.members.iter().map(|member| &member.device)
    }

    fn find(&self, path: &str) -> Option<&Arc<Device>> {
        self.devices().find(|device| device.config.path == path)
    }
}

/// Proof that a request has been recorded, to be given back with its response.
#[must_use = "a request that was recorded needs its response recorded"]
pub struct Receipt {
    set: Arc<Set>,
    /// The request's entry, one per style: the response repeats most of it.
    texts: Vec<Arc<Text>>,
}

/// Proof that a response has been recorded. Only [`Broker::end`] makes it.
#[must_use = "the reply may only leave with this"]
pub struct Audited(());

impl Broker {
    pub fn new(setup: Setup) -> Self {
        let Setup { clock, signing_key, poster, allow_prefix, patience } = setup;
        Self {
            clock,
            signer: Arc::new(Signer::new(signing_key)),
            poster,
            allow_prefix,
            patience,
            set: ArcSwap::default(),
            headers: ArcSwap::default(),
            changes: Mutex::new(()),
            entries: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// Records a request. When this returns, the request may be executed.
    ///
    /// # Errors
    /// `Unavailable` if there are devices and none has written the entry.
    pub async fn begin(&self, entry: &RequestEntry<'_>) -> Result<Receipt> {
        let set = self.set.load_full();
        let time = self.clock.now();
        let texts = self.requests(&set, entry, time);
        self.record(&set, [(&texts, time)]).await?;
        Ok(Receipt { set, texts })
    }

    /// Records a request that changes nothing, and began at `began`, together with its response:
    /// one wait for the devices instead of two. Only then may the reply leave.
    ///
    /// # Errors
    /// `Unavailable` if there are devices and none has written both entries.
    pub async fn record_both(
        &self,
        began: Timestamp,
        entry: &ResponseEntry<'_>,
    ) -> Result<Audited> {
        let set = self.set.load_full();
        let request = self.requests(&set, entry.request, began);
        let time = self.clock.now();
        let response = self.responses(&set, entry, &request, time);
        self.record(&set, [(&request, began), (&response, time)]).await?;
        Ok(Audited(()))
    }

    /// Records a response. Only then may it leave.
    ///
    /// # Errors
    /// `Unavailable` if there are devices and none has written the entry.
    pub async fn end(&self, receipt: Receipt, entry: &ResponseEntry<'_>) -> Result<Audited> {
        let set = self.set.load_full();
        let time = self.clock.now();
        let begun = if Arc::ptr_eq(&set, &receipt.set) {
            receipt.texts
        } else {
            // Devices came or went meanwhile, perhaps by this very request.
            self.requests(&set, entry.request, time)
        };
        let texts = self.responses(&set, entry, &begun, time);
        self.record(&set, [(&texts, time)]).await?;
        Ok(Audited(()))
    }

    fn responses(
        &self,
        set: &Set,
        entry: &ResponseEntry<'_>,
        begun: &[Arc<Text>],
        time: Timestamp,
    ) -> Vec<Arc<Text>> {
        let headers = self.headers.load();
        let format = |(style, begun): (&Arc<Style>, &Arc<Text>)| {
            Arc::new(Formatter { style, headers: &headers, time }.response(entry, begun))
        };
        set.styles.iter().zip(begun).map(format).collect()
    }

    fn requests(&self, set: &Set, entry: &RequestEntry<'_>, time: Timestamp) -> Vec<Arc<Text>> {
        let headers = self.headers.load();
        let format = |style: &Arc<Style>| {
            Arc::new(Formatter { style, headers: &headers, time }.request(entry))
        };
        set.styles.iter().map(format).collect()
    }

    /// Hands the texts of each entry to every device, and waits until each entry is written.
    async fn record<const N: usize>(
        &self,
        set: &Set,
        entries: [(&[Arc<Text>], Timestamp); N],
    ) -> Result<()> {
        if set.members.is_empty() {
            return Ok(());
        }
        let entries = entries.map(|(texts, time)| (texts, time, Ticket::new(set.members.len())));
        for Member { device, style } in &set.members {
            device.submit(entries.iter().map(|(texts, time, ticket)| Item {
                text: Arc::clone(&texts[*style]),
                time: *time,
                ticket: Arc::clone(ticket),
            }));
        }
        for (_, _, ticket) in entries {
            if !Wait(ticket).await {
                self.failures.fetch_add(1, Ordering::Relaxed);
                return Err(Error::unavailable("no audit device could record the request")
                    .because("every audit device failed or is too slow; see their errors above"));
            }
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Adds a device and writes its first line, unless its option `skip_test` says that this may
    /// fail. `salt` keys the hashes of its values; the caller keeps it as long as the device.
    ///
    /// # Errors
    /// `Invalid` if an option is wrong or the path is in use, `Unavailable` if the device cannot
    /// take its first line.
    pub async fn enable(&self, config: DeviceConfig, salt: Secret<[u8; 32]>) -> Result<()> {
        let settings = Settings::parse(&config, self.allow_prefix, self.poster.is_some())?;
        let _changing = self.changes.lock().await;
        if self.set.load().find(&config.path).is_some() {
            return Err(Error::invalid("path already in use"));
        }
        let Settings { log_raw, hmac_accessor, elide_list_responses, skip_test, .. } = settings;
        let style = Style::new(salt, log_raw, hmac_accessor, elide_list_responses);
        let prefix = settings.prefix.clone();
        let chain = Chain::new(Arc::clone(&self.signer), config.path.clone(), prefix);
        let device = Device::start(Parts {
            config,
            style: Arc::new(style),
            sink: settings.sink(Arc::clone(&self.clock), self.poster.clone(), Handle::current()),
            chain,
            clock: Arc::clone(&self.clock),
            patience: self.patience,
            skip_test,
        })
        .await?;
        let devices = self.set.load_full();
        let all = devices.devices().cloned().chain([Arc::new(device)]);
        self.set.store(Arc::new(Set::new(all)));
        Ok(())
    }

    /// Removes a device after its last line; says whether there was one.
    pub async fn disable(&self, path: &str) -> bool {
        let _changing = self.changes.lock().await;
        let set = self.set.load_full();
        let Some(device) = set.find(path) else {
            return false;
        };
        let others = set.devices().filter(|other| !Arc::ptr_eq(other, device)).cloned();
        self.set.store(Arc::new(Set::new(others)));
        device.close().await;
        true
    }

    /// Removes all devices, each after its last line.
    pub async fn close(&self) {
        let _changing = self.changes.lock().await;
        let set = self.set.swap(Arc::default());
        for device in set.devices() {
            device.close().await;
        }
    }

    /// The devices in the order in which they were enabled.
    pub fn list(&self) -> Vec<DeviceConfig> {
        self.set.load().devices().map(|device| device.config.clone()).collect()
    }

    /// Closes and opens all files and connections, as after a rotation of the files.
    ///
    /// # Errors
    /// `Unavailable`, naming the devices that could not be opened again. They are tried on.
    pub async fn reopen(&self) -> Result<()> {
        let set = self.set.load_full();
        let answers: Vec<_> = set.devices().map(|device| (device, device.reopen())).collect();
        let mut failed = Vec::new();
        for (device, answer) in answers {
            match tokio::time::timeout(device.patience(), answer).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => {
                    failed.push(error.at(&device.config.path).public().to_owned())
                }
                Ok(Err(_)) | Err(_) => failed.push(format!("{}: no answer", device.config.path)),
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(Error::unavailable(failed.join("; "))) }
    }

    /// The hash that stands for `input` in the log of the device at `path`.
    ///
    /// # Errors
    /// `Invalid` if there is no such device.
    pub fn hash(&self, path: &str, input: &str) -> Result<String> {
        match self.set.load().find(path) {
            Some(device) => Ok(device.style.hash(input.as_bytes())),
            None => Err(Error::invalid(format!("unknown audit backend {path:?}"))),
        }
    }

    /// Replaces the allow-list of request headers: name -> whether the values are hashed.
    pub fn set_request_headers(&self, rules: BTreeMap<String, bool>) {
        let lower = rules.into_iter().map(|(name, hidden)| (name.to_ascii_lowercase(), hidden));
        self.headers.store(Arc::new(lower.collect()));
    }

    /// Entries that at least one device has written.
    pub fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    /// Entries that no device has written: each is a request that failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// How each device is doing.
    pub fn devices(&self) -> Vec<DeviceState> {
        self.set.load().devices().map(|device| device.state()).collect()
    }
}
