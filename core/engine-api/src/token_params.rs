use std::net::IpAddr;

use base_types::{Cidr, Error, Result, Ttl};
use serde::{Deserialize, Serialize};

use crate::{LoginGrant, TokenType};

/// What a user or role says about the tokens that its logins make: the `token_*` parameters that
/// all auth methods share. It is part of the record of the user or role.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct TokenParams {
    pub bound_cidrs: Vec<Cidr>,
    pub explicit_max_ttl: Ttl,
    pub max_ttl: Ttl,
    pub no_default_policy: bool,
    pub num_uses: u64,
    pub period: Ttl,
    pub policies: Vec<String>,
    pub strictly_bind_ip: bool,
    pub ttl: Ttl,
    pub token_type: TokenType,
}

/// The `token_*` parameters that a request gave; `None` leaves a value as it is.
#[derive(Clone, Debug, Default)]
pub struct TokenUpdate {
    pub bound_cidrs: Option<Vec<String>>,
    pub explicit_max_ttl: Option<Ttl>,
    pub max_ttl: Option<Ttl>,
    pub no_default_policy: Option<bool>,
    pub num_uses: Option<i64>,
    pub period: Option<Ttl>,
    pub policies: Option<Vec<String>>,
    pub strictly_bind_ip: Option<bool>,
    pub ttl: Option<Ttl>,
    pub token_type: Option<String>,
}

/// The parameters as a response shows them. Flatten it into the rest of the answer.
#[derive(Debug, Serialize)]
pub struct TokenFields<'a> {
    token_bound_cidrs: &'a [Cidr],
    token_explicit_max_ttl: Ttl,
    token_max_ttl: Ttl,
    token_no_default_policy: bool,
    token_num_uses: u64,
    token_period: Ttl,
    token_policies: &'a [String],
    token_strictly_bind_ip: bool,
    token_ttl: Ttl,
    token_type: TokenType,
}

impl TokenParams {
    /// Takes over what was given and checks the whole; on an error `self` is as before.
    ///
    /// # Errors
    /// `Invalid`, naming the parameter, for a value that cannot be or two that exclude each other.
    pub fn apply(&mut self, update: TokenUpdate) -> Result<()> {
        let mut new = self.clone();
        let TokenUpdate { bound_cidrs, num_uses, token_type, .. } = &update;
        if let Some(cidrs) = bound_cidrs {
            new.bound_cidrs = parse_cidrs(cidrs)?;
        }
        if let Some(uses) = num_uses {
            new.num_uses = u64::try_from(*uses)
                .map_err(|_| Error::invalid("'token_num_uses' cannot be negative"))?;
        }
        if let Some(name) = token_type {
            new.token_type = parse_token_type(name)?;
        }
        set(&mut new.explicit_max_ttl, update.explicit_max_ttl);
        set(&mut new.max_ttl, update.max_ttl);
        set(&mut new.no_default_policy, update.no_default_policy);
        set(&mut new.period, update.period);
        set(&mut new.policies, update.policies);
        set(&mut new.strictly_bind_ip, update.strictly_bind_ip);
        set(&mut new.ttl, update.ttl);
        new.check()?;
        *self = new;
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let batch = self.token_type == TokenType::Batch;
        let fault = if self.strictly_bind_ip && !self.bound_cidrs.is_empty() {
            "'token_strictly_bind_ip' conflicts with 'token_bound_cidrs'; set only one"
        } else if batch && !self.period.is_zero() {
            "'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens"
        } else if batch && self.num_uses != 0 {
            "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with \
             limited use count"
        } else if !self.max_ttl.is_zero() && self.ttl > self.max_ttl {
            "'token_ttl' cannot be greater than 'token_max_ttl'"
        } else {
            return Ok(());
        };
        Err(Error::invalid(fault))
    }

