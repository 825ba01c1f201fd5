//! The request path, from top to bottom.

use std::borrow::Cow;
use std::sync::Arc;

use base_types::{Error, ErrorKind, Result};
use core_engine_api::{Call, Caller, Endpoint, Found, Response, Verb};
use core_identity::{Kind, Uses};
use core_policy::{Granted, Operation, Parameters};
use core_quota::Target;

use crate::mounts::MountEntry;
use crate::namespaces::NamespaceEntry;
use crate::page;
use crate::reply::{Outcome, Reply};
use crate::revocation::CUBBYHOLE;
use crate::session::Session;
use crate::trail::Trail;
use crate::wrapping::WrappedRecord;
use crate::{Core, Request};

/// Where a request leads.
pub(crate) struct Place {
    pub(crate) namespace: Arc<NamespaceEntry>,
    /// With the namespace in front: what policies judge.
    pub(crate) full_path: String,
    pub(crate) mount: Option<Arc<MountEntry>>,
    found: Found,
    /// Relative to the mount.
    path: String,
    /// The path below the mount was written with a slash at its end.
    is_folder: bool,
}

impl Place {
    /// Relative to its namespace: what the audit log shows.
    pub(crate) fn path(&self) -> &str {
        &self.full_path[self.namespace.path.as_str().len()..]
    }

    fn target(&self) -> Target<'_> {
        Target {
            namespace: self.namespace.path.as_str(),
            mount: self.mount.as_ref().map_or("", |mount| &mount.full_path),
            path: &self.full_path,
        }
    }

    fn is_open(&self) -> bool {
        match (&self.mount, &self.found) {
            (Some(mount), Found::Route { route, .. }) => mount.backend.endpoint(*route).open,
            _ => false,
        }
    }

    /// What is asked changes nothing. To wrap the answer would: it makes a token.
    fn is_pure(&self, request: &Request) -> bool {
        match (&self.mount, &self.found) {
            (Some(mount), Found::Route { route, .. }) => {
                mount.backend.endpoint(*route).pure && request.wrap_ttl.is_none()
            }
            _ => false,
        }
    }

    /// One logs in here, but not by this verb.
    fn is_other_verb_of_login(&self) -> bool {
        matches!(self.found, Found::OtherVerb) && self.endpoints().any(|endpoint| endpoint.login)
    }

    /// The end of the path is free, so that a slash there is part of a name.
    fn takes_any_rest(&self) -> bool {
        self.endpoints().all(|endpoint| endpoint.pattern.ends_with("..}"))
    }

    /// What answers at this path, by any verb.
    fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let find = |mount: &'_ MountEntry, verb| match mount.backend.find(verb, &self.path) {
            Found::Route { route, .. } => Some(route),
            Found::Nothing | Found::OtherVerb => None,
        };
        self.mount.iter().flat_map(move |mount| {
            Verb::ALL
                .into_iter()
                .filter_map(move |verb| find(mount, verb))
                .map(|route| mount.backend.endpoint(route))
        })
    }
}

/// What a request that may go on comes to.
enum Plan {
    Call {
        mount: Arc<MountEntry>,
        route: usize,
        call: Box<Call>,
        /// How many entries a listing may have.
        list_limit: Option<u32>,
    },
    /// The facade answers it from the list of endpoints; the caller may know them.
    Help,
}

impl Core {
    /// Answers one request. Every reply to a request that got as far as the audit log has been
    /// recorded there before it is returned.
    ///
    /// Callers may drop a read; one that could have effects runs on all the same, so that nothing is
    /// left half done. Facades run everything else to its end themselves.
    pub async fn handle(self: &Arc<Self>, request: Request) -> Reply {
        if self.is_sealed() {
            return Reply::refused(request.id, Error::sealed());
        }
        let place = match self.place(&request) {
            Ok(place) => place,
            Err(error) => return Reply::refused(request.id, error),
        };
        let is_read = request.verb == Verb::Read || request.verb.is_listing();
        if !is_read || place.is_pure(&request) {
            return self.answer(request, place).await;
        }
        let (core, id) = (self.clone(), request.id.clone());
        match tokio::spawn(async move { core.answer(request, place).await }).await {
            Ok(reply) => reply,
            Err(failure) => Reply::refused(id, Error::internal(failure)),
        }
    }

