path "secret/{{identity.entity.id}}/*" { capabilities = ["read"] }
path "secret/{{identity.entity.metadata.team}}/+" { capabilities = ["list"] }
path "{{identity.groups.names.dev.id}}" { policy = "write" }
path "x/{{identity.entity.aliases.auth_userpass_1.custom_metadata.odd}}" { capabilities = ["deny"] }
