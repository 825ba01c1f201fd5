path "secret/*" { capabilities = ["read"] }
path = { "kv/+" = { policy = "write" } }
listener "tcp" "b" c { address = "127.0.0.1:8200", tls { x = 1 } }
a-b.c_d {}