    async fn answer(self: &Arc<Self>, request: Request, place: Place) -> Reply {
        let audit = match self.audit() {
            Ok(audit) => audit,
            Err(error) => return Reply::refused(request.id, error),
        };
        let began = self.clock.now();
        self.counters.requests.add_one();
        let session = self.authenticate(&request).await;
        let call = call(&request, &place);
        let operation = self.operation(&request, &place, call.as_deref()).await;
        let admitted = self.admit(&request, &place, &session, &operation, call);
        let session = session.ok();
        // An open path needs no token, so it takes no use off one: to look at a wrapping token must
        // not end it.
        let used = session.as_deref().filter(|_| !place.is_open());
        let taken = self.take_use(used).await;
        let is_last_use = matches!(taken, Ok(true));
        let (granted, plan) = match admitted.and_then(|admitted| taken.map(|_| admitted)) {
            Ok((granted, plan)) => (Some(granted), Ok(plan)),
            Err(error) => (None, Err(error)),
        };

        let mut trail = Trail::new(&request, &place, session.as_deref());
        trail.operation = operation.as_ref().map_or("", |operation| operation.name());
        trail.granted = granted.as_ref();
        let refusal = plan.as_ref().err().map(copy);
        // What changes nothing may run before its entry is written, since nobody hears of it before.
        let receipt = match place.is_pure(&request) {
            true => None,
            false => match audit.begin(&trail.request(refusal.as_ref()).entry()).await {
                Ok(receipt) => Some(receipt),
                Err(error) => return Reply::refused(request.id.clone(), error),
            },
        };

        let outcome = match plan {
            Ok(plan) => self.perform(&request, &place, session.as_deref(), plan).await,
            Err(error) => Err(error),
        };
        if is_last_use {
            Box::pin(self.end_spent(used)).await;
        }
        if outcome.as_ref().is_err_and(|error| error.is(ErrorKind::Denied)) {
            self.counters.denied.add_one();
        }

        let answer = trail.response(refusal.as_ref(), &outcome);
        let lent = answer.lend();
        let recorded = match receipt {
            Some(receipt) => audit.end(receipt, &answer.entry(&lent)).await,
            None => audit.record_both(began, &answer.entry(&lent)).await,
        };
        drop(answer);
        match recorded {
            Ok(audited) => Reply::recorded(audited, request.id.clone(), outcome),
            Err(error) => Reply::refused(request.id.clone(), error),
        }
    }

    /// Finds the namespace, the mount and the route.
    fn place(&self, request: &Request) -> Result<Place> {
        let start = self.namespaces.find(&request.namespace);
        let start = start.ok_or_else(|| Error::not_found("namespace not found"))?;
        let (namespace, rest) = self.namespaces.descend(start, request.path.as_str());
        // One spelling of each path, so that policies, the audit log and engines see the same: a
        // listing is of a folder, anything else is not.
        let rest =
            if request.verb.is_listing() { rest } else { rest.strip_suffix('/').unwrap_or(rest) };
        if namespace.record.deleting {
            return Err(Error::not_found("the namespace is being deleted"));
        }
        let full_path = if namespace.path.is_root() {
            rest.to_owned()
        } else {
            format!("{}{rest}", namespace.path)
        };
        let is_folder = !request.verb.is_listing() && request.path.as_str().ends_with('/');
        let (mount, found, path) = match self.mounts.find(&full_path) {
            Some((mount, path))
                if mount.namespace.id() == namespace.id() && !mount.record.deleting =>
            {
                let path = path.trim_end_matches('/').to_owned();
                let found = mount.backend.find(request.verb, &path);
                (Some(mount), found, path)
            }
            _ => (None, Found::Nothing, String::new()),
        };
        let is_folder = is_folder && !path.is_empty();
        Ok(Place { namespace, full_path, mount, found, path, is_folder })
    }

    /// What is asked, in the words of policies. Whether a write creates or updates is for the engine
    /// to say.
    async fn operation(
        &self,
        request: &Request,
        place: &Place,
        call: Option<&Call>,
    ) -> Result<Operation> {
        Ok(match request.verb {
            _ if request.help => Operation::Help,
            Verb::Delete => Operation::Delete,
            Verb::List => Operation::List,
            Verb::Patch => Operation::Patch,
            Verb::Read => Operation::Read,
            Verb::Scan => Operation::Scan,
            Verb::Write => match (&place.mount, call) {
                (Some(mount), Some(call)) => match mount.backend.exists(call).await? {
                    Some(false) => Operation::Create,
                    Some(true) | None => Operation::Update,
                },
                _ => Operation::Update,
            },
        })
    }

