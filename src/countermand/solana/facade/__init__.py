"""The chain of the venue behind the JSON-RPC and WebSocket interface of a Solana node.

`methods` answers, with those of `cluster`, `blocks` and `accounts`; `dispatch` speaks JSON-RPC, `subscriptions` keeps
the sockets, `http` is what a Falcon app mounts.
"""
