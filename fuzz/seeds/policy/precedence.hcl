path "secret/data/app" { capabilities = ["read", "update"] }
path "secret/data/*" { capabilities = ["list", "read"] }
path "secret/data/+/x" { capabilities = ["deny"] }
path "secret/+/a*" { capabilities = ["delete", "sudo"] }
path "+/data/app/" { capabilities = ["list"] }
path "*" { capabilities = ["update"] }
