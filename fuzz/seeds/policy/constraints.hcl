path "kv/a" {
  capabilities = ["create", "update"]
  required_parameters = ["a"]
  allowed_parameters = { "a" = ["b", "hunter2-hunter2"], "ttl" = [], "*" = [] }
  denied_parameters = { "c" = ["x*"] }
  min_wrapping_ttl = "10s"
  max_wrapping_ttl = 90
  pagination_limit = 10
  comment = "hunter2-hunter2"
}
path "kv/a" { capabilities = ["list", "scan"] expiration = "2030-01-01T00:00:00Z" }
