storage "inmem" {}
listener "tcp" { tls_disable = true }
seal "static" { current_key_id = "1" current_key = "hunter2-hunter2" }
