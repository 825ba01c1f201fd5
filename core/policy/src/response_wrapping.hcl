# What a response-wrapping token may do: fetch the response that it wraps.
path "cubbyhole/response"  { capabilities = ["create", "read"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }
