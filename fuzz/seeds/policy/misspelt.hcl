path "a" { capabilites = ["raed"] }
