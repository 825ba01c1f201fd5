path "a" { capabilities = ["read"] allowed_parameters = { "p" = "hunter2-hunter2" } }
