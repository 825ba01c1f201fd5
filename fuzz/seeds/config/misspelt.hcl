storage "inmem" {}
lisener "tcp" { tls_dsable = true }