    /// Quota, then policy, then whether there is anything to call.
    fn admit(
        &self,
        request: &Request,
        place: &Place,
        session: &Result<Arc<Session>>,
        operation: &Result<Operation>,
        call: Option<Box<Call>>,
    ) -> Result<(Granted, Plan)> {
        let address = request.peer.remote.map(|remote| remote.ip());
        self.quotas.admit(place.target(), address, self.clock.now())?;
        let operation = *operation.as_ref().map_err(copy)?;
        let granted = if place.is_open() && operation != Operation::Help {
            Granted::by_open_route(operation)
        } else if place.is_other_verb_of_login() {
            return Err(Error::unsupported());
        } else {
            decide(request, place, session.as_ref().map_err(copy)?, operation)?
        };
        let Some(mount) = place.mount.clone() else {
            let path = request.path.as_str();
            return Err(Error::not_found(format!(
                "no handler for route {path:?}. route entry not found."
            )));
        };
        if operation == Operation::Help {
            return Ok((granted, Plan::Help));
        }
        let (route, mut call) = match (&place.found, call) {
            (Found::Route { route, .. }, Some(call)) => (*route, call),
            (Found::OtherVerb, _) if request.verb.is_listing() && !place.takes_any_rest() => {
                return Err(unsupported_path());
            }
            (Found::OtherVerb, _) => {
                return Err(one_fault(ErrorKind::Unsupported, "unsupported operation"));
            }
            _ => return Err(unsupported_path()),
        };
        if place.is_folder && request.verb == Verb::Read {
            return Err(if place.takes_any_rest() {
                Error::not_found("")
            } else {
                unsupported_path()
            });
        }
        if let Ok(session) = session {
            call.caller = caller(session, request);
        }
        let list_limit = granted.list_limit();
        Ok((granted, Plan::Call { mount, route, call, list_limit }))
    }

    /// Takes one use off a token that has only so many, whatever becomes of the request, and says
    /// whether it was the last. Only what is stored knows: others may have taken theirs meanwhile.
    async fn take_use(&self, session: Option<&Session>) -> Result<bool> {
        match session {
            Some(session) if session.token.uses != Uses::Unlimited => {
                let token = self.tokens.take_use(&session.token.id).await?;
                Ok(token.uses == Uses::Left(0))
            }
            _ => Ok(false),
        }
    }

    async fn end_spent(&self, session: Option<&Session>) {
        let Some(session) = session else { return };
        if let Err(error) = self.revoke_token(&session.token.id).await {
            // It is refused already, and due: the worker will try again.
            tracing::warn!(error = %error.log(), "could not end a token after its last use");
        }
    }

    async fn perform(
        self: &Arc<Self>,
        request: &Request,
        place: &Place,
        session: Option<&Session>,
        plan: Plan,
    ) -> Result<Outcome> {
        let Plan::Call { mount, route, call, list_limit } = plan else {
            return Ok(Outcome::default());
        };
        let is_login = mount.backend.endpoint(route).login;
        if let Some(session) = session.filter(|session| session.token.bare)
            && request.verb == Verb::Write
            && mount.record.kind == CUBBYHOLE
        {
            self.tokens.burden(&session.token.id).await?;
        }
        let mut response = if is_login {
            self.login(&mount, route, *call).await?
        } else {
            mount.backend.call(route, *call).await.map_err(named_fault)?
        };
        if let Some(most) = list_limit {
            page::cut_off(&mut response, most)?;
        }
        let outcome = self.fulfil(&mount, place, session, response).await?;
        match request.wrap_ttl {
            Some(ttl) if is_wrappable(&outcome) => {
                Box::pin(self.wrap_outcome(request, place, ttl, outcome)).await
            }
            _ => Ok(outcome),
        }
    }

    /// A login, counted for the one it would be.
    async fn login(&self, mount: &MountEntry, route: usize, call: Call) -> Result<Response> {
        let Some(alias) = mount.backend.alias(route, &call) else {
            return mount.backend.call(route, call).await;
        };
        let account = (mount.record.accessor.clone(), alias);
        let tuned = mount.record.config.lockout;
        let config = tuned.or(self.settings.lockouts.get(&mount.record.kind).copied());
        let Some(config) = config else { return mount.backend.call(route, call).await };
        if self.lockouts.is_locked(&account, &config, self.clock.now()) {
            return Err(Error::denied().because("too many failed logins"));
        }
        let answer = mount.backend.call(route, call).await;
        match &answer {
            Ok(response) if response.login.is_some() => self.lockouts.succeeded(&account),
            Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Denied) => {
                self.lockouts.failed(&account, &config, self.clock.now());
            }
            _ => {}
        }
        answer
    }

    /// Turns what an engine granted into tokens and leases. What only some requests do is boxed, here
    /// and above: its state would make every request's larger.
    async fn fulfil(
        &self,
        mount: &MountEntry,
        place: &Place,
        session: Option<&Session>,
        response: Response,
    ) -> Result<Outcome> {
        let Response {
            data,
            absent,
            accepted,
            warnings,
            login,
            auth,
            wrap,
            accessor,
            lease,
            refresh,
            raw,
        } = response;
        let mut outcome = Outcome {
            data,
            absent,
            accepted,
            accessor: accessor.unwrap_or_default(),
            warnings,
            auth,
            wrap,
            raw,
            lease_duration: refresh.unwrap_or_default(),
            ..Outcome::default()
        };
        if let Some(grant) = login {
            let quota = self.quotas.lease(place.target())?;
            let granting = self.grant_token(mount, place.path(), grant, &mut outcome.warnings);
            let (auth, token) = Box::pin(granting).await?;
            outcome.auth = Some(auth);
            self.counters.tokens.add_one();
            // A batch token has no lease: nobody would notice its end.
            if token.kind == Kind::Service {
                quota.keep();
            }
        }
        if let Some(grant) = lease {
            let quota = self.quotas.lease(place.target())?;
            let path = place.path();
            Box::pin(self.grant_lease(mount, path, session, quota, grant, &mut outcome)).await?;
            self.counters.leases.add_one();
        }
        Ok(outcome)
    }

    async fn wrap_outcome(
        &self,
        request: &Request,
        place: &Place,
        ttl: base_types::Ttl,
        outcome: Outcome,
    ) -> Result<Outcome> {
        let of_token = outcome.auth.as_ref().map(|auth| auth.accessor.clone());
        let wrapped_accessor = of_token.unwrap_or_else(|| outcome.accessor.clone());
        let record = WrappedRecord {
            response: crate::envelope::json(&request.id, &outcome)?,
            creation_time: self.clock.now(),
            creation_path: place.path().to_owned(),
            creation_ttl: ttl,
            wrapped_accessor,
        };
        let wrap = self.wrap(&place.namespace, ttl, record).await?;
        self.counters.wrapped.add_one();
        Ok(Outcome { wrap: Some(wrap), ..Outcome::default() })
    }
}

