package mc.flags

deny[msg] {
  input.flag.add
  not input.flag.owner
  msg := "flag missing owner"
}

deny[msg] {
  input.flag.add
  not input.flag.ttl
  msg := "flag missing TTL"
}
