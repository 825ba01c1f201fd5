path "s/" { capabilities = ["list"] }
path "s" { capabilities = ["read"] }
path "s/+/" { capabilities = ["list"] }
path "s/a/*" { capabilities = [] }