    pub fn fields(&self) -> TokenFields<'_> {
        TokenFields {
            token_bound_cidrs: &self.bound_cidrs,
            token_explicit_max_ttl: self.explicit_max_ttl,
            token_max_ttl: self.max_ttl,
            token_no_default_policy: self.no_default_policy,
            token_num_uses: self.num_uses,
            token_period: self.period,
            token_policies: &self.policies,
            token_strictly_bind_ip: self.strictly_bind_ip,
            token_ttl: self.ttl,
            token_type: self.token_type,
        }
    }

    /// Whether a login from `remote` is allowed. An unknown address is in no block.
    pub fn admits(&self, remote: Option<IpAddr>) -> bool {
        self.bound_cidrs.is_empty()
            || remote.is_some_and(|ip| self.bound_cidrs.iter().any(|block| block.contains(ip)))
    }

    /// The part of a login that these parameters decide, for a login from `remote`.
    pub fn grant(&self, remote: Option<IpAddr>) -> LoginGrant {
        let mut bound_cidrs: Vec<String> = self.bound_cidrs.iter().map(Cidr::to_string).collect();
        if self.strictly_bind_ip {
            bound_cidrs.extend(remote.map(|ip| Cidr::from(ip).to_string()));
        }
        LoginGrant {
            policies: self.policies.clone(),
            ttl: self.ttl,
            max_ttl: self.max_ttl,
            explicit_max_ttl: self.explicit_max_ttl,
            period: self.period,
            num_uses: self.num_uses,
            bound_cidrs,
            no_default_policy: self.no_default_policy,
            token_type: self.token_type,
            renewable: true,
            ..LoginGrant::default()
        }
    }
}

/// Reconciles a parameter with its deprecated name: the new name wins, the old one stands in for it
/// otherwise. `shown` remembers whether answers repeat the value under the old name, as Vault does
/// for whoever still writes it.
pub fn deprecated<T>(new: &mut Option<T>, old: Option<T>, shown: &mut bool) {
    if new.is_some() {
        *shown = old.is_some();
    } else if old.is_some() {
        *shown = true;
        *new = old;
    }
}

fn set<T>(value: &mut T, update: Option<T>) {
    if let Some(update) = update {
        *value = update;
    }
}

/// # Errors
/// `Invalid` with Vault's text for the first that is no address or block of addresses.
pub fn parse_cidrs(texts: &[String]) -> Result<Vec<Cidr>> {
    let parse = |text: &String| {
        text.parse().map_err(|_| {
            Error::invalid(format!(
                "error parsing address {text:?}: Unable to convert {text:?} to an IPv4 or IPv6 address, or a UNIX Socket"
            ))
        })
    };
    texts.iter().map(parse).collect()
}

fn parse_token_type(name: &str) -> Result<TokenType> {
    match name {
        "" | "default" => Ok(TokenType::Default),
        "batch" => Ok(TokenType::Batch),
        "service" => Ok(TokenType::Service),
        _ => Err(Error::invalid(format!("invalid 'token_type' value {name:?}"))),
    }
}