fn decide(
    request: &Request,
    place: &Place,
    session: &Arc<Session>,
    operation: Operation,
) -> Result<Granted> {
    if !session.namespace.path.contains(&place.namespace.path) {
        return Err(Error::denied().because("the token belongs to another namespace"));
    }
    let sudo_required = match (&place.mount, &place.found) {
        (Some(mount), Found::Route { route, .. }) => mount.backend.endpoint(*route).sudo,
        _ => false,
    };
    let parameters = || parameters(request);
    let asked = core_policy::Request {
        operation,
        path: &place.full_path,
        parameters: &parameters,
        wrap_ttl: request.wrap_ttl,
        sudo_required,
    };
    let refused =
        |error: Error| one_fault(ErrorKind::Denied, "permission denied").because(error.log());
    session.acl.decide(&asked).into_result().map_err(refused)
}

/// A refusal in the form that Vault gives to those that come out of its request path: clients look
/// for it.
fn one_fault(kind: ErrorKind, text: &str) -> Error {
    Error::new(kind, format!("1 error occurred:\n\t* {text}\n\n"))
}

/// An engine finds out late that it has nothing to do with a verb or a path: the same refusal.
fn named_fault(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unsupported => one_fault(ErrorKind::Unsupported, error.public()),
        _ => error,
    }
}

fn unsupported_path() -> Error {
    one_fault(ErrorKind::NotFound, "unsupported path")
}

fn parameters(request: &Request) -> Option<Parameters> {
    let json: Cow<'_, str> = match request.body.text() {
        Some(text) => text.into(),
        None => match request.body.to_json() {
            Some(raw) => raw.get().to_owned().into(),
            None => return Some(Parameters::default()),
        },
    };
    Parameters::from_json(json.as_bytes())
}

/// The call to the engine, if the path leads to one; it does not say yet who calls.
fn call(request: &Request, place: &Place) -> Option<Box<Call>> {
    let Found::Route { params, .. } = &place.found else { return None };
    Some(Box::new(Call {
        request_id: request.id.clone(),
        namespace: place.namespace.path.clone(),
        verb: request.verb,
        path: place.path.clone(),
        params: params.clone(),
        body: request.body.clone(),
        caller: Caller {
            remote: request.peer.remote,
            certificates: request.peer.certificates.clone(),
            ..Caller::default()
        },
        wrap_ttl: request.wrap_ttl,
    }))
}

fn caller(session: &Arc<Session>, request: &Request) -> Caller {
    let token = &session.token;
    Caller {
        // Nothing would ever clear away what is kept for a token that is not stored itself.
        token: (token.kind == Kind::Service).then(|| token.id.clone()),
        accessor: Some(token.accessor.clone()),
        entity_id: token.entity.clone(),
        display_name: token.display_name.clone(),
        session: Some(session.clone()),
        remote: request.peer.remote,
        certificates: request.peer.certificates.clone(),
    }
}

/// There is something in it, and it is not about wrapping already.
fn is_wrappable(outcome: &Outcome) -> bool {
    outcome.wrap.is_none()
        && outcome.raw.is_none()
        && (outcome.data.is_some() || outcome.auth.is_some())
}

/// The same refusal once more: an error is no `Clone`, since its source may be anything.
fn copy(error: &Error) -> Error {
    Error::new(error.kind(), error.public().to_owned()).because(error.log())
}
