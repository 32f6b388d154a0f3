"""Links between nodes: TLS, mDNS, pairing. The only room that opens sockets to peers."""
