storage "inmem" {}
listener "tcp" { tls_disable = true }
audit "http" "a" { options { uri = "http://127.0.0.1/" headers = "hunter2-hunter2" } }