/// Defines a request that takes the `token_*` parameters behind its own fields, each a field of
/// the struct, because the names of its fields are what a request knows. `token_update` gives them
/// together.
#[macro_export]
macro_rules! token_request {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type,)*
            /// The blocks of IP addresses from which one can log in and use the token.
            $vis token_bound_cidrs: Option<Vec<String>>,
            /// The longest that a token can live, whatever the limits are when it is renewed.
            $vis token_explicit_max_ttl: Option<::base_types::Ttl>,
            /// The longest that a token can live.
            $vis token_max_ttl: Option<::base_types::Ttl>,
            /// Do not add the policy `default` to the token.
            $vis token_no_default_policy: Option<bool>,
            /// How often a token can be used; zero is unlimited.
            $vis token_num_uses: Option<i64>,
            /// Makes periodic tokens: they live on as long as they are renewed within this time.
            $vis token_period: Option<::base_types::Ttl>,
            /// The policies of the token.
            $vis token_policies: Option<Vec<String>>,
            /// Bind each token to the address that logged in.
            $vis token_strictly_bind_ip: Option<bool>,
            /// How long a token lives before it must be renewed.
            $vis token_ttl: Option<::base_types::Ttl>,
            /// `service`, `batch` or `default`, which is what the mount is tuned to.
            $vis token_type: Option<String>,
        }

        impl $name {
            /// The `token_*` parameters of the request.
            $vis fn token_update(&self) -> $crate::TokenUpdate {
                $crate::TokenUpdate {
                    bound_cidrs: self.token_bound_cidrs.clone(),
                    explicit_max_ttl: self.token_explicit_max_ttl.clone(),
                    max_ttl: self.token_max_ttl.clone(),
                    no_default_policy: self.token_no_default_policy.clone(),
                    num_uses: self.token_num_uses.clone(),
                    period: self.token_period.clone(),
                    policies: self.token_policies.clone(),
                    strictly_bind_ip: self.token_strictly_bind_ip.clone(),
                    ttl: self.token_ttl.clone(),
                    token_type: self.token_type.clone(),
                }
            }
        }
    };
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ttl(seconds: u64) -> Option<Ttl> {
        Some(Ttl::from_seconds(seconds))
    }

    /// The texts are those of OpenBao 2.7.2.
    #[test]
    fn refuses_what_cannot_be_and_stays_as_it_was() {
        let cidrs = |text: &str| Some(vec![text.to_owned()]);
        let batch = || Some("batch".to_owned());
        let none = TokenUpdate::default;
        for (update, fault) in [
            (TokenUpdate { num_uses: Some(-1), ..none() }, "'token_num_uses' cannot be negative"),
            (
                TokenUpdate { token_type: Some("foo".into()), ..none() },
                "invalid 'token_type' value \"foo\"",
            ),
            (
                TokenUpdate { ttl: ttl(3), max_ttl: ttl(2), ..none() },
                "'token_ttl' cannot be greater than 'token_max_ttl'",
            ),
            (
                TokenUpdate { bound_cidrs: cidrs("::1"), strictly_bind_ip: Some(true), ..none() },
                "'token_strictly_bind_ip' conflicts with 'token_bound_cidrs'; set only one",
            ),
            (
                TokenUpdate { token_type: batch(), period: ttl(1), ..none() },
                "'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens",
            ),
            (
                TokenUpdate { token_type: batch(), num_uses: Some(1), ..none() },
                "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with \
                 limited use count",
            ),
            (
                TokenUpdate { bound_cidrs: cidrs("zz"), ..none() },
                "error parsing address \"zz\": Unable to convert \"zz\" to an IPv4 or IPv6 address, or a \
                 UNIX Socket",
            ),
        ] {
            let mut params = TokenParams::default();
            assert_eq!(params.apply(update).unwrap_err().public(), fault);
            assert_eq!(params, TokenParams::default());
        }
    }

    #[test]
    fn a_strict_binding_is_to_the_address_of_the_login() {
        let params = TokenParams { strictly_bind_ip: true, ..TokenParams::default() };
        let remote = Some("10.0.0.7".parse().unwrap());
        assert!(params.admits(remote));
        assert_eq!(params.grant(remote).bound_cidrs, ["10.0.0.7"]);
    }

    #[test]
    fn a_bound_block_admits_no_unknown_address() {
        let mut params = TokenParams::default();
        assert!(params.admits(None));
        let bound_cidrs = Some(vec!["10.0.0.0/8".into()]);
        params.apply(TokenUpdate { bound_cidrs, ..TokenUpdate::default() }).unwrap();
        assert!(!params.admits(None));
        assert!(params.admits(Some("10.0.0.7".parse().unwrap())));
        assert!(!params.admits(Some("11.0.0.7".parse().unwrap())));
    }

    #[test]
    fn the_stored_form_is_fixed() {
        let params = TokenParams {
            bound_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
            ttl: Ttl::from_seconds(60),
            policies: vec!["a".into()],
            token_type: TokenType::Service,
            ..TokenParams::default()
        };
        let golden = "{\"bound_cidrs\":[\"10.0.0.0/8\"],\"explicit_max_ttl\":0,\"max_ttl\":0,\
            \"no_default_policy\":false,\"num_uses\":0,\"period\":0,\"policies\":[\"a\"],\
            \"strictly_bind_ip\":false,\"ttl\":60,\"token_type\":\"service\"}";
        assert_eq!(serde_json::to_string(&params).unwrap(), golden);
        assert_eq!(serde_json::from_str::<TokenParams>(golden).unwrap(), params);
    }
}
