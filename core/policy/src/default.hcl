# What every token may do unless it was made without this policy.
# You may change this text; the policy itself cannot be deleted.

# Look at, renew and give up the token itself.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self"  { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }

# Ask what the token may do.
path "sys/capabilities-self"         { capabilities = ["update"] }
path "sys/internal/ui/resultant-acl" { capabilities = ["read"] }

# Look at the entity that the token belongs to.
path "identity/entity/id/{{identity.entity.id}}"     { capabilities = ["read"] }
path "identity/entity/name/{{identity.entity.name}}" { capabilities = ["read"] }

# Renew and look at a lease whose id the caller knows.
path "sys/renew"         { capabilities = ["update"] }
path "sys/leases/renew"  { capabilities = ["update"] }
path "sys/leases/lookup" { capabilities = ["update"] }

# Keep secrets that belong to the token and end with it.
path "cubbyhole/*" { capabilities = ["create", "read", "update", "delete", "list"] }

# Wrap a value, look at a wrapping token, unwrap it.
path "sys/wrapping/wrap"   { capabilities = ["update"] }
path "sys/wrapping/lookup" { capabilities = ["update"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }

# Compute digests.
path "sys/tools/hash"   { capabilities = ["update"] }
path "sys/tools/hash/*" { capabilities = ["update"] }

# Log in to applications that trust this server's OIDC providers.
path "identity/oidc/provider/+/authorize" { capabilities = ["read", "update"] }
