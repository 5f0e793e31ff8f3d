"""Who is at the other end of the web channel: operators' embed keys, their signed drivers, visitors, and how often each may call."""
