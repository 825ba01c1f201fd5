ui = true
api_addr = "https://vault.example.com:8200"
default_lease_ttl = "768h"
max_lease_ttl = "768h"
log_level = "info"
disable_mlock = true
storage "embedded" { path = "/var/lib/strongroom" }
listener "tcp" {
  address = "127.0.0.1:8200"
  tls_disable = true
  x_forwarded_for_authorized_addrs = "10.0.0.0/8"
  http_read_timeout = "30s"
  max_request_size = 33554432
  custom_response_headers { "default" = { "X-A" = ["b"] } }
  telemetry { unauthenticated_metrics_access = true }
}
listener "unix" { address = "/run/s.sock" socket_mode = "0660" }
seal "static" {
  current_key_id = "1"
  current_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
  priority = 2
}
audit "file" "main" { options { file_path = "/var/log/audit.log" mode = "0600" } }
user_lockout "userpass" { lockout_threshold = 3 lockout_duration = "10m" }
telemetry { prometheus_retention_time = "30s" disable_hostname = true }
