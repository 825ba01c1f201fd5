storage "raft" { path = "x" }
ha_storage "consul" {}
listener "tcp" { tls_cert_file = "c" proxy_protocol_behavior = "use_always" }
